package mutate_test

import (
	"path/filepath"
	"testing"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/gen"
	"offloop/cmd/internal/lab/imapc"
	"offloop/cmd/internal/lab/mutate"
	"offloop/cmd/internal/lab/verify"
)

var some = mutate.Options{Seed: 4, Folders: 5, New: 12, Flags: 25, Keywords: 5, Delete: 10, CreateFolders: 2, DeleteFolders: 1, RenameFolders: 1}

func counts(t *testing.T, c mutate.Changes, keywords bool) {
	t.Helper()
	want := map[string]int{"new": 12, "flags": 25, "keyword": 5, "delete": 10, "create folder": 2, "delete folder": 1, "rename folder": 1}
	if !keywords {
		want["keyword"] = 0
	}
	for what, n := range want {
		if c.Count(what) != n {
			t.Errorf("%d times %q, want %d\n%v", c.Count(what), what, n, c)
		}
	}
}

func TestServerChangesAreRealAndRepeatable(t *testing.T) {
	s := lab.NeedDovecot(t)
	var trees []verify.Tree
	var texts []string
	for _, user := range []string{"a", "b"} {
		c, err := imapc.Dial(s.Addr(), imapc.Options{User: user, Pass: dovecot.Password})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := gen.New(gen.Options{Messages: 300, Folders: 12}).FillIMAP(c); err != nil {
			t.Fatal(err)
		}
		before, err := verify.ReadServer(c, verify.Options{})
		if err != nil {
			t.Fatal(err)
		}
		done, err := mutate.Server(c, some)
		if err != nil {
			t.Fatal(err)
		}
		counts(t, done, true)
		after, err := verify.ReadServer(c, verify.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := verify.Compare(before, after, verify.Options{AllKeywords: true})
		if r.Equal() || r.Count(verify.BytesDiffer) != 0 || r.Count(verify.FlagsDiffer) == 0 || r.Count(verify.OnlyServer) == 0 ||
			r.Count(verify.OnlyLocal) == 0 || r.Count(verify.FolderOnlyLocal) != 3 || r.Count(verify.FolderOnlyServer) != 2 {
			t.Errorf("before and after: %v\n%v", r, done)
		}
		trees, texts = append(trees, after), append(texts, done.String())
	}
	if texts[0] != texts[1] {
		t.Errorf("one seed, two sets of changes:\n%s\n%s", texts[0], texts[1])
	}
	if r := verify.Compare(trees[0], trees[1], verify.Options{AllKeywords: true}); !r.Equal() {
		t.Errorf("one seed, two outcomes: %v", r)
	}
}

func TestMaildirChangesAreReal(t *testing.T) {
	root := filepath.Join(t.TempDir(), "m")
	// A Dovecot fs tree without its root serves as a nested Maildir.
	if err := gen.New(gen.Options{Messages: 300, Folders: 12}).FillDovecot(root); err != nil {
		t.Fatal(err)
	}
	o := verify.Options{AnyNames: true, IgnoreKeywords: true}
	before, err := verify.ReadMaildir(root, o)
	if err != nil {
		t.Fatal(err)
	}
	done, err := mutate.Maildir(root, "/", some)
	if err != nil {
		t.Fatal(err)
	}
	counts(t, done, false)
	after, err := verify.ReadMaildir(root, o)
	if err != nil {
		t.Fatal(err)
	}
	r := verify.Compare(before, after, o)
	if r.Count(verify.FolderOnlyLocal) != 3 || r.Count(verify.FolderOnlyServer) != 2 || r.Count(verify.FlagsDiffer) == 0 ||
		r.Count(verify.OnlyServer) == 0 || r.Count(verify.OnlyLocal) == 0 {
		t.Errorf("before and after: %v\n%v", r, done)
	}
}
