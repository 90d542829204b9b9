package config

import (
	"fmt"
	"sort"
	"strings"
)

// checkKeys reports the keys of one section that are unknown, misplaced, or
// not honoured.
func (b *builder) checkKeys(v *view, in Place) {
	for _, key := range b.doc.keys[v.section] {
		e := b.doc.at[[2]string{v.section, key}]
		if k := lookup(key, in); k != nil {
			v.status(k, e)
			continue
		}
		b.unknownKey(v, e, key, in)
	}
	// What [DEFAULT] sets is set here too, as far as it would be unsafe.
	for _, k := range keyTable {
		if _, e := b.doc.rawHere(defaultSection, k.Name); e != nil && k.In&in != 0 && k.Status == Refused {
			if _, here := b.doc.rawHere(v.section, k.Name); here == nil {
				v.status(&k, e)
			}
		}
	}
}

// status reports a key that is known but not simply supported.
func (v *view) status(k *Key, e *entry) {
	s, _, _ := v.doc.get(v.section, k.Name)
	if k.Status == Supported || v.unset(k, s) {
		return
	}
	switch k.Status {
	case Refused:
		if k.Name == "synclabels" && !v.gmail() {
			v.warn(e, k.Name, k.Name+" has no effect: the remote repository's type is not Gmail", "")
			return
		}
		v.fail(e, k.Name, k.Name+" is not honoured and cannot be ignored safely: "+k.Why+". So this account is not synced", k.Instead)
	case Dead:
		v.warn(e, k.Name, k.Name+" has no effect", k.Instead)
	}
}

// gmail tells whether the account's server is of the type that has labels.
func (v *view) gmail() bool {
	repo, _, _ := v.doc.get(v.section, "remoterepository")
	kind, _, _ := v.doc.get("Repository "+strings.TrimSpace(repo), "type")
	return strings.EqualFold(strings.TrimSpace(kind), "Gmail")
}

// unset reports whether a value asks for what happens anyway.
func (v *view) unset(k *Key, value string) bool {
	value = strings.ToLower(strings.TrimSpace(value))
	if k.Status == Dead {
		return false
	}
	if value == "" || value == `""` || value == "''" {
		return true
	}
	no := value == "0" || value == "no" || value == "false" || value == "off"
	return no && (k.Default == "no" || k.Default == "0")
}

// unknownKey says what was meant.
func (b *builder) unknownKey(v *view, e *entry, key string, in Place) {
	if b.doc.used[[2]string{v.section, key}] || v.section == defaultSection {
		return // a variable for %(key)s
	}
	if where := elsewhere(key); where != 0 {
		instead := key + " in " + where.String()
		if k := lookup(key, where); k != nil && k.Status == Dead {
			instead = k.Instead // nor has it one there
		}
		v.warn(e, key, key+" has no effect in ["+v.section+"]", instead)
		return
	}
	near := ""
	if b.guesses++; b.guesses <= maxGuesses {
		if near = nearest(key, namesIn(in)); near == "" {
			near = nearest(key, namesIn(0xff))
		}
	}
	// Retired and old spellings people still have.
	if alias, ok := aliases[key]; ok {
		near = alias
	}
	if near == "" {
		v.warn(e, key, fmt.Sprintf("the key %q is not known", key), "")
		return
	}
	instead := near
	if lookup(near, in) == nil {
		instead += " in " + elsewhere(near).String()
	}
	text := fmt.Sprintf("the key %q is not known; did you mean %s?", key, near)
	if k := lookup(near, in); k != nil && (k.Name == "folders" || k.Name == "rename") {
		v.fail(e, key, text+" Without it the wrong folders would be synced, so this account is not", instead)
		return
	}
	v.warn(e, key, text, instead)
}

var aliases = map[string]string{
	"port": "remoteport", "host": "remotehost", "user": "remoteuser", "username": "remoteuser", "pass": "remotepass", "password": "remotepass",
	"maildir": "localfolders", "cacertfile": "sslcacertfile", "usessl": "ssl", "remotepassval": "remotepasseval",
}

// maxGuesses bounds the work spent on keys of a file that is none of ours.
const maxGuesses = 200

// checkSections reports sections that mean nothing, and the keys of those that
// belong to no account.
func (b *builder) checkSections() {
	for _, s := range b.doc.sections {
		v := b.view(s.name)
		name, isAccount := strings.CutPrefix(s.name, "Account ")
		repo, isRepo := strings.CutPrefix(s.name, "Repository ")
		switch {
		case s.name == "general":
			b.checkKeys(v, General)
		case s.name == "mbnames":
			b.c.MBNames = b.mbnames()
		case s.name == defaultSection, isAccount && strings.TrimSpace(name) != "", isRepo && repo != "":
		case strings.HasPrefix(s.name, "ui."):
			v.warn(nil, "", "the section ["+s.name+"] has no effect", "nothing; delete it")
		default:
			b.unknownSection(v, s)
		}
	}
}

func (b *builder) unknownSection(v *view, s sectionAt) {
	kind, rest, _ := strings.Cut(s.name, " ")
	instead := ""
	switch near := nearest(kind, []string{"general", "mbnames", "Account", "Repository", "DEFAULT"}); {
	case near == "Account" || near == "Repository":
		if rest = strings.TrimSpace(rest); rest == "" {
			rest = "NAME"
		}
		instead = "[" + near + " " + rest + "]"
	case near != "":
		instead = "[" + near + "]"
	}
	v.warn(nil, "", "the section ["+s.name+"] is not known and has no effect", instead)
}

// sortProblems orders by file, line and text; those without a line come last.
func sortProblems(ps []Problem) {
	sort.SliceStable(ps, func(i, j int) bool {
		a, b := ps[i], ps[j]
		if (a.Line == 0) != (b.Line == 0) {
			return b.Line == 0
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Text < b.Text
	})
}
