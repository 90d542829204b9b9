package mailsync

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"offloop/maildir"
	"offloop/statefile"
)

var update = flag.Bool("update", false, "write golden files anew")

// The golden tables of testdata/merge: a line "rules:" sets the rules, every
// other line is one message,
//
//	UID local remote state
//
// with "." = that side does not have it (the state does not know it), "-" = it
// has it without flags, else flags: letters and +N for keyword N. A state may
// carry a mark ("S/gone"), a local value a note: "S*name" = under another file
// name, "S!quarantine" and "S!intent" = may not be uploaded now, "S=7" = paired
// with UID 7; a remote value "S>max" = larger than maxsize. "= " begins a line
// of the plan; records that only the state takes over follow as "agree".

func parseFlagText(s string) (f statefile.Flags) {
	if s == "-" {
		return 0
	}
	letters, words, _ := strings.Cut(s, "+")
	for i := range len(letters) {
		k := strings.IndexByte("DFPRST", letters[i])
		if k < 0 {
			panic("flag " + s)
		}
		f |= 1 << k
	}
	for w := range strings.SplitSeq(words, "+") {
		if w != "" {
			n, err := strconv.Atoi(w)
			if err != nil {
				panic(err)
			}
			f |= 1 << (firstKeyword + n)
		}
	}
	return f
}

var markNames = map[string]statefile.Mark{"": statefile.MarkNone, "gone": markGone, "skipped": markSkipped, "expunge": markExpunge, "kept": markKept}

// mergeCase is one table on its way to a plan.
type mergeCase struct {
	in       mergeInput
	blocks   map[string]blockKind
	oversize map[uint32]bool
	remote   []remoteMsg
}

func newMergeCase() *mergeCase {
	c := &mergeCase{blocks: map[string]blockKind{}, oversize: map[uint32]bool{}}
	c.in = mergeInput{folder: "F", st: statefile.NewFolder("F", "x"),
		local:    &localView{scanned: true, stable: true, changed: map[uint32]localChange{}, inNew: uidBits{}, odd: map[uint32]maildir.Entry{}},
		rules:    mergeRules{localSyncDeletes: true, remoteSyncDeletes: true, expunge: true, localMask: ^statefile.Flags(0), remoteMask: ^statefile.Flags(0)},
		blocked:  func(f localFile) blockKind { return c.blocks[f.name.Base] },
		oversize: func(u uint32) bool { return c.oversize[u] },
		file: func(r statefile.Record, inNew bool) maildir.Entry {
			return maildir.Entry{File: fmt.Sprintf("%s:2,%v", r.Name, maildirFlags(r.Flags)), InNew: inNew}
		},
	}
	return c
}

func (c *mergeCase) rules(words string) {
	r := &c.in.rules
	for w := range strings.FieldsSeq(words) {
		key, val, _ := strings.Cut(w, "=")
		switch key {
		case "local-readonly":
			r.localReadOnly = true
		case "remote-readonly":
			r.remoteReadOnly = true
		case "no-local-deletes":
			r.localSyncDeletes = false
		case "no-remote-deletes":
			r.remoteSyncDeletes = false
		case "no-expunge":
			r.expunge = false
		case "local-shows":
			r.localMask = parseFlagText(val)
		case "server-stores":
			r.remoteMask = parseFlagText(val)
		default:
			panic("rule " + w)
		}
	}
}

func (c *mergeCase) row(uid uint32, local, remote, state string) {
	known := state != "."
	var agreed statefile.Flags
	var mark statefile.Mark
	if known {
		fl, m, _ := strings.Cut(state, "/")
		agreed, mark = parseFlagText(fl), markNames[m]
		c.in.st.Put(statefile.Record{UID: uid, Flags: agreed, Name: fmt.Sprintf("name%d", uid), Mark: mark})
	}
	if remote != "." {
		remote, big := strings.CutSuffix(remote, ">max")
		c.oversize[uid] = big
		c.remote = append(c.remote, remoteMsg{uid, parseFlagText(remote)})
	}
	local, block, _ := strings.Cut(local, "!")
	local, renamed, isRenamed := strings.Cut(local, "*")
	local, paired, isPaired := strings.Cut(local, "=")
	base := fmt.Sprintf("file%d", uid)
	c.blocks[base] = map[string]blockKind{"": blockNone, "quarantine": blockQuarantine, "intent": blockIntent}[block]
	switch {
	case local == "." && known && hasFile(mark):
		c.in.local.missing = append(c.in.local.missing, uid)
	case local == ".":
	case !known:
		f := localFile{entry: maildir.Entry{File: base + ":2," + maildirFlags(parseFlagText(local)).String()}, name: maildir.Name{Base: base, Unique: base}, flags: parseFlagText(local)}
		c.in.local.fresh = append(c.in.local.fresh, f)
		if isPaired {
			n, _ := strconv.Atoi(paired)
			c.in.pairs = append(c.in.pairs, pairing{uid: uint32(n), file: f})
		}
	default:
		fl := parseFlagText(local)&c.in.rules.localMask | agreed&^c.in.rules.localMask
		if fl != agreed || isRenamed {
			c.in.local.changed[uid] = localChange{flags: fl, name: renamed, entry: maildir.Entry{File: base + ":2,"}}
		}
	}
}

