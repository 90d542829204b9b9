package imaptest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The model is compared with a real Dovecot, command by command, where one is
// installed: its imap binary speaks on standard input and needs no daemon.

const dovecotImap = "/usr/lib/dovecot/imap"

const dovecotConf = `protocols = imap
base_dir = DIR/run
state_dir = DIR/state
log_path = DIR/log
mail_location = maildir:DIR/mail
mail_home = DIR
ssl = no
mailbox_list_index = yes
mail_fsync = never
stats_writer_socket_path =
namespace inbox {
  inbox = yes
  separator = /
}
`

// noServer skips a test that has no server to talk to, or fails it where servers
// are required (OFFLOOP_REQUIRE_SERVERS=1, as in CI).
func noServer(t *testing.T, why ...any) {
	t.Helper()
	if os.Getenv("OFFLOOP_REQUIRE_SERVERS") == "1" {
		t.Fatal(why...)
	}
	t.Skip(why...)
}

// peer is one connection to either server.
type peer interface {
	// ask sends a command and returns its responses, the tagged one last.
	ask(tag, command string) []string
}

type dovecotPeer struct {
	t  *testing.T
	in io.Writer
	r  *bufio.Reader
}

func dovecotDir(t *testing.T) string {
	if testing.Short() {
		t.Skip("takes a real server")
	}
	if _, err := os.Stat(dovecotImap); err != nil {
		noServer(t, "no Dovecot here: ", err)
	}
	dir, err := os.MkdirTemp("/tmp", "imaptest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if os.WriteFile(filepath.Join(dir, "conf"), []byte(strings.ReplaceAll(dovecotConf, "DIR", dir)), 0o644) != nil ||
		os.Chmod(dir, 0o755) != nil {
		t.Fatal("cannot write", dir)
	}
	if os.Getuid() == 0 && os.Chown(dir, 65534, 65534) != nil {
		noServer(t, "cannot give the directory to nobody")
	}
	return dir
}

func dialDovecot(t *testing.T, dir string) peer {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, dovecotImap, "-c", filepath.Join(dir, "conf"))
	cmd.Env = []string{"USER=nobody", "HOME=" + dir}
	cmd.Dir = dir
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		noServer(t, "Dovecot does not start: ", err)
	}
	t.Cleanup(func() { in.Close(); cancel(); cmd.Wait() })
	p := &dovecotPeer{t: t, in: in, r: bufio.NewReader(out)}
	if greet := p.response(); !strings.HasPrefix(greet, "* PREAUTH") {
		noServer(t, "Dovecot says ", greet)
	}
	return p
}

// response reads one response with its literals.
func (p *dovecotPeer) response() string {
	var b strings.Builder
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			p.t.Fatalf("Dovecot: %v after %q", err, b.String())
		}
		b.WriteString(line)
		size, _, _, _, ok := literalAt([]byte(strings.TrimRight(line, "\r\n")))
		if !ok {
			return strings.TrimRight(b.String(), "\r\n")
		}
		io.CopyN(&b, p.r, size)
	}
}

func (p *dovecotPeer) ask(tag, command string) (out []string) {
	fmt.Fprintf(p.in, "%s %s\r\n", tag, command)
	for {
		out = append(out, p.response())
		if strings.HasPrefix(out[len(out)-1], tag+" ") {
			return out
		}
	}
}

type modelPeer struct {
	t    *testing.T
	sess *Session
}

func dialModel(t *testing.T, srv *Server) peer {
	s := srv.NewSession()
	s.Output()
	return &modelPeer{t, s}
}

func (p *modelPeer) ask(tag, command string) (out []string) {
	p.sess.Feed([]byte(tag + " " + command + "\r\n"))
	d := dovecotPeer{t: p.t, r: bufio.NewReader(strings.NewReader(string(p.sess.Output())))}
	for {
		out = append(out, d.response())
		if strings.HasPrefix(out[len(out)-1], tag+" ") {
			return out
		}
	}
}

