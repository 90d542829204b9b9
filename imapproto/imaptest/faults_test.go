package imaptest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

const appendThree = "x APPEND INBOX {3+}\r\none\r\ny APPEND INBOX {3+}\r\ntwo\r\nz APPEND INBOX {5+}\r\nthree\r\n"

func bodies(srv *Server, box string) string {
	var out []string
	for _, m := range srv.Messages(box) {
		out = append(out, string(m.Body))
	}
	return strings.Join(out, " ")
}

func TestCutOutput(t *testing.T) {
	srv := newServer()
	c := login(t, srv)
	_, at := c.sess.Bytes()
	srv.Faults.Out = []Cut{{Session: 1, At: at + 4, Kind: CutClose}}
	c.sess.Feed([]byte("q NOOP\r\n"))
	if out := string(c.sess.Output()); out != "q OK" || !c.sess.Closed() {
		t.Errorf("%q closed %v", out, c.sess.Closed())
	}
	srv.Faults.Out = []Cut{{Session: 2, At: 10, Kind: CutStall}, {Session: 2, At: 12, Kind: CutCorrupt, Byte: '#'}}
	s := srv.NewSession()
	out := string(s.Output())
	if len(out) != 10 || s.Output() != nil || s.Closed() {
		t.Errorf("%q", out)
	}
	s.Release()
	if out += string(s.Output()); !strings.HasPrefix(out, "* OK [CAPABI#ITY") {
		t.Errorf("%q", out)
	}
}

func TestCutInput(t *testing.T) {
	for at := range len(appendThree) + 1 {
		srv := newServer()
		c := login(t, srv)
		in, _ := c.sess.Bytes()
		srv.Faults.In = []Cut{{At: in + int64(at), Kind: CutClose}}
		c.sess.Feed([]byte(appendThree))
		want := strings.Count(appendThree[:at], "{3+}\r\none\r\n") + strings.Count(appendThree[:at], "two\r\n") + strings.Count(appendThree[:at], "three\r\n")
		if got := len(srv.Messages("INBOX")); got != want {
			t.Errorf("cut at %d: %d messages, want %d", at, got, want)
		}
		c.sess.Output()
		if c.sess.Closed() != (at < len(appendThree)) {
			t.Errorf("cut at %d: closed %v", at, c.sess.Closed())
		}
	}
	srv := newServer()
	c := login(t, srv)
	in, _ := c.sess.Bytes()
	srv.Faults.In = []Cut{{At: in + 3, Kind: CutStall}}
	c.sess.Feed([]byte("q NOOP\r\n"))
	if out := c.sess.Output(); out != nil {
		t.Errorf("%q while stalled", out)
	}
	c.sess.Release()
	if out := string(c.sess.Output()); out != "q OK nothing done\r\n" {
		t.Errorf("%q", out)
	}
}

func TestRules(t *testing.T) {
	cases := []struct {
		act    Act
		out    string // what the client sees of "x APPEND", then "y NOOP"
		stored int
		closed bool
	}{
		{Act{}, "* 1 EXISTS|* 1 RECENT|x OK [APPENDUID 1001 1] appended|y OK nothing done|", 1, false},
		{Act{Kind: ActAnswer, Text: "NO [OVERQUOTA] full"}, "x NO [OVERQUOTA] full|y OK nothing done|", 0, false},
		{Act{Kind: ActBye, Text: "shutting down"}, "* BYE shutting down|", 0, true},
		{Act{Kind: ActClose}, "", 0, true},
		{Act{Kind: ActMute}, "y OK nothing done|", 1, false},
		{Act{Kind: ActUntagged}, "* 1 EXISTS|* 1 RECENT|y OK nothing done|", 1, false},
		{Act{Kind: ActCloseAfter}, "", 1, true},
		{Act{Kind: ActAnswerAfter, Text: "BAD what?"}, "* 1 EXISTS|* 1 RECENT|x BAD what?|y OK nothing done|", 1, false},
		{Act{Kind: ActHold}, "", 0, false},
		{Act{Kind: ActLate}, "", 1, false},
	}
	for _, k := range cases {
		srv := newServer()
		c := login(t, srv)
		c.ok("SELECT INBOX")
		srv.Faults.Rules = []Rule{{Name: "append", Mailbox: "inbox", Act: k.act}}
		c.sess.Feed([]byte("x APPEND INBOX {3+}\r\none\r\ny NOOP\r\n"))
		out := strings.ReplaceAll(string(c.sess.Output()), "\r\n", "|")
		if out != k.out || len(srv.Messages("INBOX")) != k.stored || c.sess.Closed() != k.closed {
			t.Errorf("%v: %q, %d stored, closed %v", k.act.Kind, out, len(srv.Messages("INBOX")), c.sess.Closed())
		}
		c.sess.Release()
		if out += strings.ReplaceAll(string(c.sess.Output()), "\r\n", "|"); !k.closed && !strings.HasSuffix(out, "y OK nothing done|") {
			t.Errorf("%v: %q after release", k.act.Kind, out)
		}
	}
}

