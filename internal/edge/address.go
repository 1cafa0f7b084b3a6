package edge

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// ParseProxies reads TRUST_PROXY: a boolean, or a list of addresses and
// networks with commas between them.
func ParseProxies(s string) ([]netip.Prefix, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return nil, nil
	}
	if all, err := strconv.ParseBool(s); err == nil {
		if !all {
			return nil, nil
		}
		return []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}, nil
	}
	var nets []netip.Prefix
	for entry := range strings.SplitSeq(s, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		if a, err := netip.ParseAddr(entry); err == nil && a.Zone() == "" {
			a = a.Unmap()
			nets = append(nets, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		n, err := netip.ParsePrefix(entry)
		if err != nil {
			return nil, fmt.Errorf("%q is neither true nor false, nor an address or a network such as 10.0.0.0/8", entry)
		}
		if n.Addr().Is4In6() {
			if n.Bits() < 96 {
				return nil, fmt.Errorf("%q is a network of mapped addresses wider than IPv4", entry)
			}
			n = netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-96)
		}
		nets = append(nets, n.Masked())
	}
	return nets, nil
}

// proxies know whose word about the client counts.
type proxies struct {
	nets   []netip.Prefix
	every  bool // every peer is trusted, so no hop can be told from a client
	header string
}

func newProxies(nets []netip.Prefix, header string) proxies {
	p := proxies{nets: nets, header: header}
	for _, n := range nets {
		if n.Bits() == 0 {
			p.every = true
		}
	}
	return p
}

func (p proxies) trust(a netip.Addr) bool {
	for _, n := range p.nets {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// loopback stands for a peer without an address: a Unix socket.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// client finds the address of a client. From a trusted proxy it is the
// right-most hop of X-Forwarded-For that is no trusted proxy itself: hops left
// of it are what the client says about itself. What cannot be read is not
// guessed at: the address stays unknown, and sensitive routes refuse.
func (p proxies) client(r *http.Request) client {
	c := client{peer: loopback}
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		c.peer = ap.Addr().Unmap().WithZone("")
	}
	c.trusted = p.trust(c.peer)
	c.address = c.peer
	if p.header != "" && (c.trusted || len(p.nets) == 0) {
		if v := r.Header.Values(p.header); len(v) > 0 {
			c.address, _ = parseHop(v[len(v)-1])
			return c
		}
	}
	forwarded := r.Header.Values("X-Forwarded-For")
	if len(forwarded) == 0 {
		return c
	}
	if !c.trusted {
		c.ignored = len(p.nets) == 0 && p.header == ""
		return c
	}
	rest := strings.Join(forwarded, ",")
	for {
		i := strings.LastIndexByte(rest, ',')
		hop, ok := parseHop(rest[i+1:])
		if !ok {
			c.address = netip.Addr{}
			return c
		}
		if i < 0 || p.every || !p.trust(hop) {
			c.address = hop
			return c
		}
		rest = rest[:i]
	}
}

// parseHop reads an address as proxies write it: bare, in brackets, with a port.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		ap, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		a = ap.Addr()
	}
	return a.Unmap().WithZone(""), true
}

// asked is the scheme and the host that the browser asked for. A proxy that is
// trusted knows better than the connection; the right-most value is its own.
func (c client) asked(r *http.Request) (scheme, host string) {
	scheme, host = "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if !c.trusted {
		return scheme, host
	}
	if v := last(r.Header.Values("X-Forwarded-Proto")); strings.EqualFold(v, "https") || strings.EqualFold(v, "http") {
		scheme = strings.ToLower(v)
	}
	if v := last(r.Header.Values("X-Forwarded-Host")); v != "" {
		host = v
	}
	return scheme, host
}

// last is the right-most value of a header that is a list.
func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	v := values[len(values)-1]
	return strings.TrimSpace(v[strings.LastIndexByte(v, ',')+1:])
}

// sameHost compares hosts with their ports, of which the scheme's own may be left out.
func sameHost(a, b, scheme string) bool {
	port := ":80"
	if scheme == "https" {
		port = ":443"
	}
	trim := func(s string) string {
		s = strings.ToLower(s)
		if h, p, err := net.SplitHostPort(s); err == nil && ":"+p == port {
			if strings.Contains(h, ":") {
				return "[" + h + "]"
			}
			return h
		}
		return s
	}
	return trim(a) == trim(b)
}
