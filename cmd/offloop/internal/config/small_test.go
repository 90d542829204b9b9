package config

import "testing"

// TestGeneralDefaults: what [general] says of files holds for a repository that says
// nothing itself.
func TestGeneralDefaults(t *testing.T) {
	for _, x := range []struct {
		general, local string
		want           bool
	}{{"", "", false}, {"yes", "", true}, {"yes", "no", false}, {"no", "yes", true}, {"", "yes", true}} {
		set := func(key, value string) string {
			if value == "" {
				return ""
			}
			return key + " = " + value + "\n"
		}
		both := func(value string) string {
			return set("utime_from_header", value) + set("filename_use_mail_timestamp", value)
		}
		c, ps := mustLoad(t, pair(both(x.general), "", both(x.local), ""))
		if l := c.Accounts[0].Local; l.MtimeFromHeader != x.want || l.NameByHeader != x.want || len(ps) != 0 {
			t.Errorf("%+v: %v %v; %v", x, l.MtimeFromHeader, l.NameByHeader, ps)
		}
	}
	was := system
	defer func() { system = was }()
	system = "darwin"
	_, ps := mustLoad(t, pair("", "", "restoreatime = yes", ""))
	want(t, ps, Warning, "restoreatime has no effect on this system")
	system = "linux"
	c, ps := mustLoad(t, pair("ignore-readonly = yes", "", "restoreatime = yes", "retrycount = 7"))
	if a := c.Accounts[0]; !c.IgnoreReadOnly || !a.Local.KeepAtime || a.Remote.RetryCount != 7 || len(ps) != 0 {
		t.Errorf("%v %v %d; %v", c.IgnoreReadOnly, a.Local.KeepAtime, a.Remote.RetryCount, ps)
	}
	if c, _ := mustLoad(t, pair("", "", "", "")); c.IgnoreReadOnly || c.Accounts[0].Local.KeepAtime || c.Accounts[0].Remote.RetryCount != 5 {
		t.Error("the defaults are others")
	}
}
