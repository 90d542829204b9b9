package ui

import (
	"fmt"
	"strconv"
	"strings"
)

// Lines returns the safe log lines of e, without time: its Text or, where
// that is empty, the customary wording for its kind; then its Hint. An event
// that says nothing to a reader has no lines. Newlines of Text and Hint begin
// new lines, and all lines but the first are indented: text from a server that
// smuggles in a newline cannot pass for a line of its own. Everything else is
// escaped, newlines of names too.
func Lines(e Event) []string {
	if e.Kind == "stats" && e.Dest != "" {
		return nil // a measure, for the screen
	}
	text := e.Text
	if text == "" {
		text = Safe(wording(e))
	}
	if text == "" {
		return nil
	}
	if e.Hint == "" && strings.IndexByte(text, '\n') < 0 {
		return []string{Safe(text)}
	}
	out := split(nil, text)
	if e.Hint != "" {
		out = split(out, e.Hint)
	}
	return out
}

func split(out []string, text string) []string {
	for _, l := range strings.Split(strings.TrimRight(text, "\r\n"), "\n") {
		l = Safe(strings.TrimSuffix(l, "\r"))
		if len(out) > 0 {
			l = "  " + l
		}
		out = append(out, l)
	}
	return out
}

// wording composes the line for an event that brought no text.
func wording(e Event) string {
	switch e.Kind {
	case "account-start":
		return "*** Processing account " + e.Account
	case "account-done":
		return fmt.Sprintf("*** Finished account '%s' in %s", e.Account, minutes(e.N))
	case "connecting":
		return fmt.Sprintf("Establishing connection to %s (%s)", e.Dest, e.Repo)
	case "create":
		return fmt.Sprintf("Creating folder %s[%s]", e.Folder, e.Repo)
	case "folder-start":
		return fmt.Sprintf("Syncing %s: %s -> %s", e.Folder, or(e.Repo, "IMAP"), or(e.Dest, "Maildir"))
	case "folder-skip":
		return fmt.Sprintf("Skipping %s (not changed)", e.Folder)
	case "copy":
		return fmt.Sprintf("Copy message UID %d (%d/%d) %s:%s -> %s", e.UID, e.N, e.Total, or(e.Repo, "IMAP"), e.Folder, or(e.Dest, "Maildir"))
	case "upload":
		return fmt.Sprintf("Copy message UID %d (%d/%d) %s:%s -> %s", e.UID, e.N, e.Total, or(e.Repo, "Maildir"), e.Folder, or(e.Dest, "IMAP"))
	case "flags":
		return fmt.Sprintf("Adding flag %s to %d messages on %s", e.Dest, e.N, e.Folder)
	case "move-local":
		return fmt.Sprintf("Moving %d messages to Maildir[%s]", e.N, e.Folder)
	case "move-remote":
		return fmt.Sprintf("Moving %d messages from IMAP[%s] to IMAP[%s]", e.N, e.Dest, e.Folder)
	case "unflags":
		return fmt.Sprintf("Deleting flag %s from %d messages on %s", e.Dest, e.N, e.Folder)
	case "delete-local":
		return fmt.Sprintf("Deleting %d messages in Maildir[%s]", e.N, e.Folder)
	case "delete-remote":
		return fmt.Sprintf("Deleting %d messages in IMAP[%s]", e.N, e.Folder)
	case "sleep":
		return "Next sync in " + minutes(e.N)
	}
	return ""
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// minutes writes seconds as m:ss.
func minutes(s int64) string {
	s = max(s, 0)
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// duration writes seconds as m:ss, or h:mm:ss from an hour on.
func duration(s int64) string {
	if s = max(s, 0); s < 3600 {
		return minutes(s)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// size writes a number of bytes in at most seven cells.
func size(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(max(n, 0), 10) + " B"
	}
	f := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB"} {
		f /= 1000
		switch {
		case f < 9.95:
			return strconv.FormatFloat(f, 'f', 1, 64) + " " + unit
		case f < 999.5:
			return strconv.FormatFloat(f, 'f', 0, 64) + " " + unit
		}
	}
	return strconv.FormatFloat(f, 'f', 0, 64) + " TB"
}

// count writes n with a comma at each thousand.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	if len(s) < 4 || n < 0 {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
