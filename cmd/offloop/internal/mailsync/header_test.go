package mailsync

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"offloop/imapproto/imaptest"
)

// TestHeaderDates: names and times of downloaded files come from the header, where
// it has a date, also of messages that go to their files while they arrive.
func TestHeaderDates(t *testing.T) {
	for _, srv := range servers {
		for _, early := range []bool{false, true} { // new messages of a known folder may come in the SELECT's flight
			t.Run(fmt.Sprint(srv.name, early), func(t *testing.T) {
				w := newWorld(t, srv.caps, 1)
				w.set.NameByHeader, w.set.MtimeFromHeader = true, true
				if early {
					w.remoteAdd("INBOX", "a")
					w.must()
				}
				put := func(name, header string, size int) {
					b := header + "Message-ID: <" + name + "@x>\r\n\r\n" + strings.Repeat("0123456789abcdef\r\n", size)
					w.mail[b] = name
					w.srv.AddMessage("INBOX", imaptest.Message{Body: []byte(b), Flags: []string{`\Seen`}, Date: day(1)})
				}
				put("small", "Date: Thu, 4 Mar 2021 05:06:07 +0000\r\n", 1)
				put("large", "Date: Thu, 4 Mar 2021 06:06:07 +0100\r\n", 40000)
				put("late", "Date: some day\r\nDelivery-date: Thu, 4 Mar 2021 05:06:07 +0000\r\n", 1)
				put("none", "", 1)
				w.must()
				at := time.Date(2021, 3, 4, 5, 6, 7, 0, time.UTC)
				for _, f := range w.files("INBOX") {
					name := f.name
					if name == "a" {
						continue
					}
					_, _, _, _, mtime, _, err := w.fs.Stat(f.path)
					file := f.path[strings.LastIndexByte(f.path, '/')+1:]
					if err != nil || strings.HasPrefix(file, fmt.Sprint(at.Unix(), "_")) != (name != "none") || time.Unix(0, mtime).Equal(at) != (name == "small" || name == "large") {
						t.Errorf("%s: %s %v %v", name, file, time.Unix(0, mtime), err)
					}
				}
				if n := len(w.files("INBOX")); n != choose(early, 5, 4) {
					t.Errorf("%d files", n)
				}
				w.idle()
				w.noComplaints()
			})
		}
	}
}

// TestReadOnlyWarning: that changes made here stay here is said, unless it is known.
func TestReadOnlyWarning(t *testing.T) {
	for _, known := range []bool{false, true} {
		w := newWorld(t, imaptest.QRESYNC, 1)
		three(w)
		w.must()
		w.srv.SetReadOnly("INBOX", true)
		w.localFlags("INBOX", "a", "S")
		w.localAdd("INBOX", "own", "")
		w.set.IgnoreReadOnly = known
		w.must()
		said := slices.ContainsFunc(w.events, func(e Event) bool {
			return e.Severity == "warn" && strings.Contains(e.Text, "INBOX is read-only on the server: 2 changes")
		})
		if said == known {
			t.Errorf("ignore-readonly %v, and a warning: %v", known, said)
		}
		w.expect("INBOX a:S b:S c:FS own:- | a:- b:S c:FS")
	}
}

// TestRetryCount: a message in whose midst the connection breaks again and again is
// set aside, and the others come.
func TestRetryCount(t *testing.T) {
	for _, srv := range servers {
		t.Run(srv.name, func(t *testing.T) {
			w := newWorld(t, srv.caps, 1)
			w.set.RetryCount = 2
			w.remoteAdd("INBOX", "a")
			w.remoteAdd("INBOX", "big1")
			w.remoteAdd("INBOX", "b")
			w.srv.Faults.Out = []imaptest.Cut{{At: 100_000, Kind: imaptest.CutClose}} // in every session
			r := w.sync()
			w.expect("INBOX a:- b:- | a:- b:- big1:-")
			if !slices.ContainsFunc(r.Errors, func(e *Error) bool { return strings.Contains(e.Error(), "the connection broke 2 times") }) {
				t.Errorf("errors: %v", r.Errors)
			}
			w.srv.Faults.Out = nil
			w.wait(time.Hour)
			w.must()
			w.expect("INBOX a:- b:- big1:-")
		})
	}
}
