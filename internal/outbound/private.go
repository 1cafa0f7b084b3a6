package outbound

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// maxPrivate is how many entries a list may have.
const maxPrivate = 1000

// Private are the places on inner networks that may be reached: hosts, hosts with a
// port, and ranges of addresses.
type Private struct {
	hosts map[string]bool // "app.lan" or "app.lan:8443"
	nets  []netip.Prefix
}

// ParsePrivate reads a list with commas between its entries: "app.lan, app.lan:8443,
// 10.0.0.0/8, fd00::/8, 192.168.1.7, [fd00::7]:8443". A host that is named with a port
// may be reached at this port alone. The error says which entry cannot be understood.
func ParsePrivate(list string) (Private, error) {
	p := Private{hosts: map[string]bool{}}
	for entry := range strings.SplitSeq(list, ",") {
		entry = strings.ToLower(strings.TrimSpace(entry))
		if entry == "" {
			continue
		}
		if len(p.hosts)+len(p.nets) == maxPrivate {
			return Private{}, fmt.Errorf("there are more than %d entries", maxPrivate)
		}
		if !p.add(entry) {
			return Private{}, fmt.Errorf("%q is neither a host, a host with a port nor a range of addresses", entry)
		}
	}
	return p, nil
}

// add takes an entry up, if it can be understood.
func (p *Private) add(entry string) bool {
	if net, err := netip.ParsePrefix(entry); err == nil {
		if net.Addr().Is4In6() { // what is compared was unmapped
			if net.Bits() < 96 {
				return false
			}
			net = netip.PrefixFrom(net.Addr().Unmap(), net.Bits()-96)
		}
		p.nets = append(p.nets, net.Masked())
		return true
	}
	if at, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(entry, "["), "]")); err == nil {
		at = at.Unmap()
		p.nets = append(p.nets, netip.PrefixFrom(at, at.BitLen()))
		return at.Zone() == ""
	}
	host, port, has := strings.Cut(entry, ":")
	if at, err := netip.ParseAddrPort(entry); err == nil {
		if at.Addr().Zone() != "" {
			return false
		}
		host, port, has = at.Addr().Unmap().String(), strconv.Itoa(int(at.Port())), true
	} else if to, err := parseHost(host); err != nil || to.IsValid() {
		return false
	}
	if !has {
		p.hosts[host] = true
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return false
	}
	p.hosts[join(host, strconv.FormatUint(n, 10))] = true
	return true
}

func join(host, port string) string { return host + " " + port }

// host says whether a host was named, with this port or without one.
func (p Private) host(host, port string) bool {
	host = strings.ToLower(host)
	if at, err := netip.ParseAddr(host); err == nil {
		host = at.Unmap().String()
	}
	return p.hosts[host] || p.hosts[join(host, port)]
}

// address says whether an address lies in a range that was named.
func (p Private) address(at netip.Addr) bool {
	at = at.Unmap().WithZone("")
	for _, net := range p.nets {
		if net.Contains(at) {
			return true
		}
	}
	return false
}

// parseHost looks at the host of an address: it is an IP address in its one canonical
// spelling, which is returned, or a name of DNS. The other spellings that systems
// understand (decimal, octal, hexadecimal, short, with a zone, with a dot at the end,
// in letters beyond ASCII) are nobody's name.
func parseHost(host string) (netip.Addr, error) {
	bad := fmt.Errorf("%w: its host is neither a name nor an address", ErrForbidden)
	if at, err := netip.ParseAddr(host); err == nil {
		if at.Zone() != "" {
			return netip.Addr{}, bad
		}
		return at, nil
	}
	if host == "" || len(host) > 253 {
		return netip.Addr{}, bad
	}
	last := ""
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, notOfName) {
			return netip.Addr{}, bad
		}
		last = label
	}
	digits, hex := strings.CutPrefix(strings.ToLower(last), "0x")
	if hex && strings.Trim(digits, "0123456789abcdef") == "" || !hex && strings.Trim(digits, "0123456789") == "" {
		return netip.Addr{}, bad // no name ends in a number (URL Standard, host parsing)
	}
	return netip.Addr{}, nil
}

func notOfName(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
}

// usualPort says whether HTTP may be spoken to a port of a public address. The others
// below 1024 belong to services that could take a request for one of theirs.
func usualPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && (n == 80 || n == 443 || n >= 1024)
}

// What is not the public internet though it looks so (the registries of RFC 6890), and
// what of that inner networks are made of.
var (
	special = prefixes(
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	)
	innerNets = prefixes("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15", "::1/128", "fc00::/7")
	unicast6  = netip.MustParsePrefix("2000::/3")
	// translated holds the IPv4 internet for networks that have only IPv6 (RFC 6052 §2.1).
	translated = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(list ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(list))
	for i, s := range list {
		all[i] = netip.MustParsePrefix(s)
	}
	return all
}

func within(at netip.Addr, nets []netip.Prefix) bool {
	for _, net := range nets {
		if net.Contains(at) {
			return true
		}
	}
	return false
}

// plain is an address without what wraps it: IPv4 in IPv6, in either way.
func plain(at netip.Addr) netip.Addr {
	at = at.Unmap().WithZone("")
	if translated.Contains(at) {
		b := at.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return at
}

// public says whether an address is one of the public internet.
func public(at netip.Addr) bool {
	at = plain(at)
	return (at.Is4() || unicast6.Contains(at)) && !within(at, special)
}

// inner says whether an address is one that a named host may lead to: a public one, or
// one of an inner network. Never are those that clouds tell their secrets at, and those
// of nobody and everybody; an administrator may name them as ranges.
func inner(at netip.Addr) bool {
	return public(at) || within(plain(at), innerNets)
}
