package config

import (
	"crypto/sha256"
	"fmt"
	"math"
	"os"
)

// IgnoreRule names messages that are not copied from the server.
type IgnoreRule struct {
	x    *Expression
	file string // the pythonfile it may use
}

// ignoreRule reads copy_ignore_eval.
func (v *view) ignoreRule() *IgnoreRule {
	x, e := v.expression("copy_ignore_eval")
	if e == nil || v.blank("copy_ignore_eval") {
		return nil
	}
	r := &IgnoreRule{x: x, file: v.py.File}
	if !v.usable("copy_ignore_eval", e, func(n string) error { _, err := r.UIDs(n); return err }) {
		return nil
	}
	return r
}

// blank tells whether a key's value is empty.
func (v *view) blank(key string) bool {
	s, _ := v.text(key)
	return s == ""
}

// UIDs gives those of a folder, by its local name, that are not copied. The error
// is a *NeedsPython, or says what is wrong.
func (r *IgnoreRule) UIDs(local string) (map[uint32]bool, error) {
	value, err := r.x.Call(local)
	if err != nil || value == nil {
		return nil, err
	}
	list, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("copy_ignore_eval gives %s, not a list of UIDs", typeName(value))
	}
	uids := make(map[uint32]bool, len(list))
	for _, u := range list {
		n, ok := u.(int64)
		if f, isFloat := u.(float64); isFloat && f == math.Trunc(f) { // from python3, by way of JSON
			n, ok = int64(f), true
		}
		if !ok || n < 1 || n > math.MaxUint32 {
			return nil, fmt.Errorf("copy_ignore_eval gives a list that holds %v, which is no UID", u)
		}
		uids[uint32(n)] = true
	}
	return uids, nil
}

// Digest changes when the rule does: with its text, or that of the pythonfile.
func (r *IgnoreRule) Digest() string {
	if r == nil {
		return ""
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00", r.x.text)
	if text, err := os.ReadFile(r.file); err == nil && r.file != "" {
		h.Write(text)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:6])
}
