package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReplay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "recording")
	ev := `{"time":"2026-03-01T12:00:00Z","kind":"account-start","account":"home"}` + "\n"
	key := `{"time":"2026-03-01T12:00:01Z","ui":"key","rune":63}` + "\n"
	frame := `{"time":"2026-03-01T12:00:01Z","ui":"frame","w":60,"h":16}` + "\n"
	if err := os.WriteFile(file, []byte(`{"time":"2026-03-01T12:00:00Z","ui":"start","name":"offloop 9"}`+"\n"+ev+frame+key+frame), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ flags, want, not string }{
		{"-frame 1", "frame 1  12:00:01.000  60x16", "this help"},
		{"-frame -1", "offloop 9 help", "STATE"},
		{"-speed 0", "STATE", "\x1b"},
		{"-speed 1000", "\x1b[H\x1b[2J offloop 9 help", "===="},
	} {
		out, err := output(t, runReplay, append(strings.Fields(c.flags), file)...)
		if err != nil || !strings.Contains(out, c.want) || strings.Contains(out, c.not) {
			t.Errorf("%s: %v\n%q", c.flags, err, out)
		}
	}
	for _, args := range [][]string{{}, {"nowhere"}, {"-frame", "3", file}, {os.DevNull}} {
		if out, err := output(t, runReplay, args...); err == nil {
			t.Errorf("%v: %q", args, out)
		}
	}
}
