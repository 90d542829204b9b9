package reactor

// setKeepalive has nothing to set: OpenBSD has one interval for the whole system.
func setKeepalive(fd, seconds int) {}
