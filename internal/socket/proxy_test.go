package socket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
)

var allProxies = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// block is a header of version 2.
func block(command, family byte, body ...byte) string {
	b := append([]byte(signature), command, family)
	return string(append(binary.BigEndian.AppendUint16(b, uint16(len(body))), body...))
}

var (
	four = []byte{203, 0, 113, 9, 192, 0, 2, 1, 0xdc, 0x04, 0x01, 0xbb}
	six  = append(append(netip.MustParseAddr("2001:db8::9").AsSlice(), netip.MustParseAddr("2001:db8::1").AsSlice()...), 0xdc, 0x04, 0x01, 0xbb)
)

// Headers of both versions are read as the paper has them, and nothing that only looks like one.
func TestHeadersOfTheProxyProtocol(t *testing.T) { // threats 71
	for _, tt := range []struct {
		name, in, from string
		err            error
	}{
		{"reads version 1", "PROXY TCP4 203.0.113.9 192.0.2.1 56324 443\r\n", "203.0.113.9:56324", nil},
		{"reads version 1 of IPv6", "PROXY TCP6 2001:db8::9 2001:db8::1 56324 443\r\n", "[2001:db8::9]:56324", nil},
		{"takes a mapped address for what it is", "PROXY TCP6 ::ffff:203.0.113.9 ::1 1 2\r\n", "203.0.113.9:1", nil},
		{"leaves the address of a proxy that knows none", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "", nil},
		{"leaves it without more words, too", "PROXY UNKNOWN\r\n", "", nil},
		{"reads version 2", block(0x21, 0x11, four...), "203.0.113.9:56324", nil},
		{"reads version 2 of IPv6", block(0x21, 0x21, six...), "[2001:db8::9]:56324", nil},
		{"passes over what follows the addresses", block(0x21, 0x11, append(bytes.Clone(four), 3, 0, 4, 1, 2, 3, 4)...), "203.0.113.9:56324", nil},
		{"takes a proxy that asks itself", block(0x20, 0x00), "", nil},
		{"believes no address of a proxy that asks itself", block(0x20, 0x11, four...), "", nil},
		{"takes a client of a Unix socket of the proxy", block(0x21, 0x31, make([]byte, 216)...), "", nil},
		{"waits for the rest of version 1", "PROXY TCP4 203.0.1", "", errMore},
		{"waits for the rest of version 2", block(0x21, 0x11, four...)[:20], "", errMore},
		{"waits for the first byte", "", "", errMore},
		{"sees a request", "GET / HTTP/1.1\r\n", "", errNoHeader},
		{"sees a request whose method begins alike", "PROPFIND / HTTP/1.1\r\n", "", errNoHeader},
		{"sees a handshake of TLS", "\x16\x03\x01\x02\x00", "", errNoHeader},
		{"refuses two spaces", "PROXY TCP4  203.0.113.9 192.0.2.1 1 2\r\n", "", errHeader},
		{"refuses a word too many", "PROXY TCP4 203.0.113.9 192.0.2.1 1 2 3\r\n", "", errHeader},
		{"refuses a line that ends in half", "PROXY TCP4 203.0.113.9 192.0.2.1 1 2\n", "", errHeader},
		{"refuses an address of the other family", "PROXY TCP4 2001:db8::9 2001:db8::1 1 2\r\n", "", errHeader},
		{"refuses IPv4 that is called IPv6", "PROXY TCP6 203.0.113.9 192.0.2.1 1 2\r\n", "", errHeader},
		{"refuses a zone", "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", "", errHeader},
		{"refuses a port beyond all", "PROXY TCP4 203.0.113.9 192.0.2.1 65536 2\r\n", "", errHeader},
		{"refuses a port with a sign", "PROXY TCP4 203.0.113.9 192.0.2.1 +1 2\r\n", "", errHeader},
		{"refuses a port with a zero in front", "PROXY TCP4 203.0.113.9 192.0.2.1 01 2\r\n", "", errHeader},
		{"refuses a name for an address", "PROXY TCP4 localhost 192.0.2.1 1 2\r\n", "", errHeader},
		{"refuses another protocol", "PROXY UDP4 203.0.113.9 192.0.2.1 1 2\r\n", "", errHeader},
		{"refuses a line longer than the longest", "PROXY UNKNOWN " + strings.Repeat("x", 200), "", errHeader},
		{"refuses version 3", block(0x31, 0x11, four...), "", errHeader},
		{"refuses another command", block(0x22, 0x11, four...), "", errHeader},
		{"refuses datagrams", block(0x21, 0x12, four...), "", errHeader},
		{"refuses addresses that are cut short", block(0x21, 0x21, four...), "", errHeader},
		{"refuses a block beyond the bound at once", block(0x21, 0x11, make([]byte, 60000)...)[:16], "", errHeader},
	} {
		from, used, err := parseHeader([]byte(tt.in))
		got := ""
		if from.IsValid() {
			got = from.String()
		}
		if !errors.Is(err, tt.err) || got != tt.from || err == nil && used != len(tt.in) {
			t.Errorf("it %s: got %q, %d bytes, %v; want %q, %v", tt.name, got, used, err, tt.from, tt.err)
		}
	}
}

