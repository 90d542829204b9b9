package imapproto

import (
	"slices"
	"strings"
	"testing"
)

// TestNewCapSet: what is switched off is gone, with what only it implies and what is no
// use without it.
func TestNewCapSet(t *testing.T) {
	const modern = "IMAP4rev1 ENABLE CONDSTORE QRESYNC LIST-EXTENDED LIST-STATUS COMPRESS=DEFLATE"
	for _, c := range []struct{ told, off, want string }{
		{"qresync", "", "CONDSTORE ENABLE QRESYNC"},
		{"LIST-STATUS", "", "LIST-EXTENDED LIST-STATUS"},
		{modern, "enable", "COMPRESS=DEFLATE CONDSTORE IMAP4REV1 LIST-EXTENDED LIST-STATUS"},
		{modern, "Condstore", "COMPRESS=DEFLATE ENABLE IMAP4REV1 LIST-EXTENDED LIST-STATUS"},
		{modern, "QRESYNC LIST-EXTENDED", "COMPRESS=DEFLATE CONDSTORE ENABLE IMAP4REV1"},
		{"QRESYNC", "QRESYNC", ""},
		{modern, "COMPRESS", "CONDSTORE ENABLE IMAP4REV1 LIST-EXTENDED LIST-STATUS QRESYNC"},
		{"APPENDLIMIT=5 AUTH=PLAIN AUTH=XOAUTH2", "appendlimit auth=plain", "AUTH=XOAUTH2"},
		{"IMAP4rev2", "LIST-EXTENDED MOVE STATUS UIDPLUS", "CHILDREN ENABLE ESEARCH IDLE IMAP4REV2 LITERAL- NAMESPACE SASL-IR SPECIAL-USE UNSELECT"},
	} {
		got := NewCapSet(strings.Fields(c.told), strings.Fields(c.off)).Names()
		if !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%q without %q: %q, want %q", c.told, c.off, got, c.want)
		}
	}
}
