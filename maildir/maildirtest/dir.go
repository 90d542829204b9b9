package maildirtest

import (
	"hash/fnv"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// add takes a name in a directory, replacing what has it.
func (f *FS) add(dir *node, name string, n *node) *dirOp {
	if old := dir.entries[name]; old != nil {
		f.unlinked(old)
	}
	dir.entries[name] = n
	if n.dev == 0 {
		n.dev = dir.dev
	}
	n.links++
	f.touched(dir)
	return f.log(&dirOp{dir: dir, name: name, node: n, add: true})
}

// drop gives up a name. needs is the other half of a rename.
func (f *FS) drop(dir *node, name string, needs *dirOp) {
	n := dir.entries[name]
	delete(dir.entries, name)
	f.touched(dir)
	f.unlinked(n)
	f.log(&dirOp{dir: dir, name: name, node: n, needs: needs})
}

func (f *FS) unlinked(n *node) {
	n.links--
	n.ctime = f.stamp()
	if n.links == 0 {
		f.space += int64(len(n.data))
	}
}

func (f *FS) touched(dir *node) {
	dir.sorted = nil
	dir.mtime, dir.ctime = f.stamp(), f.stamp()
}

// Rename renames and replaces. Of two names of one file it does nothing.
func (f *FS) Rename(oldp, newp string) error {
	return f.call("rename", oldp, func() error { return f.rename(oldp, newp, true) })
}

// RenameNoReplace renames if the new name is free.
func (f *FS) RenameNoReplace(oldp, newp string) error {
	return f.call("rename-noreplace", oldp, func() error {
		if f.NoAtomicRename {
			return unix.ENOSYS
		}
		return f.rename(oldp, newp, false)
	})
}

func (f *FS) rename(oldp, newp string, replace bool) error {
	od, oname, n, err := f.find(oldp)
	if err == nil && n == nil {
		err = unix.ENOENT
	}
	if err != nil {
		return err
	}
	nd, nname, target, err := f.find(newp)
	switch {
	case err != nil:
		return err
	case f.ReadOnly:
		return unix.EROFS
	case nd.dev != n.dev:
		return unix.EXDEV
	case target != nil && !replace:
		return unix.EEXIST
	case target == n && (od != nd || oname != nname):
		return nil
	case target == n:
		// The same entry under another spelling: only the spelling changes.
		nname = newp[strings.LastIndexByte(newp, '/')+1:]
		if nname == oname {
			return nil
		}
	case target != nil && target.dir && (len(target.entries) > 0 || !n.dir):
		return unix.EEXIST
	}
	added := f.add(nd, nname, n)
	f.drop(od, oname, added)
	n.ctime = f.stamp()
	return nil
}

// Link makes a second name for a file.
func (f *FS) Link(oldp, newp string) error {
	return f.call("link", newp, func() error {
		n, err := f.existing(oldp)
		if err != nil {
			return err
		}
		nd, name, target, err := f.find(newp)
		switch {
		case err != nil:
			return err
		case target != nil:
			return unix.EEXIST
		case f.ReadOnly:
			return unix.EROFS
		case nd.dev != n.dev:
			return unix.EXDEV
		case n.dir || f.NoLinks:
			return unix.EPERM
		}
		f.add(nd, name, n)
		n.ctime = f.stamp()
		return nil
	})
}

// Unlink removes a name of a file.
func (f *FS) Unlink(p string) error {
	return f.call("unlink", p, func() error {
		dir, name, n, err := f.find(p)
		switch {
		case err != nil:
			return err
		case n == nil:
			return unix.ENOENT
		case f.ReadOnly:
			return unix.EROFS
		case n.dir:
			return unix.EISDIR
		}
		f.drop(dir, name, nil)
		return nil
	})
}

// Mkdir makes a directory.
func (f *FS) Mkdir(p string, perm uint32) error {
	return f.call("mkdir", p, func() error {
		dir, name, n, err := f.find(p)
		switch {
		case err != nil:
			return err
		case n != nil:
			return unix.EEXIST
		case f.ReadOnly:
			return unix.EROFS
		case f.limited && f.space <= 0:
			return unix.ENOSPC
		}
		f.add(dir, name, f.newNode(true, perm))
		return nil
	})
}

// Stat looks at a path.
func (f *FS) Stat(p string) (mode uint32, size int64, dev, ino uint64, mtimeNs, ctimeNs int64, err error) {
	err = f.call("stat", p, func() error {
		n, err := f.existing(p)
		if err == nil {
			mode, size, dev, ino, mtimeNs, ctimeNs = n.stat()
		}
		return err
	})
	return
}

// Fstat looks at an open file.
func (f *FS) Fstat(fd int) (mode uint32, size int64, dev, ino uint64, mtimeNs, ctimeNs int64, err error) {
	err = f.call("fstat", f.pathOf(fd), func() error {
		h, err := f.handle(fd)
		if err == nil {
			mode, size, dev, ino, mtimeNs, ctimeNs = h.node.stat()
		}
		return err
	})
	return
}

func (n *node) stat() (mode uint32, size int64, dev, ino uint64, mtimeNs, ctimeNs int64) {
	mode = n.perm | unix.S_IFREG
	if n.dir {
		mode = n.perm | unix.S_IFDIR
	}
	return mode, int64(len(n.data)), n.dev, n.ino, n.mtime, n.ctime
}

// ReadNames lists a directory in hash order from where it stopped: what is
// renamed meanwhile may so come twice or never.
func (f *FS) ReadNames(fd int, buf []byte, each func(name string)) (used int, err error) {
	var names []string
	err = f.call("readnames", f.pathOf(fd), func() error {
		h, err := f.handle(fd)
		if err != nil {
			return err
		}
		if !h.node.dir {
			return unix.ENOTDIR
		}
		sorted := f.listing(h.node)
		i := 0
		if h.listed {
			i, _ = slices.BinarySearchFunc(sorted, h.cursor, f.hashOrder)
			if i < len(sorted) && sorted[i] == h.cursor {
				i++
			}
		}
		for ; i < len(sorted); i++ {
			size := (19 + len(sorted[i]) + 1 + 7) &^ 7 // as struct linux_dirent64
			if used+size > len(buf) {
				if used == 0 {
					return unix.EINVAL
				}
				break
			}
			used += size
			names = append(names, sorted[i])
			h.cursor, h.listed = sorted[i], true
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		each(name)
	}
	return used, nil
}

func (f *FS) listing(dir *node) []string {
	if dir.sorted == nil {
		for name := range dir.entries {
			dir.sorted = append(dir.sorted, name)
		}
		slices.SortFunc(dir.sorted, f.hashOrder)
	}
	return dir.sorted
}

func (f *FS) hashOrder(a, b string) int {
	ha, hb := f.hash(a), f.hash(b)
	switch {
	case ha < hb:
		return -1
	case ha > hb:
		return 1
	}
	return strings.Compare(a, b)
}

func (f *FS) hash(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte{byte(f.seed), byte(f.seed >> 8), byte(f.seed >> 16)})
	h.Write([]byte(name))
	return h.Sum64() * 0x9e3779b97f4a7c15 // fnv's high bits hardly differ for similar names
}

// Utimes sets a file's time.
func (f *FS) Utimes(p string, _, mtimeNs int64) error {
	return f.call("utimes", p, func() error {
		n, err := f.existing(p)
		if err == nil && f.ReadOnly {
			err = unix.EROFS
		}
		if err == nil {
			n.mtime, n.ctime = mtimeNs, f.stamp()
		}
		return err
	})
}

// TryLock locks a file until its descriptor is closed or the process ends.
func (f *FS) TryLock(fd int) (holder int, err error) {
	err = f.call("lock", f.pathOf(fd), func() error {
		h, err := f.handle(fd)
		if err != nil {
			return err
		}
		if pid := f.held[h.node.ino]; pid != 0 {
			holder = pid
			return unix.EAGAIN
		}
		if by := h.node.lockedBy; by != nil && by != h {
			return unix.EAGAIN
		}
		h.node.lockedBy = h
		return nil
	})
	return holder, err
}

// FSType gives Kind and Network.
func (f *FS) FSType(p string) (name string, network bool, err error) {
	err = f.call("fstype", p, func() error {
		_, err := f.existing(p)
		return err
	})
	if name = f.Kind; name == "" {
		name = "test"
	}
	return name, f.Network, err
}
