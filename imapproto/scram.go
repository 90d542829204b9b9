package imapproto

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"
)

// cramMD5 is CRAM-MD5 (RFC 2195): the server speaks first.
type cramMD5 struct{ o *Options }

func (m cramMD5) initial() []byte { return nil }

func (m cramMD5) next(challenge []byte) ([]byte, bool) {
	h := hmac.New(md5.New, []byte(m.o.Pass))
	h.Write(challenge)
	return []byte(m.o.User + " " + hex.EncodeToString(h.Sum(nil))), true
}

func (m cramMD5) proved() bool { return true }

// scramStep is where a SCRAM exchange stands; it is named after what is awaited.
//
//	Challenge ──salt, iterations──> Proof ──server's signature──> Done
//	    └────────anything wrong────────┴────────> Failed
type scramStep uint8

const (
	scramChallenge scramStep = iota
	scramProof
	scramDone
	scramFailed
)

// String names the step.
func (s scramStep) String() string {
	return [...]string{"challenge", "proof", "done", "failed"}[s]
}

// maxScramRounds bounds the work a server may ask for: some tens of
// milliseconds, in which nothing else happens. Servers ask for 4,096 to 20,000.
const maxScramRounds = 200_000

// scram is SCRAM (RFC 5802, RFC 7677) without channel binding. The server has to
// prove that it knows the password too.
type scram struct {
	o      *Options
	hash   func() hash.Hash
	step   scramStep
	nonce  string
	bare   string // client-first-message-bare
	server []byte // the signature the server must show
}

func newScram(h func() hash.Hash) func(o *Options) mechanism {
	return func(o *Options) mechanism { return &scram{o: o, hash: h} }
}

func newScramSHA1(o *Options) mechanism   { return newScram(sha1.New)(o) }
func newScramSHA256(o *Options) mechanism { return newScram(sha256.New)(o) }

func (m *scram) to(s scramStep) { m.step = s }

// proved reports whether the server has shown its signature.
func (m *scram) proved() bool { return m.step == scramDone }

func (m *scram) initial() []byte {
	if m.o.Nonce != nil {
		m.nonce = m.o.Nonce()
	} else {
		var b [18]byte
		rand.Read(b[:]) // never fails
		m.nonce = base64.StdEncoding.EncodeToString(b[:])
	}
	m.bare = "n=" + scramName(m.o.User) + ",r=" + m.nonce
	return []byte(m.header() + m.bare)
}

// header is the gs2-header: no channel binding, and whom to act as.
func (m *scram) header() string {
	if m.o.AuthzID == "" {
		return "n,,"
	}
	return "n,a=" + scramName(m.o.AuthzID) + ","
}

// scramName escapes what separates attributes. Names and passwords are used as
// they are, without SASLprep, as servers store them.
func scramName(s string) string { return strings.NewReplacer("=", "=3D", ",", "=2C").Replace(s) }

func (m *scram) next(msg []byte) ([]byte, bool) {
	switch m.step {
	case scramChallenge:
		answer, ok := m.answer(msg)
		if !ok {
			m.to(scramFailed)
			return nil, false
		}
		m.to(scramProof)
		return answer, true
	case scramProof:
		sig, err := base64.StdEncoding.DecodeString(scramAttributes(msg)["v"])
		if err != nil || subtle.ConstantTimeCompare(sig, m.server) != 1 {
			m.to(scramFailed)
			return nil, false
		}
		m.to(scramDone)
		return []byte{}, true
	}
	return nil, false
}

// answer makes the client-final-message.
func (m *scram) answer(msg []byte) ([]byte, bool) {
	a := scramAttributes(msg)
	salt, err := base64.StdEncoding.DecodeString(a["s"])
	rounds, err2 := strconv.Atoi(a["i"])
	_, extension := a["m"] // mandatory ones, of which there are none yet
	if err != nil || err2 != nil || len(salt) == 0 || rounds < 1 || rounds > maxScramRounds || extension ||
		!strings.HasPrefix(a["r"], m.nonce) || len(a["r"]) == len(m.nonce) {
		return nil, false
	}
	salted, err := pbkdf2.Key(m.hash, m.o.Pass, salt, rounds, m.hash().Size())
	if err != nil {
		return nil, false
	}
	final := "c=" + base64.StdEncoding.EncodeToString([]byte(m.header())) + ",r=" + a["r"]
	text := m.bare + "," + string(msg) + "," + final
	client := m.mac(salted, "Client Key")
	h := m.hash()
	h.Write(client)
	proof := m.mac(h.Sum(nil), text)
	subtle.XORBytes(proof, proof, client)
	m.server = m.mac(m.mac(salted, "Server Key"), text)
	return []byte(final + ",p=" + base64.StdEncoding.EncodeToString(proof)), true
}

func (m *scram) mac(key []byte, text string) []byte {
	h := hmac.New(m.hash, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// scramAttributes splits a=b,c=d; of two of one name the first counts.
func scramAttributes(msg []byte) map[string]string {
	a := map[string]string{}
	for part := range bytes.SplitSeq(msg, []byte(",")) {
		k, v, ok := strings.Cut(string(part), "=")
		if _, dup := a[k]; ok && !dup {
			a[k] = v
		}
	}
	return a
}
