package imapproto_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"offloop/imapproto/imaptest"
)

var rewrite = flag.Bool("rewrite", false, "write what happens into testdata/dialogue/*.txt")

func dialogues(t testing.TB) []*imaptest.Dialogue {
	files, err := filepath.Glob("testdata/dialogue/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogues: %v", err)
	}
	var ds []*imaptest.Dialogue
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		d, err := imaptest.ParseDialogue(f, text)
		if err != nil {
			t.Fatal(err)
		}
		ds = append(ds, d)
	}
	return ds
}

func title(d *imaptest.Dialogue) string {
	return strings.TrimSuffix(filepath.Base(d.Name), ".txt")
}

// TestDialogue holds what the client says and reports against the golden files.
func TestDialogue(t *testing.T) {
	for _, d := range dialogues(t) {
		t.Run(title(d), func(t *testing.T) {
			p := newPlayer(t)
			got := d.Format(p.play(d))
			p.finish("at the end")
			if *rewrite {
				if err := os.WriteFile(d.Name, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(d.Name)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs (run with -rewrite and look at the change):\n%s", d.Name, diff(string(want), string(got)))
			}
		})
	}
}

// diff shows the first differing lines.
func diff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := 0; i < len(w) || i < len(g); i++ {
		a, b := "", ""
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			return "want " + a + "\ngot  " + b
		}
	}
	return ""
}

// TestDialogueByteByByte replays the dialogues with the server's bytes, then the
// client's too, coming one by one: the events and what the client sends must be the
// same.
func TestDialogueByteByByte(t *testing.T) {
	for _, d := range dialogues(t) {
		t.Run(title(d), func(t *testing.T) {
			whole := newPlayer(t)
			sent, events := flatten(whole.play(d))
			for _, max := range []int{0, 1} {
				p := newPlayer(t)
				p.max = max
				for _, s := range d.Steps {
					if s.Do != "" {
						p.do(s.Do)
					}
					p.take()
					for i := range s.Server {
						p.feed(s.Server[i : i+1])
						p.take()
					}
				}
				p.finish("at the end")
				gotEvents := strings.Join(p.events[:min(len(p.events), len(events))], "\n")
				if gotEvents != strings.Join(events, "\n") {
					t.Errorf("max %d: events differ:\n%s", max, diff(strings.Join(events, "\n"), gotEvents))
				}
				if g := strings.Join(imaptest.ClientLines(p.sent), "\n"); g != strings.Join(sent, "\n") {
					t.Errorf("max %d: client differs:\n%s", max, diff(strings.Join(sent, "\n"), g))
				}
			}
		})
	}
}

// flatten separates what the client sent from the events. Lines cut by a step's end
// are put together again.
func flatten(steps [][]string) (sent, events []string) {
	var raw []byte
	for _, s := range steps {
		for _, l := range s {
			switch {
			case strings.HasPrefix(l, "C: "):
				raw = append(raw, l[3:]+"\r\n"...)
			case strings.HasPrefix(l, `C\ `):
				raw = append(raw, unquoted(l[3:])...)
			default:
				events = append(events, l)
			}
		}
	}
	return imaptest.ClientLines(raw), events
}

// TestDialogueCut cuts the line at every byte in each direction: nothing may panic
// or hang, and every command is done exactly once.
func TestDialogueCut(t *testing.T) {
	for _, d := range dialogues(t) {
		t.Run(title(d), func(t *testing.T) {
			total, out := 0, newPlayer(t)
			for _, s := range d.Steps {
				total += len(s.Server)
			}
			for n := 0; n <= total; n++ {
				p := newPlayer(t)
				left := n
				for _, s := range d.Steps {
					if s.Do != "" {
						p.do(s.Do)
					} else if b := s.Server[:min(left, len(s.Server))]; len(b) > 0 {
						left -= len(b)
						p.feed(b)
					}
					p.take()
					if left == 0 && len(s.Server) > 0 {
						break
					}
				}
				p.finish("cut from the server")
			}
			sent, _ := flatten(out.play(d))
			size := len(strings.Join(sent, "\r\n")) + 2
			for n := 1; n <= size; n++ {
				p := newPlayer(t)
				p.budget = n
				for _, s := range d.Steps {
					if s.Do != "" {
						p.do(s.Do)
					} else if s.Server != nil {
						p.feed(s.Server)
					}
					p.take()
					if p.budget == 0 {
						break
					}
				}
				p.finish("cut from the client")
			}
		})
	}
}

func unquoted(s string) string {
	u, err := strconv.Unquote(s)
	if err != nil {
		panic(err)
	}
	return u
}
