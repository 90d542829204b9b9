package mailsync

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"offloop/imapproto/imaptest"
	"offloop/maildir"
	"offloop/reactor/reactortest"
)

// The seeded world: people change mail on both sides, also while offloop runs,
// and everything that can break breaks; after each round of that the book is
// compared with both sides.

// seededFolders are where mail comes and goes.
var seededFolders = []string{"INBOX", "Work", "Lists/go"}

// seededMail is what must be true of one message.
type seededMail struct {
	folder  string
	flags   map[byte]bool
	settled bool // on both sides
	touched bool // changed in this round: at most one change of each message
}

type seeded struct {
	w     *world
	r     *rand.Rand
	bare  bool
	full  bool // the disk: nobody else can write to it either
	next  int
	mail  map[string]*seededMail
	story []string
}

func (s *seeded) tell(format string, a ...any) {
	s.story = append(s.story, fmt.Sprintf(format, a...))
}

func (s *seeded) folder() string { return seededFolders[s.r.IntN(len(seededFolders))] }

func (s *seeded) name() string {
	s.next++
	return []string{"n", "n", "n", "noid", "raw", "twin"}[s.r.IntN(6)] + fmt.Sprintf("%04d", s.next)
}

// pick gives a settled message nobody has touched in this round, or "".
func (s *seeded) pick() string {
	var l []string
	for n, m := range s.mail {
		if m.settled && !m.touched {
			l = append(l, n)
		}
	}
	if len(l) == 0 {
		return ""
	}
	slices.Sort(l)
	return l[s.r.IntN(len(l))]
}

// both have the message: an action on one side needs its file and its UID.
func (s *seeded) there(name string) (file string, uid uint32, ok bool) {
	f := s.mail[name].folder
	for _, x := range s.w.files(f) {
		if x.name == name {
			file = x.path
		}
	}
	for _, m := range s.w.srv.Messages(f) {
		if s.w.mail[string(m.Body)] == name {
			uid = m.UID
		}
	}
	return file, uid, file != "" && uid != 0
}

// act is one change by somebody; the people at the two sides own different flags,
// so that all edits must survive.
func (s *seeded) act() {
	k := s.r.IntN(10)
	if k < 3 {
		n, f := s.name(), s.folder()
		m := &seededMail{folder: f, flags: map[byte]bool{}, touched: true}
		seen := s.r.IntN(2) == 0
		m.flags['S'] = seen
		s.mail[n] = m
		if s.r.IntN(2) == 0 || s.full {
			s.w.remoteAdd(f, n, []string{`\Seen`}[:map[bool]int{true: 1}[seen]]...)
			s.tell("new there: %s %s", f, n)
		} else {
			s.w.localAdd(f, n, map[bool]string{true: "S"}[seen])
			s.tell("new here: %s %s", f, n)
		}
		return
	}
	n := s.pick()
	if n == "" {
		return
	}
	m := s.mail[n]
	file, uid, ok := s.there(n)
	if !ok {
		return
	}
	m.touched = true
	switch {
	case k < 5:
		c := []byte("SD")[s.r.IntN(2)]
		m.flags[c] = !m.flags[c]
		s.rename(file, m.folder, c, m.flags[c])
		s.tell("here: %s %s %c=%v", m.folder, n, c, m.flags[c])
	case k < 7:
		c := []byte("FR")[s.r.IntN(2)]
		m.flags[c] = !m.flags[c]
		s.store(m.folder, uid, c, m.flags[c])
		s.tell("there: %s %s %c=%v", m.folder, n, c, m.flags[c])
	case k == 7 && !s.bare:
		s.w.fs.Outside(func() { s.w.fs.Unlink(file); s.w.fs.Flush() })
		delete(s.mail, n)
		s.tell("deleted here: %s %s", m.folder, n)
	case k == 8:
		s.w.srv.Expunge(m.folder, uid)
		delete(s.mail, n)
		s.tell("deleted there: %s %s", m.folder, n)
	case k == 9:
		to := s.folder()
		if to == m.folder {
			return
		}
		s.tell("moved there: %s %s to %s", m.folder, n, to)
		s.w.srv.MoveMessage(m.folder, uid, to)
		m.folder = to
	}
}

func (s *seeded) rename(file, folder string, c byte, on bool) {
	n := maildir.ParseName(path.Base(file), ':')
	letters := strings.ReplaceAll(n.Flags.String(), string(c), "")
	if on {
		b := []byte(letters + string(c))
		slices.Sort(b)
		letters = string(b)
	}
	s.w.fs.Outside(func() {
		if err := s.w.fs.Rename(file, wRoot+"/"+folder+"/cur/"+n.Base+":2,"+letters); err != nil {
			s.w.tb.Fatal(err)
		}
		s.w.fs.Flush()
	})
}

