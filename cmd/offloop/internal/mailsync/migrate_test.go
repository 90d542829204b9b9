package mailsync

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"offloop/maildir"
	"offloop/maildir/maildirtest"
)

// TestRule3_MigrateFMD5 stops --migrate-fmd5-using-nametrans at every call to the file
// system, the process alone and with the power, and lets it run again: nothing is lost,
// replaced or named twice, and once it has ended the power may fail.
func TestRule3_MigrateFMD5(t *testing.T) {
	s := Settings{Name: "A", Root: "/mail", Sep: "/", MetaDir: "/meta", StateDir: "/meta/offloop/A", InfoSep: ':',
		VisibleName: func(local string) string { return strings.ReplaceAll(local, "job", "Work") }}
	name := func(folder string, uid int, flags string) string {
		return fmt.Sprintf("%d_0.1.host,U=%d,FMD5=%s:2,%s", 1600000000+uid, uid, maildir.FMD5(folder), flags)
	}
	want := map[string]string{}
	build := func(seed uint64) *maildirtest.FS {
		fs := maildirtest.New(seed)
		clear(want)
		for _, d := range []string{"/meta", "/meta/offloop", "/meta/offloop/A", "/mail", "/mail/job", "/mail/job/sub", "/mail/INBOX"} {
			fs.Mkdir(d, 0o700)
		}
		put := func(folder, dir, file, becomes string) {
			path := "/mail/" + folder + "/" + dir + "/"
			fs.WriteFile(path+file, "text of "+folder+" "+file, true)
			want[path+becomes] = "text of " + folder + " " + file
		}
		for _, folder := range []string{"job", "job/sub", "INBOX"} {
			for _, d := range []string{"cur", "new", "tmp"} {
				fs.Mkdir("/mail/"+folder+"/"+d, 0o700)
			}
			to := s.VisibleName(folder)
			for uid := 1; uid <= 3; uid++ {
				put(folder, "cur", name(folder, uid, "FS"), name(to, uid, "FS"))
				put(folder, "new", name(folder, uid+10, ""), name(to, uid+10, ""))
			}
			put(folder, "cur", "160.reader:2,S", "160.reader:2,S")
		}
		put("job", "cur", name("Work", 20, "S"), name("Work", 20, "S"))
		put("job", "cur", strings.Replace(name("job", 20, "S"), "_0", "_1", 1), strings.Replace(name("job", 20, "S"), "_0", "_1", 1)) // its UID is taken
		fs.Flush()
		return fs
	}
	files := func(fs *maildirtest.FS) map[string]string {
		out := map[string]string{}
		for p, text := range fs.Files("/mail") {
			if strings.Contains(p, "cur/") || strings.Contains(p, "new/") {
				out["/mail/"+strings.TrimPrefix(strings.TrimPrefix(p, "/mail"), "/")] = text
			}
		}
		return out
	}
	now := time.Unix(1_700_000_000, 0)
	run := func(fs *maildirtest.FS) error {
		return MigrateFMD5(fs, &s, now, func(m Migrated) {
			if m.Err != nil && !fs.Crashed() && !strings.Contains(m.Err.Error(), "has UID 20 already") {
				t.Errorf("%s: %v", m.File, m.Err)
			}
		})
	}
	power := 0
	calls := maildirtest.EachCrash(build, func(fs *maildirtest.FS) { run(fs) }, func(fs *maildirtest.FS, call int, powerCut bool) {
		what := fmt.Sprintf("stopped at call %d, power cut: %v", call, powerCut)
		if powerCut {
			power++
		}
		left := files(fs)
		if texts := slices.Sorted(maps.Values(left)); !slices.Equal(texts, slices.Sorted(maps.Values(want))) {
			t.Fatalf("%s: the files are\n%q", what, texts)
		}
		if err := run(fs); err != nil {
			t.Fatalf("%s: run again: %v", what, err)
		}
		fs.PowerCut()
		if got := files(fs); !maps.Equal(got, want) {
			t.Fatalf("%s: run again, and a power cut: the files are\n%s\nnot\n%s", what,
				strings.Join(slices.Sorted(maps.Keys(got)), "\n"), strings.Join(slices.Sorted(maps.Keys(want)), "\n"))
		}
	})
	if calls < 60 || power < calls {
		t.Errorf("only %d calls, %d power cuts", calls, power)
	}
	t.Logf("stopped at each of %d calls, with %d power cuts", calls, power)
}
