package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"offloop/cmd/offloop/internal/config"
	"offloop/reactor"
	"offloop/ui"
)

// grant is an access token that was fetched, and until when it is used.
type grant struct {
	token   string
	until   time.Time
	refresh string // the server's new refresh token, "" if it gave none
}

// token gets an access token, "" where none is configured: a command's, the
// configured one, or one fetched with the refresh token.
func (x *access) token(done func(string, error)) {
	o := &x.acc.Remote.OAuth
	switch {
	case o.TokenCmd != "":
		x.run("oauth2_access_token_cmd", o.TokenCmd, done)
	case o.AccessToken != "":
		done(o.AccessToken, nil)
	case o.RefreshToken == "":
		done("", nil)
	case x.grant.token != "" && x.loop.Now().Before(x.grant.until):
		done(x.grant.token, nil)
	default:
		x.fetchToken(o, done)
	}
}

// fetchToken asks the token server (RFC 6749 section 6).
func (x *access) fetchToken(o *config.OAuth, done func(string, error)) {
	u, err := url.Parse(o.URL)
	if err != nil {
		done("", errors.New("oauth2_request_url is no address"))
		return
	}
	d := reactor.DialOptions{Host: u.Hostname(), Port: 443, Timeout: postTimeout, Proxy: proxyOf(o.Proxy)}
	if u.Scheme == "https" {
		d.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname()}
	} else {
		d.Port = 80
	}
	if n, err := strconv.Atoi(u.Port()); err == nil {
		d.Port = n
	}
	refresh := o.RefreshToken
	if x.grant.refresh != "" {
		refresh = x.grant.refresh
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "client_id": {o.ClientID}}
	if o.ClientSecret != "" {
		form.Set("client_secret", o.ClientSecret)
	}
	post(x.loop, d, u, form, func(status int, body []byte, err error) {
		var g grant
		if err == nil {
			g, err = readGrant(status, body, x.loop.Now())
		}
		if err != nil {
			done("", fmt.Errorf("fetch a token from %s: %w", u.Host, err))
			return
		}
		if g.refresh == "" || g.refresh == o.RefreshToken {
			g.refresh = x.grant.refresh
		} else if g.refresh != x.grant.refresh {
			x.say(ui.Event{Kind: "warn", Severity: "warn", Account: x.acc.Name,
				Text: "the token server gave a new refresh token; it is used until offloop ends and not stored",
				Hint: "if logging in fails later, make a new refresh token, or use oauth2_access_token_cmd with a program that stores them"})
		}
		x.grant = g
		done(g.token, nil)
	})
}

// readGrant understands the token server's answer. Of an answer that is an error only
// the fields made for people are repeated.
func readGrant(status int, body []byte, now time.Time) (grant, error) {
	var a struct {
		Token       string          `json:"access_token"`
		Refresh     string          `json:"refresh_token"`
		Expires     json.RawMessage `json:"expires_in"` // some write it as a string
		Error       string          `json:"error"`
		Description string          `json:"error_description"`
	}
	err := json.Unmarshal(body, &a)
	switch {
	case err == nil && a.Error != "":
		return grant{}, fmt.Errorf("it refused: %.100s %.300s", ui.Safe(a.Error), ui.Safe(a.Description))
	case status != 200:
		return grant{}, fmt.Errorf("it answered with status %d", status)
	case err != nil || a.Token == "" || strings.ContainsAny(a.Token+a.Refresh, "\r\n\x00\x01"):
		return grant{}, errors.New("its answer holds no token")
	}
	seconds, err := strconv.Atoi(strings.Trim(string(a.Expires), `"`))
	if err != nil || seconds < 0 || seconds > 1<<30 {
		seconds = 0 // used for this login only
	}
	return grant{token: a.Token, refresh: a.Refresh, until: now.Add(time.Duration(seconds) * time.Second / 2)}, nil
}

// proxyOf turns the configuration's proxy into the reactor's.
func proxyOf(p *config.Proxy) *reactor.Proxy {
	if p == nil {
		return nil
	}
	kind := map[string]reactor.ProxyKind{"SOCKS5": reactor.SOCKS5, "SOCKS4": reactor.SOCKS4, "HTTP": reactor.HTTPConnect}[p.Kind]
	return &reactor.Proxy{Kind: kind, Host: p.Host, Port: p.Port}
}
