package config

import (
	"testing"
	"time"
)

// TestAges: maxage is days or a date, startdate a date of either repository.
func TestAges(t *testing.T) {
	for _, x := range []struct {
		account, local, remote string
		days                   int
		since                  string
	}{
		{"maxage = 30", "", "", 30, ""}, {"maxage = 1", "", "", 1, ""}, {"maxage = 2023-01-31", "", "", 0, "2023-01-31"}, {"maxage = 2023-1-9", "", "", 0, "2023-01-09"},
		{"", "startdate = 2022-02-28", "", 0, "2022-02-28"}, {"", "", "startdate = 1999-12-31", 0, "1999-12-31"}, {"", "", "startdate =", 0, ""}, {"", "", "", 0, ""},
	} {
		c, ps := mustLoad(t, pair("", x.account, x.local, x.remote))
		a, since := c.Accounts[0], ""
		if !a.Since.IsZero() {
			since = a.Since.Format(time.DateOnly)
		}
		if a.MaxAge != x.days || since != x.since || len(ps) != 0 || !a.Since.Equal(a.Since.Truncate(24*time.Hour)) {
			t.Errorf("%v: %d days, since %q; %v", x, a.MaxAge, since, ps)
		}
	}
}
