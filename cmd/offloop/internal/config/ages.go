package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ages reads maxage and both repositories' startdate, of which one may be set.
func (b *builder) ages(a *Account, v *view) {
	first := ""
	one := func(v *view, key, in string, days bool) {
		n, day, set := v.age(key, days)
		switch {
		case !set:
		case first != "":
			_, e := v.text(key)
			v.fail(e, key, fmt.Sprintf("%s and %s are both set, and one message cannot be measured by two", first, in), "only one of maxage and startdate")
		default:
			first, a.MaxAge, a.Since = in, n, day
		}
	}
	one(v, "maxage", "maxage", true)
	for _, name := range []string{a.Local.Name, a.Remote.Name} {
		if name != "" {
			section := "Repository " + name
			one(&view{doc: b.doc, section: section, account: a.Name, report: a.add, py: a.Python}, "startdate", "startdate of ["+section+"]", false)
		}
	}
}

// maxDays is more than the age of any mail.
const maxDays = 36500

// age reads a number of days, where these are allowed, or a date.
func (v *view) age(key string, days bool) (n int, day time.Time, set bool) {
	s, e := v.bare(key)
	if e == nil || s == "" || s == "None" {
		return 0, day, false
	}
	instead := key + " = 2024-12-31"
	if days {
		instead = key + " = 30, or " + instead
		if n, err := strconv.Atoi(strings.ReplaceAll(s, "_", "")); err == nil {
			if n < 1 || n > maxDays {
				v.fail(e, key, fmt.Sprintf("%s is %d days, not 1 to %d", key, n, maxDays), instead)
				return 0, day, false
			}
			return n, day, true
		}
	}
	day, err := time.Parse("2006-1-2", s)
	switch {
	case err != nil:
		v.fail(e, key, key+" is no date", instead)
	case day.Year() < 1900 || day.Year() > 2100:
		v.fail(e, key, fmt.Sprintf("%s is in the year %d", key, day.Year()), instead)
	default:
		return 0, day, true
	}
	return 0, time.Time{}, false
}
