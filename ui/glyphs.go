package ui

import "strings"

// glyphs is what the screen draws with besides text.
type glyphs struct {
	light, off, sel, ellipsis, none string
	down, up, rule, mid             string
	full, empty                     string
	parts                           []string // of a full cell, rising
	spark                           []string // rising
	open, close                     string   // of a bar
}

func glyphsFor(unicode bool) glyphs {
	if !unicode {
		return glyphs{light: "@", off: ".", sel: ">", ellipsis: "~", none: "-", down: "v", up: "^", rule: "-", mid: "|",
			full: "#", empty: ".", spark: []string{" ", ".", ":", "-", "=", "+", "*", "#"}, open: "[", close: "]"}
	}
	return glyphs{light: "●", off: "·", sel: "▸", ellipsis: "…", none: "–", down: "↓", up: "↑", rule: "─", mid: "·",
		full: "█", empty: "░", parts: []string{"▏", "▎", "▍", "▌", "▋", "▊", "▉"},
		spark: []string{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"}}
}

// bar returns a progress bar of exactly width cells.
func (g *glyphs) bar(n, total int64, width int) string {
	inner := width - textWidth(g.open) - textWidth(g.close)
	if inner < 1 || total <= 0 {
		return strings.Repeat(" ", max(width, 0))
	}
	n = min(max(n, 0), total)
	steps := len(g.parts) + 1
	// float: n and total come from outside and may overflow a product
	filled := int(float64(n) / float64(total) * float64(inner*steps))
	filled = min(filled, inner*steps)
	var b strings.Builder
	b.WriteString(g.open)
	b.WriteString(strings.Repeat(g.full, filled/steps))
	used := filled / steps
	if rest := filled % steps; rest > 0 {
		b.WriteString(g.parts[rest-1])
		used++
	}
	b.WriteString(strings.Repeat(g.empty, inner-used))
	b.WriteString(g.close)
	return b.String()
}

// line draws the last width seconds before sec.
func (g *glyphs) line(s *sparkline, sec int64, width int) string {
	s.move(sec)
	width = min(width, len(s.vals))
	var top int64 = 1
	for _, v := range s.vals {
		top = max(top, v)
	}
	var b strings.Builder
	for t := s.sec - int64(width) + 1; t <= s.sec; t++ {
		if t < 0 {
			b.WriteString(" ")
			continue
		}
		v := s.vals[t%int64(len(s.vals))]
		i := int(float64(v) / float64(top) * float64(len(g.spark)-1))
		if v > 0 && i == 0 {
			i = 1
		}
		b.WriteString(g.spark[max(i, 0)])
	}
	return b.String()
}

// colour of each activity, as OfflineIMAP's lights have them.
var colours = [...]Style{
	Off:        {FG: Black},
	Idle:       {FG: Black},
	Processing: {FG: Magenta},
	Connecting: {FG: White},
	Structure:  {FG: Blue},
	Folder:     {FG: Cyan},
	Listing:    {FG: Green},
	Copying:    {FG: Yellow},
	Deleting:   {FG: Red},
	Hook:       {FG: White},
	Sleeping:   {FG: Red},
	Woken:      {FG: White},
	Warning:    {FG: Red, Attr: Bold},
}

// monoLights tell by letter what colours cannot.
var monoLights = [...]string{Off: " ", Idle: ".", Processing: "P", Connecting: "C", Structure: "T", Folder: "F",
	Listing: "L", Copying: "M", Deleting: "D", Hook: "H", Sleeping: "z", Woken: "w", Warning: "!"}

// style returns the style of text about act. White and black are the colours
// of the lights on black; as text they would vanish on one background or the
// other, so the terminal's own colour stands for both.
func (m *Model) style(act Activity) Style {
	if int(act) >= len(colours) {
		return Style{}
	}
	s := colours[act]
	if s.FG == White || s.FG == Black {
		s.FG = DefaultColor
	}
	if act == Off || act == Idle {
		s.Attr |= Dim
	}
	return m.paint(s)
}

// paint takes the colours from s where there are none.
func (m *Model) paint(s Style) Style {
	if m.opt.Mono {
		if s.BG != DefaultColor {
			s.Attr |= Reverse
		}
		s.FG, s.BG = DefaultColor, DefaultColor
	}
	return s
}

// lamp returns the text and style of a light. Off is invisible.
func (m *Model) lamp(act Activity, light string) (string, Style) {
	if int(act) >= len(monoLights) {
		act = Idle
	}
	if act == Off {
		return " ", Style{}
	}
	if m.opt.Mono {
		return monoLights[act], m.style(act)
	}
	if act == Idle {
		return m.g.off, m.style(act)
	}
	return light, m.style(act)
}