// side is one server in the comparison: two connections and what it has said.
type side struct {
	a, b     peer
	validity string
	marks    map[string]string // HIGHESTMODSEQ by mark name
	modseq   string
}

var (
	reValidity  = regexp.MustCompile(`UIDVALIDITY (\d+)|APPENDUID (\d+)|COPYUID (\d+)`)
	reModseq    = regexp.MustCompile(`HIGHESTMODSEQ (\d+)`)
	reText      = regexp.MustCompile(`^(\S+ (?:OK|NO|BAD|BYE))(?: (\[[^]]*\]))?.*`)
	reNumbers   = regexp.MustCompile(`(UIDVALIDITY|APPENDUID|COPYUID|HIGHESTMODSEQ) \d+`)
	reSearchMod = regexp.MustCompile(`\(MODSEQ \d+\)`)
	reModItem   = regexp.MustCompile(`MODSEQ \(\d+\)`)
	reFlags     = regexp.MustCompile(`((?:FLAGS|LIST|LSUB) )\(([^)]*)\)`)
	// what Dovecot says more, or the model: no difference to a client
	reIgnored = regexp.MustCompile(`^\* OK \[(UNSEEN|HIGHESTMODSEQ)|^\* ENABLED$|^\* \d+ RECENT$|^\* LIST \(\) "/" INBOX$`)
)

// run sends a step ("A: command", "B: command") and returns the answer in a
// form that can be compared. $V is the last UIDVALIDITY, $name a noted mod-sequence.
func (s *side) run(tag, step string) []string {
	who, command, _ := strings.Cut(step, ": ")
	command = strings.ReplaceAll(command, "$V", s.validity)
	for name, v := range s.marks {
		command = strings.ReplaceAll(command, "$"+name, v)
	}
	p := s.a
	if who == "B" {
		p = s.b
	}
	var out []string
	for _, line := range p.ask(tag, command) {
		if m := reValidity.FindStringSubmatch(line); m != nil {
			s.validity = m[1] + m[2] + m[3]
		}
		if m := reModseq.FindStringSubmatch(line); m != nil {
			s.modseq = m[1]
		}
		if reIgnored.MatchString(line) {
			continue
		}
		line = plain(line)
		if who, rest, _ := strings.Cut(command, " "); who == "NOOP" || who == "UID" && !strings.HasPrefix(rest, "EXPUNGE") {
			// Dovecot adds the code whenever the client cannot work it out
			line = strings.Replace(line, " OK [HIGHESTMODSEQ N]", " OK ", 1)
		}
		out = append(out, line)
	}
	return out
}

// plain removes from a response what differs without meaning.
func plain(line string) string {
	line = reText.ReplaceAllString(line, "$1 $2")
	line = reNumbers.ReplaceAllString(line, "$1 N")
	line = reSearchMod.ReplaceAllString(line, "(MODSEQ N)")
	line = reModItem.ReplaceAllString(line, "MODSEQ (N)")
	line = strings.ReplaceAll(line, `INTERNALDATE "0`, `INTERNALDATE " `)
	for _, code := range []string{"[NONEXISTENT]", "[CANNOT]", "[CLIENTBUG]"} {
		line = strings.ReplaceAll(line, code, "")
	}
	if i := strings.Index(line, "BODY[HEADER.FIELDS"); i >= 0 {
		k := i + strings.IndexByte(line[i:], ']')
		line = line[:i] + strings.ToUpper(line[i:k]) + line[k:]
	}
	return reFlags.ReplaceAllStringFunc(line, func(text string) string {
		m := reFlags.FindStringSubmatch(text)
		words := strings.Fields(m[2])
		words = slices.DeleteFunc(words, func(w string) bool {
			return w == `\Recent` || w == `\UnMarked` || w == `\Marked`
		})
		slices.Sort(words)
		return m[1] + "(" + strings.Join(words, " ") + ")"
	})
}

