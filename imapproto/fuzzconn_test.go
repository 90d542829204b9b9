package imapproto_test

import (
	"bytes"
	"strings"
	"testing"

	"offloop/imapproto/imaptest"
)

// script runs the given commands, then what a server says, each line of it in
// fragments of n bytes, and returns the events.
func script(t *testing.T, do []string, server []byte, n int) []string {
	p := newPlayer(t)
	for _, d := range do {
		if s, ok := strings.CutPrefix(d, "S:"); ok {
			p.feed([]byte(s + "\r\n"))
		} else {
			p.do(d)
		}
		p.take()
	}
	for line := range bytes.Lines(server) {
		for len(line) > 0 {
			f := line[:min(n, len(line))]
			line = line[len(f):]
			p.feed(f)
		}
		p.take() // at the same points of the stream, or answers would meet other commands
	}
	p.finish("after fuzzing")
	return p.events
}

func sameEvents(t *testing.T, do []string, server []byte, n int) {
	whole, parts := script(t, do, server, len(server)+1), script(t, do, server, n)
	if w, g := strings.Join(whole, "\n"), strings.Join(parts, "\n"); w != g {
		t.Errorf("fragments of %d make a difference:\n%s", n, diff(w, g))
	}
}

// FuzzResponse gives one response to a connection with a command of each kind at its
// head: no panic, nobody left waiting, fragmentation makes no difference.
func FuzzResponse(f *testing.F) {
	prelude := []string{"new user=joe", "S:* PREAUTH [CAPABILITY IMAP4rev1 ENABLE CONDSTORE QRESYNC ESEARCH UIDPLUS LIST-STATUS NAMESPACE IDLE] hi"}
	heads := [][]string{
		{"list status=messages"}, {"namespace"}, {"status A items=messages"}, {"enable QRESYNC"}, {"select A qresync=1,2"},
		{"select A", "S:A1 OK", "fetch 1:9 flags body date header=date since=1 vanished"}, {"select A", "S:A1 OK", "search ALL"},
		{"select A", "S:A1 OK", "store 1 flags=a unchanged=1"}, {"select A", "S:A1 OK", "copy 1 B"}, {"append A x"}, {"idle"}, {"logout"}, {"select A", "S:A1 OK", "select B qresync=1,2"},
	}
	for _, d := range dialogues(f) {
		for i, s := range d.Steps {
			if s.Server != nil {
				f.Add([]byte(strings.TrimSuffix(string(s.Server), "\r\n")), uint8(i))
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, head uint8) {
		if len(b) > 4096 {
			return
		}
		do := append(append([]string(nil), prelude...), heads[int(head)%len(heads)]...)
		sameEvents(t, do, append(b, "\r\n"...), 1+int(head)/len(heads))
	})
}

// FuzzFeedConn gives arbitrary bytes to a connection from its greeting on, with much
// queued.
func FuzzFeedConn(f *testing.F) {
	for _, d := range dialogues(f) {
		var all []byte
		for _, s := range d.Steps {
			all = append(all, s.Server...)
		}
		f.Add(all, uint8(3))
	}
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		if len(b) > 8192 {
			return
		}
		sameEvents(t, []string{
			`new user=joe pass=secret tls id=x pipelinelogin caps="IMAP4rev1 ENABLE QRESYNC LIST-STATUS IDLE"`,
			"enable QRESYNC", "list status=messages", "select INBOX qresync=7,100", "fetch 1:100 flags body", "search ALL",
			"select B", "fetch 1:9 flags", "append INBOX hello", "create X", "idle", "stop", "logout",
		}, b, int(n)+1)
	})
}

// TestDialogueFormat: what is parsed is written back as it was.
func TestDialogueFormat(t *testing.T) {
	for _, d := range dialogues(t) {
		var want [][]string
		for _, s := range d.Steps {
			want = append(want, s.Want)
		}
		again, err := imaptest.ParseDialogue(d.Name, d.Format(want))
		if err != nil || len(again.Steps) != len(d.Steps) {
			t.Errorf("%s: %v, %d steps became %d", d.Name, err, len(d.Steps), len(again.Steps))
		}
	}
}
