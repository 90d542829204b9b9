package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"offloop/reactor"
)

const (
	// maxAnswer is the most a token server may say.
	maxAnswer = 64 << 10
	// postTimeout is how long it may take, name lookup included.
	postTimeout = 30 * time.Second
)

// post sends a form to a web server (RFC 9112) and gives back what it answers. It is
// as much of HTTP as fetching a token needs: one request, one answer, the connection
// is closed. done is called once.
func post(loop *reactor.Loop, o reactor.DialOptions, u *url.URL, form url.Values, done func(status int, body []byte, err error)) {
	p := &posting{done: done}
	deadline := loop.CallLater(postTimeout, func() { p.end(0, nil, fmt.Errorf("no answer within %v", postTimeout)) })
	p.stop = deadline.Cancel
	loop.Dial(o, func(s *reactor.Stream, err error) {
		switch {
		case err != nil:
			p.end(0, nil, err)
			return
		case p.done == nil:
			s.Abort(nil)
			return
		}
		p.s = s
		body := form.Encode()
		s.Write([]byte("POST " + u.RequestURI() + " HTTP/1.1\r\nHost: " + u.Host +
			"\r\nUser-Agent: offloop\r\nAccept: application/json\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: " +
			strconv.Itoa(len(body)) + "\r\n\r\n" + body))
		s.Start(p)
	})
}

// posting is a request whose answer is coming in.
type posting struct {
	s    *reactor.Stream
	buf  []byte
	stop func()
	done func(int, []byte, error)
}

// Data takes a piece of the answer.
func (p *posting) Data(b []byte) {
	if p.done == nil {
		return
	}
	p.buf = append(p.buf, b...)
	if len(p.buf) > maxAnswer {
		p.end(0, nil, fmt.Errorf("the answer is longer than %d bytes", maxAnswer))
		return
	}
	if status, body, err := parseAnswer(p.buf, false); err != errShort {
		p.end(status, body, err)
	}
}

// Lost is the end of the connection, and so may be that of the answer.
func (p *posting) Lost(err error) {
	if p.done == nil {
		return
	}
	status, body, perr := parseAnswer(p.buf, true)
	if perr != nil && err != nil {
		perr = err
	}
	p.end(status, body, perr)
}

func (p *posting) end(status int, body []byte, err error) {
	done := p.done
	if done == nil {
		return
	}
	p.done = nil
	p.stop()
	if p.s != nil {
		p.s.Abort(nil)
	}
	done(status, body, err)
}

var (
	errShort   = errors.New("the answer was cut short")
	errNotHTTP = errors.New("the answer is not HTTP")
)

// parseAnswer reads an HTTP response; errShort asks for more of it. whole says that no
// more will come.
func parseAnswer(b []byte, whole bool) (status int, body []byte, err error) {
	head, rest, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if !ok {
		return 0, nil, errShort
	}
	lines := strings.Split(string(head), "\r\n")
	version, after, _ := strings.Cut(lines[0], " ")
	code, _, _ := strings.Cut(after, " ")
	status, err = strconv.Atoi(code)
	if !strings.HasPrefix(version, "HTTP/1.") || err != nil || len(code) != 3 {
		return 0, nil, errNotHTTP
	}
	length, chunked := -1, false
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "content-length":
			if length, err = strconv.Atoi(value); err != nil || length < 0 {
				return 0, nil, errNotHTTP
			}
		case "transfer-encoding":
			if chunked = strings.EqualFold(value, "chunked"); !chunked {
				return 0, nil, errNotHTTP
			}
		}
	}
	switch {
	case status/100 == 1: // an interim answer: the real one follows
		return parseAnswer(rest, whole)
	case chunked:
		body, err = unchunk(rest)
		return status, body, err
	case length >= 0 && len(rest) >= length:
		return status, rest[:length], nil
	case length < 0 && whole:
		return status, rest, nil
	}
	return 0, nil, errShort
}

// unchunk joins the chunks of a body (RFC 9112 section 7.1).
func unchunk(b []byte) (body []byte, err error) {
	for {
		line, rest, ok := bytes.Cut(b, []byte("\r\n"))
		if !ok {
			return nil, errShort
		}
		size, _, _ := strings.Cut(string(line), ";")
		n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 31)
		switch {
		case err != nil:
			return nil, errNotHTTP
		case n == 0:
			return body, nil
		case uint64(len(rest)) < n+2:
			return nil, errShort
		case string(rest[n:n+2]) != "\r\n":
			return nil, errNotHTTP
		}
		body, b = append(body, rest[:n]...), rest[n+2:]
	}
}
