package config

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// OAuth says how to get an access token. Its String shows nothing secret.
type OAuth struct {
	// TokenCmd is a shell command that prints a token; it wins over the rest.
	TokenCmd string
	// AccessToken is a token to use as it is.
	AccessToken string
	// RefreshToken, ClientID and ClientSecret are sent to URL for a token.
	RefreshToken, ClientID, ClientSecret string
	URL                                  string
	// Asked says that a token is asked of python3 before a connection is made.
	Asked bool
	// Proxy is what URL is reached through, nil for directly.
	Proxy *Proxy
}

// Possible tells whether a token can be had.
func (o OAuth) Possible() bool { return o.TokenCmd+o.AccessToken+o.RefreshToken != "" || o.Asked }

// String does not show the tokens.
func (o OAuth) String() string { return fmt.Sprintf("OAuth{%s, tokens: %v}", o.URL, o.Possible()) }

// GoString is String.
func (o OAuth) GoString() string { return o.String() }

// Proxy is what connections are made through.
type Proxy struct {
	// Kind is "SOCKS5", "SOCKS4" or "HTTP".
	Kind string
	Host string
	Port int
}

// googleTokens is where Gmail's tokens are fetched.
const googleTokens = "https://accounts.google.com/o/oauth2/token"

// tokenKeys are the keys of OAuth's parts; each has a twin that ends in _eval.
var tokenKeys = map[string]func(*OAuth) *string{
	"oauth2_client_id":     func(o *OAuth) *string { return &o.ClientID },
	"oauth2_client_secret": func(o *OAuth) *string { return &o.ClientSecret },
	"oauth2_access_token":  func(o *OAuth) *string { return &o.AccessToken },
	"oauth2_refresh_token": func(o *OAuth) *string { return &o.RefreshToken },
}

func (b *builder) oauth(a *Account, v *view, r *Remote) {
	o := &r.OAuth
	o.TokenCmd, _ = v.text("oauth2_access_token_cmd")
	for key, part := range tokenKeys {
		s, e := v.text(key)
		*part(o) = s
		if e != nil && s != "" || o.TokenCmd != "" {
			continue
		}
		b.eval(a, v, r, key+"_eval", func(r *Remote, value any) (err error) {
			if value != nil {
				*part(&r.OAuth), err = evalText(value)
			}
			return err
		})
	}
	o.Asked = a.pending("oauth2_access_token_eval") || a.pending("oauth2_refresh_token_eval")
	for _, to := range []*string{&o.ClientID, &o.ClientSecret, &o.AccessToken, &o.RefreshToken} {
		*to = strings.TrimSpace(*to)
	}
	u, e := v.text("oauth2_request_url")
	o.URL = strings.TrimSpace(u)
	if o.URL == "" && r.Type == "Gmail" {
		o.URL = googleTokens
	}
	if o.TokenCmd+o.AccessToken == "" && o.RefreshToken != "" {
		if err := checkTokenURL(o.URL); err != nil {
			v.fail(e, "oauth2_request_url", err.Error(), "oauth2_request_url = https://HOST/PATH")
		}
	}
}

func checkTokenURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case s == "":
		return fmt.Errorf("oauth2_refresh_token needs oauth2_request_url")
	case err != nil || u.Host == "" || u.User != nil:
		return fmt.Errorf("oauth2_request_url is no address")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("oauth2_request_url would send the refresh token in clear")
}

