package config

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// system is a variable for tests.
var system = runtime.GOOS

func (b *builder) local(a *Account, section, kind string, account *view) Local {
	v := &view{doc: b.doc, section: section, account: a.Name, report: a.add, py: a.Python}
	l := Local{Name: strings.TrimPrefix(section, "Repository "), Type: kind, Sep: ".", InfoSep: ':'}
	if account.boolean("maildir-windows-compatible", false) {
		l.InfoSep = '!'
	}
	if s, e := v.text("localfolders"); e == nil || strings.TrimSpace(s) == "" {
		v.fail(e, "localfolders", "["+section+"] has no localfolders", "localfolders = ~/Mail/"+a.Name)
	} else {
		l.Root = absolute(s)
	}
	if s, e := v.text("sep"); e != nil {
		s = strings.TrimSpace(s)
		if len(s) == 3 && s[0] == s[2] && (s[0] == '"' || s[0] == '\'') {
			// Taken for Python, as sep of [mbnames] is. OfflineIMAP takes the
			// quotes for part of the separator, which fits no folder below another.
			s = s[1:2]
			v.warn(e, "sep", "sep is no Python expression; it is read without its quotes", "sep = "+s)
		}
		if len(s) != 1 || s[0] < ' ' || s[0] >= 0x7f {
			v.fail(e, "sep", "sep is not one character", "sep = . (flat), or sep = / (nested)")
		} else {
			l.Sep = s
		}
	}
	l.CreateFolders = v.boolean("createfolders", true)
	l.ReadOnly = v.boolean("readonly", false)
	l.SyncDeletes = v.boolean("sync_deletes", true)
	l.MtimeFromDate = v.boolean("mtime_from_date", false)
	general := b.view("general")
	l.MtimeFromHeader = v.boolean("utime_from_header", general.boolean("utime_from_header", false))
	l.NameByHeader = v.boolean("filename_use_mail_timestamp", general.boolean("filename_use_mail_timestamp", false))
	if l.KeepAtime = v.boolean("restoreatime", false); l.KeepAtime && system != "linux" {
		_, e := v.text("restoreatime")
		v.warn(e, "restoreatime", "restoreatime has no effect on this system: it cannot read a directory without touching its access time", "nothing; delete the line")
	}
	b.keywords(v, &l)
	l.Folders, _ = v.folderRule(l.Sep)
	l.Rename = v.renameRule()
	b.checkKeys(v, MaildirRepo)
	return l
}

func (b *builder) keywords(v *view, l *Local) {
	if s, e := v.bare("keywords"); e != nil {
		switch strings.ToLower(s) {
		case "auto":
			l.KeywordsAuto = true
		case "off", "no":
			l.KeywordsOff = true
		default:
			v.fail(e, "keywords", "keywords is neither auto nor off", "keywords = auto, or keywords = off")
		}
	}
	used := map[string]byte{}
	for c := byte('a'); c <= 'z'; c++ {
		key := "customflag_" + string(c)
		s, e := v.text(key)
		if e == nil || s == "" {
			continue
		}
		if strings.ContainsAny(s, " \t\r\n(){%*\"\\]") || s[0] == '\\' {
			v.fail(e, key, "the value is no IMAP keyword", key+" = $Label1")
			continue
		}
		if first, dup := used[strings.ToLower(s)]; dup {
			v.fail(e, key, fmt.Sprintf("the keyword is given to customflag_%c already", first), "one letter for a keyword")
			continue
		}
		used[strings.ToLower(s)] = c
		if l.Keywords == nil {
			l.Keywords = map[byte]string{}
		}
		l.Keywords[c] = s
	}
}

