package gen

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Kind tells what is odd about a message.
type Kind uint8

// The kinds of messages. All but the first are nasty.
const (
	Ordinary     Kind = iota
	NoBlankLine       // the header is not followed by an empty line
	NoFinalEOL        // the last line does not end
	Bare8Bit          // 8-bit bytes in header and body, undeclared
	DuplicateID       // the Message-ID of other messages
	NoID              // no Message-ID
	LongHeader        // one 20 kB header line and 400 others
	Binary            // every byte but NUL, CR and LF
	EmptyBody         // header and empty line only
	FromLines         // lines that begin with "From " and ">From "
	DotLines          // lines that are or begin with "."
	LoneCR            // CR inside lines, spaces at their ends
	OnlyHeader        // one header field, nothing else
	LongLine          // one body line of 100 kB
	OddSpacing        // "X-A:v", folded and empty header fields
	NoHeader          // begins with an empty line
	BrokenMIME        // multipart without its closing boundary
	EncodedWords      // RFC 2047 names and subjects, some invalid
	kinds
)

var kindNames = [...]string{"ordinary", "no-blank-line", "no-final-eol", "bare-8bit", "duplicate-id", "no-id", "long-header",
	"binary", "empty-body", "from-lines", "dot-lines", "lone-cr", "only-header", "long-line", "odd-spacing", "no-header",
	"broken-mime", "encoded-words"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

var people = []string{"Ada Lovelace", "Grace Hopper", "Jürgen Müller", "山田太郎", "Zoë Čapek", "Bob", "O'Brien, Pat", "mailer-daemon"}

var words = strings.Fields(`the of and to in is that for it as was with be by on not he his but at are this have from or had an they which
one you were all her she there would their we him been has when who will no more if out so said what up its about than into them can only
other time new some could these two may first then do any like my now over such our man me even most made after also did many off before
must well back through years much where your way down should because each just those people how too little state good very make world
still see own work long here both between life being under never day same another know while last might us great old year come since
meeting report budget deadline review patch commit invoice schedule release kernel museum garden letter question answer`)

// body writes the message's bytes.
func (a *Account) body(r *rand.Rand, m Message, id string) []byte {
	size := a.size(r)
	var b bytes.Buffer
	b.Grow(size + 2048)
	switch m.Kind {
	case OnlyHeader:
		return []byte("Subject: " + sentence(r, 5) + "\r\n")
	case NoHeader:
		b.WriteString("\r\n")
		text(&b, r, 300)
		return b.Bytes()
	case DuplicateID:
		id = "<duplicate@gen.example>"
	case NoID:
		id = ""
	}
	header(&b, r, m, id)
	if m.Kind == NoBlankLine {
		return b.Bytes()
	}
	if attach := size > 20_000 || m.Kind == BrokenMIME; attach && (m.Kind == Ordinary || m.Kind == BrokenMIME) {
		multipart(&b, r, size, m.Kind != BrokenMIME)
		return b.Bytes()
	}
	b.WriteString("Content-Type: text/plain; charset=utf-8\r\n\r\n")
	odd(&b, r, m.Kind)
	if m.Kind != EmptyBody {
		text(&b, r, size-b.Len())
	}
	if m.Kind == NoFinalEOL {
		b.WriteString("the last line does not end")
	}
	return b.Bytes()
}

func header(b *bytes.Buffer, r *rand.Rand, m Message, id string) {
	from, to := people[r.IntN(len(people))], people[r.IntN(len(people))]
	fmt.Fprintf(b, "Return-Path: <bounce-%d@lists.example>\r\n", r.IntN(1e6))
	for hop := range 1 + r.IntN(4) {
		fmt.Fprintf(b, "Received: from mx%d.example (mx%d.example [192.0.2.%d])\r\n\tby mail.example with ESMTPS id %x;\r\n\t%s\r\n",
			hop, hop, r.IntN(255), r.Uint32(), m.Date.Format(time.RFC1123Z))
	}
	fmt.Fprintf(b, "From: %q <a%d@example.org>\r\nTo: %q <b%d@example.org>\r\n", from, r.IntN(50), to, r.IntN(50))
	fmt.Fprintf(b, "Subject: %s\r\nDate: %s\r\n", sentence(r, 3+r.IntN(8)), m.Date.Format(time.RFC1123Z))
	if id != "" {
		b.WriteString("Message-ID: " + id + "\r\n")
	}
	switch m.Kind {
	case Bare8Bit:
		b.WriteString("X-Latin1: caf\xe9 \xff\xfe\r\n")
	case LongHeader:
		b.WriteString("X-Long: " + strings.Repeat("x", 20_000) + "\r\n")
		for i := range 400 {
			fmt.Fprintf(b, "X-Many-%d: %s\r\n", i, sentence(r, 4))
		}
	case OddSpacing:
		b.WriteString("X-A:v\r\nX-Empty:\r\nX-Empty2: \r\nX-Fold: a\r\n b\r\n\t  c\r\nX-Tail: spaces  \t\r\nsubject: again, lower case\r\n")
	case EncodedWords:
		b.WriteString("X-Subject: =?utf-8?B?5pel5pys?= =?iso-8859-1?Q?caf=E9?= =?nonsense?X?=?=\r\n")
	}
	b.WriteString("MIME-Version: 1.0\r\n")
}

// odd writes what makes a body nasty, if anything.
func odd(b *bytes.Buffer, r *rand.Rand, k Kind) {
	switch k {
	case Bare8Bit:
		b.WriteString("na\xefve \x80\x81\xc3\x28 caf\xe9\r\n")
	case Binary:
		for range 20 {
			for c := 1; c < 256; c++ {
				if c != '\r' && c != '\n' {
					b.WriteByte(byte(c))
				}
			}
			b.WriteString("\r\n")
		}
	case FromLines:
		b.WriteString("From a@example Mon Jan  1 00:00:00 2024\r\n>From here\r\n>>From there\r\n")
	case DotLines:
		b.WriteString(".\r\n..\r\n.line\r\n...\r\n")
	case LoneCR:
		b.WriteString("a lone\rcarriage return\r and  spaces at the end   \r\n\t\r\n")
	case LongLine:
		for b.Len() < 100_000 {
			b.WriteString(words[r.IntN(len(words))])
		}
		b.WriteString("\r\n")
	}
}

// text writes about n bytes of prose in lines.
func text(b *bytes.Buffer, r *rand.Rand, n int) {
	for end := b.Len() + n; b.Len() < end; {
		switch r.IntN(12) {
		case 0:
			b.WriteString("\r\n")
		case 1:
			b.WriteString("> " + sentence(r, 8) + "\r\n")
		default:
			b.WriteString(sentence(r, 11) + "\r\n")
		}
	}
	b.WriteString("-- \r\n" + people[r.IntN(len(people))] + "\r\n")
}

func sentence(r *rand.Rand, n int) string {
	var sb strings.Builder
	for i := range n {
		if i > 0 {
			sb.WriteByte(' ')
		}
		sb.WriteString(words[r.IntN(len(words))])
	}
	return sb.String()
}

// multipart writes a text and one base64 attachment that fills up to size.
func multipart(b *bytes.Buffer, r *rand.Rand, size int, closed bool) {
	mark := fmt.Sprintf("=_%x", r.Uint64())
	fmt.Fprintf(b, "Content-Type: multipart/mixed; boundary=%q\r\n\r\nThis is MIME.\r\n--%s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n", mark, mark)
	text(b, r, 1500)
	fmt.Fprintf(b, "\r\n--%s\r\nContent-Type: application/pdf; name=\"Anhang %d.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n", mark, r.IntN(100))
	var raw [57]byte
	var line [78]byte
	for b.Len() < size {
		for i := 0; i < len(raw)-1; i += 8 {
			v := r.Uint64()
			for j := range 8 {
				if i+j < len(raw) {
					raw[i+j] = byte(v >> (8 * j))
				}
			}
		}
		base64.StdEncoding.Encode(line[:76], raw[:])
		line[76], line[77] = '\r', '\n'
		b.Write(line[:])
	}
	if closed {
		fmt.Fprintf(b, "\r\n--%s--\r\n", mark)
	}
}
