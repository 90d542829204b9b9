package mailsync

import (
	"testing"

	"offloop/imapproto/imaptest"
)

func TestWorldInitial(t *testing.T) {
	w := newWorld(t, imaptest.QRESYNC, 1)
	w.remoteAdd("INBOX", "a", `\Seen`)
	w.remoteAdd("Work/é", "raw1")
	w.localAdd("INBOX", "b", "FS")
	w.localAdd("Own", "c", "")
	w.must()
	w.expect("INBOX a:S b:FS\nOwn c:-\nWork/é raw1:-")
	w.idle()
	w.still()
	w.noComplaints()
	t.Log(w.pieces, w.fs.Calls(), len(w.srv.Log))
}