func (s *seeded) store(folder string, uid uint32, c byte, on bool) {
	word := map[byte]string{'F': `\Flagged`, 'R': `\Answered`}[c]
	for _, m := range s.w.srv.Messages(folder) {
		if m.UID != uid {
			continue
		}
		fl := slices.DeleteFunc(m.Flags, func(x string) bool { return x == word })
		if on {
			fl = append(fl, word)
		}
		s.w.srv.SetFlags(folder, uid, fl...)
	}
}

// trouble arms what goes wrong in the next run.
func (s *seeded) trouble() {
	w := s.w
	w.piece = []int{1 << 20, 600, 60}[s.r.IntN(3)]
	w.timing = []reactortest.Timing{reactortest.NextTurn, reactortest.Immediate, reactortest.Shuffled}[s.r.IntN(3)]
	w.lazy = s.r.IntN(3) == 0
	at := func(n int) int { return 1 + s.r.IntN(n) }
	switch k := s.r.IntN(12); k {
	case 0, 1:
		n := at(400)
		w.fs.CrashAfter(n)
		s.tell("crash at call %d", n)
	case 2:
		w.killAt = w.pieces + at(60)
		s.tell("kill at piece %d", w.killAt-w.pieces)
	case 3:
		w.cutAt = w.pieces + at(60)
		s.tell("cut at piece %d", w.cutAt-w.pieces)
	case 4, 5:
		text := []string{"NO [UNAVAILABLE] not now", "NO [LIMIT] slow down", "BAD what?"}[s.r.IntN(3)]
		n := at(20)
		w.srv.Faults.Rules = []imaptest.Rule{{Skip: n, Times: at(2), Act: imaptest.Act{Kind: imaptest.ActAnswer, Text: text}}}
		s.tell("%s at command %d", text, n)
	case 6:
		n, kind := at(20), []imaptest.ActKind{imaptest.ActBye, imaptest.ActClose, imaptest.ActCloseAfter, imaptest.ActMute, imaptest.ActUntagged}[s.r.IntN(5)]
		w.srv.Faults.Rules = []imaptest.Rule{{Skip: n, Times: 1, Act: imaptest.Act{Kind: kind, Text: "going down"}}}
		s.tell("%v at command %d", kind, n)
	case 7:
		n := s.r.Int64N(3000)
		w.fs.SetSpace(n)
		s.full = true
		s.tell("space for %d bytes", n)
	case 8, 9:
		n, err := w.fs.Calls()+at(300), []error{unix.EIO, unix.ENOSPC, unix.EMFILE, unix.EACCES}[s.r.IntN(4)]
		flush, failed := s.r.IntN(2) == 0, false
		w.fs.Fail = func(op, _ string, call int) error {
			// Every second such failure is that of a flush.
			if call < n || flush && !strings.Contains(op, "sync") || failed {
				return nil
			}
			failed = true
			return err
		}
		s.tell("%v at call %d", err, n-w.fs.Calls())
	case 10:
		b := imaptest.Cut{At: 300 + s.r.Int64N(3000), Kind: []imaptest.CutKind{imaptest.CutClose, imaptest.CutStall}[s.r.IntN(2)]}
		if s.r.IntN(2) == 0 {
			w.srv.Faults.In = []imaptest.Cut{b}
		} else {
			w.srv.Faults.Out = []imaptest.Cut{b}
		}
		s.tell("%v of the stream at byte %d", b.Kind, b.At)
	}
	// People go on while it runs.
	for range s.r.IntN(4) {
		n := w.pieces + at(50)
		before := w.onPiece
		w.onPiece = func(p int) {
			if before != nil {
				before(p)
			}
			if p == n {
				s.tell("meanwhile:")
				s.act()
			}
		}
	}
}

// calm takes all trouble away.
func (s *seeded) calm() {
	w := s.w
	w.killAt, w.cutAt, w.onPiece, w.lazy, w.piece = 0, 0, nil, false, 1<<20
	w.fs.CrashAfter(1 << 40)
	w.fs.Fail = nil
	w.fs.SetSpace(-1)
	s.full = false
	w.srv.Faults.Rules, w.srv.Faults.In, w.srv.Faults.Out = nil, nil, nil
}

