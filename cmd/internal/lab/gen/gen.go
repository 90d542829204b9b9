// Package gen makes mail: deterministic, realistic accounts of any size,
// message by message, so that a million messages need no memory. A small
// share of the messages is nasty in ways real mail is.
package gen

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Options say what an account shall hold. The zero value is 5,000 messages
// in 20 folders, half as many nasty ones in a hundred, seed 0.
type Options struct {
	Seed     uint64
	Messages int // in all folders together; default 5000
	Folders  int // default 20; never fewer than 1 (INBOX)
	// Median and Mean sizes in bytes of ordinary messages; the sizes are
	// log-normal. Defaults 9500 and 25000.
	Median, Mean int
	MaxSize      int // default 5 MB
	// Nasty is the share of nasty messages in a thousand; default 40,
	// negative for none.
	Nasty int
	// SafeNames leaves out the folder names that older tools cannot handle
	// (quotes, backslashes, trailing spaces, % and #).
	SafeNames bool
	// NoDots leaves out names with dots, which some servers reserve.
	NoDots bool
	// Keywords gives some messages IMAP keywords besides flags.
	Keywords bool
}

// Account is a generated account. It holds no messages, it makes them.
type Account struct {
	o       Options
	folders []Folder
}

// Folder is one folder: its path, one element a level, and the number of its
// messages.
type Folder struct {
	Path     []string
	Messages int
}

// Message is one message in wire form (CRLF), with what IMAP keeps beside
// it.
type Message struct {
	Body  []byte
	Flags []string // \Seen and so on, keywords
	Date  time.Time
	Kind  Kind
}

// New lays out an account.
func New(o Options) *Account {
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	def(&o.Messages, 5000)
	def(&o.Folders, 20)
	def(&o.Median, 9500)
	def(&o.Mean, 25000)
	def(&o.MaxSize, 5_000_000)
	def(&o.Nasty, 40)
	if o.Messages < 0 {
		o.Messages = 0
	}
	a := &Account{o: o}
	for _, p := range paths(o) {
		a.folders = append(a.folders, Folder{Path: p})
	}
	a.share()
	return a
}

// share spreads the messages: INBOX gets most, a few folders stay small, and
// the last stays empty if there are many.
func (a *Account) share() {
	n := len(a.folders)
	weights, total := make([]float64, n), 0.0
	for i := range weights {
		weights[i] = 1 / math.Pow(float64(i+1), 0.7)
		if n > 10 && i == n-1 {
			weights[i] = 0
		}
		total += weights[i]
	}
	left := a.o.Messages
	for i := range a.folders {
		k := int(float64(a.o.Messages) * weights[i] / total)
		a.folders[i].Messages = k
		left -= k
	}
	a.folders[0].Messages += left
}

// Folders lists the folders, INBOX first, parents before children.
func (a *Account) Folders() []Folder { return a.folders }

// rng gives the random source of one message; every message has its own, so
// that they can be made in any order.
func (a *Account) rng(folder, i int) *rand.Rand {
	return rand.New(rand.NewPCG(a.o.Seed, uint64(folder)<<40|uint64(i)+1))
}

// Message makes message i (from 0) of a folder. The same numbers and options
// always give the same message.
func (a *Account) Message(folder, i int) Message {
	r := a.rng(folder, i)
	m := Message{Kind: Ordinary, Flags: flags(r, a.o.Keywords)}
	// Ten years of mail, oldest first.
	start := time.Date(2014, 3, 1, 8, 0, 0, 0, time.UTC)
	n := int64(max(1, a.folders[folder].Messages))
	step := max(1, 10*365*86400/n)
	m.Date = start.Add(time.Duration(step*(int64(i)%n)+r.Int64N(min(step, 3600))) * time.Second)
	if r.IntN(1000) < a.o.Nasty {
		m.Kind = Kind(1 + r.IntN(int(kinds)-1))
	}
	id := fmt.Sprintf("<%d.%d.%d@gen.example>", a.o.Seed, folder, i)
	m.Body = a.body(r, m, id)
	return m
}

// size draws a log-normal size.
func (a *Account) size(r *rand.Rand) int {
	sigma := math.Sqrt(2 * math.Log(max(1.0001, float64(a.o.Mean)/float64(a.o.Median))))
	n := float64(a.o.Median) * math.Exp(sigma*r.NormFloat64())
	return int(min(n, float64(a.o.MaxSize)))
}

// keywords that servers and clients really use.
var keywords = []string{"$Forwarded", "$Label1", "work", "NonJunk", "Todo", "$MDNSent"}

func flags(r *rand.Rand, withKeywords bool) []string {
	var out []string
	for _, f := range []struct {
		name    string
		percent int
	}{{`\Seen`, 80}, {`\Answered`, 15}, {`\Flagged`, 5}, {`\Draft`, 1}} {
		if r.IntN(100) < f.percent {
			out = append(out, f.name)
		}
	}
	if withKeywords && r.IntN(100) < 10 {
		out = append(out, keywords[r.IntN(len(keywords))])
	}
	return out
}

// nice and awkward folder paths, parents first.
var folderPaths = [][]string{
	{"INBOX"}, {"Sent"}, {"Archive"}, {"Archive", "2023"}, {"Archive", "2024"},
	{"Work"}, {"Work", "2024 Q1"}, {"Work", "Größe und Été"}, {"Lists"}, {"Lists", "日本語"},
	{"R&D"}, {"Drafts"}, {"Trash"}, {"with several spaces"}, {"Lists", "golang-nuts"},
	{"Lists", "golang-nuts", "old"}, {"dots.in.name"}, {"Спам & прочее"}, {"[brackets] {braces} ~tilde"},
	{"A rather long folder name, as people make them when they file every project under its full title and then some more words"},
	{"Emoji 📮"}, {"&-amp &AOk-"}, {"(parens)*star"},
}

var nastyPaths = [][]string{
	{`Quotes "here"`}, {`back\slash`}, {"100%"}, {"#hash"}, {"trailing space "}, {"%d %s"},
}

// paths picks o.Folders paths; the nasty ones come early enough to be among
// 20.
func paths(o Options) [][]string {
	var all [][]string
	for i, p := range folderPaths {
		all = append(all, p)
		if !o.SafeNames && i >= 8 && i-8 < len(nastyPaths) {
			all = append(all, nastyPaths[i-8])
		}
	}
	var out [][]string
	for _, p := range all {
		if len(out) == max(1, o.Folders) {
			return out
		}
		if o.SafeNames && hasAny(p, `*%"\#`) || o.NoDots && hasAny(p, ".") {
			continue
		}
		out = append(out, p)
	}
	for i := len(out); i < o.Folders; i++ {
		out = append(out, []string{"Projects", fmt.Sprintf("Project %04d", i)})
	}
	return out
}

func hasAny(path []string, chars string) bool {
	for _, p := range path {
		for _, c := range chars {
			for _, d := range p {
				if c == d {
					return true
				}
			}
		}
	}
	return false
}
