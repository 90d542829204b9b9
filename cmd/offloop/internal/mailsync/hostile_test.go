package mailsync

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"offloop/imapproto/imaptest"
)

// hostile syncs honestly, lets a server lie for two runs with changes on both
// sides, and then syncs honestly again. However the lies were answered, nothing may
// be lost and nothing doubled: the end is what an honest server would have given.
func hostile(t *testing.T, lie func(w *world)) {
	t.Helper()
	for _, v := range servers {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, v.caps, 5)
			three(w)
			w.remoteAdd("Work", "x", `\Seen`)
			w.must()
			caps := w.srv.Caps
			lie(w)
			w.localAdd("INBOX", "n1", "S")
			w.remoteAdd("INBOX", "n2")
			w.localFlags("INBOX", "b", "FS")
			for range 2 {
				if w.sync() == nil {
					t.Fatal("the process died")
				}
				if n := len(w.srv.Messages("INBOX")); n < 4 || n > 5 {
					t.Errorf("INBOX holds %d messages on the server while it lies", n)
				}
				for _, name := range []string{"a", "b", "c"} {
					if !slices.ContainsFunc(w.files("INBOX"), func(f mailFile) bool { return f.name == name }) {
						t.Errorf("%s is gone from the Maildir", name)
					}
				}
			}
			w.srv.Faults, w.srv.Caps = imaptest.Faults{Settle: true}, caps
			w.wait(25 * 60 * 60 * 1e9)
			for range 3 {
				w.sync()
			}
			w.expect("INBOX a:- b:FS c:FS n1:S n2:-\nWork x:S")
			w.idle()
		})
	}
}

// amid puts lines into the server's output, before each response that fits.
func amid(w *world, prefix string, lines func() string) {
	w.srv.Faults.Response = func(_ *imaptest.Session, line []byte) []byte {
		if !strings.Contains(string(line), prefix) {
			return line
		}
		return append([]byte(lines()+"\r\n"), line...)
	}
}

func TestHostile_ExpungeStorm(t *testing.T) {
	hostile(t, func(w *world) {
		amid(w, " FETCH (", func() string { return strings.TrimSuffix(strings.Repeat("* 1 EXPUNGE\r\n", 500), "\r\n") })
	})
}

func TestHostile_ExpungeOfWhatIsNotThere(t *testing.T) {
	hostile(t, func(w *world) { amid(w, " EXISTS", func() string { return "* 4294967295 EXPUNGE" }) })
}

func TestHostile_VanishedStorm(t *testing.T) {
	hostile(t, func(w *world) {
		amid(w, " EXISTS", func() string { return "* VANISHED (EARLIER) 1:4294967295\r\n* VANISHED 1:4294967295" })
	})
}

func TestHostile_ExistsWithoutEnd(t *testing.T) {
	hostile(t, func(w *world) { amid(w, " FETCH (", func() string { return "* 4294967295 EXISTS" }) })
}

func TestHostile_DuplicateUIDs(t *testing.T) {
	hostile(t, func(w *world) { w.srv.Faults.UID = func(string, uint32) uint32 { return 1 } })
}

func TestHostile_UIDZero(t *testing.T) {
	hostile(t, func(w *world) { w.srv.Faults.UID = func(string, uint32) uint32 { return 0 } })
}

func TestHostile_ShrinkingUIDNext(t *testing.T) {
	hostile(t, func(w *world) {
		n := uint32(6)
		w.srv.Faults.UIDNext = func(string, uint32) uint32 { n = max(n-1, 1); return n }
	})
}

func TestHostile_ModSeqOfTheEndOfTime(t *testing.T) {
	hostile(t, func(w *world) { w.srv.Faults.ModSeq = func(string, uint64) uint64 { return 1<<63 - 1 } })
}

func TestHostile_CapabilityLies(t *testing.T) {
	all := "IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ENABLE IDLE AUTH=PLAIN UIDPLUS LIST-EXTENDED LIST-STATUS ESEARCH MULTIAPPEND MOVE CONDSTORE QRESYNC NOTIFY OBJECTID"
	hostile(t, func(w *world) {
		w.srv.Faults.Response = func(_ *imaptest.Session, line []byte) []byte {
			if i := bytes.Index(line, []byte("CAPABILITY ")); i >= 0 {
				rest := ""
				if k := bytes.IndexByte(line[i:], ']'); k >= 0 {
					rest = string(line[i+k:])
				}
				return append(slices.Clone(line[:i]), "CAPABILITY "+all+rest...)
			}
			return line
		}
	})
}

func TestHostile_AppendUIDLies(t *testing.T) {
	for _, m := range []imaptest.UIDMode{imaptest.UIDWrong, imaptest.UIDOldValidity, imaptest.UIDSwapped, imaptest.UIDPaired} {
		t.Run(fmt.Sprint(m), func(t *testing.T) {
			w := newWorld(t, imaptest.QRESYNC, 5)
			three(w)
			w.must()
			w.srv.Faults.AppendUID = m
			uploads(w)
			w.sync()
			w.srv.Faults.AppendUID = 0
			snap := len(w.srv.Messages("INBOX"))
			for range 3 {
				w.sync()
			}
			if n := len(w.srv.Messages("INBOX")); n != snap || len(w.files("INBOX")) != n {
				t.Errorf("%d messages on the server, were %d; %d here", n, snap, len(w.files("INBOX")))
			}
		})
	}
}

func TestHostile_Sizes(t *testing.T) {
	hostile(t, func(w *world) { w.srv.Faults.Size = func(string, uint32, int64) int64 { return 1<<63 - 1 } })
}

func TestHostile_Alerts(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 5)
	three(w)
	amid(w, " EXISTS", func() string {
		return strings.TrimSuffix(strings.Repeat("* OK [ALERT] \x1b[2J pay\r\n", 1000), "\r\n")
	})
	w.sync()
	n := 0
	for _, e := range w.events {
		if strings.Contains(e.Text, "pay") {
			n++
		}
	}
	if n == 0 || n > maxAlerts {
		t.Errorf("%d alerts are shown, at most %d should be", n, maxAlerts)
	}
	w.expect("INBOX a:- b:S c:FS")
}

// TestHostile_FolderNames: names that try to leave the root or to hide in another
// folder make nothing outside of it, and stop nothing but themselves.
func TestHostile_FolderNames(t *testing.T) {
	for _, v := range servers {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, v.caps, 5)
			three(w)
			for _, n := range []string{"../out", "a/../../out", "INBOX/cur", "INBOX/new/x", ".", "..", ".offloop", ".offloop/trash", "a\x1b[2Jb", "tmp", strings.Repeat("long/", 400) + "x"} {
				w.remoteAdd(n, "evil")
			}
			w.remoteAdd("Work", "x")
			if w.sync() == nil {
				t.Fatal("the process died")
			}
			for p := range w.fs.Files("/") {
				if p = strings.TrimPrefix(p, "/"); !strings.HasPrefix(p, "mail/") && !strings.HasPrefix(p, "meta/") {
					t.Errorf("%s was made outside", p)
				}
			}
			if got := len(w.files("INBOX")); got != 3 {
				t.Errorf("INBOX holds %d messages", got)
			}
			if len(w.files("Work")) != 1 {
				t.Error("the honest folder was not synced")
			}
			for _, e := range w.srv.Log {
				if e.Name == "DELETE" || e.Name == "RENAME" || strings.Contains(e.Name, "EXPUNGE") {
					t.Errorf("sent %s", e.Line)
				}
			}
		})
	}
}
