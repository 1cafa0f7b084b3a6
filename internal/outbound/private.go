package outbound

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Private are the places on inner networks that may be reached: hosts, hosts with a
// port, and ranges of addresses.
type Private struct {
	hosts map[string]bool // "app.lan" or "app.lan:8443"
	nets  []netip.Prefix
}

// ParsePrivate reads a list with commas between its entries: "app.lan, app.lan:8443,
// 10.0.0.0/8, fd00::/8, 192.168.1.7". The error says which entry cannot be understood.
func ParsePrivate(list string) (Private, error) {
	p := Private{hosts: map[string]bool{}}
	for entry := range strings.SplitSeq(list, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		if net, err := netip.ParsePrefix(entry); err == nil {
			p.nets = append(p.nets, net.Masked())
			continue
		}
		if at, err := netip.ParseAddr(entry); err == nil {
			p.nets = append(p.nets, netip.PrefixFrom(at, at.BitLen()))
			continue
		}
		host, port, has := strings.Cut(entry, ":")
		if at, err := netip.ParseAddrPort(entry); err == nil {
			host, port, has = at.Addr().String(), strconv.Itoa(int(at.Port())), true
		}
		if n, err := strconv.Atoi(port); has && (err != nil || n < 1 || n > 65535) || host == "" || strings.ContainsAny(host, "/*@ ") {
			return Private{}, fmt.Errorf("%q is neither a host, a host with a port nor a range of addresses", entry)
		}
		p.hosts[strings.ToLower(entry)] = true
	}
	return p, nil
}

// host says whether a host was named, with this port or without one.
func (p Private) host(host, port string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if strings.Contains(host, ":") {
		return p.hosts["["+host+"]:"+port]
	}
	return p.hosts[host] || p.hosts[host+":"+port]
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

// literal says whether a host is no name but an address, and one in a range that was
// named.
func (p Private) literal(host string) bool {
	at, err := netip.ParseAddr(host)
	return err == nil && p.address(at)
}

// special are the ranges that are not the public internet (the registries of RFC 6890).
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"::/128", "::1/128", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	"5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)

func prefixes(list ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(list))
	for i, s := range list {
		all[i] = netip.MustParsePrefix(s)
	}
	return all
}

// public says whether an address is one of the public internet.
func public(at netip.Addr) bool {
	at = at.Unmap().WithZone("")
	if !at.IsGlobalUnicast() {
		return false
	}
	for _, net := range special {
		if net.Contains(at) {
			return false
		}
	}
	return true
}
