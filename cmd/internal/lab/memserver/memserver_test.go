package memserver

import (
	"bytes"
	"testing"

	"offloop/cmd/internal/lab/gen"
	"offloop/cmd/internal/lab/imapc"
)

func TestFillAndReadBack(t *testing.T) {
	s, err := Start(Options{User: "u", Pass: "p"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	if _, err := imapc.Dial(s.Addr(), imapc.Options{User: "u", Pass: "wrong"}); err == nil {
		t.Error("logged in with a wrong password")
	}
	c, err := imapc.Dial(s.Addr(), imapc.Options{User: "u", Pass: "p"})
	if err != nil {
		t.Fatal(err)
	}
	a := gen.New(gen.Options{Messages: 40, Folders: 8, Nasty: -1})
	if err := a.FillIMAP(c); err != nil {
		t.Fatal(err)
	}
	for i, f := range a.Folders() {
		if _, err := c.Select(f.Name("/")); err != nil {
			t.Fatal(err)
		}
		n := 0
		if f.Messages > 0 {
			err = c.Fetch("1:*", "(UID BODY.PEEK[])", nil, func(m imapc.Message) error {
				if want := a.Message(i, n); !bytes.Equal(m.Body, want.Body) {
					t.Errorf("%q message %d differs", f.Name("/"), n)
				}
				n++
				return nil
			})
		}
		if err != nil || n != f.Messages {
			t.Errorf("%q: %d of %d messages, %v", f.Name("/"), n, f.Messages, err)
		}
	}
	if err := c.Logout(); err != nil {
		t.Errorf("logout: %v", err)
	}
}