func TestRuleCounting(t *testing.T) {
	srv := newServer()
	c := login(t, srv)
	srv.Faults.Rules = []Rule{{Name: "NOOP", Skip: 1, Times: 2, Act: Act{Kind: ActAnswer, Text: "NO busy"}}}
	var got []string
	for range 5 {
		_, answer := c.do("NOOP")
		got = append(got, answer[:2])
	}
	if strings.Join(got, " ") != "OK NO NO OK OK" {
		t.Error(got)
	}
	srv.Faults.Rules = nil
	srv.Faults.Command = func(c Command) Act {
		if c.N == 8 && c.Name == "STATUS" && c.Mailbox == "INBOX" {
			return Act{Kind: ActAnswer, Text: "NO never"}
		}
		return Act{}
	}
	c.ok("STATUS INBOX (MESSAGES)")
	c.want("STATUS inbox (MESSAGES)", "NO never")
}

func TestEarlyRefusal(t *testing.T) {
	srv := newServer()
	srv.Caps = srv.Caps.With("APPENDLIMIT=100")
	c := login(t, srv)
	c.want("APPEND INBOX {101}", "NO [TOOBIG] message is larger than the server allows")
	c.want("APPEND nosuch {3}", "NO [TRYCREATE] mailbox does not exist")
	c.want("APPEND INBOX {3}", "+ OK", "")
	c.sess.Feed([]byte("one\r\n"))
	c.sess.Output()
	srv.Faults.Rules = []Rule{{Name: "APPEND", Act: Act{Kind: ActAnswer, Text: "NO [OVERQUOTA] full", Early: true}}}
	c.want("APPEND INBOX {3}", "NO [OVERQUOTA] full")
	srv.Caps = UIDPlusOnly
	srv.Faults.Rules = nil
	c.want("APPEND INBOX {3+}\r\none", "BAD non-synchronising literals are not supported")
	c.want("NOOP", "OK nothing done")
	srv.Caps = CondstoreOnly
	c.want(fmt.Sprintf("APPEND INBOX {5000+}\r\n%05000d", 0), "BAD [TOOBIG] literal- is limited to 4096 bytes")
	if got := bodies(srv, "INBOX"); got != "one" {
		t.Error(got)
	}
}

func TestSettle(t *testing.T) {
	srv := newServer()
	srv.Faults.Settle = true
	c := login(t, srv)
	srv.Pace = 1
	c.sess.Feed([]byte(appendThree + "w APPEND INBOX {5+}\r\nfou"))
	if out := string(c.sess.Output()); !strings.HasPrefix(out, "x OK") || strings.Contains(out, "y ") {
		t.Errorf("%q", out)
	}
	c.sess.Kill()
	if !c.sess.Closed() || bodies(srv, "INBOX") != "one" {
		t.Error(bodies(srv, "INBOX"))
	}
	if srv.Settle(1) != 1 || bodies(srv, "INBOX") != "one two" {
		t.Error(bodies(srv, "INBOX"))
	}
	if srv.Settle(-1) != 1 || bodies(srv, "INBOX") != "one two three" || srv.Settle(-1) != 0 {
		t.Error(bodies(srv, "INBOX"))
	}
	if e := srv.Log[3]; e.Name != "APPEND" || !e.Orphan || !strings.HasPrefix(e.Result, "OK [APPENDUID") {
		t.Errorf("%+v", e)
	}
	// without the fault the commands die with the connection
	srv.Faults.Settle, srv.Pace = false, -1
	d := dial(t, srv)
	d.sess.Feed([]byte("a LOGIN joe secret\r\n" + appendThree))
	d.sess.Step()
	d.sess.Step()
	d.sess.Kill()
	if srv.Settle(-1) != 0 || bodies(srv, "INBOX") != "one two three one" {
		t.Error(bodies(srv, "INBOX"))
	}
}

