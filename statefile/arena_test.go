package statefile

import (
	"fmt"
	"strings"
	"testing"
)

// oddNames are names that are, or seem to be, a pattern with numbers.
var oddNames = []string{
	"", "0", "00", "007", "0.0", "1", "12", "1764384000_0.4711.host", "1764384001_17.4711.host", "1764384001_017.4711.host",
	"1764384001_17.4711.host2", "999999999999999999", "1000000000000000000", "9999999999999999999_1.2.h", "1.M20P3.mail01.example",
	"1.M20P3.mail1.example", "-1", "1-1", "a\x00b1", "1_2_3_4_5_6_7_8_9_10", "1_2_3_4_5_6_7_8_9_10_11", strings.Repeat("1x", 80),
	strings.Repeat("x", 300), "1764384000_0.4711.host,U=12,FMD5=7e33429f656f1e6e9d79b29c3f82c57e", "٣4", "1/2", "1:2", "0x1f", "100", "0100", "010.1",
}

// TestArenaNames: a name comes out as it went in, whatever it looks like, and dropping all of
// them leaves nothing.
func TestArenaNames(t *testing.T) {
	var a arena
	names := oddNames
	for i := range 200 { // more patterns than have numbers
		names = append(names, fmt.Sprintf("%d%c%c.x", i, 'a'+i%26, 'a'+i/26))
	}
	var places []uint32
	for _, s := range names {
		places = append(places, a.add([]byte(s)))
	}
	for i, s := range names {
		if got := string(a.get(places[i])); got != s {
			t.Errorf("%q came out as %q", s, got)
		}
	}
	all := 0
	for _, c := range a.chunks {
		all += len(c)
	}
	if a.live != all {
		t.Errorf("%d bytes live, the chunks hold %d", a.live, all)
	}
	for _, p := range places {
		a.drop(p)
	}
	if a.live != 0 || a.dead != all {
		t.Errorf("after dropping all: %d bytes live, %d dead, want 0 and %d", a.live, a.dead, all)
	}
}

// TestArenaIsSmall: names as programs give them out take a third of their length at the most.
func TestArenaIsSmall(t *testing.T) {
	for _, shape := range []string{"%d_%d.4711.host.example", "%d.M%dP4711.host.example", "%d.R%d.host01"} {
		var a arena
		length := 0
		for i := range 10000 {
			s := fmt.Sprintf(shape, 1764384000+i/50, i*37%1000)
			length += len(s)
			a.add([]byte(s))
		}
		if a.live > length/3 {
			t.Errorf("%s: 10000 names of %d bytes take %d", shape, length, a.live)
		}
	}
}

func FuzzArena(f *testing.F) {
	for _, s := range oddNames {
		f.Add([]byte(s), []byte("1764384000_0.4711.host"))
	}
	f.Fuzz(func(t *testing.T, x, y []byte) {
		var a arena
		p, q, r := a.add(x), a.add(y), a.add(x)
		for place, want := range map[uint32][]byte{p: x, q: y, r: x} {
			if got := a.get(place); string(got) != string(want) {
				t.Fatalf("%q came out as %q", want, got)
			}
		}
		for _, place := range []uint32{p, q, r} {
			a.drop(place)
		}
		if a.live != 0 {
			t.Fatalf("%d bytes live after all were dropped", a.live)
		}
	})
}
