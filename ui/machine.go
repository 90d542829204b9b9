package ui

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Machine writes OfflineIMAP's machine interface, protocol 7.2.0: a line an
// event, "severity:command:thread:payload", thread and payload encoded as in a
// web form (space as +, newline as %0A). Severity is msg, warn, error or debug.
// A line without a command carries text for people.
//
// An account is the thread "Account sync NAME", a folder at work "Folder NAME
// [acc: ACCOUNT]", the program "MainThread". offloop has no threads that copy.
// More than maxListed UIDs are told in several lines.
type Machine struct {
	w       io.Writer
	level   Level
	err     error
	started map[string]bool
	waiting []string // accounts that want a password, oldest first
	line    []byte   // a line of standard input so far
	folders []*machineFolder
}

const mainThread = "MainThread"

// NewMachine returns the machine interface, meant for standard output.
func NewMachine(w io.Writer, level Level) *Machine {
	m := &Machine{w: w, level: level, started: map[string]bool{}}
	m.put("msg", "protocol", mainThread, "7.2.0")
	return m
}

// Err returns the first error of the underlying writer.
func (m *Machine) Err() error { return m.err }

func (m *Machine) put(severity, command, thread, payload string) {
	_, err := fmt.Fprintf(m.w, "%s:%s:%s:%s\n", severity, command, url.QueryEscape(thread), url.QueryEscape(payload))
	if err != nil && m.err == nil {
		m.err = err
	}
}

// machineFolder is a folder at work. To OfflineIMAP it is a thread, and its work
// two passes: what comes from the server, then what goes there. Each is said once.
type machineFolder struct {
	account, name, thread string
	planned, back         bool
	early                 bool // messages came before the lists were there
}

// Event writes the line or lines of e.
func (m *Machine) Event(e Event) {
	if e.Kind == "attention" && e.Dest == TopicPassword {
		m.password(e, m.accountThread(e.Account))
		return
	}
	if LevelOf(e) < m.level && !m.part(e) {
		return
	}
	thread := m.accountThread(e.Account)
	if e.Kind == "account-start" && !m.started[e.Account] {
		m.started[e.Account] = true
		m.put("msg", "registerthread", thread, e.Account)
	}
	if e.Kind == "folder-start" {
		f := &machineFolder{account: e.Account, name: e.Folder, thread: fmt.Sprintf("Folder %s [acc: %s]", e.Folder, e.Account)}
		m.folders = append(m.folders, f)
		m.put("msg", "registerthread", f.thread, e.Account)
	}
	if f := m.folder(e); f != nil {
		thread = f.thread
		m.pass(f, e)
	}
	m.say(e, thread, m.folder(e))
	switch {
	case e.Kind == "folder-done":
		m.end(func(f *machineFolder) bool { return f.account == e.Account && f.name == e.Folder })
	case e.Kind == "account-done" && m.started[e.Account]:
		delete(m.started, e.Account)
		m.gone(thread)
	}
}

// part tells whether e, however quiet, is a part of the protocol.
func (m *Machine) part(e Event) bool {
	switch e.Kind {
	case "folders", "scan", "list", "plan", "folder-done":
		return true
	}
	return false
}

func (m *Machine) accountThread(account string) string {
	if account == "" {
		return mainThread
	}
	return "Account sync " + account
}

func (m *Machine) folder(e Event) *machineFolder {
	for _, f := range m.folders {
		if f.account == e.Account && f.name == e.Folder {
			return f
		}
	}
	return nil
}

// pass says that a folder's second pass begins, where e belongs to it or ends the
// folder.
func (m *Machine) pass(f *machineFolder, e Event) {
	switch {
	case e.Kind == "copy" && !f.planned && !f.early:
		f.early = true
		m.put("msg", "loadmessagelist", f.thread, "Maildir\n"+f.name)
		m.put("msg", "loadmessagelist", f.thread, "IMAP\n"+f.name)
		m.put("msg", "syncingmessages", f.thread, "IMAP\n"+f.name+"\nMaildir\n"+f.name+"\n")
	case e.Kind == "plan":
		f.planned = true
	case !f.planned || f.back:
	case e.Kind == "upload", e.Kind == "delete-remote", e.Kind == "folder-done", (e.Kind == "flags" || e.Kind == "unflags") && e.Conn > 0:
		f.back = true
		m.put("msg", "syncingmessages", f.thread, "Maildir\n"+f.name+"\nIMAP\n"+f.name+"\n")
	}
}

// end says that folders' threads have ended.
func (m *Machine) end(which func(f *machineFolder) bool) {
	m.folders = slices.DeleteFunc(m.folders, func(f *machineFolder) bool {
		if !which(f) {
			return false
		}
		m.gone(f.thread)
		return true
	})
}

func (m *Machine) gone(thread string) {
	m.put("msg", "threadExited", mainThread, thread)
	m.put("msg", "unregisterthread", mainThread, thread)
}