// TestBetween lets another client act between two commands of one burst.
func TestBetween(t *testing.T) {
	srv := newServer()
	fill(srv, "INBOX", 3)
	c := login(t, srv)
	c.ok("SELECT INBOX")
	srv.Faults.Before = func(k Command) {
		if k.Name == "UID STORE" {
			srv.Expunge("INBOX", 2)
			srv.MoveMessage("INBOX", 1, "INBOX")
		}
	}
	c.sess.Feed([]byte("x UID FETCH 2 (FLAGS)\r\ny UID STORE 2 +FLAGS (\\Seen)\r\n"))
	want := "* 2 FETCH (UID 2 FLAGS (\\Recent))|x OK fetched|* 2 EXPUNGE|* 1 EXPUNGE|* 2 EXISTS|* 2 RECENT|y OK stored|"
	if got := strings.ReplaceAll(string(c.sess.Output()), "\r\n", "|"); got != want {
		t.Error(got)
	}
}

func TestVanishingMailbox(t *testing.T) {
	for name, act := range map[string]func(*Server){
		"deleted":  func(s *Server) { s.DeleteMailbox("box") },
		"validity": func(s *Server) { s.SetUIDValidity("box", 77, 1) },
	} {
		srv := newServer()
		fill(srv, "box", 3)
		c := login(t, srv)
		c.ok("SELECT box")
		act(srv)
		lines, _ := c.do("UID STORE 1:3 +FLAGS (\\Deleted)")
		if !strings.HasPrefix(lines[0], "* BYE") || !c.sess.Closed() {
			t.Errorf("%s: %q", name, lines)
		}
		for _, m := range srv.Messages("box") {
			if len(m.Flags) > 0 {
				t.Errorf("%s: %v was changed", name, m.UID)
			}
		}
	}
}

// TestQuirks has one line a quirk: what is set, what is asked, what is said.
func TestQuirks(t *testing.T) {
	cases := []struct {
		name    string
		set     func(*Server)
		command string
		want    string // must be in the answer; after "!" must not
	}{
		{"no capability after login", func(s *Server) { s.Faults.NoCapabilityAfterLogin = true }, "LOGIN joe secret", "!CAPABILITY"},
		{"no ENABLED", func(s *Server) { s.Faults.NoEnabled = true }, "ENABLE QRESYNC", "!ENABLED"},
		{"codes without text", func(s *Server) { s.Faults.ShyCodes = true }, "SELECT INBOX", "* OK [UIDNEXT 4]|"},
		{"bare plus", func(s *Server) { s.Faults.BarePlus = true }, "IDLE", "+|"},
		{"NULs", func(s *Server) { s.Faults.NULs = 2 }, "NOOP", "\x00\x00a2 OK"},
		{"lower-case inbox", func(s *Server) { s.Faults.LowerInbox = true }, `LIST "" *`, `"/" inbox`},
		{"one parameter", func(s *Server) { s.Faults.OneSelectParam = true }, "SELECT INBOX (CONDSTORE QRESYNC (1 1))", "BAD only one"},
		{"no UIDNEXT", func(s *Server) { s.Faults.NoUIDNext = true }, "SELECT INBOX", "!UIDNEXT"},
		{"no mod-sequences", func(s *Server) { s.Faults.NoModSeq = true }, "SELECT INBOX", "[NOMODSEQ]"},
		{"STATUS space", func(s *Server) { s.Faults.StatusSpace = true }, "STATUS INBOX (UIDNEXT)", "(UIDNEXT 4) |"},
		{"empty ID", func(s *Server) { s.Faults.EmptyIDBad = true }, "ID NIL", "BAD"},
		{"shrinking UIDNEXT", func(s *Server) { s.Faults.UIDNext = func(_ string, n uint32) uint32 { return n - 2 } }, "SELECT INBOX", "UIDNEXT 2]"},
		{"false count", func(s *Server) { s.Faults.Exists = func(string, int) int { return 9 } }, "SELECT INBOX", "* 9 EXISTS"},
		{"attributes", func(s *Server) { s.Faults.Attrs = func(string, []string) []string { return []string{`\X-Odd`} } }, `LIST "" *`, `(\X-Odd)`},
		{"quota", func(s *Server) { s.Faults.Quota = 10 }, "APPEND INBOX {3+}\r\nabc", "NO [OVERQUOTA]"},
		{"no APPENDUID", func(s *Server) { s.Faults.AppendUID = UIDAbsent }, "APPEND INBOX {3+}\r\nabc", "OK appended"},
		{"APPENDUID wrong", func(s *Server) { s.Faults.AppendUID = UIDWrong }, "APPEND INBOX {3+}\r\nabc", "[APPENDUID 1001 5]"},
		{"APPENDUID swapped", func(s *Server) { s.Faults.AppendUID = UIDSwapped }, "APPEND INBOX {3+}\r\nabc", "[APPENDUID 4 1001]"},
		{"APPENDUID paired", func(s *Server) { s.Faults.AppendUID = UIDPaired }, "APPEND INBOX {3+}\r\nabc", "[APPENDUID 1001 1]"},
		{"APPENDUID old", func(s *Server) { s.Faults.AppendUID = UIDOldValidity }, "APPEND INBOX {3+}\r\nabc", "[APPENDUID 1000 4]"},
		{"keywords refused", func(s *Server) { s.Faults.Keywords = KeywordsRefused }, "APPEND INBOX (work) {3+}\r\nabc", "NO keywords"},
		{"UIDVALIDITY 0", func(s *Server) { s.SetUIDValidity("INBOX", 0, 1) }, "SELECT INBOX", "[UIDVALIDITY 0]"},
		{"line limit", func(s *Server) { s.Faults.LineLimit = 20 }, "STATUS INBOX (UIDNEXT UIDVALIDITY)", "BAD command line too long"},
		{"refused", func(s *Server) { s.Faults.Response = func(_ *Session, l []byte) []byte { return bytes.ToLower(l) } }, "NOOP", "a2 ok nothing"},
	}
	for _, k := range cases {
		srv := newServer()
		fill(srv, "INBOX", 3)
		c := dial(t, srv)
		if !strings.HasPrefix(k.command, "LOGIN") {
			c.ok("LOGIN joe secret")
		}
		k.set(srv)
		c.check(k.name, k.command, k.want)
	}
}

