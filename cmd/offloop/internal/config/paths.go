package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
)

// Find returns the configuration file's name: given if that is not empty, else
// $XDG_CONFIG_HOME/offlineimap/config (or ~/.config/...) if it exists, else
// ~/.offlineimaprc. A file that does not exist is an error that says so.
func Find(given string) (string, error) {
	if given != "" {
		path := ExpandPath(given)
		if _, err := os.Stat(path); err != nil {
			return "", notFound(path, err)
		}
		return path, nil
	}
	base := os.Getenv("XDG_CONFIG_HOME")
	if base == "" {
		base = "~/.config"
	}
	xdg := filepath.Join(ExpandPath(base), "offlineimap", "config")
	if _, err := os.Stat(xdg); err == nil {
		return xdg, nil
	}
	home := ExpandPath("~/.offlineimaprc")
	if _, err := os.Stat(home); err != nil {
		return "", notFound(home, err)
	}
	return home, nil
}

func notFound(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no configuration file %s: write one, or name one with -c", path)
	}
	return fmt.Errorf("the configuration file cannot be read: %w", err)
}

// ExpandPath replaces a leading ~ or ~name by a home directory, then $VAR and
// ${VAR} from the environment. What is not known stays as it is.
func ExpandPath(path string) string { return expandVars(expandTilde(path)) }

func expandTilde(path string) string {
	if !strings.HasPrefix(path, "~") {
		return path
	}
	name, rest := path[1:], ""
	if i := strings.IndexByte(path, '/'); i >= 0 {
		name, rest = path[1:i], path[i:]
	}
	home := ""
	if name == "" {
		if home = os.Getenv("HOME"); home == "" {
			home, _ = os.UserHomeDir()
		}
	} else if u, err := user.Lookup(name); err == nil {
		home = u.HomeDir
	}
	if home == "" {
		return path
	}
	if home = strings.TrimRight(home, "/"); home == "" && rest == "" {
		return "/"
	}
	return home + rest
}

func expandVars(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '$' {
			b.WriteByte(s[i])
			i++
			continue
		}
		end, name := i+1, ""
		if strings.HasPrefix(s[i+1:], "{") {
			if j := strings.IndexByte(s[i:], '}'); j > 0 {
				name, end = s[i+2:i+j], i+j+1
			}
		} else {
			for end < len(s) && wordByte(s[end]) {
				end++
			}
			name = s[i+1 : end]
		}
		if v, ok := os.LookupEnv(name); ok && name != "" {
			b.WriteString(v)
		} else {
			b.WriteString(s[i:end])
		}
		i = end
	}
	return b.String()
}

// absolute expands a path and makes it absolute.
func absolute(path string) string {
	p := ExpandPath(path)
	if a, err := filepath.Abs(p); err == nil {
		return a
	}
	return p
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
