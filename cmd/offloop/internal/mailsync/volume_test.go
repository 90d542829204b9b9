package mailsync

import (
	"strings"
	"testing"

	"offloop/imapproto/imaptest"
	"offloop/maildir"
)

// outside changes the disk as another program does, durably.
func (w *world) outside(do func() error) {
	w.tb.Helper()
	w.fs.Outside(func() {
		if err := do(); err != nil {
			w.tb.Fatal(err)
		}
		w.fs.Flush()
	})
}

// stops is a run that must end with one error that says this, and change nothing on
// the server.
func (w *world) stops(texts ...string) {
	w.tb.Helper()
	snap := w.srv.Snapshot()
	r := w.sync()
	if r == nil || len(r.Errors) == 0 {
		w.tb.Fatal("the run does not stop")
	}
	for _, text := range texts {
		if e := r.Errors[0]; !strings.Contains(e.Error()+" "+e.Hint, text) {
			w.tb.Errorf("%v (%s) does not say %q", e, e.Hint, text)
		}
	}
	if d := snap.Diff(w.srv.Snapshot()); d != "" {
		w.tb.Errorf("the server changed:\n%s", d)
	}
	if r.Down > 0 {
		w.tb.Error("mail was downloaded")
	}
}

// TestRule4_LostBook: the Maildir is gone, and the account's own state with it, but not
// those of the folders. No empty Maildir is made, since the next run would take it for
// the deletion of everything; all is downloaded again where the whole state is removed,
// as the message says, or the folder's.
func TestRule4_LostBook(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 5)
	three(w)
	w.must()
	w.outside(func() error { return w.fs.Rename(wRoot, "/away") })
	w.stops("is not there", "remove the directory "+wState+" to")
	w.outside(func() error { return w.fs.Unlink(wState + "/account.state") })
	for range 2 {
		w.stops("the Maildir "+wRoot+"/INBOX is gone though its state is there", `--recreate "INBOX"`)
		if state, err := maildir.Exists(w.fs, wRoot+"/INBOX"); state != maildir.Missing || err != nil {
			t.Errorf("the Maildir was made: %v %v", state, err)
		}
	}
	for name := range w.fs.Files(wState) {
		w.outside(func() error { return w.fs.Unlink(wState + "/" + strings.TrimPrefix(name, wState+"/")) })
	}
	w.must()
	if n := len(w.files("INBOX")); n != len(w.srv.Messages("INBOX")) || n == 0 {
		t.Errorf("%d files", n)
	}
}

// TestRule4_ReplacedRoot: a root without the marker, or with another one's, is not
// the tree that was synced, however much of a Maildir it is; a whole copy is taken
// by itself, an incomplete one on request.
func TestRule4_ReplacedRoot(t *testing.T) {
	for _, v := range servers {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, v.caps, 5)
			three(w)
			w.remoteAdd("Work", "x")
			w.must()
			marker := wRoot + "/" + hidden + "/" + markerFile
			w.outside(func() error { return w.fs.Rename(wRoot, "/away") })
			w.stops("is not there", "mount")
			w.outside(func() error { return w.fs.Mkdir(wRoot, 0o700) })
			w.stops("its marker is missing", "4 of the 4", "mount", "--accept-root")
			if len(w.fs.Files(wRoot)) > 0 {
				t.Errorf("something was written to the mount point: %v", w.fs.Files(wRoot))
			}
			// Folders were made there meanwhile by a mail reader.
			w.outside(func() error { return maildir.Create(w.fs, wRoot+"/INBOX") })
			w.outside(func() error { return maildir.Create(w.fs, wRoot+"/Work") })
			w.stops("its marker is missing")
			w.outside(func() error { return w.fs.Rename(wRoot, "/wrong") })
			w.outside(func() error { return w.fs.Rename("/away", wRoot) })
			w.must()

			w.fs.WriteFile(marker, "another\n", true)
			w.must() // all messages are there: a copy
			w.fs.WriteFile(marker, "a third\n", true)
			w.localDel("INBOX", "a")
			w.stops("the marker of another one", "1 of the 4")
			w.stops("the marker of another one")
			w.set.AcceptRoot = true
			w.must()
			w.set.AcceptRoot = false
			want := "INBOX b:S c:FS\nWork x:-"
			if v.name == "bare" {
				want = "INBOX b:S c:FS | a:T b:S c:FS\nWork x:-"
			}
			w.expect(want)
			w.idle()
		})
	}
}

// TestRule4_MovedRoot: another localfolders is taken where the tree was moved to,
// and refused where there is none.
func TestRule4_MovedRoot(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 5)
	three(w)
	w.must()
	w.set.Root = "/elsewhere"
	w.stops("/elsewhere is not there", "it was "+wRoot)
	w.outside(func() error { return w.fs.Mkdir("/elsewhere", 0o700) })
	w.stops("/elsewhere is not the one that was synced")
	w.outside(func() error { return w.fs.Rename(wRoot, "/elsewhere") })
	w.must()
	w.set.Root = wRoot
	w.outside(func() error { return w.fs.Rename("/elsewhere", wRoot) })
	w.must()
	w.expect("INBOX a:- b:S c:FS")
	w.idle()
}

// TestRule4_ReplacedFolder: a folder whose cur is another directory now deletes
// nothing on the server unless that is allowed.
func TestRule4_ReplacedFolder(t *testing.T) {
	for _, v := range servers {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, v.caps, 5)
			three(w)
			w.remoteAdd("Work", "x")
			w.must()
			dir := wRoot + "/INBOX"
			w.outside(func() error { return w.fs.Rename(dir, "/away") })
			w.outside(func() error { return maildir.Create(w.fs, dir) })
			w.remoteAdd("Work", "y")
			r := w.sync()
			if len(r.Errors) != 1 || !strings.Contains(r.Errors[0].Error(), "another directory") || !strings.Contains(r.Errors[0].Hint, "--allow-deletes") {
				t.Errorf("errors: %v", r.Errors)
			}
			if len(w.srv.Messages("INBOX")) != 3 || len(w.files("Work")) != 2 {
				t.Errorf("both sides are %s", w.state())
			}
			w.outside(func() error { return w.fs.Rename(dir, "/empty") })
			w.outside(func() error { return w.fs.Rename("/away", dir) })
			w.must()
			w.expect("INBOX a:- b:S c:FS\nWork x:- y:-")
			// A whole copy is taken by itself.
			w.outside(func() error { return w.fs.Rename(dir, "/old") })
			w.outside(func() error { return maildir.Create(w.fs, dir) })
			for p, c := range w.fs.Files("/old") {
				if sub := strings.SplitN(p, "/", 2)[0]; sub == "new" || sub == "cur" {
					w.fs.WriteFile(dir+"/"+p, c, true)
				}
			}
			w.must()
			w.expect("INBOX a:- b:S c:FS\nWork x:- y:-")
			w.localDel("INBOX", "a")
			w.must()
			if v.name != "bare" {
				w.expect("INBOX b:S c:FS\nWork x:- y:-")
			}
			// Allowed, an emptied one deletes.
			w.outside(func() error { return w.fs.Rename(dir, "/older") })
			w.outside(func() error { return maildir.Create(w.fs, dir) })
			w.set.AllowDeletes = []string{"INBOX"}
			w.must()
			w.set.AllowDeletes = nil
			if v.name != "bare" {
				w.expect("INBOX\nWork x:- y:-")
			}
			w.idle()
		})
	}
}
