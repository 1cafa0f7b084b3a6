package oidc

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"pocketid/internal/fault"
	"pocketid/internal/settings"
)

// What may be wrong with an address of a client. Each names the field it stands in.
var (
	ErrURIMalformed = fault.New(fault.Invalid, "redirect_uri_malformed")
	ErrURIFragment  = fault.New(fault.Invalid, "redirect_uri_fragment")
	ErrURIScheme    = fault.New(fault.Invalid, "redirect_uri_scheme")
	ErrURIPrivate   = fault.New(fault.Invalid, "redirect_uri_private_scheme")
	ErrURIInsecure  = fault.New(fault.Invalid, "redirect_uri_insecure")
	ErrURIPattern   = fault.New(fault.Invalid, "redirect_uri_pattern")
	ErrURIWildcard  = fault.New(fault.Invalid, "redirect_uri_wildcard")
	ErrURITooLong   = fault.New(fault.Invalid, "redirect_uri_too_long").With("max", "2048")
	ErrURIRepeated  = fault.New(fault.Invalid, "redirect_uri_repeated")
	// ErrUnregistered and ErrRefused are for pages: nobody is sent to an address that is
	// not registered, or that the rules of today refuse.
	ErrUnregistered = fault.New(fault.Invalid, "redirect_uri_unregistered")
	ErrRefused      = fault.New(fault.Invalid, "redirect_uri_refused")
)

const (
	maxURI       = 2048 // bytes of one address
	maxWildcards = 4    // of one pattern
)

// A URI is an address of a client that a browser may be sent to: after signing
// in, or after signing out.
type URI struct {
	// URI is compared byte for byte (RFC 9700 §2.1), but for the port of a
	// loopback address (RFC 8252 §7.3).
	URI string `json:"uri"`
	// Pattern lets a * in URI stand for one whole label of the host or for a
	// run of characters within one segment of the path.
	Pattern bool `json:"pattern,omitempty"`
}

// An address is a URI taken apart. There is one only of a URI that every
// browser and every library reads in the same way.
type address struct {
	scheme string
	host   string // without port; an IPv6 literal keeps its brackets
	port   string
	path   string // as written
	query  string // as written, with its question mark
	web    bool   // http or https
}

// refusedSchemes run code, show content or open something other than an
// application that waits for an answer.
var refusedSchemes = []string{
	"javascript", "data", "file", "vbscript", "blob", "about", "filesystem", "view-source", "jar",
	"livescript", "mocha", "mhtml", "res", "resource", "chrome", "chrome-extension", "moz-extension",
	"safari-extension", "intent", "ws", "wss", "ftp", "ftps", "mailto", "tel", "sms", "urn", "cid", "mid",
	"ssh", "telnet", "ldap", "gopher", "feed", "ms-settings", "search-ms", "ms-msdt", "smb", "afp", "nfs",
}

// parseAddress takes s apart, or refuses it. It knows only ASCII without blanks,
// control characters, backslashes, userinfo, fragments and dot segments, written
// or percent-encoded: all that libraries and browsers have read differently.
func parseAddress(s string) (address, error) {
	if len(s) > maxURI {
		return address{}, ErrURITooLong
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			return address{}, ErrURIMalformed.Because("character %q at %d", c, i)
		}
		if s[i] == '%' && !cleanEscape(s[i:]) {
			return address{}, ErrURIMalformed.Because("escape at %d", i)
		}
	}
	if strings.Contains(s, "#") {
		return address{}, ErrURIFragment
	}
	a := address{}
	var rest string
	var ok bool
	if a.scheme, rest, ok = strings.Cut(s, ":"); !ok || !isScheme(a.scheme) {
		return address{}, ErrURIMalformed.Because("no scheme")
	}
	if slices.Contains(refusedSchemes, a.scheme) {
		return address{}, ErrURIScheme
	}
	a.web = a.scheme == "http" || a.scheme == "https"
	if i := strings.IndexByte(rest, '?'); i >= 0 {
		rest, a.query = rest[:i], rest[i:]
	}
	after, hierarchical := strings.CutPrefix(rest, "//")
	if hierarchical {
		i := strings.IndexByte(after, '/')
		if i < 0 {
			i = len(after)
		}
		a.path = after[i:]
		if a.host, a.port, ok = splitHost(after[:i]); !ok {
			return address{}, ErrURIMalformed.Because("authority")
		}
	} else {
		a.path = rest
	}
	if a.web && a.host == "" {
		return address{}, ErrURIMalformed.Because("no host")
	}
	if a.host+a.path == "" {
		return address{}, ErrURIMalformed.Because("nothing after the scheme")
	}
	for segment := range strings.SplitSeq(a.path, "/") {
		name, _, _ := strings.Cut(segment, ";") // "..;x" is ".." to some servers
		switch strings.ReplaceAll(strings.ToLower(name), "%2e", ".") {
		case ".", "..":
			return address{}, ErrURIMalformed.Because("dot segment")
		}
	}
	// Within a path, an encoded slash, backslash, percent sign or semicolon is
	// a second reading of the same address. In a query they are data.
	for _, escape := range []string{"%2f", "%5c", "%25", "%3b"} {
		if strings.Contains(strings.ToLower(a.path), escape) {
			return address{}, ErrURIMalformed.Because("encoded delimiter in the path")
		}
	}
	return a, nil
}

