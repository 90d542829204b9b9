package maildirtest

import (
	"bytes"
	"maps"

	"golang.org/x/sys/unix"
)

// dirOp is a change of a directory that is not flushed yet.
type dirOp struct {
	dir   *node
	name  string
	node  *node
	add   bool   // the name is taken, else given up
	needs *dirOp // the other half of a rename: the name given up only goes if this came
	state opState
}

type opState uint8

const (
	opPending opState = iota
	opDurable
	opLost
)

func (f *FS) log(op *dirOp) *dirOp {
	f.ops = append(f.ops, op)
	return op
}

// apply makes an op durable.
func (op *dirOp) apply() {
	op.state = opDurable
	if op.add {
		op.dir.durable[op.name] = op.node
	} else if op.dir.durable[op.name] == op.node {
		delete(op.dir.durable, op.name)
	}
}

// flushDir makes the ops of a directory durable, up to and including last (nil =
// all). The taking of a name goes before the giving up of the one renamed.
func (f *FS) flushDir(dir *node, last *dirOp) {
	for _, op := range f.ops {
		if op.dir == dir && op.state == opPending {
			if op.needs != nil && op.needs.state == opPending {
				f.flushDir(op.needs.dir, op.needs)
			}
			op.apply()
		}
		if op == last {
			return
		}
	}
}

func (f *FS) prune() {
	kept := f.ops[:0]
	for _, op := range f.ops {
		if op.state == opPending {
			kept = append(kept, op)
		}
	}
	clear(f.ops[len(kept):])
	f.ops = kept
}

func (n *node) flush() {
	if n.lost || !n.dirty {
		return
	}
	n.synced = bytes.Clone(n.data)
	n.dirty, n.kept = false, len(n.synced)
}

// Fsync flushes a file's data or a directory's entries. Injected to fail, it
// loses the file's data for good.
func (f *FS) Fsync(fd int) error {
	err := f.call("fsync", f.pathOf(fd), func() error {
		h, err := f.handle(fd)
		if err != nil {
			return err
		}
		if h.node.dir {
			f.flushDir(h.node, nil)
			f.prune()
		} else {
			h.node.flush()
		}
		return nil
	})
	if h := f.files[fd]; err != nil && h != nil && !f.dead {
		h.node.lost = !h.node.dir
	}
	return err
}

// SyncFS flushes the file system that fd lies on. Injected to fail, it loses all
// unflushed data.
func (f *FS) SyncFS(fd int) error {
	if f.NoSyncFS {
		return f.call("syncfs", f.pathOf(fd), func() error { return unix.ENOSYS })
	}
	err := f.call("syncfs", f.pathOf(fd), func() error {
		h, err := f.handle(fd)
		if err != nil {
			return err
		}
		for _, n := range f.nodes {
			if !n.dir && n.dev == h.node.dev {
				n.flush()
			}
		}
		for _, op := range f.ops {
			if op.dir.dev == h.node.dev {
				op.apply()
			}
		}
		f.prune()
		return nil
	})
	if err != nil && !f.dead {
		for _, n := range f.nodes {
			n.lost = n.lost || n.dirty
		}
	}
	return err
}

// Kill ends the process: open files and locks are gone, the disk stays as the
// calls left it. The file system can then be used again.
func (f *FS) Kill() {
	f.files = map[int]*file{}
	for _, n := range f.nodes {
		n.lockedBy = nil
	}
	f.dead, f.crashAt = false, 0
}

// PowerCut ends the process and loses what was not flushed, as the package
// comment says. The file system can then be used again.
func (f *FS) PowerCut() {
	f.Kill()
	cut := f.rng.IntN(len(f.ops) + 1)
	for i, op := range f.ops {
		if op.state != opPending {
			continue
		}
		keep := f.rng.IntN(2) == 0
		if f.Ordered {
			keep = i < cut || op.needs != nil && op.needs.state == opDurable
		}
		if n := op.needs; n != nil && (n.state != opDurable || n.dir == op.dir) {
			keep = n.state == opDurable // never both names gone; within a directory all or nothing
		}
		if keep {
			op.apply()
		} else {
			op.state = opLost
		}
	}
	f.ops = nil
	reached := map[uint64]*node{}
	f.revive(f.root, reached)
	f.nodes = reached
}

// revive makes the durable state the present one, from dir down.
func (f *FS) revive(n *node, reached map[uint64]*node) {
	n.links++
	if reached[n.ino] != nil {
		return
	}
	reached[n.ino] = n
	n.links = 1
	if !n.dir {
		n.data = f.survivor(n)
		n.synced, n.dirty, n.kept, n.lost = bytes.Clone(n.data), false, len(n.data), false
		return
	}
	n.entries, n.sorted = maps.Clone(n.durable), nil
	for _, name := range f.listing(n) {
		f.revive(n.entries[name], reached)
	}
}

// survivor chooses what a power cut leaves of a file's data.
func (f *FS) survivor(n *node) []byte {
	if !n.dirty && !n.lost || f.rng.IntN(3) == 0 {
		return bytes.Clone(n.synced)
	}
	out := bytes.Clone(n.data[:n.kept+f.rng.IntN(len(n.data)-n.kept+1)])
	if n.kept == len(n.synced) && len(out) > n.kept && f.rng.IntN(3) == 0 {
		// The size arrived, the last blocks did not.
		clear(out[n.kept+f.rng.IntN(len(out)-n.kept):])
	}
	return out
}