func (b *builder) remote(a *Account, section, kind string) Remote {
	v := &view{doc: b.doc, section: section, account: a.Name, report: a.add, py: a.Python}
	r := Remote{Name: strings.TrimPrefix(section, "Repository "), Type: kind, Network: "tcp"}
	b.tunnels(v, &r)
	b.host(a, v, &r)
	b.security(v, &r)
	b.port(a, v, &r)
	b.certificates(v, &r)
	b.login(a, v, &r)
	b.oauth(a, v, &r)
	b.mechanisms(v, &r)
	b.tlsVersion(v, &r)
	b.newMail(a, v)
	b.between(v, &r)
	if v6, set := v.booleanSet("ipv6", false); set {
		r.Network = map[bool]string{true: "tcp6", false: "tcp4"}[v6]
	}
	r.MaxConnections = int(min(v.integer("maxconnections", 2, 1), 1000))
	r.RetryCount = int(min(v.integer("retrycount", 5, 1), 1000))
	r.CreateFolders = v.boolean("createfolders", true)
	r.ReadOnly = v.boolean("readonly", false)
	r.SyncDeletes = v.boolean("sync_deletes", true)
	r.Expunge = v.boolean("expunge", true)
	r.Trash = v.boolean("trash", false)
	r.TrashFolder, _ = v.bare("trashfolder")
	r.SubscribedOnly = v.boolean("subscribedonly", false)
	if z, set := v.booleanSet("usecompression", false); set {
		r.Compress = &z
	}
	if s, e := v.bare("pipeline"); e != nil && !strings.EqualFold(s, "auto") {
		r.Pipeline = int(min(v.integer("pipeline", 0, 1), 10000))
	}
	disable, _ := v.list("disable_extensions")
	for _, x := range disable {
		r.Disable = append(r.Disable, strings.ToUpper(x))
	}
	r.Folders, r.Includes = v.folderRule("")
	if s, _ := v.bare("reference"); s != "" {
		// LIST's reference and its pattern "*" are put one behind the other (RFC 3501
		// section 6.3.8), so it names the folders that begin with it.
		r.Folders.prefix = strings.Trim(s, `"`)
	}
	r.Rename = v.renameRule()
	r.Sort = v.folderSort()
	r.Ignored = v.ignoreRule()
	b.checkKeys(v, IMAPRepo)
	return r
}

func (b *builder) tunnels(v *view, r *Remote) {
	r.PreauthTunnel, _ = v.text("preauthtunnel")
	t, e := v.text("transporttunnel")
	if r.PreauthTunnel != "" && t != "" {
		v.fail(e, "transporttunnel", "both preauthtunnel and transporttunnel are set", "only one of them")
		return
	}
	r.TransportTunnel = t
}

