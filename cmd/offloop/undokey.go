package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"offloop/cmd/offloop/internal/mailsync"
	"offloop/maildir"
	"offloop/ui"
)

// undoShown is how many of the messages that undo would bring back are named.
const undoShown = 20

// undoOffer is where the key u stands in an account:
//
//	nothing ─u─> shown ─y─> (wanted, while a round holds the locks) ─> going ─> nothing
type undoOffer struct {
	found  []*mailsync.Trashed // what was shown, and nothing else, is brought back
	wanted bool                // the person said yes; the round has to end first
	going  bool                // the disk is at it; no round begins meanwhile
}

// lookBack tells what undo would bring back in a local folder, or in all with "".
// It takes no lock, so a round may go on meanwhile.
func (r *runner) lookBack(folder string) {
	if r.set == nil || r.offer.wanted || r.offer.going {
		r.say("log", "Nothing to bring back now: "+r.offer.why())
		return
	}
	set, now := *r.set, r.p.loop.Now()
	opt := mailsync.UndoOptions{Folder: folder, All: folder == "", Since: now.Add(-undoSince), List: true, About: undoShown}
	var found, older []*mailsync.Trashed
	var err error
	r.p.writing++
	r.p.loop.Disk(func() {
		if found, err = mailsync.Undo(maildir.OS{}, &set, now, opt); err == nil {
			opt.Since, opt.About = time.Time{}, 0
			older, err = mailsync.Undo(maildir.OS{}, &set, now, opt)
		}
	}, func() {
		r.p.writing--
		found = slices.DeleteFunc(found, func(t *mailsync.Trashed) bool { return t.Lost != "" })
		n := int64(len(found))
		switch {
		case err != nil:
			r.failed(err)
		case r.p.o.dryRun:
			r.say("log", offerText(folder, found, len(older)))
		default:
			r.offer = undoOffer{found: found}
			r.p.show(ui.Event{Kind: "undo", Account: r.acc.Name, Folder: folder, N: n, Text: offerText(folder, found, len(older))})
		}
		r.p.loop.NextTurn(r.p.startNext)
	})
}

// why says what keeps the key u from doing anything.
func (o *undoOffer) why() string {
	if o.wanted || o.going {
		return "an undo is under way"
	}
	return "the account is not synced"
}

// offerText says what would be brought back: how many, in which folders, and the
// newest by name. older is how many are kept in all.
func offerText(folder string, found []*mailsync.Trashed, older int) string {
	older -= len(found)
	where := ""
	if folder != "" {
		where = " in " + folder
	}
	rest := ""
	if older > 0 {
		rest = fmt.Sprintf("%s deleted earlier are kept; offloop undo --since 3d brings back those of three days", messages(older))
	}
	if len(found) == 0 {
		return strings.TrimSuffix(fmt.Sprintf("Nothing was deleted here%s within the last hour because the server deleted it; %s", where, rest), "; ")
	}
	var b strings.Builder
	them := "them"
	if len(found) == 1 {
		them = "it"
	}
	fmt.Fprintf(&b, "Bring back %s deleted here%s within the last hour because the server deleted %s? The next sync uploads %[3]s again.", messages(len(found)), where, them)
	count := map[string]int{}
	var folders []string
	for _, t := range found {
		if count[t.Folder]++; count[t.Folder] == 1 {
			folders = append(folders, t.Folder)
		}
	}
	for _, f := range folders {
		fmt.Fprintf(&b, "\n%s: %s", ui.Safe(f), messages(count[f]))
	}
	if rest != "" {
		b.WriteString("\n" + rest)
	}
	b.WriteString("\nThe newest:")
	for i := len(found) - 1; i >= max(len(found)-undoShown, 0); i-- {
		t := found[i]
		about := t.About
		if about == "" {
			about = t.File
		}
		fmt.Fprintf(&b, "\n%s  %s: %s", t.At.Local().Format("15:04:05"), ui.Safe(t.Folder), ui.Safe(about))
	}
	return b.String()
}

// restore brings back what was shown. While a round holds the account's locks it
// waits for the round's end.
func (r *runner) restore() {
	o := &r.offer
	switch {
	case len(o.found) == 0 || o.going:
		return
	case r.p.stop > 0:
		*o = undoOffer{}
		r.say("warn", "Nothing was brought back: offloop is ending; offloop undo does it too")
		return
	case r.state == runnerBusy:
		o.wanted = true
		r.say("log", fmt.Sprintf("%s will be brought back when the sync that is going on has ended (p ends it now)", messages(len(o.found))))
		return
	}
	o.wanted, o.going = false, true
	set, now, these := *r.set, r.p.loop.Now(), o.found
	var found []*mailsync.Trashed
	var err error
	r.p.writing++
	r.p.loop.Disk(func() {
		found, err = mailsync.Undo(maildir.OS{}, &set, now, mailsync.UndoOptions{All: true, These: these})
	}, func() {
		r.p.writing--
		r.offer = undoOffer{}
		r.restored(found, len(these), err)
		r.p.loop.NextTurn(r.p.startNext)
	})
}

// restored says how the undo ended.
func (r *runner) restored(found []*mailsync.Trashed, meant int, err error) {
	good := 0
	for _, t := range found {
		switch {
		case t.Err != nil:
			r.p.show(ui.Event{Kind: "error", Severity: "error", Account: r.acc.Name, Folder: t.Folder, Text: fmt.Sprintf("ERROR: %s was not brought back: %v", t.File, t.Err)})
		case t.Dest != "":
			good++
		}
	}
	if err != nil {
		r.failed(err)
	}
	text := fmt.Sprintf("%s brought back; the next sync uploads them (s: now)", messages(good))
	if good < meant {
		text = fmt.Sprintf("%d of %s brought back; the others are in the trash, or were brought back already", good, messages(meant))
	}
	r.say("log", text)
}

// failed says why an undo did not do what it was to.
func (r *runner) failed(err error) {
	e := ui.Event{Kind: "error", Severity: "error", Account: r.acc.Name, Text: "ERROR: undo: " + err.Error()}
	if me, ok := err.(*mailsync.Error); ok {
		e.Hint = me.Hint
	}
	r.p.show(e)
}

func (r *runner) say(kind, text string) {
	r.p.show(ui.Event{Kind: kind, Account: r.acc.Name, Text: text})
}