func (c *mergeCase) plan() *Plan {
	sortByUID(c.remote)
	v := diffRemote(c.in.st, slices.Values(c.remote), c.in.rules.remoteMask)
	v.complete = true
	c.in.remote = &v
	return merge(c.in)
}

func planText(p *Plan) string {
	var b strings.Builder
	for line := range strings.Lines(p.String()) {
		b.WriteString("= " + strings.TrimPrefix(line, "F: "))
	}
	slices.SortFunc(p.agree, func(a, b statefile.Record) int { return int(a.UID) - int(b.UID) })
	for _, r := range p.agree {
		fmt.Fprintf(&b, "= agree UID %d %s%s\n", r.UID, recordText(r), r.Name[len(fmt.Sprintf("name%d", r.UID))*boolInt(strings.HasPrefix(r.Name, "name")):])
	}
	for _, c := range slices.Concat(p.localFlags, p.remoteFlags) {
		if c.last {
			fmt.Fprintf(&b, "= then record UID %d %s\n", c.uid, recordText(c.then))
		}
	}
	return b.String()
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func recordText(r statefile.Record) string {
	s := flagText(r.Flags)
	for n, m := range markNames {
		if m == r.Mark && n != "" {
			s += "/" + n
		}
	}
	return s
}

func TestMergeGolden(t *testing.T) {
	files, _ := filepath.Glob("testdata/merge/*.txt")
	if len(files) < 8 {
		t.Fatalf("only %d golden files", len(files))
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			rules := ""
			var c *mergeCase
			flush := func() {
				if c != nil {
					out.WriteString(planText(c.plan()))
				}
				c = nil
			}
			for line := range strings.Lines(string(text)) {
				line = strings.TrimRight(line, "\n")
				switch {
				case strings.HasPrefix(line, "= "):
					continue
				case strings.HasPrefix(line, "#"):
				case line == "":
					flush()
				case strings.HasPrefix(line, "rules:"):
					flush()
					rules = line[6:]
				default:
					w := strings.Fields(line)
					if len(w) != 4 {
						t.Fatalf("line %q", line)
					}
					if c == nil {
						c = newMergeCase()
						c.rules(rules)
					}
					n, _ := strconv.Atoi(w[0])
					c.row(uint32(n), w[1], w[2], w[3])
				}
				out.WriteString(line + "\n")
			}
			flush()
			if *update {
				if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if out.String() != string(text) {
				t.Errorf("plan differs (run with -update and look at the difference):\n%s", lineDiff(string(text), out.String()))
			}
		})
	}
}

// lineDiff names the lines that are only in one of two texts.
func lineDiff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := 0; i < max(len(w), len(g)); i++ {
		a, b := "(end)", "(end)"
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			return fmt.Sprintf("line %d\nwant %s\n got %s", i+1, a, b)
		}
	}
	return ""
}