// run is one troubled run and, if it died, what is left of it.
func (s *seeded) run() {
	w := s.w
	s.trouble()
	p := w.start()
	for range 3 {
		if !p.round() {
			break
		}
		at := p.a.SettleAt()
		if at.IsZero() {
			break
		}
		p.loop.Advance(max(0, at.Sub(p.loop.Now())) + 100*time.Millisecond)
	}
	if !p.dead && s.r.IntN(3) == 0 {
		p.die() // somebody kills it between two rounds
	}
	switch {
	case s.r.IntN(4) == 0:
		w.fs.PowerCut()
		w.powerCut = true
		s.tell("power cut")
	default:
		w.fs.Kill()
	}
	p.die()
	s.calm()
	w.wait(time.Duration(s.r.IntN(20_000)) * time.Millisecond)
	if s.r.IntN(2) == 0 {
		w.srv.Settle(-1)
	}
}

// want is the book in the form of world.state.
func (s *seeded) want() string {
	lines := map[string][]string{}
	for _, f := range seededFolders {
		lines[f] = nil
	}
	for n, m := range s.mail {
		var fl []string
		for c, on := range m.flags {
			if on {
				fl = append(fl, string(c))
			}
		}
		sort.Strings(fl)
		lines[m.folder] = append(lines[m.folder], n+":"+orDash(strings.Join(fl, "")))
	}
	var out []string
	for _, f := range slices.Sorted(maps.Keys(lines)) {
		l := lines[f]
		sort.Strings(l)
		out = append(out, strings.TrimSpace(f+" "+strings.Join(l, " ")))
	}
	return strings.Join(out, "\n")
}

// rest runs without trouble until all is done, and compares.
func (s *seeded) rest() {
	w := s.w
	w.srv.Settle(-1)
	w.wait(time.Minute)
	for range 3 {
		if w.sync() == nil {
			w.tb.Fatal("the process died without reason")
		}
		w.wait(25 * time.Hour) // quarantined messages are tried again
	}
	w.must()
	w.expect(s.want())
	w.idle()
	w.expect(s.want())
	for _, m := range s.mail {
		m.settled, m.touched = true, false
	}
}

// playSeed plays one world.
func playSeed(t testing.TB, seed uint64) (failed []string) {
	r := &recorder{TB: t}
	var s *seeded
	defer func() {
		if x := recover(); x != nil && x != r {
			r.failed = append(r.failed, fmt.Sprintf("panic: %v\n%s", x, stack()))
		}
		if failed = r.failed; len(failed) > 0 && s != nil {
			failed = append(failed, "what was done:\n  "+strings.Join(s.story, "\n  "))
		}
	}()
	rnd := rand.New(rand.NewPCG(seed, 77))
	v := servers[rnd.IntN(len(servers))]
	s = &seeded{w: newWorld(r, v.caps, seed), r: rnd, bare: v.name == "bare", mail: map[string]*seededMail{}}
	s.w.batch = int(seed % 8)
	s.tell("server %s", v.name)
	s.w.set.AllowDeletes = []string{"*"}
	for _, f := range seededFolders[1:] {
		s.w.srv.CreateMailbox(f)
	}
	for range 12 {
		n, f := s.name(), s.folder()
		s.w.remoteAdd(f, n)
		s.mail[n] = &seededMail{folder: f, flags: map[byte]bool{}}
	}
	s.rest()
	for round := range 4 {
		s.tell("--- round %d", round+1)
		for range s.r.IntN(12) {
			s.act()
		}
		for range 1 + s.r.IntN(3) {
			s.run()
		}
		s.tell("--- calm")
		s.rest()
		if len(r.failed) > 0 {
			return nil
		}
	}
	return nil
}

// TestSeededWorld plays worlds of consecutive seeds: OFFLOOP_SEEDS of them (a few
// hundred by default), from OFFLOOP_SEED on.
func TestSeededWorld(t *testing.T) {
	number := func(name string, def int) int {
		n, err := strconv.Atoi(os.Getenv(name))
		if err != nil && !errors.Is(err, strconv.ErrSyntax) || os.Getenv(name) != "" && err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err != nil {
			return def
		}
		return n
	}
	def := 300
	if raceOn || testing.Short() {
		def = 40
	}
	first, n := number("OFFLOOP_SEED", 1), number("OFFLOOP_SEEDS", def)
	if os.Getenv("OFFLOOP_SEED") != "" && os.Getenv("OFFLOOP_SEEDS") == "" {
		n = 1
	}
	wrong := 0
	for i := range n {
		seed := first + i
		if failed := playSeed(t, uint64(seed)); len(failed) > 0 {
			wrong++
			t.Errorf("OFFLOOP_SEED=%d go test -run '^TestSeededWorld$' ./cmd/offloop/internal/mailsync\n%s", seed, strings.Join(failed, "\n"))
			if wrong == 5 {
				break
			}
		}
	}
	t.Logf("%d worlds, %d wrong", n, wrong)
}
