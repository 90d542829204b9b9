package mailsync

import (
	"fmt"
	"strings"
	"testing"

	"offloop/imapproto/imaptest"
)

func (w *world) commands(from int, name string) (l []string) {
	for _, e := range w.srv.Log[from:] {
		if e.Name == name {
			l = append(l, e.Line)
		}
	}
	return l
}

// TestUploadTogether: small new messages go in one command where the server takes
// MULTIAPPEND, one each where it does not; each file is paired with its own UID.
func TestUploadTogether(t *testing.T) {
	for _, c := range []struct {
		name string
		caps imaptest.Caps
		want int
	}{{"multiappend", imaptest.QRESYNC, 1}, {"without", imaptest.QRESYNC.Without("MULTIAPPEND"), 5},
		{"literal-", imaptest.QRESYNC.Without("LITERAL+").With("LITERAL-"), 1}, {"no literal+", imaptest.QRESYNC.Without("LITERAL+", "IMAP4rev2"), 5}} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.caps, 3)
			w.must()
			var want []string
			for i := range 5 {
				n := fmt.Sprintf("m%d", i)
				w.localAdd("INBOX", n, []string{"", "S", "F", "FS", "R"}[i])
				want = append(want, n+":"+[]string{"-", "S", "F", "FS", "R"}[i])
			}
			from := len(w.srv.Log)
			w.must()
			if n := len(w.commands(from, "APPEND")); n != c.want {
				t.Errorf("%d APPENDs, want %d", n, c.want)
			}
			w.expect("INBOX " + strings.Join(want, " "))
			w.idle()
			w.noComplaints()
		})
	}
}

// TestUploadRefusedStandsAlone: one message the server does not want holds none of
// the others back, and is quarantined by itself.
func TestUploadRefusedStandsAlone(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	w.must()
	for i := range 9 {
		w.localAdd("INBOX", fmt.Sprintf("m%d", i), "S")
	}
	w.localAdd("INBOX", "unwanted", "S")
	size := fmt.Sprintf("{%d}", len(w.letter("unwanted")))
	w.srv.Faults.Command = func(c imaptest.Command) imaptest.Act {
		if c.Name == "APPEND" && strings.Contains(c.Line, size) {
			return imaptest.Act{Kind: imaptest.ActAnswer, Text: "NO [CANNOT] no such thing here"}
		}
		return imaptest.Act{}
	}
	r := w.sync()
	if r.Up != 9 || len(r.Errors) != 1 || r.Errors[0].Scope != ScopeMessage || !strings.Contains(r.Errors[0].Error(), "unwanted") {
		t.Errorf("%d uploaded, errors %v", r.Up, r.Errors)
	}
	if n := len(w.srv.Messages("INBOX")); n != 9 {
		t.Errorf("%d messages on the server, want 9", n)
	}
	w.noComplaints()
}

// TestUploadBatchNotUnderstood: a server that answers BAD to several messages in
// one APPEND gets them one by one.
func TestUploadBatchNotUnderstood(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	w.must()
	for i := range 4 {
		w.localAdd("INBOX", fmt.Sprintf("m%d", i), "S")
	}
	w.srv.Faults.Command = func(c imaptest.Command) imaptest.Act {
		if c.Name == "APPEND" && strings.Count(c.Line, "}") > 1 {
			return imaptest.Act{Kind: imaptest.ActAnswer, Text: "BAD syntax error"}
		}
		return imaptest.Act{}
	}
	w.must()
	w.expect("INBOX m0:S m1:S m2:S m3:S")
	w.idle()
}

// TestUploadOverServersLimit: a message larger than APPENDLIMIT is not sent.
func TestUploadOverServersLimit(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC.With("APPENDLIMIT=200000"), 3)
	w.must()
	w.localAdd("INBOX", "a", "S")
	w.localAdd("INBOX", "big1", "S")
	from := len(w.srv.Log)
	r := w.sync()
	if r.Up != 1 || len(r.Errors) != 1 || !strings.Contains(r.Errors[0].Error(), "the server takes 200000 at most") {
		t.Errorf("%d uploaded, errors %v", r.Up, r.Errors)
	}
	if n := len(w.commands(from, "APPEND")); n != 1 {
		t.Errorf("%d APPENDs, want 1", n)
	}
	w.noComplaints()
}

// TestUploadsRideTogether: batches do not wait for each other's answers, beyond
// what bounds the memory they take.
func TestUploadsRideTogether(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 3)
	w.must()
	for i := range 3 * uploadBatch {
		w.localAdd("INBOX", fmt.Sprintf("m%03d", i), "S")
	}
	w.must()
	w.wait(0)
	w.idle()
	r := w.last.a.result
	if w.last.a.sentBytes != 0 || len(w.last.a.uploads) != 0 {
		t.Errorf("%d bytes still counted as on their way, %d folders wait", w.last.a.sentBytes, len(w.last.a.uploads))
	}
	if r.Up != 0 {
		t.Errorf("uploaded again: %d", r.Up)
	}
}

// TestUploadLiteralMinus: under LITERAL- what is longer than 4096 bytes waits for the
// server's word, and all else goes together and at once.
func TestUploadLiteralMinus(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC.Without("LITERAL+").With("LITERAL-"), 3)
	w.must()
	w.localAdd("INBOX", "a", "S")
	w.localAdd("INBOX", "big1", "S") // read while it is sent
	w.localAdd("INBOX", "b", "S")
	w.localAdd("INBOX", "raw1", "S")
	w.localAdd("INBOX", "size4096", "S")
	w.localAdd("INBOX", "size4097", "S")
	from := len(w.srv.Log)
	w.must()
	w.expect("INBOX a:S b:S big1:S raw1:S size4096:S size4097:S")
	alone := 0
	for _, l := range w.commands(from, "APPEND") {
		if strings.Count(l, "}") == 1 {
			alone++
		}
	}
	if n := len(w.commands(from, "APPEND")); n != 3 || alone != 2 {
		t.Errorf("%d APPENDs, %d with one message, want 3 and 2: %q", n, alone, w.commands(from, "APPEND"))
	}
	w.idle()
	w.noComplaints()
}
