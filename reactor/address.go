package reactor

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// resolve looks a name up, blocking. Go's resolver already sorts the addresses
// by RFC 6724.
func resolve(ctx context.Context, network, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, network, host)
}

// interleave keeps the addresses of the network asked for and alternates the
// families, beginning with that of the first address (RFC 8305 section 4).
func interleave(addrs []netip.Addr, network string) []netip.Addr {
	var fams [2][]netip.Addr
	first := -1
	seen := map[netip.Addr]bool{}
	for _, a := range addrs {
		a = a.Unmap()
		f := 0
		if a.Is4() {
			f = 1
		}
		if seen[a] || (network == "tcp4" && f == 0) || (network == "tcp6" && f == 1) {
			continue
		}
		seen[a] = true
		if first < 0 {
			first = f
		}
		fams[f] = append(fams[f], a)
	}
	var out []netip.Addr
	for f := first; len(fams[0])+len(fams[1]) > 0; f = 1 - f {
		if len(fams[f]) > 0 {
			out = append(out, fams[f][0])
			fams[f] = fams[f][1:]
		}
	}
	return out
}

// connect starts a non-blocking connect. The socket is the caller's unless err.
func connect(ap netip.AddrPort) (fd int, inProgress bool, err error) {
	var sa unix.Sockaddr
	family := unix.AF_INET
	if a := ap.Addr(); a.Is4() {
		sa = &unix.SockaddrInet4{Port: int(ap.Port()), Addr: a.As4()}
	} else {
		family = unix.AF_INET6
		sa = &unix.SockaddrInet6{Port: int(ap.Port()), Addr: a.As16(), ZoneId: zoneID(a.Zone())}
	}
	if fd, err = newSocket(family); err != nil {
		return -1, false, err
	}
	switch err = unix.Connect(fd, sa); err {
	case nil:
		return fd, false, nil
	case unix.EINPROGRESS, unix.EINTR:
		// After EINTR the connect goes on by itself all the same.
		return fd, true, nil
	}
	unix.Close(fd)
	return -1, false, os.NewSyscallError("connect", err)
}

// zoneID turns the zone of a link-local address into an interface number.
func zoneID(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if ifi, err := net.InterfaceByName(zone); err == nil {
		return uint32(ifi.Index)
	}
	n, _ := strconv.ParseUint(zone, 10, 32)
	return uint32(n)
}

// tuneTCP sets the options of every connection. They are wishes: a system that
// lacks one still has a working connection, so errors are passed over.
func tuneTCP(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	setKeepalive(fd, keepaliveSeconds)
}

// keepaliveSeconds is both the silence before the first probe and the time
// between probes: below the five minutes after which home routers forget.
const keepaliveSeconds = 60
