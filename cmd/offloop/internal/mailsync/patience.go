package mailsync

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"offloop/imapproto"
)

const (
	restUsual = 5 * time.Minute // for a server that asks for patience and does not say how much
	restMost  = 24 * time.Hour
)

// backoffTime is Exchange's way of saying how long it wants to be left alone.
var backoffTime = regexp.MustCompile(`(?i)backoff time:? *(\d{1,12}) *(milliseconds|ms|seconds|s)?`)

// patience tells how long a server that refused something wants to be left alone, 0
// if the refusal is about something else. There is no common way to say so: RFC 5530
// has LIMIT, others are Yahoo's, Gmail's and Exchange's.
func patience(err error) time.Duration {
	code, text, stores := "", "", false
	var auth *imapproto.AuthError
	var bye *imapproto.ByeError
	var cmd *imapproto.CommandError
	switch {
	case errors.As(err, &auth):
		code, text = auth.Code, auth.Text
	case errors.As(err, &cmd):
		code, text = cmd.Code, cmd.Text
		stores = cmd.Command == "APPEND" || strings.HasSuffix(cmd.Command, "COPY") || strings.HasSuffix(cmd.Command, "MOVE") || cmd.Command == "CREATE"
	case errors.As(err, &bye):
		code, text = bye.Code, bye.Text
	default:
		return 0
	}
	if m := backoffTime.FindStringSubmatch(text); m != nil {
		n, _ := strconv.ParseInt(m[1], 10, 64) // twelve digits fit
		unit := time.Millisecond
		if strings.HasPrefix(strings.ToLower(m[2]), "s") {
			unit = time.Second
		}
		if n > int64(restMost/unit) {
			return restMost
		}
		return max(time.Duration(n)*unit, time.Second)
	}
	low := strings.ToLower(text)
	switch {
	case code == "THROTTLED", code == "LIMIT" && !stores, code == "OVERQUOTA" && !stores,
		strings.Contains(low, "throttle"), strings.Contains(low, "bandwidth limit"), strings.Contains(low, "too many simultaneous connections"),
		strings.Contains(low, "too many connections"), strings.Contains(low, "rate limit"), strings.Contains(low, "too many login"):
		return restUsual
	}
	return 0
}

// notThePassword tells whether a refused login says nothing about the password
// (RFC 5530: UNAVAILABLE, INUSE, LIMIT).
func notThePassword(err error) bool {
	var auth *imapproto.AuthError
	if !errors.As(err, &auth) {
		return false
	}
	switch auth.Code {
	case "UNAVAILABLE", "INUSE", "SERVERBUG", "CONTACTADMIN":
		return true
	}
	return patience(err) > 0
}

// Patience is how long the server asked in the last round to be left alone; 0 if it
// did not.
func (a *Account) Patience() time.Duration { return a.patience }
