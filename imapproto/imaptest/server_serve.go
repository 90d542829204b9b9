package imaptest

import (
	"errors"
	"io"
)

// Serve plays the session over a real connection until either side closes. It
// blocks, and sends what IDLE and NOTIFY bring only when the client has sent
// something; use one Server with one Serve at a time. A CutStall leaves it
// waiting for the client. COMPRESS and STARTTLS need the owner's own loop.
func (s *Session) Serve(rw io.ReadWriter) error {
	buf := make([]byte, 32<<10)
	for {
		if b := s.Output(); len(b) > 0 {
			if _, err := rw.Write(b); err != nil {
				s.Kill()
				return err
			}
			continue
		}
		if s.Closed() {
			return nil
		}
		n, err := rw.Read(buf)
		s.Feed(buf[:n])
		if err != nil {
			s.Kill()
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}
