package maildir

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Locks of the open file description: unlike fcntl's they are not lost when
// some other part of the process closes the same file.
const (
	setLock = unix.F_OFD_SETLK
	getLock = unix.F_OFD_GETLK
)

// Fsync implements [FS].
func (OS) Fsync(fd int) error { return again(func() error { return unix.Fsync(fd) }) }

// syncfsReports: before Linux 5.8 syncfs told of no write error.
var syncfsReports = kernelAtLeast(5, 8)

func kernelAtLeast(major, minor int) bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	var a, b int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &a, &b); err != nil {
		return false
	}
	return a > major || a == major && b >= minor
}

// SyncFS implements [FS]. Only the file systems are trusted that are known to
// flush the device's cache in it and to report errors.
func (OS) SyncFS(fd int) error {
	if !syncfsReports {
		return unix.ENOSYS
	}
	var st unix.Statfs_t
	if err := again(func() error { return unix.Fstatfs(fd, &st) }); err != nil {
		return unix.ENOSYS
	}
	switch uint32(st.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		return again(func() error { return unix.Syncfs(fd) })
	}
	return unix.ENOSYS
}

// RenameNoReplace implements [FS]. EINVAL is what a file system without the
// flag answers.
func (OS) RenameNoReplace(oldp, newp string) error {
	err := again(func() error {
		return unix.Renameat2(unix.AT_FDCWD, oldp, unix.AT_FDCWD, newp, unix.RENAME_NOREPLACE)
	})
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) {
		return unix.ENOSYS
	}
	return err
}

// ReadNames implements [FS] with getdents64. The records are read by hand: a
// slice costs one allocation a name and nothing else.
func (OS) ReadNames(fd int, buf []byte, each func(name string)) (n int, err error) {
	n, err = againN(func() (int, error) { return unix.Getdents(fd, buf) })
	if err != nil {
		return 0, err
	}
	// struct linux_dirent64: u64 ino, s64 off, u16 reclen, u8 type, name, NUL
	const head = 19
	for b := buf[:n]; len(b) >= head; {
		reclen := int(binary.NativeEndian.Uint16(b[16:]))
		if reclen < head || reclen > len(b) {
			return n, unix.EIO
		}
		name := b[head:reclen]
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		ino := binary.NativeEndian.Uint64(b)
		b = b[reclen:]
		if ino != 0 && string(name) != "." && string(name) != ".." {
			each(string(name))
		}
	}
	return n, nil
}

// fsNames are the kinds of file systems we know; network ones are those another
// machine may write to. FUSE cannot be told apart (sshfs is one), so it counts
// as such.
var fsNames = map[uint32]struct {
	name    string
	network bool
}{
	unix.EXT4_SUPER_MAGIC:      {"ext4", false},
	unix.XFS_SUPER_MAGIC:       {"xfs", false},
	unix.BTRFS_SUPER_MAGIC:     {"btrfs", false},
	unix.F2FS_SUPER_MAGIC:      {"f2fs", false},
	unix.TMPFS_MAGIC:           {"tmpfs", false},
	unix.RAMFS_MAGIC:           {"ramfs", false},
	unix.OVERLAYFS_SUPER_MAGIC: {"overlay", false},
	unix.ECRYPTFS_SUPER_MAGIC:  {"ecryptfs", false},
	unix.MSDOS_SUPER_MAGIC:     {"vfat", false},
	unix.EXFAT_SUPER_MAGIC:     {"exfat", false},
	0x2fc12fc1:                 {"zfs", false},
	0xca451a4e:                 {"bcachefs", false},
	0x7366746e:                 {"ntfs3", false},
	0x3153464a:                 {"jfs", false},
	unix.REISERFS_SUPER_MAGIC:  {"reiserfs", false},
	unix.NILFS_SUPER_MAGIC:     {"nilfs2", false},
	0x24051905:                 {"ubifs", false},
	unix.JFFS2_SUPER_MAGIC:     {"jffs2", false},
	unix.NFS_SUPER_MAGIC:       {"nfs", true},
	unix.CIFS_SUPER_MAGIC:      {"cifs", true},
	unix.SMB2_SUPER_MAGIC:      {"smb2", true},
	unix.SMB_SUPER_MAGIC:       {"smb", true},
	unix.V9FS_MAGIC:            {"9p", true},
	unix.CEPH_SUPER_MAGIC:      {"ceph", true},
	unix.AFS_FS_MAGIC:          {"afs", true},
	unix.AFS_SUPER_MAGIC:       {"afs", true},
	unix.CODA_SUPER_MAGIC:      {"coda", true},
	unix.OCFS2_SUPER_MAGIC:     {"ocfs2", true},
	0x01161970:                 {"gfs2", true},
	0x0bd00bd0:                 {"lustre", true},
	unix.FUSE_SUPER_MAGIC:      {"fuse", true},
	0x786f4256:                 {"vboxsf", true},
}

// FSType implements [FS]. An unknown kind counts as a network one.
func (OS) FSType(path string) (name string, network bool, err error) {
	var st unix.Statfs_t
	if err := again(func() error { return unix.Statfs(path, &st) }); err != nil {
		return "", true, err
	}
	if k, ok := fsNames[uint32(st.Type)]; ok {
		return k.name, k.network, nil
	}
	return fmt.Sprintf("%#x", uint32(st.Type)), true, nil
}