// compare runs the steps on both servers. "mark x" notes the mod-sequence last
// told; "same set" steps compare untagged responses without their order.
func compare(t *testing.T, steps []string) {
	dir := dovecotDir(t)
	srv := newServer()
	srv.PreAuth = true
	srv.Caps = srv.Caps.Without("IMAP4rev2", "OBJECTID")
	srv.Subscribe("INBOX", false)
	sides := [2]*side{
		{a: dialDovecot(t, dir), b: dialDovecot(t, dir), marks: map[string]string{}},
		{a: dialModel(t, srv), b: dialModel(t, srv), marks: map[string]string{}},
	}
	for i, step := range steps {
		if name, ok := strings.CutPrefix(step, "mark "); ok {
			for _, s := range sides {
				s.marks[name] = s.modseq
			}
			continue
		}
		tag := fmt.Sprintf("t%d", i)
		real, model := sides[0].run(tag, step), sides[1].run(tag, step)
		slices.Sort(real[:len(real)-1])
		slices.Sort(model[:len(model)-1])
		if !slices.Equal(real, model) {
			t.Errorf("step %d %s\n dovecot %s\n model   %s", i, step,
				strings.Join(real, "\n         "), strings.Join(model, "\n         "))
		}
	}
	for _, c := range srv.Complaints {
		t.Log("complaint:", c)
	}
}

func appendStep(who, box, flags, text string) string {
	return fmt.Sprintf("%s: APPEND %s (%s) \" 5-Feb-2024 01:02:03 +0000\" {%d+}\r\n%s", who, box, flags, len(text), text)
}

func TestDovecotBasics(t *testing.T) {
	msg := func(n int) string {
		return fmt.Sprintf("From: a@b\r\nSubject: number %d\r\nMessage-ID: <%d@x>\r\n\r\nbody %d\r\n", n, n, n)
	}
	steps := []string{
		"A: NAMESPACE", "A: NOOP",
		`A: LIST "" "*"`, `A: LIST "" ""`,
		"A: CREATE a", "A: CREATE a/b/c", "A: CREATE a", "A: CREATE B&AOk-",
		`A: LIST "" "*"`, `A: LIST "" "%"`, `A: LIST "" "a/%"`, `A: LIST a "/%"`, `A: LIST "" INBOX`, `A: LIST "" inbox`,
		"A: SUBSCRIBE a/b/c", "A: SUBSCRIBE a", `A: LSUB "" "*"`, "A: UNSUBSCRIBE a",
		`A: LIST (SUBSCRIBED) "" "*"`, `A: LIST "" "*" RETURN (SUBSCRIBED CHILDREN)`,
		`A: LIST "" ("a" "B*") RETURN (STATUS (MESSAGES UIDNEXT))`,
		"A: STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)", "A: STATUS nosuch (MESSAGES)",
		"A: SELECT nosuch", "A: SELECT INBOX", "B: EXAMINE INBOX",
		appendStep("A", "INBOX", "", msg(1)), appendStep("A", "INBOX", `\Seen \Flagged`, msg(2)),
		appendStep("A", "nosuch", "", msg(1)), "B: NOOP",
		"A: UID FETCH 1:* (FLAGS)", "A: FETCH 1 (UID)", "A: FETCH 7 (UID)", "A: UID FETCH 7 (FLAGS)", "A: UID FETCH 7:* (FLAGS)",
		"A: UID FETCH 1 (INTERNALDATE RFC822.SIZE)", "A: UID FETCH 2 BODY.PEEK[]", "A: UID FETCH 2 BODY.PEEK[]<5.10>",
		"A: UID FETCH 2 BODY.PEEK[]<500.10>", "A: UID FETCH 1 BODY.PEEK[HEADER]", "A: UID FETCH 1 BODY.PEEK[TEXT]",
		"A: UID FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject Message-ID)]", "A: UID FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (Subject)]",
		"A: UID FETCH 1 RFC822.HEADER", "A: UID FETCH 1 (FLAGS BODY[])", "A: UID FETCH 1 (FLAGS)", "B: NOOP",
		"A: UID STORE 1 +FLAGS (\\Answered $Forwarded)", "A: UID STORE 1 -FLAGS.SILENT (\\Answered)", "A: UID STORE 1:2 FLAGS (work \\Draft)",
		"B: NOOP", "A: UID STORE 99 +FLAGS (\\Seen)", "A: STORE 99 +FLAGS (\\Seen)",
		"A: UID SEARCH ALL", "A: UID SEARCH UID 2:9", "A: UID SEARCH KEYWORD work SMALLER 5", "A: UID SEARCH SUBJECT \"number 2\"",
		"A: UID SEARCH RETURN (ALL) ALL", "A: UID SEARCH RETURN (MIN MAX COUNT) ALL", "A: UID SEARCH RETURN (ALL) UNDELETED NOT DRAFT",
		"A: SEARCH SINCE 1-Jan-2024", "A: SEARCH OR SEEN (LARGER 10 UNSEEN)", "A: UID SEARCH HEADER Message-ID <2@x>", "A: UID SEARCH RETURN () 1:2",
		appendStep("A", "INBOX", `\Deleted`, msg(3)), appendStep("B", "INBOX", ``, msg(4)), "A: NOOP",
		"A: UID COPY 1:2 a", "A: UID COPY 2 nosuch", "A: UID COPY 77 a", "A: STATUS a (MESSAGES UIDNEXT)",
		"A: UID MOVE 2 a", "B: NOOP", "A: UID EXPUNGE 1:2", "A: UID EXPUNGE 1:3", "B: FETCH 1:2 (FLAGS)", "B: FETCH 1:2 (BODY.PEEK[TEXT])", "B: NOOP",
		"A: UID STORE 4 +FLAGS.SILENT (\\Deleted)", "A: EXPUNGE", "B: CHECK",
		"A: RENAME a z", `A: LIST "" "*"`, "A: RENAME nosuch y", "A: RENAME z INBOX", "A: STATUS z (MESSAGES UIDNEXT)",
		"A: SELECT z", "A: CLOSE", "A: UID FETCH 1 (FLAGS)", "A: DELETE INBOX", "A: DELETE nosuch", "A: DELETE z/b/c", "A: DELETE z", `A: LIST "" "*"`,
		"A: SELECT INBOX", "A: UNSELECT", "A: UNSELECT", "A: FROB", "A: ENABLE FROB", "A: SELECT", "A: SELECT INBOX (FROB)",
	}
	compare(t, steps)
}

