package maildir

import (
	"bytes"
	"math"
	"net/mail"
	"regexp"
	"strings"
	"time"
)

// HeaderDate gives the time of the first of the named header fields that is there
// and can be read, of a message or its beginning, with either kind of line ends. It
// is more lenient than RFC 5322 section 3.3: seconds, zone and the day's name may
// be missing, and ctime's form is known; without a zone it is UTC. Times before
// 1970 or after 2037 count as unreadable.
func HeaderDate(header []byte, fields ...string) (time.Time, bool) {
	for _, name := range fields {
		if value, ok := headerField(header, name); ok {
			if t, ok := parseDate(string(value)); ok {
				return t, true
			}
		}
	}
	return time.Time{}, false
}

// headerField gives the value of the first field of that name, unfolded.
func headerField(header []byte, name string) ([]byte, bool) {
	for len(header) > 0 {
		var line []byte
		line, header, _ = bytes.Cut(header, []byte("\n"))
		if line = bytes.TrimSuffix(line, []byte("\r")); len(line) == 0 {
			return nil, false
		}
		field, value, ok := bytes.Cut(line, []byte(":"))
		if ok && bytes.EqualFold(bytes.TrimRight(field, " \t"), []byte(name)) {
			return unfold(value, header), true
		}
	}
	return nil, false
}

var (
	dateComment = regexp.MustCompile(`\([^()]*\)`)
	// dateForms are tried when net/mail does not understand a date; the day's name
	// has been taken off.
	dateForms = []string{"2 Jan 2006 15:04:05 -0700", "2 Jan 2006 15:04:05 MST", "2 Jan 2006 15:04:05", "2 Jan 2006 15:04", "2 Jan 06 15:04:05 -0700", "2 Jan 06 15:04:05 MST", "2 Jan 06 15:04:05",
		"2 Jan 2006 15:04 -0700", "2 Jan 2006 15:04 MST", "Jan 2 15:04:05 2006", "Jan 2 15:04:05 MST 2006", "Jan 2 15:04:05 2006 -0700",
		"2-Jan-2006 15:04:05 -0700", "2-Jan-06 15:04:05 MST", time.RFC3339, "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05", "2 Jan 2006"}
)

func parseDate(s string) (time.Time, bool) {
	if len(s) > 200 {
		return time.Time{}, false
	}
	t, err := mail.ParseDate(strings.TrimSpace(s))
	if err != nil {
		s = strings.Join(strings.Fields(dateComment.ReplaceAllString(s, " ")), " ")
		if day, rest, ok := strings.Cut(s, " "); ok && len(strings.TrimSuffix(day, ",")) >= 3 && !strings.ContainsAny(day, "0123456789") && !isMonth(day) {
			s = rest
		}
		for _, form := range dateForms {
			if t, err = time.Parse(form, s); err == nil {
				break
			}
		}
	}
	return t, err == nil && t.Unix() > 0 && t.Unix() <= math.MaxInt32
}

func isMonth(s string) bool {
	_, err := time.Parse("Jan", s)
	return err == nil
}
