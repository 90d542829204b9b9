package imaptest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden dialogues with what the server says now")

// A golden dialogue has one line an event:
//
//	# comment
//	= fill BOX N, = caps PRESET, = without CAP, = add FLAG UID, = expunge UID ...   the other client
//	C1 a line from the client of session 1
//	S1 a line from the server
//
// A session begins when it is first named. After every C and = line all
// sessions are asked for output.

// play runs a dialogue and returns it with the server's true lines. If chunked,
// the client's lines arrive one byte at a time.
func play(t *testing.T, text string, chunked bool) (string, *Server) {
	srv := newServer()
	sessions := map[byte]*Session{}
	var out strings.Builder
	listen := func() {
		for n := byte('1'); n <= '9'; n++ {
			if s := sessions[n]; s != nil {
				for _, l := range strings.Split(strings.TrimSuffix(string(s.Output()), "\r\n"), "\r\n") {
					if l != "" {
						fmt.Fprintf(&out, "S%c %s\n", n, l)
					}
				}
			}
		}
	}
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		switch {
		case strings.HasPrefix(line, "S"):
			continue
		case strings.HasPrefix(line, "= "):
			fmt.Fprintln(&out, line)
			setUp(t, srv, strings.Fields(line[2:]))
		case strings.HasPrefix(line, "C"):
			s := sessions[line[1]]
			if s == nil {
				s = srv.NewSession()
				sessions[line[1]] = s
				listen()
			}
			fmt.Fprintln(&out, line)
			bytes := line[3:] + "\r\n"
			for chunked && len(bytes) > 1 {
				s.Feed([]byte(bytes[:1]))
				bytes = bytes[1:]
			}
			s.Feed([]byte(bytes))
		default:
			fmt.Fprintln(&out, line)
			continue
		}
		listen()
	}
	return out.String(), srv
}

func setUp(t *testing.T, srv *Server, w []string) {
	n := func(i int) uint32 {
		x, err := strconv.Atoi(w[i])
		if err != nil {
			t.Fatal(w, err)
		}
		return uint32(x)
	}
	switch w[0] {
	case "fill":
		fill(srv, w[1], int(n(2)))
	case "caps":
		srv.Caps = map[string]Caps{"QRESYNC": QRESYNC, "CondstoreOnly": CondstoreOnly, "UIDPlusOnly": UIDPlusOnly, "Bare": Bare}[w[1]]
	case "with":
		srv.Caps = srv.Caps.With(w[1:]...)
	case "without":
		srv.Caps = srv.Caps.Without(w[1:]...)
	case "create":
		srv.CreateMailbox(w[1], w[2:]...)
	case "flag":
		srv.SetFlags(w[1], n(2), w[3:]...)
	case "expunge":
		srv.Expunge(w[1], n(2))
	case "forget":
		srv.ForgetExpunges(w[1])
	case "validity":
		srv.SetUIDValidity(w[1], n(2), 1)
	default:
		t.Fatal("unknown line: = ", w)
	}
}

func TestGolden(t *testing.T) {
	files, _ := filepath.Glob("testdata/server/*.txt")
	if len(files) < 8 {
		t.Fatal("the dialogues are missing")
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			want, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := play(t, string(want), false)
			if *update {
				if err := os.WriteFile(f, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			a, b := strings.Split(string(want), "\n"), strings.Split(got, "\n")
			for i := range max(len(a), len(b)) {
				if i >= len(a) || i >= len(b) || a[i] != b[i] {
					t.Fatalf("line %d:\nwant %s\ngot  %s", i+1, strings.Join(a[min(i, len(a)):min(i+3, len(a))], "\n     "), strings.Join(b[min(i, len(b)):min(i+3, len(b))], "\n     "))
				}
			}
			// fragmentation must not matter
			if slow, _ := play(t, string(want), true); slow != got {
				t.Errorf("one byte at a time:\n%s", slow)
			}
		})
	}
}

// FuzzFeed: whatever a client sends, the server stays whole and never answers
// with the password.
func FuzzFeed(f *testing.F) {
	files, _ := filepath.Glob("testdata/server/*.txt")
	for _, name := range files {
		text, _ := os.ReadFile(name)
		var in strings.Builder
		for _, l := range strings.Split(string(text), "\n") {
			if strings.HasPrefix(l, "C1 ") {
				in.WriteString(l[3:] + "\r\n")
			}
		}
		f.Add([]byte(in.String()))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		srv := newServer()
		fill(srv, "INBOX", 3)
		fill(srv, "a/b", 2)
		srv.Expunge("INBOX", 2)
		srv.PreAuth = true
		s := srv.NewSession()
		s.Feed(in)
		s.Output()
		other := srv.NewSession()
		other.Feed([]byte("a SELECT INBOX\r\nb UID FETCH 1:* (FLAGS)\r\n"))
		if out := string(other.Output()); !strings.Contains(out, "b OK") && !strings.Contains(out, "a NO") {
			t.Errorf("%q", out)
		}
	})
}
