package imapproto

import "slices"

// State is what a connection as a whole is waiting for or able to do.
//
//	Greeting ──> Capability ──> StartTLS ──> Handshake ──┐
//	   │  │          │                                    │
//	   │  │          ├────────────> Login <───────────────┤
//	   │  └────────────────────────> │                    v
//	   │                             │              (Capability again)
//	   └── PREAUTH ──> Ready <───────┘
//	                   │  ^
//	                   v  │
//	                   Idle         Ready ──> Logout ──> Dead
//
// Every state may move to Dead. Which mailbox is selected is not a state: with
// pipelining several SELECTs are under way at once, see Selection.
type State uint8

// The states of a connection.
const (
	StateGreeting   State = iota // waiting for the server's first line
	StateCapability              // asking what the server can do, before logging in
	StateStartTLS                // STARTTLS sent, nothing may follow it
	StateHandshake               // the owner is wrapping the stream in TLS
	StateLogin                   // LOGIN or AUTHENTICATE under way
	StateReady                   // logged in: many commands at once
	StateIdle                    // the server has agreed to IDLE
	StateLogout                  // LOGOUT sent
	StateDead                    // of no further use
	numStates
)

func (s State) String() string {
	switch s {
	case StateGreeting:
		return "greeting"
	case StateCapability:
		return "capability"
	case StateStartTLS:
		return "starttls"
	case StateHandshake:
		return "tls handshake"
	case StateLogin:
		return "login"
	case StateReady:
		return "ready"
	case StateIdle:
		return "idle"
	case StateLogout:
		return "logout"
	case StateDead:
		return "dead"
	}
	return "unknown state"
}

// moves lists the legal moves. A move that is not listed is a bug of this
// package; to() turns it into a dead connection rather than a wrong one.
var moves = [numStates][]State{
	StateGreeting:   {StateCapability, StateStartTLS, StateLogin, StateReady, StateDead},
	StateCapability: {StateStartTLS, StateLogin, StateReady, StateDead},
	StateStartTLS:   {StateHandshake, StateDead},
	StateHandshake:  {StateCapability, StateLogin, StateDead},
	StateLogin:      {StateReady, StateDead},
	StateReady:      {StateIdle, StateLogout, StateDead},
	StateIdle:       {StateReady, StateDead},
	StateLogout:     {StateDead},
	StateDead:       nil,
}

// to is the only place that changes the state.
func (c *Conn) to(s State) {
	if c.state == s {
		return
	}
	if !slices.Contains(moves[c.state], s) {
		c.fail(&ProtocolError{Where: "internal: no move from " + c.state.String() + " to " + s.String()})
		return
	}
	c.state = s
}
