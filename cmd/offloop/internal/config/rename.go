package config

import (
	"fmt"
	"sort"
	"strings"
)

// RenameRule translates folder names. The zero rule changes nothing.
//
// Its declarative form is rules "A -> B", separated by lines, commas or
// semicolons. One "*" on both sides stands for the same text:
// "[Gmail]/* -> *", "INBOX.* -> *". Rules without "*" are tried first, then
// those with, in order; the first that fits is used, once. A part in double
// quotes is taken literally. The way back is derived, and rules that have none
// are refused: two rules with the same left or the same right side.
type RenameRule struct {
	exact map[string]string
	back  map[string]string
	wild  []wildRename
	expr  *Expression
	text  string
}

// wildRename is "aPre*aPost -> bPre*bPost".
type wildRename struct{ aPre, aPost, bPre, bPost string }

// NoName is what Apply and Inverse return for a name that has no translation.
// No Maildir and no server can hold it.
const NoName = "\x00"

// ParseRename reads the declarative form.
func ParseRename(value string) (RenameRule, error) {
	words, err := splitWords(value, ",;\n")
	if err != nil {
		return RenameRule{}, err
	}
	r := RenameRule{exact: map[string]string{}, back: map[string]string{}, text: value}
	for _, w := range words {
		i := w.indexPlain("->")
		if i < 0 {
			return RenameRule{}, fmt.Errorf("%q has no ->", w.text)
		}
		if err := r.add(w.cut(0, i), w.cut(i+2, len(w.text))); err != nil {
			return RenameRule{}, err
		}
	}
	if len(words) == 0 {
		return RenameRule{}, fmt.Errorf("no rule")
	}
	return r, nil
}

func (r *RenameRule) add(a, b word) error {
	if a.text == "" || b.text == "" {
		return fmt.Errorf("a side of -> is empty")
	}
	if strings.Contains(a.text+b.text, NoName) {
		return fmt.Errorf("a name holds a NUL")
	}
	if b.indexPlain("->") >= 0 {
		return fmt.Errorf("%q follows one -> with another", a.text)
	}
	ai, bi := a.indexPlain("*"), b.indexPlain("*")
	if (ai < 0) != (bi < 0) {
		return fmt.Errorf("%q -> %q has * on one side only", a.text, b.text)
	}
	if ai < 0 {
		if old, ok := r.exact[a.text]; ok {
			return fmt.Errorf("%q is renamed to both %q and %q", a.text, old, b.text)
		}
		if old, ok := r.back[b.text]; ok {
			return fmt.Errorf("%q and %q both become %q", old, a.text, b.text)
		}
		r.exact[a.text], r.back[b.text] = b.text, a.text
		return nil
	}
	w := wildRename{a.text[:ai], a.text[ai+1:], b.text[:bi], b.text[bi+1:]}
	if a.cut(ai+1, len(a.text)).indexPlain("*") >= 0 || b.cut(bi+1, len(b.text)).indexPlain("*") >= 0 {
		return fmt.Errorf("%q -> %q has more than one * on a side", a.text, b.text)
	}
	for _, o := range r.wild {
		if o.aPre == w.aPre && o.aPost == w.aPost {
			return fmt.Errorf("%q is renamed twice", a.text)
		}
		if o.bPre == w.bPre && o.bPost == w.bPost {
			return fmt.Errorf("%q and %q both become %q", o.aPre+"*"+o.aPost, a.text, b.text)
		}
	}
	r.wild = append(r.wild, w)
	return nil
}

// swapMiddle replaces pre*post by newPre*newPost.
func swapMiddle(name, pre, post, newPre, newPost string) (string, bool) {
	if len(name) <= len(pre)+len(post) || !strings.HasPrefix(name, pre) || !strings.HasSuffix(name, post) {
		return "", false
	}
	return newPre + name[len(pre):len(name)-len(post)] + newPost, true
}

// Apply returns the name's translation. It is NoName if a Python expression
// fails for the name; Try tells why.
func (r RenameRule) Apply(name string) string {
	s, err := r.Try(name)
	if err != nil {
		return NoName
	}
	return s
}

// Try is Apply with the reason an expression failed for this name, as Python
// would have failed too.
func (r RenameRule) Try(name string) (string, error) {
	if r.expr != nil {
		v, err := r.expr.Call(name)
		if err != nil {
			return "", fmt.Errorf("nametrans of %q: %w", name, err)
		}
		s, ok := v.(string)
		if !ok {
			return "", fmt.Errorf("nametrans of %q gives %s, not a name", name, typeName(v))
		}
		return s, nil
	}
	if b, ok := r.exact[name]; ok {
		return b, nil
	}
	for _, w := range r.wild {
		if s, ok := swapMiddle(name, w.aPre, w.aPost, w.bPre, w.bPost); ok {
			return s, nil
		}
	}
	return name, nil
}

// Inverse returns a name that Apply translates to name: a rule's where one
// fits, else name itself, else NoName. Where several names become this one,
// only CollisionsIn knows; pair the folders that exist by Apply first, and use
// Inverse for names that are new.
func (r RenameRule) Inverse(name string) string {
	candidates := []string{}
	if a, ok := r.back[name]; ok {
		candidates = append(candidates, a)
	}
	for _, w := range r.wild {
		if s, ok := swapMiddle(name, w.bPre, w.bPost, w.aPre, w.aPost); ok {
			candidates = append(candidates, s)
		}
	}
	for _, c := range append(candidates, name) {
		if r.Apply(c) == name {
			return c
		}
	}
	return NoName
}

// Python reports whether the rule is an expression.
func (r RenameRule) Python() bool { return r.expr != nil }

// IsZero reports whether the rule changes nothing.
func (r RenameRule) IsZero() bool { return r.expr == nil && len(r.exact) == 0 && len(r.wild) == 0 }

// String returns the rule as written.
func (r RenameRule) String() string { return r.text }

// Collision is a name several folders would get.
type Collision struct {
	To   string
	From []string
}

// CollisionsIn returns the names that several of the given folders would get;
// none of those folders can be synced.
func (r RenameRule) CollisionsIn(names []string) []Collision {
	from := map[string][]string{}
	for _, n := range names {
		if to := r.Apply(n); to != NoName {
			from[to] = append(from[to], n)
		}
	}
	var out []Collision
	for to, fs := range from {
		if len(fs) > 1 {
			sort.Strings(fs)
			out = append(out, Collision{to, fs})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].To < out[j].To })
	return out
}
