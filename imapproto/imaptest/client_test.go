package imaptest

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// TestImapclient lets an independent client use the server over loopback.
func TestImapclient(t *testing.T) {
	srv := newServer()
	// it takes rev2 on offer for rev2 enabled and sends UTF-8 names
	srv.Caps = srv.Caps.Without("IMAP4rev2")
	fill(srv, "INBOX", 3)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip(err)
	}
	done := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			err = srv.NewSession().Serve(conn)
			conn.Close()
		}
		done <- err
	}()
	c, err := imapclient.DialInsecure(l.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Login("joe", "secret").Wait())
	must(c.Create("Entwürfe & mehr", nil).Wait())
	boxes, err := c.List("", "*", &imap.ListOptions{ReturnStatus: &imap.StatusOptions{NumMessages: true, UIDNext: true}}).Collect()
	must(err)
	if len(boxes) != 2 || boxes[0].Mailbox != "Entwürfe & mehr" || *boxes[1].Status.NumMessages != 3 {
		t.Errorf("LIST: %+v", boxes)
	}
	sel, err := c.Select("INBOX", &imap.SelectOptions{CondStore: true}).Wait()
	must(err)
	if sel.NumMessages != 3 || sel.UIDNext != 4 || sel.HighestModSeq == 0 {
		t.Errorf("SELECT: %+v", sel)
	}
	section := &imap.FetchItemBodySection{Peek: true}
	msgs, err := c.Fetch(imap.UIDSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{UID: true, Flags: true, RFC822Size: true,
		InternalDate: true, ModSeq: true, BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	must(err)
	if len(msgs) != 3 || string(msgs[2].FindBodySection(section)) != string(body("m3")) || msgs[2].RFC822Size != int64(len(body("m3"))) {
		t.Errorf("FETCH: %+v", msgs)
	}
	a := c.Append("INBOX", 5, &imap.AppendOptions{Flags: []imap.Flag{imap.FlagSeen, "work"}})
	_, err = io.WriteString(a, "x: y\n")
	must(err)
	must(a.Close())
	ad, err := a.Wait()
	must(err)
	if ad.UID != 4 {
		t.Errorf("APPEND: %+v", ad)
	}
	must(c.Store(imap.UIDSetNum(2), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close())
	must(c.UIDExpunge(imap.UIDSetNum(2, 3)).Close())
	sr, err := c.UIDSearch(&imap.SearchCriteria{Flag: []imap.Flag{"work"}}, &imap.SearchOptions{ReturnAll: true}).Wait()
	must(err)
	if got := sr.All.String(); got != "4" {
		t.Errorf("SEARCH: %s", got)
	}
	mv, err := c.Move(imap.UIDSetNum(1), "Entwürfe & mehr").Wait()
	must(err)
	if mv.DestUIDs.String() != "1" {
		t.Errorf("MOVE: %+v", mv)
	}
	must(c.Logout().Wait())
	c.Close()
	must(<-done)
	var uids []string
	for _, m := range srv.Messages("INBOX") {
		uids = append(uids, string(rune('0'+m.UID)))
	}
	if strings.Join(uids, " ") != "3 4" || len(srv.Messages("Entwürfe & mehr")) != 1 {
		t.Errorf("INBOX has %v", uids)
	}
	if len(srv.Complaints) > 0 {
		t.Error(srv.Complaints)
	}
}