// ownMechanisms are those offloop has.
var ownMechanisms = []string{"XOAUTH2", "OAUTHBEARER", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"}

// mechanisms keeps those that are possible with what is configured.
func (b *builder) mechanisms(v *view, r *Remote) {
	names, e := v.list("auth_mechanisms")
	if e == nil {
		if r.OAuth.Possible() {
			r.Mechanisms = []string{"XOAUTH2", "OAUTHBEARER"}
			if r.Pass+r.PassCmd+r.PassFile != "" {
				r.Mechanisms = append(r.Mechanisms, "PLAIN", "LOGIN")
			}
		}
		return
	}
	noToken := false
	for _, n := range names {
		switch n = strings.ToUpper(n); {
		case n == "GSSAPI":
			v.warn(e, "auth_mechanisms", "GSSAPI is not possible and left out", "")
		case (n == "XOAUTH2" || n == "OAUTHBEARER") && !r.OAuth.Possible():
			noToken = true // as OfflineIMAP: tried only where there is a token
		case slices.Contains(ownMechanisms, n):
			r.Mechanisms = append(r.Mechanisms, n)
		default:
			instead := "auth_mechanisms = " + strings.Join(ownMechanisms, ", ")
			if near := nearest(n, ownMechanisms); near != "" {
				instead = near
			}
			v.fail(e, "auth_mechanisms", fmt.Sprintf("%q is no authentication mechanism", n), instead)
		}
	}
	switch {
	case len(r.Mechanisms) == 0 && noToken:
		v.fail(e, "auth_mechanisms", "the mechanisms named need a token, and none is configured", "oauth2_access_token_cmd = COMMAND")
	case len(r.Mechanisms) == 0:
		v.fail(e, "auth_mechanisms", "none of the mechanisms is possible", "auth_mechanisms = PLAIN, LOGIN, if the server has them")
	}
}

// tlsVersion reads ssl_version, tls_level and the client certificate.
func (b *builder) tlsVersion(v *view, r *Remote) {
	s, e := v.bare("ssl_version")
	switch strings.ToLower(s) {
	case "", "ssl23":
	case "tls1_2":
		r.TLS12Only = true
	case "tls1", "tls1_1", "ssl3", "ssl2":
		v.warn(e, "ssl_version", "TLS below 1.2 is not safe and never spoken; ssl_version is read as ssl23", "nothing; delete the line")
	default:
		v.fail(e, "ssl_version", fmt.Sprintf("%q is no version of TLS", s), "ssl_version = tls1_2, or nothing")
	}
	s, e = v.bare("tls_level")
	switch strings.ToLower(s) {
	case "", "tls_secure", "tls_no_ssl", "tls_compat":
	default:
		v.fail(e, "tls_level", fmt.Sprintf("%q is no level of TLS", s), "tls_level = tls_secure, or nothing")
	}
	for key, to := range map[string]*string{"sslclientcert": &r.ClientCert, "sslclientkey": &r.ClientKey} {
		if s, _ := v.text(key); strings.TrimSpace(s) != "" {
			*to = absolute(s)
		}
	}
	switch {
	case r.ClientKey != "" && r.ClientCert == "":
		_, e := v.text("sslclientkey")
		v.fail(e, "sslclientkey", "sslclientkey is of no use without sslclientcert", "sslclientcert = FILE")
	case r.ClientKey == "":
		r.ClientKey = r.ClientCert
	}
}

// proxies reads the account's proxies.
func (b *builder) proxies(a *Account, v *view) {
	a.Remote.Proxy = v.proxy("proxy")
	a.Remote.OAuth.Proxy = a.Remote.Proxy
	if _, e := v.text("authproxy"); e != nil {
		a.Remote.OAuth.Proxy = v.proxy("authproxy")
	}
}

// proxy reads TYPE:host:port.
func (v *view) proxy(key string) *Proxy {
	s, e := v.bare(key)
	if e == nil || s == "" {
		return nil
	}
	kind, at, _ := strings.Cut(s, ":")
	i := strings.LastIndexByte(at, ':')
	if i < 0 {
		i = len(at)
	}
	port, err := strconv.ParseUint(strings.TrimPrefix(at[i:], ":"), 10, 16)
	p := &Proxy{Kind: strings.ToUpper(strings.TrimSpace(kind)), Host: strings.Trim(strings.TrimSpace(at[:i]), "[]"), Port: int(port)}
	if err != nil || p.Port == 0 || p.Host == "" || strings.ContainsAny(p.Host, " \t/\r\n\x00") || !slices.Contains([]string{"SOCKS5", "SOCKS4", "HTTP"}, p.Kind) {
		v.fail(e, key, key+" is not TYPE:host:port with TYPE SOCKS5, SOCKS4 or HTTP", key+" = SOCKS5:localhost:9999")
		return nil
	}
	return p
}
