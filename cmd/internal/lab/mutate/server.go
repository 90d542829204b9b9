package mutate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"offloop/cmd/internal/lab/gen"
	"offloop/cmd/internal/lab/imapc"
)

// server is an account seen through IMAP.
type server struct {
	c        *imapc.Client
	delim    string
	selected string
}

func (s *server) sep() string { return s.delim }

func (s *server) folders() ([]string, error) {
	boxes, err := s.c.List()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, b := range boxes {
		if b.Selectable() {
			out = append(out, b.Name)
		}
	}
	slices.Sort(out)
	return out, nil
}

func (s *server) open(folder string) error {
	if s.selected == folder {
		return nil
	}
	s.selected = folder
	_, err := s.c.Select(folder)
	return err
}

func (s *server) messages(folder string) ([]uint32, error) {
	if err := s.open(folder); err != nil {
		return nil, err
	}
	return s.c.UIDs()
}

func (s *server) add(folder string, m gen.Message, _ *rand.Rand) (Change, error) {
	uids, err := s.c.Append(folder, imapc.Upload{Flags: m.Flags, Date: m.Date, Body: m.Body})
	c := Change{What: "new", Folder: folder, Detail: fmt.Sprintf("%v, %d bytes", m.Kind, len(m.Body))}
	if len(uids) > 0 {
		c.UID = uids[0]
	}
	return c, err
}

func (s *server) flags(folder string, uid uint32, r *rand.Rand) (Change, error) {
	c := Change{What: "flags", Folder: folder, UID: uid}
	if err := s.open(folder); err != nil {
		return c, err
	}
	flag, op := toggled[r.IntN(len(toggled))].imap, "+"
	err := s.c.Fetch(fmt.Sprint(uid), "(UID FLAGS)", nil, func(m imapc.Message) error {
		if slices.ContainsFunc(m.Flags, func(f string) bool { return strings.EqualFold(f, flag) }) {
			op = "-"
		}
		return nil
	})
	if err != nil {
		return c, err
	}
	c.Detail = op + flag
	return c, s.c.Store(fmt.Sprint(uid), op, flag)
}

func (s *server) keyword(folder string, uid uint32, r *rand.Rand) (Change, error) {
	k := []string{"work", "Todo", "$Label1", "$Forwarded"}[r.IntN(4)]
	c := Change{What: "keyword", Folder: folder, UID: uid, Detail: "+" + k}
	if err := s.open(folder); err != nil {
		return c, err
	}
	return c, s.c.Store(fmt.Sprint(uid), "+", k)
}

func (s *server) remove(folder string, uids []uint32) error {
	if err := s.open(folder); err != nil {
		return err
	}
	return s.c.Expunge(imapc.Set(uids))
}

func (s *server) createFolder(name string) error {
	if err := s.c.Create(name); err != nil {
		return err
	}
	return s.c.Subscribe(name)
}

// leave makes sure that a folder to be removed is not the selected one.
func (s *server) leave(name string) error {
	if s.selected != name {
		return nil
	}
	s.selected = ""
	return s.c.Unselect()
}

func (s *server) deleteFolder(name string) error {
	if err := s.leave(name); err != nil {
		return err
	}
	return s.c.Delete(name)
}

func (s *server) renameFolder(from, to string) error {
	if err := s.leave(from); err != nil {
		return err
	}
	return s.c.Rename(from, to)
}