// cleanEscape says whether s begins with a percent-encoded octet that is no control character.
func cleanEscape(s string) bool {
	if len(s) < 3 || !isHex(s[1]) || !isHex(s[2]) {
		return false
	}
	control := s[1] == '0' || s[1] == '1' || s[1:3] == "7f" || s[1:3] == "7F"
	return !control
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// isScheme holds RFC 3986 §3.1, in lower case.
func isScheme(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'a' <= c && c <= 'z' || i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.') {
			continue
		}
		return false
	}
	return s != ""
}

// splitHost reads the authority of an address: a host and perhaps a port, never userinfo.
func splitHost(authority string) (host, port string, ok bool) {
	host = authority
	if strings.HasPrefix(authority, "[") {
		end := strings.IndexByte(authority, ']')
		if end < 0 {
			return "", "", false
		}
		host, port = authority[:end+1], authority[end+1:]
		ip, err := netip.ParseAddr(host[1:end])
		if err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", "", false
		}
	} else if i := strings.IndexByte(authority, ':'); i >= 0 {
		host, port = authority[:i], authority[i:]
	}
	if port != "" {
		port = port[1:]
		if authority[len(host)] != ':' || !isPort(port) {
			return "", "", false
		}
	}
	if host == "" {
		return "", "", port == "" // "app.example:///callback" has no host, and that is well
	}
	return host, port, host[0] == '[' || isHost(host)
}

func isPort(s string) bool {
	if s == "" || len(s) > 5 || s[0] == '0' {
		return false
	}
	n := 0
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return n <= 65535
}

// isHost knows names of letters, digits, hyphens and underscores, with a * where a
// pattern may have one, and IPv4 addresses in their one plain form: browsers read
// "127.1" and "0x7f.1" as addresses too, libraries do not.
func isHost(s string) bool {
	if len(s) > 253 {
		return false
	}
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '*') {
				return false
			}
		}
	}
	last := labels[len(labels)-1]
	if '0' <= last[0] && last[0] <= '9' {
		ip, err := netip.ParseAddr(s)
		return err == nil && ip.Is4()
	}
	return true
}

// loopback says whether a is the loopback interface by its address, not by a
// name that somebody may resolve otherwise (RFC 8252 §7.3, §8.3).
func (a address) loopback() bool {
	return a.scheme == "http" && (a.host == "127.0.0.1" || a.host == "[::1]")
}

