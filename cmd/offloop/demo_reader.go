package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"offloop/maildir"
	"offloop/ui"
)

// demoAccount is the name of the demonstration's account.
const demoAccount = "Demo"

// demoPace is the time between two deeds of the mail reader.
const demoPace = 2500 * time.Millisecond

// demoReader stands for the mail reader a person would use on the Maildir: it
// shows that what is done here reaches the server.
type demoReader struct {
	root string
	n    int
}

// sit lets the reader work as long as the loop runs.
func (r *demoReader) sit(p *program) {
	p.loop.CallLater(demoPace, func() {
		var did string
		var err error
		now := p.loop.Now()
		p.loop.Disk(func() { did, err = r.deed(now) }, func() {
			switch {
			case err != nil:
				p.show(ui.Event{Kind: "warn", Severity: "warn", Account: demoAccount, Text: fmt.Sprintf("The demonstration's mail reader failed: %v", err)})
			case did != "" && p.stop == 0:
				p.show(ui.Event{Kind: "log", Account: demoAccount, Text: "Meanwhile, here: " + did})
			}
			r.sit(p)
		})
	})
}

// deed changes the Maildir and says how; "" if there was nothing to do yet.
func (r *demoReader) deed(now time.Time) (string, error) {
	r.n++
	switch r.n % 4 {
	case 1:
		return r.write("Drafts", now)
	case 2:
		return r.flag("INBOX", 'S', "read")
	case 3:
		return r.remove("Trash")
	}
	return r.flag("Sent", 'F', "flagged")
}

// remove deletes the first message.
func (r *demoReader) remove(folder string) (string, error) {
	cur := filepath.Join(r.root, folder, "cur")
	ents, err := os.ReadDir(cur)
	if os.IsNotExist(err) || err == nil && len(ents) == 0 {
		return "", nil
	}
	if err == nil {
		err = os.Remove(filepath.Join(cur, ents[0].Name()))
	}
	if os.IsNotExist(err) {
		return "", nil // it was renamed in this moment
	}
	return "a message of " + folder + " was deleted", err
}

// flag sets a flag of the first message that lacks it.
func (r *demoReader) flag(folder string, letter byte, word string) (string, error) {
	dir := filepath.Join(r.root, folder)
	for _, sub := range []string{"new", "cur"} {
		ents, err := os.ReadDir(filepath.Join(dir, sub))
		if os.IsNotExist(err) {
			return "", nil // the first round has not come to it
		}
		if err != nil {
			return "", err
		}
		for _, e := range ents {
			n := maildir.ParseName(e.Name(), ':')
			if n.Flags.Has(letter) || strings.HasPrefix(e.Name(), ".") {
				continue
			}
			from := maildir.Entry{File: e.Name(), InNew: sub == "new"}
			to := maildir.Entry{File: maildir.FileName(n.Base, n.Flags.With(letter), ':')}
			_, err := maildir.Rename(maildir.OS{}, dir, from, to)
			return "a message of " + folder + " was " + word, err
		}
	}
	return "", nil
}

// write leaves a draft, as mail readers do: complete, and only then in sight.
func (r *demoReader) write(folder string, now time.Time) (string, error) {
	dir := filepath.Join(r.root, folder)
	name := fmt.Sprintf("%d.demo%d.localhost", now.Unix(), r.n)
	text := fmt.Sprintf("From: \"You\" <you@example.org>\nTo: \"Zoë Čapek\" <zoe@example.org>\nSubject: Draft %d, written here\nDate: %s\nMessage-ID: <%s@demo.example>\n"+
		"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\nYes, the café at nine.\n", r.n, now.Format(time.RFC1123Z), name)
	tmp := filepath.Join(dir, "tmp", name)
	err := os.WriteFile(tmp, []byte(text), 0o600)
	if os.IsNotExist(err) {
		return "", nil
	}
	if err == nil {
		err = os.Rename(tmp, filepath.Join(dir, "cur", name+":2,DS"))
	}
	return "a draft was written", err
}
