package maildirtest

import (
	"maps"
	"math/rand/v2"
)

// Clone copies the file system as it stands, with its hooks, limits and clock,
// so that many tests can go on from one state. No file may be open in it. The
// clone makes the choices of its own seed from now on, but lists directories in
// the same order.
func (f *FS) Clone(seed uint64) *FS {
	if len(f.files) > 0 {
		panic("maildirtest: Clone with open files")
	}
	c := *f
	c.rng = rand.New(rand.NewPCG(seed, 0x6f66666c6f6f70))
	c.files, c.held = map[int]*file{}, maps.Clone(f.held)
	c.nodes = make(map[uint64]*node, len(f.nodes))
	copies := make(map[*node]*node, len(f.nodes))
	copied := func(n *node) *node {
		if n == nil {
			return nil
		}
		d := copies[n]
		if d == nil {
			d = new(node)
			copies[n] = d
		}
		return d
	}
	fill := func(n *node) {
		d := copied(n)
		if d.ino != 0 {
			return
		}
		if !n.dir {
			n.data, n.shared = n.data[:len(n.data):len(n.data)], true
		}
		*d = *n
		d.lockedBy = nil
		d.entries, d.durable = renamed(n.entries, copied), renamed(n.durable, copied)
	}
	for ino, n := range f.nodes {
		c.nodes[ino] = copied(n)
		fill(n)
	}
	ops := make(map[*dirOp]*dirOp, len(f.ops))
	c.ops = make([]*dirOp, len(f.ops))
	for i, op := range f.ops {
		d := *op
		d.dir, d.node = copied(op.dir), copied(op.node)
		ops[op], c.ops[i] = &d, &d
	}
	for _, op := range c.ops {
		// The other half of a rename that is durable already needs no copy of
		// its own.
		if d := ops[op.needs]; d != nil {
			op.needs = d
		}
	}
	c.root = copied(f.root)
	// What a power cut left out of nodes may still be an operation's.
	for more := true; more; {
		more = false
		for n, d := range copies {
			if d.ino == 0 {
				fill(n)
				more = true
			}
		}
	}
	return &c
}

func renamed(m map[string]*node, copied func(*node) *node) map[string]*node {
	if m == nil {
		return nil
	}
	out := make(map[string]*node, len(m))
	for name, n := range m {
		out[name] = copied(n)
	}
	return out
}
