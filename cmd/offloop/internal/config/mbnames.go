package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// FolderList is the list of folders that is written for a mail reader.
type FolderList struct {
	// Path is the file, PerItem one folder's text with %(name)s in it.
	Path, PerItem string
	// Header, Sep and Footer stand before, between and behind the folders.
	Header, Sep, Footer string
	// Incremental writes after each account, rather than once all have been synced.
	Incremental bool

	filter, key *Expression
}

// Mailbox is one folder as [mbnames] sees it, under OfflineIMAP's names.
type Mailbox struct {
	Account string `json:"accountname"`
	Folder  string `json:"foldername"`
	Root    string `json:"localfolders"`
}

// mbnames reads the section; nil if it is absent, off or unusable, which is told.
func (b *builder) mbnames() *FolderList {
	v := b.view("mbnames")
	if _, ok := b.doc.has("mbnames"); !ok {
		return nil
	}
	b.checkKeys(v, MBNames)
	if !v.boolean("enabled", false) {
		return nil
	}
	v.py = b.python()
	m := &FolderList{Incremental: v.boolean("incremental", false)}
	good := true
	bad := func(e *entry, key, why string) {
		good = false
		v.warn(e, key, key+" "+why+", so the file of [mbnames] is not written", "")
	}
	path, e := v.text("filename")
	if path = strings.TrimSpace(path); path == "" {
		bad(e, "filename", "is missing")
	} else {
		m.Path = absolute(path)
	}
	if m.PerItem, e = b.doc.raw("mbnames", "peritem"); e == nil {
		bad(nil, "peritem", "is missing")
	} else if _, err := m.item(Mailbox{}); err != nil {
		bad(e, "peritem", "cannot be understood: "+err.Error())
	}
	for key, to := range map[string]*string{"header": &m.Header, "sep": &m.Sep, "footer": &m.Footer} {
		x, e := v.expression(key)
		if e == nil {
			continue
		}
		value, err := x.Value()
		s, ok := value.(string)
		if err == nil && !ok {
			err = fmt.Errorf("it is %s, not a string", typeName(value))
		}
		if err != nil {
			bad(e, key, "cannot be evaluated: "+err.Error())
		}
		*to = s
	}
	m.filter, _ = v.expression("folderfilter")
	m.key, _ = v.expression("sort_keyfunc")
	for key, try := range map[string]func() error{
		"folderfilter": func() error { _, err := m.takes(Mailbox{"a", "INBOX", "/m"}); return err },
		"sort_keyfunc": func() error { _, err := m.keyOf(Mailbox{"a", "INBOX", "/m"}); return err },
	} {
		if err := try(); err != nil {
			_, e := v.text(key)
			bad(e, key, "cannot be evaluated: "+err.Error())
		}
	}
	if !good {
		return nil
	}
	return m
}

func (m *FolderList) takes(b Mailbox) (bool, error) {
	if m.filter == nil {
		return true, nil
	}
	return m.filter.Test(b.Account, b.Folder)
}

func (m *FolderList) keyOf(b Mailbox) (any, error) {
	if m.key == nil {
		return []any{b.Account, b.Folder}, nil
	}
	return m.key.Call(map[string]any{"accountname": b.Account, "foldername": b.Folder, "localfolders": b.Root})
}

// item fills in one folder's text: %(name)s and %%, as Python's % does.
func (m *FolderList) item(b Mailbox) (string, error) {
	var out strings.Builder
	for s := m.PerItem; ; {
		before, after, ok := strings.Cut(s, "%")
		out.WriteString(before)
		switch {
		case !ok:
			return out.String(), nil
		case strings.HasPrefix(after, "%"):
			out.WriteByte('%')
			s = after[1:]
			continue
		}
		name, rest, ok := strings.Cut(after, ")s")
		value, known := map[string]string{"(accountname": b.Account, "(foldername": b.Folder, "(localfolders": b.Root}[name]
		if !ok || !known {
			return "", fmt.Errorf("after %% stands %.30q, not (accountname)s, (foldername)s, (localfolders)s or %%", after)
		}
		out.WriteString(value)
		s = rest
	}
}

// Text is the whole file for a set of folders.
func (m *FolderList) Text(boxes []Mailbox) (string, error) {
	type keyed struct {
		key  any
		text string
	}
	var list []keyed
	for _, b := range boxes {
		take, err := m.takes(b)
		if err != nil {
			return "", fmt.Errorf("folderfilter of [mbnames]: %w", err)
		}
		if !take {
			continue
		}
		key, err := m.keyOf(b)
		if err != nil {
			return "", fmt.Errorf("sort_keyfunc of [mbnames]: %w", err)
		}
		text, err := m.item(b)
		if err != nil {
			return "", fmt.Errorf("peritem of [mbnames]: %w", err)
		}
		list = append(list, keyed{key, text})
	}
	slices.SortStableFunc(list, func(x, y keyed) int { return compareKeys(x.key, y.key) })
	items := make([]string, len(list))
	for i, x := range list {
		items[i] = x.text
	}
	return m.Header + strings.Join(items, m.Sep) + m.Footer, nil
}

// compareKeys orders as Python does: numbers, strings, and lists of these.
func compareKeys(x, y any) int {
	switch a := x.(type) {
	case int64:
		if b, ok := y.(int64); ok {
			return cmp.Compare(a, b)
		}
	case float64:
		if b, ok := y.(float64); ok {
			return cmp.Compare(a, b)
		}
	case string:
		if b, ok := y.(string); ok {
			return strings.Compare(a, b)
		}
	case []any:
		if b, ok := y.([]any); ok {
			return slices.CompareFunc(a, b, compareKeys)
		}
	}
	return strings.Compare(fmt.Sprint(x), fmt.Sprint(y))
}