// Whatever comes, the parser ends, takes no more than there is, and needs no more than its bound.
func FuzzHeader(f *testing.F) {
	f.Add([]byte("PROXY TCP4 203.0.113.9 192.0.2.1 56324 443\r\nGET / HTTP/1.1\r\n"))
	f.Add([]byte(block(0x21, 0x11, four...) + "GET"))
	f.Add([]byte(block(0x21, 0x21, six...)))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		from, used, err := parseHeader(b)
		switch {
		case err == nil && (used < 15 || used > len(b) || used > 16+maxBlock):
			t.Errorf("%q has a header of %d bytes", b, used)
		case err != nil && (used != 0 || from.IsValid()):
			t.Errorf("%q is %v and %v", b, from, err)
		case errors.Is(err, errMore) && len(b) >= 16+maxBlock:
			t.Errorf("%d bytes are not enough", len(b))
		case from.IsValid() && (from.Addr().Is4In6() || from.Addr().Zone() != ""):
			t.Errorf("%q gives %v", b, from)
		}
		// The same, byte by byte, is the same.
		for i := range min(len(b), 300) {
			if part, n, perr := parseHeader(b[:i]); !errors.Is(perr, errMore) && (part != from || n != used || !errors.Is(perr, err)) {
				t.Fatalf("%q is %v, %v after %d bytes and %v, %v in the end", b, part, perr, i, from, err)
			}
		}
	})
}

// arrived is what a server behind Proxied sees of one connection: who it is and what it sends.
func arrived(t *testing.T, nets, from, sent string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var prefixes []netip.Prefix
	for one := range strings.FieldsSeq(nets) {
		prefixes = append(prefixes, netip.MustParsePrefix(one))
	}
	p := Proxied(l, prefixes)
	defer p.Close()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	seen := make(chan string, 1)
	go func() {
		conn, err := p.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
		b, _ := io.ReadAll(conn)
		seen <- host + " " + string(b)
	}()
	for i := range sent { // each byte by itself, as slow networks have it
		if _, err := c.Write([]byte{sent[i]}); err != nil {
			break
		}
	}
	c.(*net.TCPConn).CloseWrite()
	dead := make(chan struct{})
	go func() { io.Copy(io.Discard, c); close(dead) }()
	select {
	case s := <-seen:
		return s
	case <-dead: // closed without having been accepted
		select {
		case s := <-seen:
			return s
		default:
			return "closed"
		}
	}
}

// A proxy that is named is believed, and has to say something; nobody else is believed.
func TestWhoMaySayWhoConnects(t *testing.T) { // threats 70, 71
	const one = "PROXY TCP4 203.0.113.9 192.0.2.1 56324 443\r\n"
	for _, tt := range []struct{ name, nets, from, sent, want string }{
		{"believes a proxy that is named", "127.0.0.2/32", "127.0.0.2", one + "hello", "203.0.113.9 hello"},
		{"believes version 2", "127.0.0.2/32", "127.0.0.2", block(0x21, 0x21, six...) + "hello", "2001:db8::9 hello"},
		{"knows a proxy that asks itself", "127.0.0.2/32", "127.0.0.2", block(0x20, 0) + "hello", "127.0.0.2 hello"},
		{"does not look at the header of a stranger", "10.0.0.0/8", "127.0.0.2", one + "hello", "127.0.0.2 " + one + "hello"},
		{"lets this machine ask itself", "0.0.0.0/0 ::/0", "127.0.0.1", "GET / HTTP/1.1", "127.0.0.1 GET / HTTP/1.1"},
		{"closes a header that cannot be read", "127.0.0.2/32", "127.0.0.2", "PROXY TCP4 nobody 192.0.2.1 1 2\r\nhello", "closed"},
		{"closes a header that does not end", "127.0.0.2/32", "127.0.0.2", "PROXY TCP4 203.0", "closed"},
		{"reads what comes in the same packet as a long header", "127.0.0.2/32", "127.0.0.2", block(0x21, 0x11, append(bytes.Clone(four), make([]byte, 3000)...)...) + "hello", "203.0.113.9 hello"},
	} {
		if got := arrived(t, tt.nets, tt.from, tt.sent); got != tt.want {
			t.Errorf("it %s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A proxy elsewhere without a header is closed. All of 127 is this machine, so the rule is asked itself.
func TestAProxyHasToSaySomething(t *testing.T) { // threats 71
	for _, tt := range []struct {
		peer string
		want string
	}{{"198.51.100.1:4", "closed"}, {"192.0.2.1:4", "taken"}, {"127.0.0.1:4", "taken"}} {
		ours, theirs := net.Pipe()
		c := &ends{Conn: theirs, remote: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(tt.peer)), local: net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.1:443"))}
		p := &proxied{nets: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}
		go func() { ours.Write([]byte("GET / HTTP/1.1\r\n")); ours.Close() }()
		through, err := p.read(c)
		got := "taken"
		if err != nil {
			got = "closed"
		} else if b, _ := io.ReadAll(through); string(b) != "GET / HTTP/1.1\r\n" {
			t.Errorf("%s sends %q", tt.peer, b)
		}
		if got != tt.want {
			t.Errorf("%s is %s, want %s: %v", tt.peer, got, tt.want, err)
		}
		theirs.Close()
	}
}

// ends is a connection with other addresses.
type ends struct {
	net.Conn
	remote, local net.Addr
}

func (e *ends) RemoteAddr() net.Addr { return e.remote }
func (e *ends) LocalAddr() net.Addr  { return e.local }