func (c *client) check(name, command, want string) {
	c.t.Helper()
	c.n++
	c.sess.Feed([]byte(fmt.Sprintf("a%d %s\r\n", c.n, command)))
	got := strings.ReplaceAll(string(c.sess.Output()), "\r\n", "|")
	absent := strings.HasPrefix(want, "!")
	if strings.Contains(got, strings.TrimPrefix(want, "!")) == absent {
		c.t.Errorf("%s: %s: %q, want %q", name, command, got, want)
	}
}

// TestSelectedQuirks is the same inside a mailbox of three messages.
func TestSelectedQuirks(t *testing.T) {
	cases := []struct {
		name          string
		set           func(*Server)
		command, want string
	}{
		{"size", func(s *Server) { s.Faults.Size = func(string, uint32, int64) int64 { return 1 } }, "UID FETCH 1 (RFC822.SIZE)", "RFC822.SIZE 1)"},
		{"UID 0", func(s *Server) { s.Faults.UID = func(_ string, u uint32) uint32 { return u - 1 } }, "UID FETCH 1 (FLAGS)", "UID 0 "},
		{"no body", func(s *Server) { s.Faults.Fetched = func(string, uint32, []byte) ([]byte, bool) { return nil, false } }, "UID FETCH 1 BODY.PEEK[]", "BODY[] NIL"},
		{"other body", func(s *Server) {
			s.Faults.Fetched = func(string, uint32, []byte) ([]byte, bool) { return []byte("sorry"), true }
		}, "UID FETCH 1 BODY.PEEK[]", "{5}|sorry"},
		{"no response", func(s *Server) { s.Faults.Unfetched = func(string, uint32) bool { return true } }, "UID FETCH 1 (FLAGS)", "!FETCH ("},
		{"echo", func(s *Server) { s.Faults.EchoLast = true }, "UID FETCH 10:4294967295 (FLAGS)", "* 3 FETCH"},
		{"no echo", func(*Server) {}, "UID FETCH 10:4294967295 (FLAGS)", "!FETCH ("},
		{"echo by star", func(*Server) {}, "UID FETCH 10:* (FLAGS)", "* 3 FETCH (UID 3 "},
		{"descending", func(s *Server) { s.Faults.DescendingBad = true }, "UID FETCH 3,1 (FLAGS)", "BAD a set must ascend"},
		{"UID EXPUNGE", func(s *Server) { s.Faults.UIDExpungeBad = true }, "UID EXPUNGE 1", "BAD"},
		{"keywords known", func(s *Server) { s.Faults.Keywords = KeywordsKnown }, "UID STORE 1 +FLAGS (new $Old \\Seen)", "FLAGS (\\Recent $Old \\Seen)"},
		{"read-only", func(s *Server) { s.SetReadOnly("INBOX", true) }, "SELECT INBOX", "OK [READ-ONLY]"},
		{"search", func(s *Server) { s.Faults.Search = func(string, []uint32) []uint32 { return []uint32{2} } }, "UID SEARCH ALL", "SEARCH 2|"},
		{"lying VANISHED", func(s *Server) { s.Faults.Vanished = func(string, bool, []uint32) []uint32 { return []uint32{2, 3} } }, "SELECT INBOX (QRESYNC (1001 1))", "VANISHED (EARLIER) 2:3|"},
		{"empty VANISHED", func(s *Server) { s.Faults.EmptyVanished = true }, "SELECT INBOX (QRESYNC (1001 1))", "VANISHED (EARLIER) |"},
		{"storm", func(s *Server) { s.Sessions()[0].Say("7 EXPUNGE") }, "NOOP", "* 7 EXPUNGE|"},
		{"merge", func(s *Server) { s.Faults.MergeAppend = true }, fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(body("m2")), body("m2")), "OK appended|"},
		{"altered", func(s *Server) {
			s.Faults.Stored = func(_ string, b []byte) []byte { return append([]byte("X: y\r\n"), b...) }
		}, "APPEND INBOX {3+}\r\nabc", "OK [APPENDUID"},
		{"stale STATUS", func(s *Server) { s.Faults.StaleStatus = true; s.Expunge("INBOX", 1) }, "STATUS INBOX (MESSAGES)", "MESSAGES 3"},
		{"no UID", func(s *Server) { s.Faults.FetchNoUID = true; s.SetFlags("INBOX", 1, "\\Seen") }, "NOOP", "* 1 FETCH (MODSEQ"},
		{"expunge issued", func(s *Server) { s.Faults.ExpungeIssued = true; s.Expunge("INBOX", 1) }, "UID FETCH 1 (FLAGS)", "NO [EXPUNGEISSUED]"},
		{"expunged body", func(s *Server) { s.Expunge("INBOX", 1) }, "UID FETCH 1 BODY.PEEK[]", "BODY[] NIL)|"},
		{"unseen before CHECK", func(s *Server) { s.Faults.CheckNeeded = true; fill(s, "INBOX", 1) }, "NOOP", "!EXISTS"},
		{"seen after CHECK", func(s *Server) { s.Faults.CheckNeeded = true; fill(s, "INBOX", 1) }, "CHECK", "* 4 EXISTS"},
	}
	for _, k := range cases {
		srv := newServer()
		fill(srv, "INBOX", 3)
		srv.SetFlags("INBOX", 1, "$Old")
		c := login(t, srv)
		c.ok("ENABLE QRESYNC")
		c.ok("SELECT INBOX")
		k.set(srv)
		c.check(k.name, k.command, k.want)
	}
}