// TestRule9_MergeTable goes through every value of one flag on the three sides,
// under every rule, and asks an independent oracle what each side must show in
// the end and what may be called agreed.
func TestRule9_MergeTable(t *testing.T) {
	flags := []statefile.Flags{statefile.FlagD, statefile.FlagF, statefile.FlagP, statefile.FlagR, statefile.FlagS, statefile.FlagT, 1 << firstKeyword, 1 << 63}
	cases := 0
	for _, bit := range flags {
		for n := range 128 {
			s, l, r := n&1 != 0, n&2 != 0, n&4 != 0
			lro, rro, canL, canR := n&8 != 0, n&16 != 0, n&32 != 0, n&64 != 0
			if !canL {
				l = s // a side that cannot show a flag shows no edit of it
			}
			if !canR {
				r = s
			}
			cases++
			c := newMergeCase()
			c.in.rules.localReadOnly, c.in.rules.remoteReadOnly = lro, rro
			if !canL {
				c.in.rules.localMask &^= bit
			}
			if !canR {
				c.in.rules.remoteMask &^= bit
			}
			val := func(on bool) statefile.Flags {
				if on {
					return bit
				}
				return 0
			}
			c.row(1, flagText(val(l)), flagText(val(r)), flagText(val(s)))
			// flagText shows no bit but known ones; all of these are.
			p := c.plan()
			want := s
			if l != s || r != s {
				want = !s
			}
			endL, endR := l, r
			rec := s
			for _, a := range p.agree {
				rec = a.Flags&bit != 0
			}
			for _, x := range p.localFlags {
				endL = x.target&bit != 0
				if x.last {
					rec = x.then.Flags&bit != 0
				}
			}
			for _, x := range p.remoteFlags {
				endR = x.target&bit != 0
				if x.last {
					rec = x.then.Flags&bit != 0
				}
			}
			wantL, wantR := want, want
			if lro || !canL {
				wantL = l
			}
			if rro || !canR {
				wantR = r
			}
			id := fmt.Sprintf("flag %s s=%v l=%v r=%v localRO=%v remoteRO=%v canL=%v canR=%v", flagText(bit), s, l, r, lro, rro, canL, canR)
			if endL != wantL || endR != wantR {
				t.Errorf("%s: local ends %v want %v, remote ends %v want %v", id, endL, wantL, endR, wantR)
			}
			// Agreed is what both sides have that can; otherwise the old value,
			// so that the edit is still one when the side can be changed.
			wantRec := s
			switch {
			case canL && canR && wantL == wantR:
				wantRec = wantL
			case canL && !canR && !lro:
				wantRec = want
			case !canL && canR && !rro:
				wantRec = want
			case canL && !canR, !canL && canR:
				wantRec = rec // whichever: the side is read-only and alone
			}
			if rec != wantRec {
				t.Errorf("%s: recorded %v, want %v", id, rec, wantRec)
			}
		}
	}
	t.Logf("%d cases", cases)
}

// TestRule4_MergeDeletesOnlyWhatBothHad: in every combination of presence, mark
// and rule a delete is planned only for a message that the state holds as had by
// both sides and that exactly one side lacks, and never against a rule.
func TestRule4_MergeDeletesOnlyWhatBothHad(t *testing.T) {
	marks := []string{"", "gone", "skipped", "expunge", "kept"}
	for n := range 64 {
		rules := ""
		for i, w := range []string{"local-readonly", "remote-readonly", "no-local-deletes", "no-remote-deletes", "no-expunge"} {
			if n&(1<<i) != 0 {
				rules += w + " "
			}
		}
		for _, mark := range marks {
			for _, local := range []string{".", "-", "S", "T"} {
				for _, remote := range []string{".", "-", "S", "T"} {
					for _, state := range []string{".", "-", "T"} {
						c := newMergeCase()
						c.rules(rules)
						full := state
						if state != "." && mark != "" {
							full += "/" + mark
						}
						c.row(1, local, remote, full)
						p := c.plan()
						id := fmt.Sprintf("rules %q local %s remote %s state %s", rules, local, remote, full)
						if len(p.deleteLocal) > 0 && (state == "." || remote != "." || !hasFile(markNames[mark]) || n&1 != 0 || n&8 != 0 || mark == "kept") {
							t.Errorf("%s: deletes the file", id)
						}
						if len(p.deleteRemote) > 0 && (state == "." || local != "." || remote == "." || !hasFile(markNames[mark]) || n&2 != 0 || n&4 != 0) {
							t.Errorf("%s: deletes on the server", id)
						}
						if len(p.expunge) > 0 && (mark != "expunge" || n&2 != 0 || n&16 != 0 || remote == "." || local == ".") {
							t.Errorf("%s: expunges", id)
						}
						if n&1 != 0 && len(p.download)+len(p.localFlags)+len(p.deleteLocal) > 0 {
							t.Errorf("%s: changes a read-only Maildir", id)
						}
						if n&2 != 0 && len(p.upload)+len(p.remoteFlags)+len(p.deleteRemote)+len(p.expunge) > 0 {
							t.Errorf("%s: changes a read-only server", id)
						}
						if state != "." && len(p.upload) > 0 {
							t.Errorf("%s: uploads a known message", id)
						}
						if state != "." && len(p.download) > 0 && mark != "gone" {
							t.Errorf("%s: downloads a known message", id)
						}
					}
				}
			}
		}
	}
}
