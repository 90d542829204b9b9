package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	"offloop/cmd/internal/lab/imapc"
	"offloop/cmd/internal/lab/mutate"
	"offloop/cmd/internal/lab/verify"
)

// runMutate changes one side and prints what it did.
func runMutate(_ context.Context, args []string) error {
	f := flag.NewFlagSet("imaplab mutate", flag.ContinueOnError)
	var l login
	l.flags(f)
	dir := f.String("maildir", "", "change this tree of Maildirs instead of a server")
	sep := f.String("sep", "/", "the tree's folder separator")
	o := mutate.Options{}
	f.Uint64Var(&o.Seed, "seed", 1, "same seed and state, same changes")
	f.IntVar(&o.Folders, "folders", 5, "folders touched; 0 = all")
	f.IntVar(&o.New, "new", 10, "new messages")
	f.IntVar(&o.Flags, "flags", 20, "flag changes")
	f.IntVar(&o.Keywords, "keywords", 0, "keyword changes")
	f.IntVar(&o.Delete, "delete", 5, "messages deleted")
	f.IntVar(&o.CreateFolders, "create-folders", 0, "folders created")
	f.IntVar(&o.DeleteFolders, "delete-folders", 0, "folders deleted")
	f.IntVar(&o.RenameFolders, "rename-folders", 0, "folders renamed")
	f.StringVar(&o.In, "in", "", "change messages of this folder only")
	if err := parse(f, args); err != nil {
		return err
	}
	var done mutate.Changes
	var err error
	if *dir != "" {
		done, err = mutate.Maildir(*dir, *sep, o)
	} else {
		c, cerr := l.dial()
		if cerr != nil {
			return cerr
		}
		defer c.Logout()
		done, err = mutate.Server(c, o)
	}
	fmt.Print(done)
	return err
}

// runVerify compares and lists.
func runVerify(_ context.Context, args []string) error {
	f := flag.NewFlagSet("imaplab verify", flag.ContinueOnError)
	var l login
	l.flags(f)
	dir := f.String("maildir", "", "the tree of Maildirs")
	all := f.Bool("all", false, "print every difference, not only the first 50")
	skip := f.String("skip", "", "folders left out, separated by commas")
	letters := f.String("letters", "", "keywords of letters where a folder has no dovecot-keywords file: a=work,b=Todo")
	mbsync := f.Bool("mbsync", false, "the tree is mbsync's: other file names, X-TUID, no keywords, folder names as on the wire")
	o := verify.Options{}
	f.StringVar(&o.Sep, "sep", "/", "the tree's folder separator")
	f.BoolVar(&o.Dates, "dates", false, "compare INTERNALDATE with modification times")
	f.BoolVar(&o.AllKeywords, "all-keywords", false, "compare keywords without a letter too")
	f.BoolVar(&o.IgnoreKeywords, "ignore-keywords", false, "do not compare keywords and $Forwarded")
	f.BoolVar(&o.AnyNames, "any-names", false, "do not look at UIDs in file names; pair by content")
	if err := parse(f, args); err != nil {
		return err
	}
	if *dir == "" {
		return errors.New("say where the mail is: --maildir DIR")
	}
	if *mbsync {
		o.AnyNames, o.IgnoreKeywords, o.DropHeader, o.Rename = true, true, "X-TUID", imapc.EncodeName
	}
	if *skip != "" {
		names := strings.Split(*skip, ",")
		o.Skip = func(n string) bool { return slices.Contains(names, n) }
	}
	var err error
	if o.Keywords, err = parseLetters(*letters); err != nil {
		return err
	}
	c, err := l.dial()
	if err != nil {
		return err
	}
	defer c.Logout()
	r, err := verify.Check(c, *dir, o)
	if err != nil {
		return err
	}
	if *all {
		fmt.Println(r.Summary())
		for _, d := range r.Differences {
			fmt.Println("  " + d.String())
		}
	} else {
		fmt.Println(r)
	}
	if !r.Equal() {
		return errDiffer
	}
	return nil
}

// parseLetters reads a=work,b=Todo.
func parseLetters(s string) (map[byte]string, error) {
	if s == "" {
		return nil, nil
	}
	m := map[byte]string{}
	for _, p := range strings.Split(s, ",") {
		letter, word, ok := strings.Cut(p, "=")
		if !ok || len(letter) != 1 {
			return nil, fmt.Errorf("letters: %q is not letter=keyword", p)
		}
		m[letter[0]] = word
	}
	return m, nil
}
