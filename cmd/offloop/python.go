package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"offloop/cmd/offloop/internal/config"
	"offloop/cmd/offloop/internal/mailsync"
	"offloop/cmd/offloop/internal/pyexpr"
	"offloop/reactor"
)

const (
	pythonTimeout = 60 * time.Second
	pythonOutput  = 4 << 20
	// pythonTurns is how often answers may raise further questions.
	pythonTurns = 8
)

// settle evaluates what a configuration says in Python: try is called until it
// asks nothing more of python3, and its last error goes to done. Each time,
// all it asked goes to one short child. ask is for what getpass asks a person; nil makes
// that an exception.
func settle(loop *reactor.Loop, py *config.Python, ask func(prompt string, done func(string, error)), try func() error, done func(error)) {
	var turn func(n int)
	turn = func(n int) {
		py.Missing()
		err := try()
		qs := py.Missing()
		if len(qs) == 0 || n == pythonTurns {
			done(err)
			return
		}
		args, stdin, err := py.Command(qs)
		if err != nil {
			done(err)
			return
		}
		c := reactor.Command{Args: args, Stdin: stdin, Timeout: pythonTimeout, MaxOutput: pythonOutput, Terminal: true}
		loop.Exec(c, func(res reactor.Result) {
			answers, err := childAnswers(res, len(qs))
			if err != nil {
				done(fmt.Errorf("python3, asked for what %s says: %w", pythonSubject(py), err))
				return
			}
			prompt, asks := py.Answered(qs, answers)
			if !asks || ask == nil {
				turn(n + 1)
				return
			}
			ask(cmp.Or(strings.TrimSpace(prompt), "Password:")+" ", func(text string, err error) {
				if err != nil {
					done(fmt.Errorf("getpass, asked for by %s: %w", pythonSubject(py), err))
					return
				}
				py.Typed(prompt, text)
				turn(n + 1)
			})
		})
	}
	turn(0)
}

// checkPython has python3 say what is wrong with an account's expressions, before
// anything is synced; nothing is asked where none needs it.
func checkPython(a *config.Account) (found []config.Problem, err error) {
	if a.Python == nil || len(a.Python.Uses) == 0 { // nil: of an account that has no section
		return nil, nil
	}
	loop, err := reactor.New()
	if err != nil {
		return nil, err
	}
	defer loop.Close()
	loop.NextTurn(func() {
		settle(loop, a.Python, nil, func() (need error) {
			found, need = a.CheckPython()
			return need
		}, func(err error) {
			if err != nil {
				found = []config.Problem{a.PythonFailed(err)}
			}
			loop.Stop(errQuit)
		})
	})
	if err := loop.Run(); err != nil && err != errQuit {
		return nil, err
	}
	return found, nil
}

// childAnswers takes no part of what the child printed into a message: it may
// be a password.
func childAnswers(res reactor.Result, n int) ([]pyexpr.Answer, error) {
	if res.Err != nil {
		var child *reactor.ChildError
		if errors.As(res.Err, &child) && child.Err != nil {
			return nil, child.Err
		}
		return nil, fmt.Errorf("it ended with status %d", res.ExitCode)
	}
	return pyexpr.Answers(res.Stdout, n)
}

func pythonSubject(py *config.Python) string {
	keys := map[string]bool{}
	var names []string
	for _, u := range py.Uses {
		if !keys[u.Key] {
			keys[u.Key] = true
			names = append(names, u.Key)
		}
	}
	if len(names) == 0 {
		return "the configuration"
	}
	return strings.Join(names, ", ")
}

// prepare asks python3 about the names of all folders, if a rule needs that.
//
// It fills rank with the places foldersort gives the folders.
func (n names) prepare(loop *reactor.Loop, ask func(string, func(string, error)), warn func(string)) func(s *mailsync.Settings, remote, local []string, delim string, done func(error)) {
	return func(_ *mailsync.Settings, remote, local []string, delim string, done func(error)) {
		if n.plain() {
			done(nil)
			return
		}
		settle(loop, n.acc.Python, ask, func() error {
			all := map[string]bool{}
			for _, r := range remote {
				n.remoteWanted(r)
				if l, err := n.local(r, delim); err == nil {
					n.localWanted(l)
					all[l] = true
				}
			}
			for _, l := range local {
				n.localWanted(l)
				all[l] = true
				if r, err := n.remote(l, delim); err == nil {
					n.remoteWanted(r)
				}
			}
			n.sort(slices.Sorted(maps.Keys(all)))
			return n.tryIgnored(all)
		}, func(err error) {
			if err == nil {
				err = n.filterErrors(remote, warn)
			}
			done(err)
		})
	}
}

// filterErrors tells of names a folderfilter raised an exception for: they are
// left out. If it did for every name, that is the filter's fault.
func (n names) filterErrors(remote []string, warn func(string)) error {
	failed := 0
	var last error
	for _, r := range remote {
		if _, err := n.acc.Remote.Folders.Try(n.disk(r)); err != nil && n.acc.Remote.Folders.Python() {
			failed++
			if last = err; failed <= 10 {
				warn(fmt.Sprintf("server folder %q is left out: %v", r, err))
			}
		}
	}
	if failed == len(remote) {
		return last
	}
	return nil
}

// tryIgnored evaluates copy_ignore_eval for all folders. If it fails for one, the
// messages it would have named there are not known, and nothing is synced.
func (n names) tryIgnored(all map[string]bool) error {
	if n.acc.Remote.Ignored == nil {
		return nil
	}
	var failed error
	for _, l := range slices.Sorted(maps.Keys(all)) {
		if _, err := n.acc.Remote.Ignored.UIDs(l); err != nil {
			failed = fmt.Errorf("copy_ignore_eval of folder %s: %w", l, err)
		}
	}
	return failed
}

// sort asks foldersort for the order of all folders; without an answer they go
// by name.
func (n names) sort(all []string) {
	if n.acc.Remote.Sort == nil {
		return
	}
	sorted, err := n.acc.Remote.Sort.Sort(all)
	clear(n.rank)
	for i, l := range sorted {
		if err == nil {
			n.rank[l] = i
		}
	}
}

// plain tells that no rule is written in Python.
func (n names) plain() bool {
	return n.acc.Remote.Sort == nil && n.acc.Remote.Ignored == nil && !n.acc.Local.Folders.Python() && !n.acc.Remote.Folders.Python() && !n.acc.Local.Rename.Python() && !n.acc.Remote.Rename.Python()
}
