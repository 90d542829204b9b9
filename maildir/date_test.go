package maildir

import (
	"strings"
	"testing"
	"time"
)

func TestHeaderDate(t *testing.T) {
	want := time.Date(2021, 3, 4, 5, 6, 7, 0, time.UTC)
	for _, s := range []string{
		"Thu, 4 Mar 2021 05:06:07 +0000", "Thu, 04 Mar 2021 07:06:07 +0200", "4 Mar 2021 05:06:07 GMT", "Thu, 4 Mar 2021 05:06:07 +0000 (GMT)",
		"Thu,  4 Mar 2021 05:06:07", "Thu Mar  4 05:06:07 2021", "Mar 4 05:06:07 2021", "Thursday, 4 Mar 2021 05:06:07 +0000", "4 Mar 21 05:06:07 +0000",
		"2021-03-04 05:06:07", "2021-03-04T05:06:07Z", "Thu, 4 Mar 2021\r\n 05:06:07 +0000", "Thu, 4-Mar-2021 05:06:07 +0000",
	} {
		for _, eol := range []string{"\n", "\r\n"} {
			head := strings.Join([]string{"Subject: x", "DATE : " + s, "To: y", "", "Date: Fri, 1 Jan 1999 00:00:00 +0000"}, eol)
			if got, ok := HeaderDate([]byte(head), "Date"); !ok || !got.Equal(want) {
				t.Errorf("%q: %v %v", s, got, ok)
			}
		}
	}
	for _, s := range []string{"", "soon", "Thu, 4 Mar 1921 05:06:07 +0000", "Thu, 4 Mar 2921 05:06:07 +0000", "31 Feb 2021 05:06:07 +0000", strings.Repeat("4 ", 1000)} {
		if got, ok := HeaderDate([]byte("Date: "+s+"\n\nx"), "Date"); ok {
			t.Errorf("%q: %v", s, got)
		}
	}
	if _, ok := HeaderDate([]byte("Subject: x\n\nDate: Thu, 4 Mar 2021 05:06:07 +0000\n"), "Date"); ok {
		t.Error("a line of the text is no header")
	}
	if got, ok := HeaderDate([]byte("Date: soon\nDelivery-Date: Thu, 4 Mar 2021 05:06:07 +0000\n"), "Date", "Delivery-date"); !ok || !got.Equal(want) {
		t.Errorf("the second field: %v %v", got, ok)
	}
}

func TestNamer_Dated(t *testing.T) {
	n := NewNamer("host", 7)
	seen := map[string]bool{}
	at, now := time.Unix(1000000000, 0), time.Unix(1700000000, 0)
	for i := range 30 {
		for _, s := range []string{n.Dated(at, now), n.Next(now), n.Dated(at, now.Add(time.Duration(-i)*time.Second))} {
			if seen[s] {
				t.Fatalf("%s twice", s)
			}
			seen[s] = true
		}
	}
	if s := n.Dated(at, now); !strings.HasPrefix(s, "1000000000_1700000000") || !NewNamer("host", 8).Leftover(s) || n.Leftover(s) {
		t.Error(s)
	}
}