// TestDovecotRandom lets two clients do the same random things on both servers.
func TestDovecotRandom(t *testing.T) {
	for seed := uint64(1); seed <= 5; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			compare(t, randomSteps(rand.New(rand.NewPCG(seed, 7)), 150))
		})
	}
}

func randomSteps(r *rand.Rand, n int) []string {
	steps := []string{"A: ENABLE QRESYNC", "B: ENABLE CONDSTORE"}
	for i := range 10 {
		steps = append(steps, appendStep("A", "INBOX", []string{"work $Junk", ""}[min(i, 1)], fmt.Sprintf("Subject: %d\r\n\r\nx\r\n", i)))
	}
	steps = append(steps, "A: SELECT INBOX", "B: SELECT INBOX (CONDSTORE)", "mark m")
	set := func() string {
		lo := 1 + r.IntN(15)
		return []string{fmt.Sprint(lo), fmt.Sprintf("%d:%d", lo, lo+r.IntN(4)), fmt.Sprintf("%d,%d", lo, lo+2), fmt.Sprintf("%d:*", lo)}[r.IntN(4)]
	}
	flags := func() string {
		return []string{`(\Seen)`, `(\Deleted)`, `(\Flagged \Answered)`, `(work)`, `($Junk \Seen)`}[r.IntN(5)]
	}
	for range n {
		who := []string{"A", "B"}[r.IntN(2)]
		switch r.IntN(12) {
		case 0, 1:
			steps = append(steps, appendStep(who, "INBOX", strings.Trim(flags(), "()"), "Subject: z\r\n\r\nzz\r\n"))
		case 2, 3:
			steps = append(steps, fmt.Sprintf("%s: UID STORE %s %sFLAGS %s", who, set(), []string{"+", "-", ""}[r.IntN(3)], flags()))
		case 4:
			steps = append(steps, fmt.Sprintf("%s: UID STORE %s +FLAGS.SILENT %s", who, set(), flags()))
		case 5:
			steps = append(steps, who+": NOOP", fmt.Sprintf("%s: UID FETCH %s (FLAGS)", who, set()))
		case 6:
			steps = append(steps, who+": NOOP", who+": UID SEARCH RETURN (ALL COUNT) "+[]string{"ALL", "DELETED", "UNSEEN KEYWORD work", "NOT FLAGGED", "UID " + set()}[r.IntN(5)])
		case 7:
			steps = append(steps, who+": NOOP")
		case 8:
			steps = append(steps, fmt.Sprintf("%s: UID STORE %d +FLAGS.SILENT (\\Deleted)", who, 1+r.IntN(12)), "A: NOOP", "B: NOOP", who+": UID EXPUNGE "+set())
		case 9:
			steps = append(steps, "A: UNSELECT", "A: SELECT INBOX (QRESYNC ($V $m))", "mark m")
		case 10:
			steps = append(steps, "A: NOOP", "mark m2", "A: UID FETCH 1:* (FLAGS) (CHANGEDSINCE $m VANISHED)")
		case 11:
			steps = append(steps, "A: NOOP", "B: NOOP", fmt.Sprintf("A: UID STORE %s (UNCHANGEDSINCE $m) +FLAGS.SILENT %s", set(), flags()))
		}
	}
	return steps
}

