package socket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// headerFor is how long a proxy may take for the header of a connection.
	headerFor = 5 * time.Second
	// maxLine is the longest header of version 1, with its end (PROXY protocol §2.1).
	maxLine = 107
	// maxBlock is the longest header of version 2 that is taken, beside its first 16 bytes.
	maxBlock = 4096
)

// The ways in which what a proxy sent is no header.
var (
	errMore     = errors.New("the header goes on")
	errNoHeader = errors.New("there is no header of the PROXY protocol")
	errHeader   = errors.New("the header of the PROXY protocol cannot be read")
)

// line and signature are how the headers of version 1 and 2 begin.
const (
	line      = "PROXY "
	signature = "\r\n\r\n\x00\r\nQUIT\n"
)

// Proxied reads the header of the PROXY protocol in front of each connection from one of
// nets, which are the proxies. Theirs without a header are closed, but for what this machine
// asks itself. All others are who they are: a header from them is not looked at, so it is
// no request either.
func Proxied(l net.Listener, nets []netip.Prefix) net.Listener {
	p := &proxied{Listener: l, nets: nets, taken: make(chan taken), closed: make(chan struct{})}
	go p.take()
	return p
}

type proxied struct {
	net.Listener
	nets   []netip.Prefix
	taken  chan taken
	closed chan struct{}
	once   sync.Once
}

// taken is what Accept answers.
type taken struct {
	conn net.Conn
	err  error
}

// take takes connections until the listener is closed. Each header is read beside the
// others, so that a slow one holds up nobody; how many there can be is the bound of the
// listener below.
func (p *proxied) take() {
	for {
		c, err := p.Listener.Accept()
		if err != nil {
			p.give(taken{err: err})
			if errors.Is(err, net.ErrClosed) {
				return
			}
			select {
			case <-p.closed:
				return
			default:
			}
			continue
		}
		go func() {
			through, err := p.read(c)
			if err != nil {
				c.Close()
				return
			}
			p.give(taken{conn: through})
		}()
	}
}

// give hands something to Accept, or drops it when nobody asks any more.
func (p *proxied) give(t taken) {
	select {
	case p.taken <- t:
	case <-p.closed:
		if t.conn != nil {
			t.conn.Close()
		}
	}
}

// Accept waits for a connection whose header has been read.
func (p *proxied) Accept() (net.Conn, error) {
	select {
	case t := <-p.taken:
		return t.conn, t.err
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close ends the listener, and connections whose header is not complete.
func (p *proxied) Close() error {
	p.once.Do(func() { close(p.closed) })
	return p.Listener.Close()
}

// read is a connection with the address that its proxy tells.
func (p *proxied) read(c net.Conn) (net.Conn, error) {
	peer, own := peerOf(c)
	if !p.trust(peer) {
		return c, nil
	}
	if err := c.SetReadDeadline(time.Now().Add(headerFor)); err != nil {
		return nil, err
	}
	b := make([]byte, 0, 256)
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := c.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		from, used, wrong := parseHeader(b)
		if errors.Is(wrong, errNoHeader) && own {
			used, wrong = 0, nil
		}
		switch {
		case wrong == nil:
			if err := c.SetReadDeadline(time.Time{}); err != nil {
				return nil, err
			}
			through := &throughConn{Conn: c, rest: b[used:], from: c.RemoteAddr()}
			if from.IsValid() {
				through.from = net.TCPAddrFromAddrPort(from)
			}
			return through, nil
		case !errors.Is(wrong, errMore):
			return nil, wrong
		case err != nil:
			return nil, err
		}
	}
}

// trust says whether a peer is one of the proxies.
func (p *proxied) trust(a netip.Addr) bool {
	for _, n := range p.nets {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// peerOf is who connected, and whether that is this machine. A peer without an address is
// the other end of a Unix socket.
func peerOf(c net.Conn) (peer netip.Addr, own bool) {
	remote, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
	}
	peer = remote.AddrPort().Addr().Unmap().WithZone("")
	local, ok := c.LocalAddr().(*net.TCPAddr)
	return peer, peer.IsLoopback() || ok && local.AddrPort().Addr().Unmap().WithZone("") == peer
}

// A throughConn came through a proxy.
type throughConn struct {
	net.Conn
	rest []byte // was read with the header
	from net.Addr
}

// Read reads what follows the header.
func (c *throughConn) Read(b []byte) (int, error) {
	if len(c.rest) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.rest)
	if c.rest = c.rest[n:]; len(c.rest) == 0 {
		c.rest = nil
	}
	return n, nil
}

// RemoteAddr is who connected to the proxy.
func (c *throughConn) RemoteAddr() net.Addr { return c.from }

// parseHeader reads a header of either version from what has come so far: who connected to
// the proxy, and how long the header is. Without an address the proxy speaks for itself, or
// knows none.
func parseHeader(b []byte) (from netip.AddrPort, used int, err error) {
	begins := func(how string) bool {
		n := min(len(b), len(how))
		return string(b[:n]) == how[:n]
	}
	switch {
	case begins(line):
		if len(b) < len(line) {
			return from, 0, errMore
		}
		return parseLine(b)
	case begins(signature):
		if len(b) < 16 {
			return from, 0, errMore
		}
		return parseBlock(b)
	}
	return from, 0, errNoHeader
}

// parseLine reads a header of version 1: PROXY TCP4 192.0.2.1 192.0.2.2 56324 443.
func parseLine(b []byte) (from netip.AddrPort, used int, err error) {
	end := bytes.IndexByte(b[:min(len(b), maxLine)], '\n')
	switch {
	case end < 0 && len(b) < maxLine:
		return from, 0, errMore
	case end < 0 || b[end-1] != '\r':
		return from, 0, errHeader
	}
	words := strings.Split(string(b[len(line):end-1]), " ")
	if words[0] == "UNKNOWN" {
		return from, end + 1, nil
	}
	if len(words) != 5 {
		return from, 0, errHeader
	}
	source, ok1 := lineAddress(words[0], words[1], words[3])
	_, ok2 := lineAddress(words[0], words[2], words[4])
	if !ok1 || !ok2 {
		return from, 0, errHeader
	}
	return source, end + 1, nil
}

// lineAddress reads an address and a port of one of the two families.
func lineAddress(family, address, port string) (netip.AddrPort, bool) {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Zone() != "" || !(family == "TCP4" && a.Is4() || family == "TCP6" && a.Is6()) {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(n, 10) != port {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), true
}

// parseBlock reads a header of version 2 (§2.2). What may follow the addresses is passed over.
func parseBlock(b []byte) (from netip.AddrPort, used int, err error) {
	length := int(binary.BigEndian.Uint16(b[14:]))
	command, family := b[12], b[13]
	switch {
	case command != 0x20 && command != 0x21, length > maxBlock:
		return from, 0, errHeader
	case len(b) < 16+length:
		return from, 0, errMore
	}
	body := b[16 : 16+length]
	switch {
	case command == 0x20: // LOCAL: the proxy asks on its own behalf
	case family == 0x11 && length >= 12:
		from = netip.AddrPortFrom(netip.AddrFrom4([4]byte(body[:4])), binary.BigEndian.Uint16(body[8:]))
	case family == 0x21 && length >= 36:
		from = netip.AddrPortFrom(netip.AddrFrom16([16]byte(body[:16])).Unmap(), binary.BigEndian.Uint16(body[32:]))
	case family == 0x00, family == 0x31: // not known, or a Unix socket of the proxy's
	default:
		return from, 0, errHeader
	}
	return from, 16 + length, nil
}
