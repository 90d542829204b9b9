package ui

import (
	"reflect"
	"regexp"

	"github.com/gdamore/tcell/v2"
	"github.com/gdamore/tcell/v2/terminfo"
)

// padding is what terminfo writes for "now wait so many milliseconds".
var padding = regexp.MustCompile(`\$<[0-9.]+[*/]*>`)

// describe returns what is known of a terminal type, without the waits: the library
// sleeps through each of them (5 ms a cursor movement on a VT100), and with it would
// the sync. The pace of a slow terminal is kept by its answers.
func describe(term string) (*terminfo.Terminfo, error) {
	known, err := tcell.LookupTerminfo(term)
	if err != nil {
		return nil, err
	}
	ti := *known
	v := reflect.ValueOf(&ti).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.String {
			f.SetString(padding.ReplaceAllString(f.String(), ""))
		}
	}
	return &ti, nil
}
