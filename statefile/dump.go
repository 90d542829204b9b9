package statefile

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Dump writes the state for people to read, one thing a line. Text from outside is quoted, so
// nothing in it reaches the terminal as a control sequence. Errors of w are not reported: w is a
// terminal or keeps its own.
func Dump(w io.Writer, f *Folder) {
	out := bufio.NewWriter(w)
	defer out.Flush()
	fmt.Fprintf(out, "folder     %s\n", quoted(f.name))
	fmt.Fprintf(out, "fmd5       %s\n", quoted(f.fmd5))
	for _, k := range f.Tokens() {
		fmt.Fprintf(out, "token      %s = %s\n", quoted(k), quoted(f.tokens[k]))
	}
	for i, k := range f.keywords {
		fmt.Fprintf(out, "keyword    %d = %s\n", i, quoted(k))
	}
	for _, n := range f.Intents() {
		fmt.Fprintf(out, "intent     %s file %s, %d bytes, message-id %s, hash %s, flags %s, uidvalidity %d, uidnext %d, at %d by process %d\n",
			quoted(n.ID), quoted(n.Base), n.Size, quoted(n.MessageID), quoted(n.Hash), f.flagText(n.Flags), n.UIDValidity, n.UIDNext, n.At, n.Pid)
	}
	for _, q := range f.Quarantine() {
		fmt.Fprintf(out, "quarantine %s %s: %s (%d tries, next at %d)\n",
			quoted(q.Side), quoted(q.Key), quoted(q.Reason), q.Tries, q.Next)
	}
	fmt.Fprintf(out, "messages   %d\n", f.Len())
	for i := range f.Len() {
		r := f.At(i)
		fmt.Fprintf(out, "%10d %s %s", r.UID, f.flagText(r.Flags), quoted(r.Name))
		if r.Mark != MarkNone {
			fmt.Fprintf(out, " %s", r.Mark)
		}
		fmt.Fprintln(out)
	}
}

// flagText gives the letters, then the keywords by name.
func (f *Folder) flagText(fl Flags) string {
	letters := string(appendFlags(nil, fl&(1<<firstKeyword-1)))
	var words []string
	for n := range maxKeywords {
		if fl>>(firstKeyword+n)&1 == 0 {
			continue
		}
		if n < len(f.keywords) && f.keywords[n] != "" {
			words = append(words, quoted(f.keywords[n]))
		} else {
			words = append(words, "keyword "+strconv.Itoa(n))
		}
	}
	if len(words) == 0 {
		return letters
	}
	return letters + "[" + strings.Join(words, " ") + "]"
}

// quoted leaves plain words alone.
func quoted(s string) string {
	for _, r := range s {
		if r <= ' ' || r == '"' || r == '\\' || !strconv.IsPrint(r) || r == '\ufffd' {
			return strconv.Quote(s)
		}
	}
	if s == "" {
		return `""`
	}
	return s
}