// local says whether a is on the person's own device, in whatever spelling browsers
// understand.
func (a address) local() bool {
	host := strings.ToLower(a.host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && (ip.Unmap().IsLoopback() || ip.Unmap().IsUnspecified())
}

// native says whether a belongs to an application on the person's own device,
// whose identity nobody can vouch for (RFC 8252 §8.6).
func (a address) native() bool { return !a.web || a.local() }

// rules are what the addresses of a client are held to.
type rules struct {
	public   bool // the client cannot keep a secret
	insecure bool // http is allowed beyond the person's own device
}

// checkURI says whether a client may have u among its addresses.
func checkURI(u URI, r rules) error {
	a, err := parseAddress(u.URI)
	if err != nil {
		return err
	}
	if err := a.allowed(r); err != nil {
		return err
	}
	if u.Pattern {
		return checkPattern(a)
	}
	if strings.Contains(a.host+a.path+a.query, "*") {
		return ErrURIWildcard
	}
	return nil
}

// allowed holds the rules about schemes: a private one of a public client is a
// domain in reverse (RFC 8252 §7.1), and nothing travels in the clear to
// another machine (RFC 9700 §2.6) unless the operator allows it.
func (a address) allowed(r rules) error {
	switch {
	case !a.web && r.public && !strings.Contains(a.scheme, "."):
		return ErrURIPrivate
	case a.scheme == "http" && !a.local() && !r.insecure:
		return ErrURIInsecure
	}
	return nil
}

// secondLevel are names below which countries register, so that "*.co.uk" is
// not somebody's own domain. The list is short: who registers a pattern is an
// administrator, not a stranger.
var secondLevel = []string{"ac", "co", "com", "edu", "gov", "net", "ne", "or", "org"}

// checkPattern holds the limits of a pattern: a * is one whole label of the host
// with a domain to the right of it, or a part of the path, and nowhere else.
func checkPattern(a address) error {
	labels := strings.Split(a.host, ".")
	stars, first := 0, -1
	for i, label := range labels {
		if strings.Contains(label, "*") {
			if label != "*" {
				return ErrURIPattern.Because("part of a label")
			}
			stars, first = stars+1, i
		}
	}
	switch fixed := len(labels) - 1 - first; {
	case !a.web, strings.Contains(a.query, "*"):
		return ErrURIPattern.Because("scheme or query")
	case stars > 1:
		return ErrURIPattern.Because("two labels")
	case stars == 1 && fixed < 2:
		return ErrURIPattern.Because("the registrable part")
	case stars == 1 && fixed == 2 && len(labels[len(labels)-1]) == 2 && slices.Contains(secondLevel, labels[len(labels)-2]):
		return ErrURIPattern.Because("the registrable part")
	case strings.Contains(a.path, "**"):
		return ErrURIPattern.Because("across segments")
	}
	stars += strings.Count(a.path, "*")
	if stars == 0 || stars > maxWildcards {
		return ErrURIPattern.Because("%d of *", stars)
	}
	return nil
}

// matches says whether a client that registered u may be answered at asked,
// whose parts are a.
func (u URI) matches(asked string, a address) bool {
	if u.URI == asked && !u.Pattern {
		return true
	}
	if !u.Pattern && !a.loopback() || strings.Contains(a.host, "*") {
		return false
	}
	r, err := parseAddress(u.URI)
	if err != nil || r.scheme != a.scheme || r.query != a.query {
		return false
	}
	if !u.Pattern {
		return r.loopback() && r.host == a.host && r.path == a.path
	}
	if checkPattern(r) != nil || r.port != a.port {
		return false
	}
	return matchParts(r.host, a.host, ".") && matchParts(r.path, a.path, "/")
}

// redirect finds what asked leads to among the addresses of c. The rules about
// schemes are asked again here, since a row may be older than a rule.
func (c *Client) redirect(asked string, r rules) (address, error) {
	a, err := parseAddress(asked)
	if err != nil {
		return a, err
	}
	if _, ok := c.registered(asked, a); ok {
		return a, a.allowed(r)
	}
	return a, ErrUnregistered
}

// registered is the address of c that lets asked, whose parts are a, pass.
func (c *Client) registered(asked string, a address) (URI, bool) {
	for _, u := range c.RedirectURIs {
		if u.matches(asked, a) {
			return u, true
		}
	}
	return URI{}, false
}

// matchParts compares part by part; a * never reaches across sep and never stands for nothing.
func matchParts(pattern, s, sep string) bool {
	p, q := strings.Split(pattern, sep), strings.Split(s, sep)
	if len(p) != len(q) {
		return false
	}
	for i := range p {
		if !settings.MatchSegment(p[i], q[i]) {
			return false
		}
	}
	return true
}

// withQuery adds the parameters of an answer to uri, behind the query that it may
// have already (RFC 6749 §4.1.2).
func withQuery(uri string, params url.Values) string {
	switch _, query, has := strings.Cut(uri, "?"); {
	case !has:
		uri += "?"
	case query != "" && !strings.HasSuffix(query, "&"):
		uri += "&"
	}
	return uri + params.Encode()
}

// shown is what a person recognises of a: its host, or the scheme of an application on
// the device.
func (a address) shown() string {
	if !a.web || a.host == "" {
		return a.scheme
	}
	if a.port != "" {
		return a.host + ":" + a.port
	}
	return a.host
}
