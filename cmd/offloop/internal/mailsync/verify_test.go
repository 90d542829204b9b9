package mailsync

import (
	"slices"
	"strings"
	"testing"
)

// verify compares both sides and returns what was found; it demands that nothing
// changes.
func (w *world) verify(bytes bool, folders ...string) []string {
	w.tb.Helper()
	var found []string
	v := &Verification{Bytes: bytes, Folders: folders, Found: func(d Difference) {
		text := d.Folder + ": " + d.Text
		if d.UID == 0 && d.File == "" {
			text = d.Folder + ":: " + d.Text
		}
		found = append(found, text)
	}}
	set := w.set
	w.set.Verify, w.set.DryRun = v, true
	before, state, snap := w.fs.Files(wRoot), w.fs.Files(wState), w.srv.Snapshot()
	from := len(w.srv.Log)
	w.must()
	w.set = set
	for p, c := range w.fs.Files(wRoot) {
		if before[p] != c {
			w.tb.Errorf("%s changed", p)
		}
	}
	for p, c := range w.fs.Files(wState) {
		if state[p] != c {
			w.tb.Errorf("%s changed", p)
		}
	}
	if d := snap.Diff(w.srv.Snapshot()); d != "" {
		w.tb.Error(d)
	}
	for _, e := range w.srv.Log[from:] {
		if slices.Contains(mutating, e.Name) || e.Name == "SELECT" {
			w.tb.Errorf("verify sends %s", e.Line)
		}
	}
	slices.Sort(found)
	return found
}

func (w *world) finds(bytes bool, want ...string) {
	w.tb.Helper()
	got := w.verify(bytes)
	slices.Sort(want)
	if len(got) != len(want) {
		w.tb.Errorf("found\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
		return
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			w.tb.Errorf("found %q, want %q", got[i], want[i])
		}
	}
}

// TestVerify: each kind of difference is found, on every server, and nothing is
// found where there is none.
func TestVerify(t *testing.T) {
	for _, v := range servers {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, v.caps, 5)
			three(w)
			for _, n := range []string{"d", "e", "noid1", "raw1", "big1", "both"} {
				w.remoteAdd("INBOX", n, `\Seen`)
			}
			w.remoteAdd("Work", "x")
			w.must()
			w.finds(false)
			w.finds(true)

			w.localDel("INBOX", "a")
			w.remoteDel("INBOX", "b")
			w.localDel("INBOX", "both")
			w.remoteDel("INBOX", "both")
			w.localFlags("INBOX", "c", "F")
			w.remoteFlags("INBOX", "d", `\Answered`)
			w.localAdd("INBOX", "n1", "S")
			w.remoteAdd("Work", "n2")
			w.remoteAdd("There", "n3")
			w.localAdd("Here", "n4", "S")
			want := []string{"INBOX: missing here", "INBOX: missing on the server", "INBOX: recorded, but on neither side",
				`INBOX: flags differ: [\Flagged] here, [\Flagged \Seen] on the server`, `INBOX: flags differ: [\Seen] here, [\Answered] on the server`,
				"INBOX: only here, not yet synced", "Work: only on the server, not yet synced", "There:: the folder is only on the server", "Here:: the folder is only in the Maildir"}
			w.finds(false, want...)

			w.fs.WriteFile(w.file("INBOX", "e"), "Message-ID: <e@x>\n\nedited\n", true)
			w.fs.WriteFile(w.file("INBOX", "raw1"), "", true)
			w.fs.WriteFile(w.file("INBOX", "noid1"), "Message-ID: <else@x>\n\nanother\n", true)
			w.finds(false, want...)
			w.finds(true, append(slices.Clone(want), "INBOX: altered by server", "INBOX: the file is empty", "INBOX: another message")...)
			if got := w.verify(true, "Work"); len(got) != 1 {
				t.Errorf("of one folder: %v", got)
			}
		})
	}
}

// TestVerify_AlteredByServer: where a server alters what it is given, the pair
// stands, and verify says so.
func TestRule1_VerifyAlteredByServer(t *testing.T) {
	for _, v := range servers {
		w := newWorld(t, v.caps, 5)
		w.srv.Faults.Stored = func(_ string, b []byte) []byte { return append([]byte("X-Server: was here\r\n"), b...) }
		w.localAdd("INBOX", "n1", "S")
		w.must()
		w.finds(false)
		w.finds(true, "INBOX: altered by server")
	}
}

// TestVerify_MissingMaildir: a folder or a cur that is gone is told of.
func TestVerify_MissingMaildir(t *testing.T) {
	w := newWorld(t, servers[0].caps, 5)
	three(w)
	w.remoteAdd("Work", "x")
	w.must()
	w.outside(func() error { return w.fs.Rename(wRoot+"/Work", "/away") })
	w.finds(true, "Work:: the folder is only on the server")
}