// say writes the line of e itself.
func (m *Machine) say(e Event, thread string, f *machineFolder) {
	severity := [...]string{"debug", "msg", "warn", "error"}[LevelOf(e)]
	switch {
	case e.Kind == "folder-done":
		return
	case m.part(e):
		severity = "msg"
	case e.Kind == "account-done": // folders that ended early are still open
		m.end(func(f *machineFolder) bool { return f.account == e.Account })
	}
	command, payload := m.command(e)
	if command != "" && e.Set != "" && e.Kind != "attention" {
		for uids := range uidLists(e.Set) {
			m.put(severity, command, thread, uids+"\n"+payload)
		}
		return
	}
	lines := Lines(e)
	switch {
	case f != nil && f.early && m.part(e): // said at the first message, see pass
	case command != "":
		m.put(severity, command, thread, payload)
	case len(lines) > 0:
		m.put(severity, "", thread, strings.Join(lines, "\n"))
	}
	if e.Kind == "scan" || e.Kind == "list" && e.N > 0 { // OfflineIMAP does not ask an empty mailbox
		m.put(severity, "messagelistloaded", thread, fmt.Sprintf("%s\n%d", payload, e.N))
	}
}

// maxListed is how many UIDs a line holds. A line of OfflineIMAP's holds all of them,
// which can be more than a reader has room for.
const maxListed = 1000

// uidLists gives the UIDs of a set ("1:5,10") one by one, maxListed in each list.
func uidLists(set string) iter.Seq[string] {
	return func(yield func(string) bool) {
		var list []byte
		n := 0
		for part := range strings.SplitSeq(set, ",") {
			lo, hi, two := strings.Cut(part, ":")
			if !two {
				hi = lo
			}
			from, err := strconv.ParseUint(lo, 10, 32)
			to, err2 := strconv.ParseUint(hi, 10, 32)
			if err != nil || err2 != nil {
				continue
			}
			for uid := from; uid <= to; uid++ {
				if n++; n > maxListed {
					if !yield(string(list)) {
						return
					}
					list, n = list[:0], 1
				}
				if n > 1 {
					list = append(list, '\f')
				}
				list = strconv.AppendUint(list, uid, 10)
			}
		}
		if n > 0 {
			yield(string(list))
		}
	}
}

// command returns the protocol's command and payload for e, the UIDs of e.Set left out.
func (m *Machine) command(e Event) (command, payload string) {
	command = kindOf(e.Kind).Command
	src, dst := or(e.Repo, "IMAP"), or(e.Dest, "Maildir")
	switch e.Kind {
	case "banner":
		payload = e.Text
	case "account-start", "account-done":
		payload = e.Account
	case "connecting", "connected":
		host, port := e.Dest, ""
		if i := strings.LastIndexByte(e.Dest, ':'); i >= 0 {
			host, port = e.Dest[:i], e.Dest[i+1:]
		}
		payload = host + "\n" + port + "\n" + e.Repo
	case "folders":
		payload = src + "\n" + dst
	case "create":
		payload = e.Repo + "\n" + e.Folder
	case "folder-start", "folder-skip":
		payload = src + "\n" + e.Folder + "\n" + dst + "\n" + e.Folder + "\n"
	case "scan":
		payload = "Maildir\n" + e.Folder
	case "list":
		payload = "IMAP\n" + e.Folder
	case "plan":
		if LevelOf(e) != Debug {
			return "", "" // a line of a dry run
		}
		payload = src + "\n" + e.Folder + "\n" + dst + "\n" + e.Folder + "\n"
	case "copy":
		payload = fmt.Sprintf("%d\n%s\n%s\n%s[%s]", e.UID, src, e.Folder, dst, e.Folder)
	case "upload":
		payload = fmt.Sprintf("%d\n%s\n%s\n%s[%s]", e.UID, or(e.Repo, "Maildir"), e.Folder, or(e.Dest, "IMAP"), e.Folder)
	case "flags", "unflags":
		payload = strings.ReplaceAll(e.Dest, ", ", "\f") + "\n" + e.Folder
	case "delete-local":
		payload = "Maildir\t" + e.Folder
	case "delete-remote":
		payload = "IMAP\t" + or(e.Dest, e.Folder)
	case "hook":
		payload = e.Text
	case "sleep":
		payload = fmt.Sprintf("%d\n%d", max(e.Total, e.N), e.N)
	case "wake":
		payload = "0\n0"
	case "quit":
		payload = fmt.Sprintf("%d\n%s\n%s", e.N, "", e.Text)
	}
	return command, payload
}

func (m *Machine) password(e Event, thread string) {
	for i, a := range m.waiting {
		if a == e.Account {
			m.waiting = append(m.waiting[:i], m.waiting[i+1:]...)
			break
		}
	}
	if e.Text == "" {
		return
	}
	m.waiting = append(m.waiting, e.Account)
	m.put("msg", "getpass", thread, e.Account)
}

// Waiting reports whether a password is expected on standard input.
func (m *Machine) Waiting() bool { return len(m.waiting) > 0 }

// Input takes bytes of standard input: each line is the password of the
// account whose getpass line is the oldest unanswered one.
func (m *Machine) Input(b []byte) []Action {
	var acts []Action
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			if len(m.line)+len(b) <= maxLine {
				m.line = append(m.line, b...)
			}
			break
		}
		m.line = append(m.line, b[:i]...)
		b = b[i+1:]
		if len(m.waiting) > 0 {
			acts = append(acts, Action{Verb: "password", Account: m.waiting[0], Text: strings.TrimSuffix(string(m.line), "\r")})
			m.waiting = m.waiting[1:]
		}
		clear(m.line)
		m.line = m.line[:0]
	}
	return acts
}
