package maildir

// LFWriter turns the line ends of a message from CRLF, as on the wire, to LF,
// as in a Maildir, in pieces of any size. Nothing else is changed: a CR or LF
// that stands alone stays. The zero value is ready for one message.
type LFWriter struct{ held bool }

// Write appends p, converted, to dst and returns it. A CR at the end of p is
// held until the next byte shows what it is. dst may not share memory with p.
func (w *LFWriter) Write(dst, p []byte) []byte {
	if len(p) == 0 {
		return dst
	}
	if w.held {
		w.held = false
		if p[0] != '\n' {
			dst = append(dst, '\r')
		}
	}
	for {
		i := indexCR(p)
		if i < 0 {
			return append(dst, p...)
		}
		dst = append(dst, p[:i]...)
		if i+1 == len(p) {
			w.held = true
			return dst
		}
		if p[i+1] != '\n' {
			dst = append(dst, '\r')
		}
		p = p[i+1:]
	}
}

// Flush ends the message: it appends a CR that is still held. The LFWriter is
// then ready for the next message.
func (w *LFWriter) Flush(dst []byte) []byte {
	if w.held {
		dst = append(dst, '\r')
	}
	w.held = false
	return dst
}
