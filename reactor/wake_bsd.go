//go:build darwin || freebsd || openbsd || netbsd || dragonfly

package reactor

// newWake returns the two ends of the pipe that Post rings.
func newWake() (r, w int, err error) {
	r, w, err = newPipe()
	if err != nil {
		return -1, -1, err
	}
	if err = setNonblock(r, w); err != nil {
		closeAll(r, w)
		return -1, -1, err
	}
	return r, w, nil
}
