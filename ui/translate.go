package ui

import "github.com/gdamore/tcell/v2"

var tcellColors = [...]tcell.Color{DefaultColor: tcell.ColorDefault, Black: tcell.ColorBlack, Red: tcell.ColorMaroon,
	Green: tcell.ColorGreen, Yellow: tcell.ColorOlive, Blue: tcell.ColorNavy, Magenta: tcell.ColorPurple,
	Cyan: tcell.ColorTeal, White: tcell.ColorSilver}

func tcellStyle(s Style) tcell.Style {
	return tcell.StyleDefault.Foreground(tcellColors[s.FG]).Background(tcellColors[s.BG]).
		Bold(s.Attr&Bold != 0).Reverse(s.Attr&Reverse != 0).Dim(s.Attr&Dim != 0).Underline(s.Attr&Underline != 0)
}

var plainKeys = map[tcell.Key]Code{tcell.KeyEnter: KeyEnter, tcell.KeyCtrlJ: KeyEnter, tcell.KeyCtrlM: KeyEnter,
	tcell.KeyEsc: KeyEsc, tcell.KeyTab: KeyTab, tcell.KeyCtrlI: KeyTab, tcell.KeyBackspace: KeyBackspace,
	tcell.KeyBackspace2: KeyBackspace, tcell.KeyCtrlH: KeyBackspace, tcell.KeyUp: KeyUp, tcell.KeyDown: KeyDown,
	tcell.KeyLeft: KeyLeft, tcell.KeyRight: KeyRight, tcell.KeyHome: KeyHome, tcell.KeyEnd: KeyEnd,
	tcell.KeyPgUp: KeyPageUp, tcell.KeyPgDn: KeyPageDown}

// keyOf translates an event of the library. Focus and keys with alt are none
// of ours; the mouse has no keys.
func keyOf(ev tcell.Event) (Key, bool) {
	switch ev := ev.(type) {
	case *tcell.EventPaste:
		if ev.Start() {
			return Key{Code: KeyPasteStart}, true
		}
		return Key{Code: KeyPasteEnd}, true
	case *tcell.EventKey:
		if ev.Modifiers()&(tcell.ModAlt|tcell.ModMeta) != 0 {
			return Key{}, false
		}
		if code, ok := plainKeys[ev.Key()]; ok {
			return Key{Code: code}, true
		}
		switch k := ev.Key(); {
		case k >= tcell.KeyCtrlA && k <= tcell.KeyCtrlZ:
			return ctrl('a' + rune(k-tcell.KeyCtrlA)), true
		case k == tcell.KeyRune && ev.Modifiers()&tcell.ModCtrl != 0:
			if c := ev.Rune() | 0x20; c >= 'a' && c <= 'z' {
				return ctrl(c), true
			}
		case k == tcell.KeyRune:
			return r(ev.Rune()), true
		}
	}
	return Key{}, false
}
