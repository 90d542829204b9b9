package mailsync

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestRule5_Braked checks the rule at its edges: over 10 and (over a quarter or
// all), over 500 in a folder, over 1,000 in an account.
func TestRule5_Braked(t *testing.T) {
	for _, c := range []struct {
		n, total, all int
		want          bool
	}{
		{0, 0, 0, false}, {1, 1, 1, false}, {10, 10, 10, false}, {10, 20, 10, false},
		{11, 11, 11, true}, {11, 43, 11, true}, {11, 44, 11, false}, {11, 45, 11, false}, {12, 47, 12, true},
		{500, 100000, 500, false}, {501, 100000, 501, true},
		{5, 100, 1000, false}, {5, 100, 1001, true}, {1000, 4000, 1000, true},
	} {
		if got := braked(c.n, c.total, c.all); got != c.want {
			t.Errorf("braked(%d of %d, account %d) = %v", c.n, c.total, c.all, got)
		}
	}
}

func TestRule5_RecentDeletes(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	at := func(ago time.Duration, n int) string { return fmt.Sprintf("%d:%d", now.Add(-ago).Unix(), n) }
	for _, c := range []struct {
		token string
		sum   int
		kept  int
	}{
		{"", 0, 0},
		{at(0, 3), 3, 1},
		{at(59*time.Minute, 3) + "," + at(time.Minute, 4), 7, 2},
		{at(61*time.Minute, 3) + "," + at(time.Minute, 4), 4, 1},
		{at(time.Hour, 5), 5, 1},
		{"x:3,5,:," + at(0, 2) + ",7:-1," + at(0, -4), 2, 1},
	} {
		sum, kept := recentDeletes(c.token, now)
		if sum != c.sum || len(kept) != c.kept {
			t.Errorf("recentDeletes(%q) = %d, %q", c.token, sum, kept)
		}
		if again, _ := recentDeletes(strings.Join(kept, ","), now); again != sum {
			t.Errorf("what was kept of %q sums to %d", c.token, again)
		}
	}
}