func TestNoCredentialsInLog(t *testing.T) {
	srv := newServer()
	c := dial(t, srv)
	c.do("LOGIN joe {6+}\r\nsecret")
	d := dial(t, srv)
	d.do("AUTHENTICATE PLAIN AGpvZQBzZWNyZXQ=")
	if log := fmt.Sprint(srv.Log, srv.Complaints); strings.Contains(log, "secret") || strings.Contains(log, "AGpv") {
		t.Error(log)
	}
	if c.sess.State() != StateAuthenticated || d.sess.State() != StateAuthenticated {
		t.Error("not logged in")
	}
}

func TestComplaints(t *testing.T) {
	for command, want := range map[string]string{
		"APPEND INBOX {3}\r\nabc":              "behind a synchronising literal",
		"IDLE\r\nDONE":                         "behind IDLE",
		"SELECT INBOX (QRESYNC (1 1))":         "before ENABLE QRESYNC",
		"CREATE \xc3\xa9":                      "8-bit mailbox name",
		"UID FETCH 1 (X-GM-MSGID)":             "not supported",
		"STORE 1 +FLAGS (\\Seen)":              "by sequence number",
		"APPEND INBOX {1+}\r\na {1+}\r\nb\r\n": "",
	} {
		srv := newServer()
		fill(srv, "INBOX", 1)
		c := login(t, srv)
		c.ok("SELECT INBOX")
		c.do("%s", command)
		if got := strings.Join(srv.Complaints, "\n"); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %q", command, got)
		}
	}
}