func TestDovecotResync(t *testing.T) {
	var steps []string
	steps = append(steps, "A: ENABLE CONDSTORE", "A: SELECT INBOX", "A: ENABLE QRESYNC")
	for i := range 8 {
		steps = append(steps, appendStep("A", "INBOX", "", fmt.Sprintf("Subject: %d\r\n\r\nx\r\n", i)))
	}
	steps = append(steps, "A: UNSELECT", "A: SELECT INBOX (QRESYNC (1 1))", "mark m",
		"B: SELECT INBOX", "B: UID STORE 2 +FLAGS.SILENT (\\Seen)", "B: UID STORE 4 +FLAGS (\\Deleted)", "A: NOOP",
		"B: EXPUNGE", "B: UID STORE 3 +FLAGS.SILENT (\\Deleted)", "B: UID EXPUNGE 1:7", "A: NOOP", "A: UNSELECT",
		"A: SELECT INBOX (QRESYNC ($V $m))",
		"A: UID FETCH 1:* (FLAGS) (CHANGEDSINCE $m)", "A: UID FETCH 1:* (FLAGS) (CHANGEDSINCE $m VANISHED)",
		"A: UID FETCH 1:3 (FLAGS) (CHANGEDSINCE $m VANISHED)",
		"A: SELECT INBOX (QRESYNC ($V $m 1:3))", "A: SELECT INBOX (QRESYNC ($V $m 4:8))", "A: SELECT INBOX (QRESYNC (1 $m))",
		"A: STATUS INBOX (MESSAGES HIGHESTMODSEQ)",
		"mark n", "A: UID STORE 5,6 (UNCHANGEDSINCE $n) +FLAGS.SILENT (\\Flagged)",
		"A: UID STORE 5,7 (UNCHANGEDSINCE $n) +FLAGS (\\Answered)", "B: NOOP",
		"B: UID STORE 7 -FLAGS (\\Answered)", "A: NOOP", "A: UID FETCH 7 (FLAGS MODSEQ)", "A: UID FETCH 7 (FLAGS)",
		"A: UID STORE 8 +FLAGS.SILENT (\\Deleted)", "A: UID EXPUNGE 8", "B: NOOP", "A: CLOSE",
		"A: SELECT INBOX (CONDSTORE)", "A: UID SEARCH MODSEQ 1",
	)
	compare(t, steps)
}
