package mailsync

import (
	"fmt"

	"offloop/imapproto"
)

// Inspection is what a server says of itself and of its folders.
type Inspection struct {
	Greeting string
	Caps     []string
	Folders  []InspectedFolder
}

// InspectedFolder is one server folder and what would become of it.
type InspectedFolder struct {
	Remote  string
	Local   string
	Wanted  bool
	Problem string // why it cannot be synced, "" = it can
}

// Inspect logs in, lists the folders and logs out again. It changes nothing on
// either side and takes no lock. done is called once.
func (a *Account) Inspect(done func(*Inspection, error)) {
	found := &Inspection{}
	a.visit(func(finish func(error)) {
		found.Greeting, found.Caps = a.greeting, a.caps
		a.link.conn.List(imapproto.ListOptions{Pattern: "*"}, func(boxes []imapproto.Mailbox, err error) {
			if err != nil {
				finish(err)
				return
			}
			a.inspectNames(boxes, func(err error) {
				if err == nil {
					found.Folders = a.inspectFolders(boxes)
				}
				finish(err)
			})
		})
	}, func(err error) { done(found, err) })
}

// DeleteRemote deletes a server folder, with the messages in it; done gets how many
// these were, -1 where the server does not tell. The Maildir is left alone.
func (a *Account) DeleteRemote(folder string, done func(messages int64, err error)) {
	messages := int64(-1)
	a.visit(func(finish func(error)) {
		a.link.conn.Status(folder, []string{"MESSAGES"}, func(st imapproto.Status, err error) {
			if err == nil && st.Set.Has(imapproto.StatusMessages) {
				messages = int64(st.Messages)
			}
			a.link.conn.Delete(folder, finish)
		})
	}, func(err error) { done(messages, err) })
}

// visit logs in, lets ask put its questions, and logs out once it has finished.
func (a *Account) visit(ask func(finish func(error)), done func(error)) {
	if a.Busy() {
		panic("mailsync: a round is going on")
	}
	a.to(accountLock)
	a.to(accountConnect)
	var failed error
	a.ending, a.stopping, a.round, a.folders = false, false, roundErr{}, nil
	a.onDialed = nil
	a.roundEnd = func() { done(failed) }
	finish := func(err error) {
		if a.state == accountCommit || a.state == accountLogout || a.state == accountIdle {
			return
		}
		failed = err
		if err == nil && a.round.err != nil {
			failed = a.round.err
		}
		a.to(accountCommit)
		a.to(accountLogout)
		a.logout()
	}
	a.env.Password(a.set, func(pass string, err error) {
		if err != nil {
			finish(&Error{Scope: ScopeAccount, Account: a.set.Name, Err: fmt.Errorf("no password for %s: %w", a.set.User, err)})
			return
		}
		a.link = a.mainLink()
		a.link.open(pass, func(err error) {
			if err != nil {
				err = connectError(a.set, err)
				if e, ok := err.(*Error); ok {
					e.Did = "" // there is no round
				}
				finish(err)
				return
			}
			ask(finish)
		})
	})
}

// inspectNames is prepareNames for the server's names alone.
func (a *Account) inspectNames(boxes []imapproto.Mailbox, done func(error)) {
	if a.env.Names == nil {
		done(nil)
		return
	}
	var remote []string
	delim := ""
	for _, m := range boxes {
		remote = append(remote, m.Name)
		if m.Delim != "" {
			delim = m.Delim
		}
	}
	a.env.Names(a.set, remote, nil, delim, done)
}

func (a *Account) inspectFolders(boxes []imapproto.Mailbox) []InspectedFolder {
	var l []InspectedFolder
	for _, m := range boxes {
		if m.HasAttr(`\Noselect`) || m.HasAttr(`\NonExistent`) {
			continue
		}
		f := InspectedFolder{Remote: m.Name, Wanted: a.set.RemoteWanted(m.Name)}
		local, err := a.localName(m.Name, m.Delim)
		if err != nil {
			f.Problem = err.Error()
		} else {
			f.Local = local
			f.Wanted = f.Wanted && a.set.LocalWanted(local)
		}
		l = append(l, f)
	}
	return l
}
