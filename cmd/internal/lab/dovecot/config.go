package dovecot

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
)

// config is the whole dovecot.conf.
func (s *Server) config(o Options, token string) (string, error) {
	location, sep := "maildir:~/Maildir:LAYOUT=fs", "/"
	switch o.Format {
	case MaildirFS:
	case MaildirPP:
		location, sep = "maildir:~/Maildir", "."
	case Sdbox:
		location = "sdbox:~/sdbox"
	default:
		return "", fmt.Errorf("unknown mail format %q; use %s, %s or %s", o.Format, MaildirFS, MaildirPP, Sdbox)
	}
	identity, err := identity()
	if err != nil {
		return "", err
	}
	pass := Password
	if o.Crypted {
		pass = crypted
	}
	capability := ""
	if o.Capability != "" {
		capability = "imap_capability = " + o.Capability + "\n"
	}
	r := strings.NewReplacer(
		"{dir}", s.Dir, "{port}", fmt.Sprint(s.Port), "{tlsport}", fmt.Sprint(s.TLSPort),
		"{location}", location, "{sep}", sep, "{fsync}", o.FSync, "{token}", token,
		"{uid}", fmt.Sprint(s.UID), "{gid}", fmt.Sprint(s.GID), "{identity}", identity,
		"{capability}", capability, "{password}", pass)
	return r.Replace(template) + o.Extra + "\n", nil
}

// identity names the accounts Dovecot's own processes run as. Its defaults
// need root.
func identity() (string, error) {
	if os.Getuid() == 0 {
		return "", nil
	}
	u, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("dovecot needs the current user's name: %w", err)
	}
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		return "", fmt.Errorf("dovecot needs the current user's group: %w", err)
	}
	return fmt.Sprintf("default_internal_user = %s\ndefault_login_user = %s\ndefault_internal_group = %s\n"+
		"service auth-worker {\n  user = %s\n}\n", u.Username, u.Username, g.Name, u.Username), nil
}

// crypted is Password as a server keeps it that cannot do CRAM-MD5.
const crypted = "{SHA512-CRYPT}$6$6dIPBokEaI38NcFa$RSuRomD8rBnXhKM7s0ctFeAvX1rGMUOnopq8feBuvM61VcndTq0DyMQiL2jhqfvDTvH64iiHCh.MFMZi8knqO."

const template = `# Made by offloop's lab; private to one test.
base_dir = {dir}/run
state_dir = {dir}/run
log_path = {dir}/dovecot.log
protocols = imap
listen = 127.0.0.1
{identity}login_greeting = {token}
ssl = yes
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
first_valid_uid = 1
mail_max_userip_connections = 10000
mailbox_idle_check_interval = 1 secs
shutdown_clients = yes
default_vsz_limit = 0
mail_location = {location}
mail_fsync = {fsync}
{capability}passdb {
  driver = static
  args = password={password}
}
userdb {
  driver = static
  args = uid={uid} gid={gid} home={dir}/mail/%u
}
namespace inbox {
  inbox = yes
  separator = {sep}
  mailbox Drafts {
    special_use = \Drafts
  }
  mailbox Sent {
    special_use = \Sent
  }
  mailbox Trash {
    special_use = \Trash
  }
  mailbox Archive {
    special_use = \Archive
  }
  mailbox Spam {
    special_use = \Junk
  }
}
service imap-login {
  chroot =
  service_count = 0
  inet_listener imap {
    port = {port}
  }
  inet_listener imaps {
    port = {tlsport}
    ssl = yes
  }
}
service imap {
  process_limit = 1000
}
service anvil {
  chroot =
  # Without its socket nobody is made to wait after a wrong password.
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
`

// Home is the directory of a user's mail: Home/Maildir or Home/sdbox below
// it. It does not exist before the user's first login or fill.
func (s *Server) Home(user string) string { return filepath.Join(s.MailRoot, user) }

// Maildir is the root of a user's mail on disk ("" for sdbox).
func (s *Server) Maildir(user string) string {
	if s.format == Sdbox {
		return ""
	}
	return filepath.Join(s.Home(user), "Maildir")
}

// Format is how this server stores mail.
func (s *Server) Format() Format { return s.format }

// CopyUser makes a user's mail a copy of another's: messages as hard links
// (they are never altered in place), everything else as copies. The server
// must not be using either. UIDs, UIDVALIDITY and indexes come along.
func (s *Server) CopyUser(from, to string) error {
	if err := copyTree(s.Home(from), s.Home(to), s.UID, s.GID); err != nil {
		return fmt.Errorf("copy mail of %s to %s: %w", from, to, err)
	}
	return nil
}

// Own gives a tree under MailRoot to the mail user, for files put there by
// other means than IMAP.
func (s *Server) Own(path string) error { return s.chown(path) }

func (s *Server) chown(root string) error {
	if os.Getuid() != 0 {
		return nil
	}
	return filepath.WalkDir(root, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, s.UID, s.GID)
	})
}

// copyTree copies regular files and directories. Maildir messages are hard
// linked where the file system allows it.
func copyTree(from, to string, uid, gid int) error {
	root := os.Getuid() == 0
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			err = os.MkdirAll(target, 0o700)
		case !d.Type().IsRegular():
			return nil
		default:
			dir := filepath.Base(filepath.Dir(p))
			if (dir == "cur" || dir == "new") && os.Link(p, target) == nil {
				return nil
			}
			err = copyFile(p, target)
		}
		if err == nil && root {
			err = os.Lchown(target, uid, gid)
		}
		return err
	})
}

// copyFile keeps the modification time: it is INTERNALDATE in a Maildir.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, st.Mode().Perm())
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	return os.Chtimes(to, st.ModTime(), st.ModTime())
}
