package gen_test

import (
	"bytes"
	"math"
	"slices"
	"sort"
	"strings"
	"testing"

	"offloop/cmd/internal/lab"
	"offloop/cmd/internal/lab/dovecot"
	"offloop/cmd/internal/lab/gen"
	"offloop/cmd/internal/lab/imapc"
)

func TestSameSeedSameMail(t *testing.T) {
	a, b, c := gen.New(gen.Options{Seed: 1}), gen.New(gen.Options{Seed: 1}), gen.New(gen.Options{Seed: 2})
	for _, i := range []int{700, 3, 0} {
		x, y, z := a.Message(0, i), b.Message(0, i), c.Message(0, i)
		if !bytes.Equal(x.Body, y.Body) || !slices.Equal(x.Flags, y.Flags) || !x.Date.Equal(y.Date) {
			t.Errorf("message %d differs with one seed", i)
		}
		if bytes.Equal(x.Body, z.Body) {
			t.Errorf("message %d is the same with another seed", i)
		}
	}
}

func TestSizesAndKinds(t *testing.T) {
	a := gen.New(gen.Options{Seed: 1, Messages: 2500})
	var sizes []int
	total, messages := 0, 0
	kinds := map[gen.Kind]int{}
	for f, folder := range a.Folders() {
		for i := range folder.Messages {
			m := a.Message(f, i)
			sizes, total, messages = append(sizes, len(m.Body)), total+len(m.Body), messages+1
			kinds[m.Kind]++
			if bytes.IndexByte(m.Body, 0) >= 0 {
				t.Fatalf("NUL in a message of kind %v", m.Kind)
			}
			bare := bytes.ReplaceAll(m.Body, []byte("\r\n"), nil)
			if bytes.IndexByte(bare, '\n') >= 0 {
				t.Fatalf("bare LF in a message of kind %v", m.Kind)
			}
		}
	}
	sort.Ints(sizes)
	median, mean := sizes[len(sizes)/2], total/messages
	if math.Abs(float64(median)-9500) > 1500 || math.Abs(float64(mean)-25000) > 7000 {
		t.Errorf("median %d, mean %d", median, mean)
	}
	if messages != 2500 || len(a.Folders()) != 20 {
		t.Errorf("%d messages in %d folders", messages, len(a.Folders()))
	}
	for k := gen.Ordinary; k <= gen.EncodedWords; k++ {
		if kinds[k] == 0 {
			t.Errorf("no message of kind %v among 2500", k)
		}
	}
}

func TestNamesOfTwentyFolders(t *testing.T) {
	names := func(o gen.Options) string {
		var s []string
		for _, f := range gen.New(o).Folders() {
			s = append(s, f.Name("/"))
		}
		return strings.Join(s, "\n") + "\n"
	}
	all := names(gen.Options{})
	for _, want := range []string{`"`, `\`, "%", "#", " \n", "é", "日本", "&", "/"} {
		if !strings.Contains(all, want) {
			t.Errorf("no folder has %q", want)
		}
	}
	if safe := names(gen.Options{SafeNames: true}); strings.ContainsAny(safe, `"\%#`) || strings.Contains(safe, " \n") {
		t.Errorf("unsafe name among\n%s", safe)
	}
}

// read fetches a whole account, folder by folder, in UID order.
func read(t *testing.T, c *imapc.Client) map[string][]imapc.Message {
	t.Helper()
	boxes, err := c.List()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]imapc.Message{}
	for _, b := range boxes {
		if s, err := c.Examine(b.Name); err != nil {
			t.Fatal(err)
		} else if s.Exists == 0 {
			out[b.Name] = nil
			continue
		}
		err := c.Fetch("1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])", nil, func(m imapc.Message) error {
			out[b.Name] = append(out[b.Name], m)
			return nil
		})
		if err != nil {
			t.Fatalf("%q: %v", b.Name, err)
		}
	}
	return out
}

// TestServerHoldsWhatWasGenerated fills by both ways and reads back.
func TestServerHoldsWhatWasGenerated(t *testing.T) {
	s := lab.NeedDovecot(t)
	a := gen.New(gen.Options{Seed: 3, Messages: 400, Folders: 26, Nasty: 300, Keywords: true})
	connect := func(user string) *imapc.Client {
		c, err := imapc.Dial(s.Addr(), imapc.Options{User: user, Pass: dovecot.Password})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	if err := a.FillIMAP(connect("wire")); err != nil {
		t.Fatal(err)
	}
	if err := a.FillDovecot(s.Maildir("disk")); err != nil {
		t.Fatal(err)
	}
	if err := s.Own(s.Home("disk")); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"wire", "disk"} {
		got := read(t, connect(user))
		for i, f := range a.Folders() {
			name := f.Name("/")
			msgs, ok := got[name]
			if !ok || len(msgs) != f.Messages {
				t.Errorf("%s: folder %q has %d messages, want %d", user, name, len(msgs), f.Messages)
				continue
			}
			for j, m := range msgs {
				compare(t, user+" "+name, a.Message(i, j), m)
			}
		}
		if len(got) != len(a.Folders()) {
			t.Errorf("%s: %d folders, want %d", user, len(got), len(a.Folders()))
		}
	}
}

func compare(t *testing.T, where string, want gen.Message, got imapc.Message) {
	t.Helper()
	var flags []string
	for _, f := range got.Flags {
		if f != `\Recent` {
			flags = append(flags, f)
		}
	}
	slices.Sort(flags)
	wanted := slices.Sorted(slices.Values(want.Flags))
	if !slices.Equal(flags, wanted) {
		t.Errorf("%s UID %d: flags %v, want %v", where, got.UID, flags, wanted)
	}
	if !got.Date.Equal(want.Date) {
		t.Errorf("%s UID %d: date %v, want %v", where, got.UID, got.Date, want.Date)
	}
	if !bytes.Equal(got.Body, want.Body) {
		t.Errorf("%s UID %d (%v): %d bytes differ from %d", where, got.UID, want.Kind, len(got.Body), len(want.Body))
	}
}
