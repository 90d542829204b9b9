package ui

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden screens anew; look at the difference before committing")

// stage is a model with a clock, for telling a situation in few words.
type stage struct {
	m   *Model
	now time.Time
}

func newStage(o Options) *stage {
	if o.Name == "" {
		o.Name, o.Copyright = "offloop 0.1", "MIT licence"
	}
	o.Location = time.UTC
	return &stage{NewModel(o), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

func (s *stage) ev(e Event) *stage {
	e.At = s.now.UnixNano()
	s.m.Event(e)
	return s
}

func (s *stage) wait(d time.Duration) *stage { s.now = s.now.Add(d); return s }

func (s *stage) keys(text string) (acts []Action) {
	for _, c := range text {
		k := Key{KeyRune, c}
		switch c {
		case '\n':
			k = Key{Code: KeyEnter}
		case '\x1b':
			k = Key{Code: KeyEsc}
		case '↑':
			k = Key{Code: KeyUp}
		case '↓':
			k = Key{Code: KeyDown}
		case '⇞':
			k = Key{Code: KeyPageUp}
		}
		acts = append(acts, s.m.Key(k, s.now)...)
	}
	return acts
}

// round plays the beginning of a busy round of an account: two folders at
// work on two connections, the first with long work.
func (s *stage) round(account string) *stage {
	s.ev(Event{Kind: "account-start", Account: account})
	s.ev(Event{Kind: "connecting", Account: account, Conn: 1, Repo: account + "-remote", Dest: "imap." + account + ".example:993"})
	s.wait(40 * time.Millisecond)
	s.ev(Event{Kind: "connected", Account: account, Conn: 1})
	s.ev(Event{Kind: "connecting", Account: account, Conn: 2, Repo: account + "-remote", Dest: "imap." + account + ".example:993"})
	s.ev(Event{Kind: "folders", Account: account, N: 20})
	s.ev(Event{Kind: "folder-skip", Account: account, Folder: "Drafts"})
	s.ev(Event{Kind: "folder-start", Account: account, Folder: "INBOX", Conn: 1})
	s.ev(Event{Kind: "folder-start", Account: account, Folder: "Archive/2024", Conn: 2})
	s.ev(Event{Kind: "list", Account: account, Folder: "Archive/2024", Conn: 2, Repo: account + "-remote"})
	for i := int64(1); i <= 412; i++ {
		s.ev(Event{Kind: "copy", Severity: "debug", Account: account, Folder: "INBOX", Conn: 1, UID: 7000 + i, N: i, Total: 1000, Bytes: 25_000})
		s.wait(10 * time.Millisecond)
		s.ev(Event{Kind: "copied", Account: account, Folder: "INBOX", Conn: 1, UID: 7000 + i, N: i, Total: 1000, Bytes: 25_000})
	}
	s.ev(Event{Kind: "copy", Account: account, Folder: "INBOX", Conn: 1, UID: 7413, N: 413, Total: 1000, Bytes: 25_000})
	s.ev(Event{Kind: "flags", Account: account, Folder: "INBOX", Conn: 1, N: 3, Dest: "S"})
	s.ev(Event{Kind: "copy", Severity: "debug", Account: account, Folder: "INBOX", Conn: 1, UID: 7413, N: 413, Total: 1000, Bytes: 25_000})
	s.ev(Event{Kind: "stats", Account: account, Dest: MeasureRTT, N: 40e6})
	s.ev(Event{Kind: "stats", Account: account, Dest: MeasureFlights, N: 3})
	return s.ev(Event{Kind: "stats", Dest: MeasureTurn, N: 2.1e6, Text: "disk"})
}

func (s *stage) asleep(account string, seconds int64) *stage {
	s.ev(Event{Kind: "account-start", Account: account})
	s.ev(Event{Kind: "account-done", Account: account, N: 4})
	return s.ev(Event{Kind: "sleep", Account: account, N: seconds})
}

func (s *stage) password(account string) *stage {
	return s.ev(Event{Kind: "attention", Account: account, Dest: TopicPassword, Text: "Please enter password for user 'me@" + account + "':"})
}

func (s *stage) brake(account, folder string, n int64, lines int) *stage {
	text := fmt.Sprintf("%d of 800 messages are gone from the Maildir; their deletion on the server waits", n)
	for i := range lines {
		text += fmt.Sprintf("\nUID %d  2026-02-%02d  Re: meeting %d", 100+i, 1+i%28, i)
	}
	return s.ev(Event{Kind: "attention", Account: account, Folder: folder, Dest: TopicBrake, N: n, Text: text, Set: fmt.Sprintf("1//1:%d", n)})
}

func (s *stage) failed(account string) *stage {
	return s.ev(Event{Kind: "error", Account: account, Folder: "INBOX", Text: "ERROR: " + account + "/INBOX: writing tmp/1.2.vm: no space left on device",
		Hint: "Free some space; the message is fetched again in the next round."})
}

func (s *stage) certificate(account string) *stage {
	return s.ev(Event{Kind: "attention", Account: account, Dest: TopicCertificate, Text: "The certificate of imap.work.example:993 is not trusted: x509: certificate signed by unknown authority\n" +
		"subject      CN=imap.work.example\nissuer       CN=imap.work.example\nvalid        2026-01-01 to 2027-01-01\n" +
		"SHA-256      8f:1a:00:22:3c:aa:90:17:8f:1a:00:22:3c:aa:90:17:8f:1a:00:22:3c:aa:90:17:8f:1a:00:22:3c:aa:90:17\n" +
		"It is not the certificate trusted on 2025-06-01, SHA-256 00:11:22:33."})
}

func (s *stage) needs(account, topic string, n int64, text, hint string) *stage {
	return s.ev(Event{Kind: "attention", Severity: "warn", Account: account, Dest: topic, N: n, Text: text, Hint: hint})
}

// needy has several matters that need a person, in Blinkenlights.
func needy() *stage {
	s := newStage(uni()).asleep("home", 300).asleep("work", 300).missing("work").brake("home", "INBOX", 312, 0)
	s.needs("home", TopicQuarantine, 3, "3 messages set aside", "offloop quarantine lists them")
	s.needs("work", TopicOffline, 0, "no way to imap.work.example:993", "")
	s.ev(Event{Kind: "attention", Account: "", Dest: TopicConfig, Text: "The configuration was not read again", Severity: "error"})
	s.keys("b")
	return s
}

// missing has the server lose a folder of account.
func (s *stage) missing(account string) *stage {
	s.ev(Event{Kind: "attention", Account: account, Folder: "Work/2024", Dest: TopicMissing, Text: "Folder Work/2024 rests: the server has no such folder any more but the Maildir is still there. Nothing was deleted.",
		Hint: `--recreate "Work/2024" makes it again on the side that lacks it, --forget "Work/2024" stops syncing it`})
	return s.ev(Event{Kind: "held", Account: account, Folder: "Work/2024", Dest: TopicMissing, Text: "m: make it again. The folder is made on the server, and every message of the Maildir is uploaded into it. Here nothing changes.\n" +
		"f: forget it. Nothing is made or deleted; the Maildir stays as it is, and is no longer synced. --recreate \"Work/2024\" takes it up again.\nn: leave it as it is; you are asked again."})
}

func (s *stage) undo(account, folder string) *stage {
	return s.ev(Event{Kind: "undo", Account: account, Folder: folder, N: 3, Text: "Bring back 3 messages deleted here within the last hour because the server deleted them? The next sync uploads them again.\n" +
		"INBOX: 2 messages\nWork: 1 message\n12 messages deleted earlier are kept\nThe newest:\n11:58:00  INBOX: 2026-02-28  A <a@example.org>  lunch\n11:57:30  Work: 2026-02-27  B <b@example.org>  \x1b[2Jminutes"})
}

func traced(s *stage) *stage {
	s.keys("t")
	for _, l := range []string{"> A7 SELECT INBOX (QRESYNC (1 2))", "< * 12 EXISTS", "< A7 OK [READ-WRITE] done", "> A8 UID STORE 7 +FLAGS.SILENT (\\Seen)", "< A8 OK stored"} {
		s.ev(Event{Kind: "trace", Account: "home", Conn: 1, Text: l})
	}
	return s
}

func uni() Options   { return Options{Unicode: true} }
func blink() Options { return Options{Unicode: true, Blinkenlights: true} }

// hostile is a folder or line that tries everything.
const hostile = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\nroot# \u202egnp.exe\u2066 a\u200bb\u00ad \xff\xfe e\u0301\u0301\u0301\u0301\u0301\u0301\u0301 \U000E0041 \u2028 \u115f end"

var screens = []struct {
	name string
	w, h int
	make func() *stage
}{
	{"dash-empty", 80, 24, func() *stage { return newStage(uni()) }},
	{"dash-connecting", 80, 24, func() *stage {
		return newStage(uni()).ev(Event{Kind: "account-start", Account: "home"}).ev(Event{Kind: "connecting", Account: "home", Conn: 1, Repo: "remote", Dest: "imap.example.org:993"}).wait(7 * time.Second)
	}},
	{"dash-busy", 80, 24, func() *stage { return newStage(uni()).asleep("work", 271).round("home") }},
	{"dash-busy-least", 60, 16, func() *stage { return newStage(uni()).asleep("work", 271).round("home") }},
	{"dash-busy-large", 240, 70, func() *stage { return newStage(uni()).asleep("work", 271).round("home") }},
	{"dash-two-busy", 120, 30, func() *stage { return newStage(uni()).round("work").round("home") }},
	{"dash-ascii-mono", 80, 24, func() *stage { return newStage(Options{Mono: true}).asleep("work", 271).round("home") }},
	{"dash-many-accounts", 80, 20, func() *stage {
		s := newStage(uni())
		for i := range 30 {
			s.asleep(fmt.Sprintf("account%02d", i+1), int64(60*i))
		}
		s.keys("jjjjjjjjjjjjjjj")
		return s
	}},
	{"dash-error", 80, 24, func() *stage {
		return newStage(uni()).round("home").failed("home").ev(Event{Kind: "account-done", Account: "home", N: 9})
	}},
	{"dash-brake", 80, 24, func() *stage { return newStage(uni()).asleep("home", 300).brake("home", "INBOX", 312, 0) }},
	{"dash-many-attentions", 80, 24, func() *stage {
		s := newStage(uni()).asleep("home", 300)
		for i := range 9 {
			s.brake("home", fmt.Sprintf("Folder %d", i), 100, 0)
		}
		return s
	}},
	{"blink-attentions", 80, 24, needy},
	{"blink-attentions-200x60", 200, 60, needy},
	{"blink-attentions-40x12", 40, 12, needy},
	{"question", 80, 24, func() *stage {
		s := newStage(uni()).asleep("home", 300).brake("home", "INBOX", 5, 5)
		s.keys("a")
		return s
	}},
	{"question-long", 60, 16, func() *stage {
		s := newStage(uni()).asleep("home", 300).brake("home", "INBOX", 312, 100)
		s.keys("a↓↓↓")
		return s
	}},
	{"question-tiny", 10, 3, func() *stage {
		s := newStage(uni()).asleep("home", 300).brake("home", "INBOX", 312, 100)
		s.keys("a")
		return s
	}},
	{"undo", 80, 24, func() *stage { s := newStage(uni()).asleep("home", 300).undo("home", ""); return s }},
	{"undo-small", 40, 12, func() *stage {
		s := newStage(blink()).asleep("home", 300).undo("home", "INBOX")
		s.keys("↓↓")
		return s
	}},
	{"prompt-dash", 80, 24, func() *stage {
		s := newStage(uni()).round("work").ev(Event{Kind: "account-start", Account: "home"}).password("home")
		s.keys("secret")
		return s
	}},
	{"prompt-blink", 40, 12, func() *stage {
		s := newStage(blink()).ev(Event{Kind: "account-start", Account: "home"}).password("home")
		s.keys("secret")
		return s
	}},
	{"prompt-two", 80, 24, func() *stage {
		s := newStage(uni()).password("home").password("work")
		s.m.Key(Key{Code: KeyTab}, s.now)
		return s
	}},
	{"prompt-aside", 80, 24, func() *stage {
		s := newStage(uni()).password("home")
		s.keys("sec\x1b")
		return s
	}},
	{"prompt-1x1", 1, 1, func() *stage { return newStage(uni()).password("home") }},
	{"blink", 80, 24, func() *stage { return newStage(blink()).asleep("work", 271).round("home") }},
	{"blink-ascii-mono", 80, 24, func() *stage {
		return newStage(Options{Mono: true, Blinkenlights: true}).asleep("work", 271).round("home").failed("home")
	}},
	{"blink-statuschar", 60, 8, func() *stage {
		return newStage(Options{Blinkenlights: true, Light: "#"}).round("home")
	}},
	{"blink-12-accounts", 80, 24, func() *stage {
		s := newStage(blink())
		for i := range 12 {
			s.asleep(fmt.Sprintf("account%02d", i+1), int64(60*i))
		}
		s.keys("1")
		return s
	}},
	{"blink-30-accounts-10-rows", 80, 10, func() *stage {
		s := newStage(blink())
		for i := range 30 {
			s.asleep(fmt.Sprintf("account%02d", i+1), int64(60*i))
		}
		s.keys("25")
		return s
	}},
	{"small-busy", 40, 12, func() *stage { return newStage(uni()).asleep("work", 271).round("home") }},
	{"small-20x5", 20, 5, func() *stage { return newStage(uni()).round("home") }},
	{"small-2x2", 2, 2, func() *stage { return newStage(uni()).round("home") }},
	{"small-1x1", 1, 1, func() *stage { return newStage(uni()).round("home") }},
	{"small-1x10", 1, 10, func() *stage { return newStage(uni()).round("home") }},
	{"small-80x1", 80, 1, func() *stage { return newStage(uni()).round("home") }},
	{"help", 80, 40, func() *stage { s := newStage(uni()); s.keys("?"); return s }},
	{"help-small", 30, 8, func() *stage { s := newStage(Options{}); s.keys("?↓↓"); return s }},
	{"detail", 80, 24, func() *stage {
		s := newStage(uni()).round("home").failed("home").brake("home", "INBOX", 312, 2)
		s.ev(Event{Kind: "folder-done", Account: "home", Folder: "Archive/2024", N: 17})
		s.keys("\n↓↓")
		return s
	}},
	{"detail-conn", 80, 24, func() *stage {
		s := newStage(uni()).round("home")
		s.ev(Event{Kind: "command", Account: "home", Conn: 1, Dest: "UID FETCH", N: 3, Bytes: 11_400_000, Total: 5_300})
		s.m.Frame(s.now, 80, 24)
		s.keys("\n↓\n")
		return s
	}},
	{"detail-folder", 60, 16, func() *stage {
		s := newStage(uni()).round("home").failed("home").brake("home", "INBOX", 312, 2)
		s.keys("\n↓↓↓↓\n")
		return s
	}},
	{"detail-error", 40, 12, func() *stage {
		s := newStage(uni()).round("home").failed("home")
		s.keys("\n↓↓↓↓↓↓\n")
		return s
	}},
	{"trace", 80, 24, func() *stage { return traced(newStage(uni()).round("home")) }},
	{"trace-search", 60, 8, func() *stage {
		s := traced(newStage(uni()).round("home"))
		s.keys("/store\n")
		return s
	}},
	{"trace-empty", 80, 24, func() *stage { s := newStage(uni()).round("home"); s.keys("t"); return s }},
	{"certificate", 80, 24, func() *stage { return newStage(uni()).asleep("work", 300).round("home").certificate("work") }},
	{"certificate-aside", 80, 24, func() *stage {
		s := newStage(uni()).asleep("work", 300).certificate("work")
		s.keys("\x1b")
		return s
	}},
	{"certificate-refused", 80, 24, func() *stage {
		return newStage(uni()).asleep("work", 300).ev(Event{Kind: "attention", Severity: "error", Account: "work", Dest: TopicCertificate, Text: "the certificate of imap.work.example:993 is not trusted"})
	}},
	{"certificate-40x12", 40, 12, func() *stage { return newStage(blink()).asleep("work", 300).certificate("work") }},
	{"quarantine", 80, 24, func() *stage {
		s := newStage(uni()).asleep("home", 300).needs("home", TopicQuarantine, 3, "3 messages are set aside and tried again later", "offloop quarantine says which and why; offloop quarantine --retry tries them now")
		s.keys("\n")
		return s
	}},
	{"offline", 80, 24, func() *stage {
		s := newStage(uni()).asleep("work", 271).ev(Event{Kind: "account-start", Account: "home"})
		s.ev(Event{Kind: "connecting", Account: "home", Conn: 1, Dest: "imap.home.example:993", Repo: "remote"}).ev(Event{Kind: "lost", Account: "home", Conn: 1, Text: "no route to host"})
		return s.ev(Event{Kind: "account-done", Account: "home", N: 3}).needs("home", TopicOffline, 0, "home: the server cannot be reached; the next try is at 12:00:04", "")
	}},
	{"offline-blink", 60, 10, func() *stage {
		return newStage(blink()).asleep("home", 4).needs("home", TopicOffline, 0, "home: the server cannot be reached; the next try is at 12:00:04", "")
	}},
	{"throttled", 80, 24, func() *stage {
		return newStage(uni()).asleep("home", 300).needs("home", TopicThrottle, 0, "home: the server asks to be left alone for a while; the next try is at 12:05:00", "")
	}},
	{"locked", 80, 24, func() *stage {
		s := newStage(uni()).ev(Event{Kind: "account-start", Account: "home"})
		s.ev(Event{Kind: "error", Account: "home", Text: "ERROR: home.lock is held by process 4711", Hint: "offlineimap (process 4711) works on this account; wait for it to finish"})
		return s.ev(Event{Kind: "account-done", Account: "home", N: 0}).needs("home", TopicLock, 0, "home: another program works on this account; the next try is at 12:00:30", "")
	}},
	{"missing", 80, 24, func() *stage { return newStage(uni()).asleep("home", 300).missing("home") }},
	{"missing-page", 80, 24, func() *stage { s := newStage(uni()).asleep("home", 300).missing("home"); s.keys("\n↓"); return s }},
	{"missing-folder", 60, 16, func() *stage {
		s := newStage(uni()).asleep("home", 300).missing("home")
		s.keys("\n↓\n")
		return s
	}},
	{"choice", 80, 24, func() *stage { s := newStage(uni()).asleep("home", 300).missing("home"); s.keys("c"); return s }},
	{"choice-40x12", 40, 12, func() *stage {
		s := newStage(blink()).asleep("home", 300).missing("home")
		s.keys("c↓↓")
		return s
	}},
	{"choice-20x5", 20, 5, func() *stage {
		s := newStage(Options{Mono: true}).asleep("home", 300).missing("home")
		s.keys("c")
		return s
	}},
	{"choice-forbidden", 80, 24, func() *stage {
		s := newStage(uni()).asleep("home", 300).missing("home")
		s.ev(Event{Kind: "held", Account: "home", Folder: "Work/2024", Dest: TopicMissing, Text: "It cannot be made again: the configuration of home-remote forbids it.\nf: forget it. Nothing is made or deleted.\nn: leave it as it is; you are asked again."})
		s.keys("c")
		return s
	}},
	{"dash-mono", 80, 24, func() *stage {
		return newStage(Options{Unicode: true, Mono: true}).asleep("work", 271).round("home").failed("home")
	}},
	{"dash-ascii", 80, 24, func() *stage { return newStage(Options{}).asleep("work", 271).round("home").failed("home") }},
	{"blink-brake", 40, 12, func() *stage {
		return newStage(uni()).asleep("work", 300).brake("work", "INBOX", 312, 0).missing("work")
	}},
	{"blink-two", 80, 12, func() *stage { s := newStage(blink()).asleep("work", 271).asleep("home", 60); s.keys("j"); return s }},
	{"rtl-folders", 80, 16, func() *stage {
		s := newStage(uni()).ev(Event{Kind: "account-start", Account: "דואר"})
		for i, name := range []string{"שלום/עולם \u202eabc", "مرحبا", "नमस्ते ज़", "e\u0301\u0302\u0303", "👨‍👩‍👧 Familie", "\u0301starts with an accent", "ไทย ที่นี่"} {
			s.ev(Event{Kind: "folder-start", Account: "דואר", Folder: name, Conn: 1}).ev(Event{Kind: "progress", Account: "דואר", Folder: name, Conn: 1, N: int64(10 * i), Total: 90})
		}
		s.keys("\n")
		return s
	}},
	{"brake-240x70", 240, 70, func() *stage {
		s := newStage(uni()).round("work").asleep("home", 300).brake("home", "INBOX", 312, 100)
		s.keys("ja")
		return s
	}},
	{"undo-1x1", 1, 1, func() *stage { return newStage(uni()).asleep("home", 300).undo("home", "") }},
	{"dash-filter", 80, 24, func() *stage {
		s := newStage(uni()).round("home")
		s.keys("farch\n")
		return s
	}},
	{"question-list", 80, 24, func() *stage {
		s := newStage(uni()).asleep("home", 300).brake("home", "INBOX", 12, 0)
		s.ev(Event{Kind: "held", Account: "home", Folder: "INBOX", Dest: TopicBrake, Text: "gone from the server, would be deleted here:\nUID 7  Re: lunch\nUID 9  Invoice"})
		s.keys("a")
		return s
	}},
	{"detail-filter", 80, 24, func() *stage {
		s := newStage(uni()).round("home")
		s.keys("\nfarch")
		return s
	}},
	{"detail-small", 12, 4, func() *stage { s := newStage(uni()).round("home"); s.keys("\n"); return s }},
	{"search", 80, 24, func() *stage { s := newStage(uni()).round("home"); s.keys("/skip"); return s }},
	{"scrolled-back", 60, 16, func() *stage {
		s := newStage(uni())
		for i := range 100 {
			s.ev(Event{Kind: "log", Text: fmt.Sprintf("line %d", i)})
		}
		s.m.Frame(s.now, 80, 24) // a resize in between keeps the place
		s.keys("⇞⇞")
		for i := range 100 {
			s.ev(Event{Kind: "log", Text: fmt.Sprintf("later %d", i)})
		}
		return s
	}},
	{"paused", 80, 24, func() *stage { s := newStage(uni()).asleep("home", 60); s.keys("p"); return s }},
	{"hostile", 80, 24, func() *stage {
		return newStage(uni()).ev(Event{Kind: "account-start", Account: hostile}).
			ev(Event{Kind: "connecting", Account: hostile, Conn: 1, Dest: hostile, Repo: hostile}).
			ev(Event{Kind: "folder-start", Account: hostile, Conn: 1, Folder: hostile}).
			ev(Event{Kind: "progress", Account: hostile, Conn: 1, Folder: hostile, N: 1 << 62, Total: 1<<63 - 1, Bytes: -5, Rate: 1 << 62}).
			ev(Event{Kind: "error", Account: hostile, Text: hostile, Hint: hostile})
	}},
	{"wide", 80, 24, func() *stage {
		return newStage(uni()).ev(Event{Kind: "account-start", Account: "日本語の長いアカウント名前"}).
			ev(Event{Kind: "folder-start", Account: "日本語の長いアカウント名前", Conn: 1, Folder: "受信トレイ/とても長いフォルダー名"}).
			ev(Event{Kind: "progress", Account: "日本語の長いアカウント名前", Conn: 1, Folder: "受信トレイ/とても長いフォルダー名", N: 50, Total: 100}).
			ev(Event{Kind: "log", Account: "e\u0301te\u0301", Text: "cafe\u0301, שלום עולם, مرحبا, 👨‍👩‍👧 ❤️ नमस्ते"}).
			ev(Event{Kind: "log", Text: strings.Repeat("漢字", 60)})
	}},
	{"wide-blink-11x5", 11, 5, func() *stage {
		return newStage(blink()).ev(Event{Kind: "account-start", Account: "日本語の長いアカウント名前"}).
			ev(Event{Kind: "log", Text: strings.Repeat("漢字", 60)})
	}},
}

func TestScreens(t *testing.T) {
	for _, c := range screens {
		t.Run(c.name, func(t *testing.T) {
			s := c.make()
			f := s.m.Frame(s.now, c.w, c.h)
			checkFrame(t, f)
			got := fmt.Sprintf("%dx%d cursor %d,%d\n%s%s\n%s", c.w, c.h, f.CursorX, f.CursorY, f.Text(), strings.Repeat("=", 20), f.Looks())
			file := filepath.Join("testdata", c.name+".screen")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("screen differs from %s\ngot:\n%s\nwant:\n%s", file, got, want)
			}
		})
	}
}

// checkFrame fails if a frame could break a terminal's layout.
func checkFrame(t *testing.T, f *Frame) {
	t.Helper()
	for y := range f.H {
		for x := 0; x < f.W; {
			c := f.At(x, y)
			if c.Width < 1 || c.Width > 2 || x+int(c.Width) > f.W {
				t.Fatalf("cell %d,%d %q has width %d in a row of %d", x, y, c.Text, c.Width, f.W)
			}
			if c.Width == 2 && f.At(x+1, y).Width != 0 {
				t.Fatalf("wide cell %d,%d %q is overlapped", x, y, c.Text)
			}
			if Safe("x"+c.Text) != "x"+c.Text {
				t.Fatalf("cell %d,%d holds %q", x, y, c.Text)
			}
			if len(c.Text) > 64 {
				t.Fatalf("cell %d,%d holds %d bytes", x, y, len(c.Text))
			}
			x += int(c.Width)
		}
	}
}
