package mailsync

import (
	"errors"
	"fmt"
	"strings"

	"offloop/imapproto"
)

// How many commands are sent ahead of their answers, where pipeline = auto: as many
// as the table below says. A server that says BYE, falls silent or answers nonsense
// while several are under way gets half as many from then on; each round that ends
// well adds a few again. What was found out is remembered with the account.

// defaultDepth is for servers that the table does not name; none of today's is known
// to mind it.
const defaultDepth = 64

// depthStep is what a good round adds.
const depthStep = 4

// depthOf gives the depth to begin with, by a word of the server's greeting.
var depthOf = []serverLimit{
	{"exchange server 2003", 1}, // lose answers
	{"exchange server 2007", 1},
	{"twisted", 1},             // answers in any order
	{"microsoft exchange", 25}, // stumbles over some 50 commands on large mailboxes
	{"outlook", 25},
}

func depthFor(greeting string) int { return limitFor(depthOf, greeting, defaultDepth) }

// serverLimit is a number that holds for servers with a word in their greeting.
type serverLimit struct {
	word string
	n    int
}

// limitFor gives the number of the first word that a greeting has, else usual.
func limitFor(table []serverLimit, greeting string, usual int) int {
	g := strings.ToLower(greeting)
	for _, l := range table {
		if strings.Contains(g, l.word) {
			return l.n
		}
	}
	return usual
}

// depth gives the most commands to be sent ahead, and what the table says.
func (a *Account) depth() (now, top int) {
	if a.set.Pipeline > 0 {
		return a.set.Pipeline, a.set.Pipeline
	}
	now, top = defaultDepth, defaultDepth
	if a.book != nil {
		var n, t int
		if _, err := fmt.Sscanf(a.book.Token(tokDepth), "%d %d", &n, &t); err == nil && 0 < n && n <= t && t <= defaultDepth {
			now, top = n, t
		}
	}
	return now, top
}

func (a *Account) setDepth(now, top int) {
	if a.book == nil || a.set.DryRun || a.set.Pipeline > 0 {
		return
	}
	text := ""
	if now < defaultDepth {
		text = fmt.Sprintf("%d %d", now, top)
	}
	if a.book.Token(tokDepth) != text {
		a.book.SetToken(tokDepth, text)
	}
}

// greetedBy begins anew with a server that is another one than before.
func (a *Account) greetedBy(greeting string) {
	if a.set.Pipeline > 0 {
		return
	}
	now, top := a.depth()
	if t := depthFor(greeting); t != top {
		now, top = t, t
		a.setDepth(now, top)
	}
	if k := a.link; k != nil && k.conn != nil {
		k.conn.SetPipeline(now)
	}
}

// adaptDepth ends a round: with half the depth if the connection ended for a reason
// that may lie in it, with a little more if all went well.
func (a *Account) adaptDepth(err error) {
	now, top := a.depth()
	bye, stall, nonsense := (*imapproto.ByeError)(nil), (*imapproto.TimeoutError)(nil), (*imapproto.ProtocolError)(nil)
	switch k := a.link; {
	case err == nil && now < top:
		a.setDepth(min(top, now+depthStep), top)
	case err == nil || k == nil || k.unanswered < 2:
	case errors.As(err, &bye), errors.As(err, &stall), errors.As(err, &nonsense):
		a.setDepth(max(1, min(now, k.unanswered)/2), top)
	}
}
