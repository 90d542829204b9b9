package mailsync

// Event tells the user interface what happened: past tense, plain fields, and
// complete, so that a recorded stream of events replays a screen. Its fields
// are those of ui.Event, which the program converts to without either package
// knowing the other.
type Event struct {
	Kind     string // what happened; the kinds are listed in package ui
	At       int64  // when, in Unix nanoseconds
	Severity string // "debug", "info", "warn" or "error"
	Account  string
	Repo     string
	Folder   string
	Dest     string // the destination side, where the line names one
	Conn     int    // connection number from 1; 0 = none
	Text     string // the log line, without time
	UID      int64
	N        int64
	Total    int64
	Bytes    int64
	Rate     int64  // bytes a second
	Hint     string // what the user should do
	Set      string // UIDs that flags or deletes are about, as "1:5,10"; of an attention of the brake which deletes, for Settings.Allowed
}

func (a *Account) emit(e Event) {
	e.At = a.env.Loop.Now().UnixNano()
	e.Account = a.set.Name
	if e.Severity == "" {
		e.Severity = "info"
	}
	if a.env.Notify != nil {
		a.env.Notify(e)
	}
}

// report tells the user about err and remembers it for the exit status.
func (a *Account) report(err error) {
	e := a.asError(err, ScopeAccount, "")
	a.result.note(e)
	a.patience = max(a.patience, patience(err))
	kind, topic := "error", ""
	if e.Validity {
		kind, topic = "attention", "uidvalidity"
	}
	a.emit(Event{Kind: kind, Severity: "error", Folder: e.Folder, Dest: topic, Text: "ERROR: " + e.Error(), Hint: e.Hint})
}

// asError dresses any error as an *Error with its place filled in.
func (a *Account) asError(err error, scope Scope, folder string) *Error {
	if e, ok := err.(*Error); ok {
		if e.Account == "" {
			e.Account = a.set.Name
		}
		if e.Folder == "" {
			e.Folder = folder
		}
		return e
	}
	return &Error{Scope: scope, Account: a.set.Name, Folder: folder, Err: err}
}
