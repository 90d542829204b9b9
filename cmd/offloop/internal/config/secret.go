package config

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Credentials are a login name and a password as far as files tell them. Its
// String does not show the password.
type Credentials struct {
	// User and Pass are empty if they are not known.
	User, Pass string
	// HavePass is true if Pass is the password, be it empty.
	HavePass bool
	// Source says where the password is from: "remotepass", "remotepassfile",
	// "remotepasscmd" (to be run), a netrc file's name, or "" (to be asked for).
	Source string
	// UserCmd and PassCmd are shell commands still to be run.
	UserCmd, PassCmd string
}

// String does not show the password.
func (c Credentials) String() string {
	return fmt.Sprintf("Credentials{user %q, password from %q}", c.User, c.Source)
}

// GoString is String.
func (c Credentials) GoString() string { return c.String() }

// Credentials finds the login: remoteusercmd, remoteuser, ~/.netrc or
// /etc/netrc; remotepasscmd, remotepass, remotepassfile, ~/.netrc or
// /etc/netrc. Commands are not run. It reads small files and so blocks; an
// error names the file that could not be read.
func (r Remote) Credentials() (Credentials, error) {
	return r.credentials("~/.netrc", "/etc/netrc")
}

func (r Remote) credentials(netrcs ...string) (Credentials, error) {
	c := Credentials{User: r.User, UserCmd: r.UserCmd, PassCmd: r.PassCmd}
	if c.UserCmd != "" {
		c.User = ""
	}
	switch {
	case r.PassCmd != "":
		c.Source = "remotepasscmd"
	case r.Pass != "":
		c.Pass, c.HavePass, c.Source = r.Pass, true, "remotepass"
	case r.PassFile != "":
		p, err := firstLine(r.PassFile)
		if err != nil {
			return c, err
		}
		c.Pass, c.HavePass, c.Source = p, true, "remotepassfile"
	}
	if r.Host == "" || c.Source != "" && (c.User != "" || c.UserCmd != "") {
		return c, nil
	}
	for _, name := range netrcs {
		if err := c.fromNetrc(ExpandPath(name), r.Host); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (c *Credentials) fromNetrc(path, host string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	n, perr := ParseNetrc(string(b))
	login, pass, ok := n.Lookup(host, c.User)
	if !ok {
		if perr != nil && c.Source == "" {
			return fmt.Errorf("%s: %w", path, perr)
		}
		return nil
	}
	if c.User == "" && c.UserCmd == "" {
		c.User = login
	}
	// With a name still to come from a command, the entry may be another's.
	if c.Source == "" && pass != "" && c.UserCmd == "" {
		c.Pass, c.HavePass, c.Source = pass, true, path
	}
	return nil
}

// firstLine reads a password file.
func firstLine(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("the password file cannot be read: %w", err)
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, 64<<10)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("the password file cannot be read: %w", err)
	}
	line = strings.TrimFunc(line, pySpace)
	if line == "" {
		return "", fmt.Errorf("the password file %s has an empty first line", path)
	}
	return line, nil
}

// readableSecrets warns about passwords in a file everybody can read.
func (c *Config) readableSecrets() []Problem {
	first := 0
	for id, e := range c.doc.at {
		secret := false
		for _, k := range keyTable {
			secret = secret || k.Name == id[1] && k.Type == TypeSecret
		}
		if secret && e.file == c.File && e.raw() != "" && (first == 0 || e.line < first) {
			first = e.line
		}
	}
	if first == 0 {
		return nil
	}
	return []Problem{{File: c.File, Line: first, Severity: Warning,
		Text:    "the file holds a password and every user of this machine can read it",
		Instead: "chmod 600 " + c.File}}
}
