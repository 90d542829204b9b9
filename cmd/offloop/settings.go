package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"offloop/cmd/offloop/internal/config"
	"offloop/cmd/offloop/internal/mailsync"
	"offloop/imapproto"
	"offloop/statefile/legacy"
)

// settleTime is how long uploads of a killed run may still be executing on a
// server.
const settleTime = 10 * time.Second

// settings resolves an account's configuration into what the engine works with.
func settings(cfg *config.Config, acc *config.Account, o *options) *mailsync.Settings {
	l, r := &acc.Local, &acc.Remote
	n := names{acc: acc, cfg: cfg}
	s := &mailsync.Settings{
		Name: acc.Name, LocalRepo: l.Name, RemoteRepo: r.Name,
		StateDir: filepath.Join(cfg.Metadata, "offloop", fileSafe(acc.Name)), MetaDir: cfg.Metadata,
		Root: l.Root, Sep: l.Sep, InfoSep: l.InfoSep, MtimeFromDate: l.MtimeFromDate,
		Keywords: l.Keywords, KeywordsAuto: l.KeywordsAuto, KeywordsOff: l.KeywordsOff, FSync: cfg.FSync,
		Host: r.Host, Port: r.Port, User: r.User, Mechanisms: r.Mechanisms, AuthzID: r.AuthzID,
		RequireTLS: r.TLS == config.StartTLS, Pipeline: r.Pipeline, Disable: r.Disable,
		Timeout: 60 * time.Second,
		MaxAge:  acc.MaxAge, Since: acc.Since, RetryCount: r.RetryCount, IgnoreReadOnly: cfg.IgnoreReadOnly,
		MtimeFromHeader: l.MtimeFromHeader && !l.MtimeFromDate, NameByHeader: l.NameByHeader,
		Subscribed: r.SubscribedOnly, MaxSize: acc.MaxSize, DayBytes: acc.DayBytes, Settle: settleTime, FullCheck: acc.FullCheck, TrashKeep: acc.DeletedRetention,
		LocalReadOnly: l.ReadOnly, RemoteReadOnly: r.ReadOnly,
		LocalSyncDeletes: l.SyncDeletes, RemoteSyncDeletes: r.SyncDeletes,
		CreateLocalFolders: l.CreateFolders, CreateRemoteFolders: r.CreateFolders, Expunge: r.Expunge, Trash: r.Trash, TrashFolder: n.wire(r.TrashFolder),
		RemoteWanted: n.remoteWanted, LocalWanted: n.localWanted, LocalName: n.local, RemoteName: n.remote, VisibleName: n.visible, Earlier: earlier(cfg, acc, n),
		DryRun: o.dryRun, OnlyFolders: n.both(o.folders), AllowDeletes: o.allowDeletes, Recreate: o.recreate, Forget: o.forget, AcceptRoot: o.acceptRoot, Retry: o.retry,
	}
	s.MaxConnections = r.MaxConnections
	if r.PreauthTunnel+r.TransportTunnel != "" {
		s.MaxConnections = 1 // a second tunnel may ask for a password
	}
	if cfg.SockTimeout > 0 {
		s.Timeout = time.Duration(cfg.SockTimeout) * time.Second
	}
	switch {
	case r.Compress == nil:
	case *r.Compress:
		s.Compress = mailsync.CompressYes
	default:
		s.Compress = mailsync.CompressNo
	}
	s.Hold = (r.Hold || len(r.IdleFolders) > 0) && acc.AutoRefresh > 0 && !o.once && !o.dryRun
	s.KeepAlive = r.KeepAlive
	if s.Host == "" {
		s.Host = "tunnel"
	}
	h := sha256.Sum256(fmt.Appendf(nil, "maxsize %d keywords %v %v %v readonly %v %v deletes %v %v expunge %v",
		s.MaxSize, s.Keywords, s.KeywordsAuto, s.KeywordsOff, s.LocalReadOnly, s.RemoteReadOnly, s.LocalSyncDeletes, s.RemoteSyncDeletes, s.Expunge))
	if s.MaxAge > 0 || !s.Since.IsZero() { // else what was recorded by earlier versions still holds
		h = sha256.Sum256(fmt.Appendf(h[:], "maxage %d since %s", s.MaxAge, s.Since.Format(time.DateOnly)))
	}
	if r.Ignored != nil {
		h = sha256.Sum256(fmt.Appendf(h[:], "ignored %s", r.Ignored.Digest()))
		s.Ignored = n.ignored
	}
	s.ConfigDigest = hex.EncodeToString(h[:6])
	return s
}