// host reads remotehost; remotehosteval wins, as in OfflineIMAP.
func (b *builder) host(a *Account, v *view, r *Remote) {
	host, e := v.text("remotehost")
	host = strings.TrimSpace(host)
	if xe := b.eval(a, v, r, "remotehosteval", setHost); xe != nil {
		if host, e = r.Host, xe; host == "" {
			return // python3 is asked, or it was reported
		}
	}
	if host == "" && r.Type == "Gmail" {
		host = "imap.gmail.com"
	}
	if r.PreauthTunnel != "" || r.TransportTunnel != "" {
		return
	}
	if host == "" || strings.ContainsAny(host, " \t\n/\x00") {
		v.fail(e, "remotehost", "["+v.section+"] has no usable remotehost", "remotehost = imap.example.org")
		return
	}
	r.Host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// security chooses the TLS mode: see TLSMode.
func (b *builder) security(v *view, r *Remote) {
	ssl := v.boolean("ssl", true)
	starttls, written := v.booleanSet("starttls", true)
	switch {
	case r.PreauthTunnel != "":
		r.TLS = Plain
	case r.TransportTunnel != "":
		r.TLS = Plain
		if written && starttls {
			r.TLS = StartTLS
		}
	case ssl:
		r.TLS = Implicit
	case written && !starttls:
		r.TLS = Plain
	case !written && isLoopback(r.Host):
		r.TLS = Plain
	default:
		r.TLS = StartTLS
	}
}

func isLoopback(host string) bool {
	h := strings.ToLower(strings.TrimSuffix(host, "."))
	if h == "localhost" || strings.HasSuffix(h, ".localhost") {
		return true
	}
	ip := net.ParseIP(h)
	return ip != nil && ip.IsLoopback()
}

func (b *builder) port(a *Account, v *view, r *Remote) {
	def := int64(143)
	if r.TLS == Implicit {
		def = 993
	}
	n, e := v.integer("remoteport", def, 1), (*entry)(nil)
	if _, e = v.doc.raw(v.section, "remoteport"); e == nil {
		n = def
	}
	if xe := b.eval(a, v, r, "remoteporteval", setPort); xe != nil && r.Port > 0 {
		n, e = int64(r.Port), xe
	}
	if n < 1 || n > 65535 {
		v.fail(e, "remoteport", "remoteport is not a port", fmt.Sprintf("remoteport = %d", def))
		return
	}
	if r.Host == "" && !a.pending("remotehosteval") {
		r.Port = 0
		return
	}
	r.Port = int(n)
	if r.TLS == Implicit && n == 143 {
		v.warn(e, "remoteport", "port 143 does not speak TLS from the first byte on most servers", "ssl = no, which requires STARTTLS")
	}
	if r.TLS != Implicit && n == 993 {
		v.warn(e, "remoteport", "port 993 speaks TLS from the first byte on most servers", "ssl = yes")
	}
}

func (b *builder) certificates(v *view, r *Remote) {
	r.VerifyCA = true
	ca, e := v.text("sslcacertfile")
	ca = strings.TrimSpace(ca)
	if e != nil && ca != "" && ca != "OS-DEFAULT" {
		r.CACertFile = absolute(ca)
		if r.TLS != Plain {
			if st, err := os.Stat(r.CACertFile); err != nil || !st.Mode().IsRegular() {
				v.fail(e, "sslcacertfile", "there is no file "+r.CACertFile, "sslcacertfile = OS-DEFAULT for the system's authorities")
			}
		}
	}
	prints, fe := v.list("cert_fingerprint")
	for _, f := range prints {
		f = strings.ToLower(strings.ReplaceAll(f, ":", ""))
		switch len(f) {
		case 40, 56, 64, 96, 128:
		default:
			f = "x"
		}
		if strings.Trim(f, "0123456789abcdef") != "" {
			v.fail(fe, "cert_fingerprint", "a fingerprint is not the hexadecimal SHA-1, -224, -256, -384 or -512 of a certificate", "cert_fingerprint = the SHA-256 that openssl x509 -fingerprint -sha256 prints")
			continue
		}
		r.Fingerprints = append(r.Fingerprints, f)
	}
	if len(prints) > 0 && ca == "" {
		r.VerifyCA = false
	}
}

// login reads the credentials. The commands are offloop's own keys and win over
// the Python ones, so that one file can serve both programs.
func (b *builder) login(a *Account, v *view, r *Remote) {
	r.User, _ = v.text("remoteuser")
	r.UserCmd, _ = v.text("remoteusercmd")
	if r.UserCmd == "" {
		b.eval(a, v, r, "remoteusereval", setUser)
	}
	r.AuthzID, _ = v.text("remote_identity")
	r.Pass, _ = v.text("remotepass")
	r.PassCmd, _ = v.text("remotepasscmd")
	if s, e := v.text("remotepassfile"); e != nil && strings.TrimSpace(s) != "" {
		r.PassFile = filepath.Clean(absolute(s))
	}
	if r.PassCmd == "" {
		b.eval(a, v, r, "remotepasseval", setPass)
	}
	if strings.ContainsAny(r.User+r.Pass, "\r\n\x00") {
		_, e := v.text("remoteuser")
		v.fail(e, "remoteuser", "the login name or password has more than one line", "")
	}
}

// cannot reports an expression that cannot be evaluated. err may be nil where
// it could repeat a secret.
func (v *view) cannot(e *entry, key string, err error) {
	why := ""
	if err != nil {
		why = ": " + err.Error()
	}
	v.fail(e, key, key+" cannot be evaluated, so this account is not synced"+why, v.otherKey(key))
}

// otherKey is the key to write in place of an expression.
func (v *view) otherKey(key string) string {
	if k := lookup(key, anyRepo); k != nil {
		return k.Instead
	}
	return ""
}
