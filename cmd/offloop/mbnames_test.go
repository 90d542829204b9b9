package main

import (
	"os"
	"strings"
	"testing"

	"offloop/cmd/internal/lab"
)

func TestMBNames(t *testing.T) {
	m := newMailbox(t, lab.NeedDovecot(t), "mbnames")
	m.put("INBOX", "one")
	c := m.client()
	for _, f := range []string{"Work/B", "Work/A", "Spam"} {
		if err := c.Create(f); err != nil {
			t.Fatal(err)
		}
	}
	c.Logout()
	m.write()
	list := m.dir + "/muttrc"
	b, _ := os.ReadFile(m.config)
	more := "\n[mbnames]\nenabled = yes\nfilename = " + list + "\nheader = \"mailboxes \"\nperitem = \"+%(accountname)s/%(foldername)s\"\nsep = \" \"\nfooter = \"\\n\"\n" +
		"folderfilter = lambda account, folder: folder != 'Spam'\nsort_keyfunc = lambda d: (d['foldername'] != 'INBOX', d['foldername'])\n"
	if err := os.WriteFile(m.config, append(b, more...), 0o600); err != nil {
		t.Fatal(err)
	}
	m.sync()
	got, err := os.ReadFile(list)
	if want := `mailboxes "+A/INBOX" "+A/Work/A" "+A/Work/B"` + "\n"; err != nil || string(got) != want {
		t.Fatalf("%q %v, want %q", got, err, want)
	}
	if err := os.WriteFile(m.dir+"/meta/mbnames/Gone.json", []byte(`[{"accountname":"Gone","foldername":"x","localfolders":"/y"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	m.sync()
	if got, _ := os.ReadFile(list); !strings.Contains(string(got), `"+Gone/x"`) {
		t.Errorf("the folders of an account that is not synced now are not listed: %q", got)
	}
	m.sync("--mbnames-prune")
	if got, _ := os.ReadFile(list); strings.Contains(string(got), "Gone") {
		t.Errorf("not pruned: %q", got)
	}
	if l, _ := os.ReadDir(m.dir); len(l) == 0 {
		t.Error("nothing there")
	} else {
		for _, f := range l {
			if strings.HasPrefix(f.Name(), ".muttrc") {
				t.Errorf("%s was left", f.Name())
			}
		}
	}
}
