package config

import (
	"fmt"
	"testing"
)

// TestCopyIgnore: a function of the folder's local name gives UIDs, or None.
func TestCopyIgnore(t *testing.T) {
	withoutPython(t)
	c, ps := mustLoad(t, pair("", "", "", "copy_ignore_eval = lambda f: {'INBOX': [7, 4294967295], 'Work': []}.get(f)"))
	r := c.Accounts[0].Remote.Ignored
	if len(ps) != 0 || r == nil {
		t.Fatalf("%v", ps)
	}
	for name, want := range map[string]string{"INBOX": "map[7:true 4294967295:true]", "Work": "map[]", "Other": "map[]"} {
		got, err := r.UIDs(name)
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v %v, want %s", name, got, err, want)
		}
	}
	d, _ := mustLoad(t, pair("", "", "", "copy_ignore_eval = lambda f: [8]"))
	if a, b := r.Digest(), d.Accounts[0].Remote.Ignored.Digest(); a == b || a == "" {
		t.Errorf("two rules, one digest: %q %q", a, b)
	}
	if c, _ := mustLoad(t, pair("", "", "", "copy_ignore_eval =")); c.Accounts[0].Remote.Ignored != nil || c.Accounts[0].Refused != nil {
		t.Error("an empty value is a rule")
	}
}