// earlier says where OfflineIMAP kept its state of the account.
func earlier(cfg *config.Config, acc *config.Account, n names) *mailsync.Earlier {
	d := legacy.Dirs{Metadata: cfg.Metadata, Account: acc.Name, LocalRepository: acc.Local.Name, RemoteRepository: acc.Remote.Name, LocalSep: acc.Local.Sep}
	return &mailsync.Earlier{
		Read: func(local, remote string) (*legacy.Status, error) { return legacy.Read(d, local, n.disk(remote)) },
		Files: func(local, remote string) (status, validity string) {
			if remote != "" {
				validity = legacy.FileName(n.disk(remote))
			}
			return legacy.StatusFileName(local, acc.Local.Sep), validity
		},
	}
}

// fileSafe makes a directory name of an account name.
func fileSafe(s string) string {
	s = strings.NewReplacer("/", "%2F", "%", "%25", "\x00", "").Replace(s)
	if strings.HasPrefix(s, ".") {
		s = "%2E" + s[1:]
	}
	return s
}

// names translates folder names between the engine, which knows UTF-8, and the
// configuration and the disk, which see modified UTF-7 as OfflineIMAP does
// unless utf8foldernames is set.
type names struct {
	acc  *config.Account
	cfg  *config.Config
	rank map[string]int // the places foldersort gives; see prepare
}

func (n names) disk(name string) string {
	if n.acc.UTF8Names {
		return name
	}
	return imapproto.EncodeMailbox(name)
}

func (n names) wire(name string) string {
	if n.acc.UTF8Names {
		return name
	}
	if s, ok := imapproto.DecodeMailbox(name); ok {
		return s
	}
	return name
}

// both takes server folders' names as they are on the wire or in UTF-8, and gives
// those the engine may know them by.
func (n names) both(folders []string) (l []string) {
	for _, f := range folders {
		l = append(l, f)
		if s, ok := imapproto.DecodeMailbox(f); ok && s != f {
			l = append(l, s)
		}
		if strings.EqualFold(f, "INBOX") {
			l = append(l, "INBOX")
		}
	}
	return l
}

// remoteWanted lets a folder rule of ours be written in plain UTF-8 as well.
func (n names) remoteWanted(remote string) bool {
	if _, ours := n.cfg.Value("Repository "+n.acc.Remote.Name, "folders"); ours {
		return n.acc.Remote.Folders.Match(remote)
	}
	return n.acc.Remote.Folders.Match(n.disk(remote))
}

func (n names) localWanted(local string) bool {
	if _, ours := n.cfg.Value("Repository "+n.acc.Local.Name, "folders"); ours {
		return n.acc.Local.Folders.Match(n.wire(local))
	}
	return n.acc.Local.Folders.Match(local)
}

// visible is the name OfflineIMAP sees a Maildir under, and takes the digest of: the
// local repository's nametrans of it. offloop's own rules do not change it.
func (n names) visible(local string) string {
	if _, mine := n.cfg.Value("Repository "+n.acc.Local.Name, "rename"); mine {
		return local
	}
	s, err := n.acc.Local.Rename.Try(local)
	switch {
	case err != nil:
		return local
	case s == n.acc.Local.Sep:
		return ""
	}
	return s
}

// ignored gives the UIDs that copy_ignore_eval names. Where it fails, prepare has
// ended the round already.
func (n names) ignored(local string) map[uint32]bool {
	uids, _ := n.acc.Remote.Ignored.UIDs(local)
	return uids
}

func (n names) local(remote, delim string) (string, error) {
	if _, ours := n.cfg.Value("Repository "+n.acc.Remote.Name, "rename"); ours {
		s, err := n.acc.LocalName(remote, delim)
		return n.disk(s), err
	}
	return n.acc.LocalName(n.disk(remote), delim)
}

func (n names) remote(local, delim string) (string, error) {
	_, ours := n.cfg.Value("Repository "+n.acc.Remote.Name, "rename")
	_, mine := n.cfg.Value("Repository "+n.acc.Local.Name, "rename")
	if ours || mine {
		return n.acc.RemoteName(n.wire(local), delim)
	}
	s, err := n.acc.RemoteName(local, delim)
	return n.wire(s), err
}
