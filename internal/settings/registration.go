package settings

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"pocketid/internal/fault"
)

// What is said about the settings of registration.
var (
	ErrRegistrationLimit = fault.New(fault.Invalid, "client_registration_limit").At("clientRegistrationLimit").With("max", strconv.Itoa(MaxRegistrationLimit))
	ErrRegistrationDays  = fault.New(fault.Invalid, "client_registration_days").At("clientRegistrationDays").With("max", strconv.Itoa(MaxRegistrationDays))
	ErrDocumentPattern   = fault.New(fault.Invalid, "document_pattern_malformed").At("cimdUrlAllowlist")
	ErrDocumentsTooMany  = fault.New(fault.Invalid, "document_patterns_too_many").At("cimdUrlAllowlist").With("max", strconv.Itoa(MaxDocumentPatterns))
)

// Who may register a client without an administrator (RFC 7591 §3).
const (
	RegistrationDisabled  = "disabled"  // nobody
	RegistrationWithToken = "withToken" // who has an initial access token
	RegistrationOpen      = "open"      // anybody
)

// Bounds of registration.
const (
	MaxRegistrationLimit = 100_000
	MaxRegistrationDays  = 3650
	MaxDocumentPatterns  = 100
	maxDocumentPattern   = 512 // bytes
)

// Registration is which clients may come without an administrator making them.
type Registration struct {
	ClientRegistration      string   `json:"clientRegistration"`
	ClientRegistrationLimit int      `json:"clientRegistrationLimit"`
	ClientRegistrationDays  int      `json:"clientRegistrationDays"`
	CIMDURLAllowlist        []string `json:"cimdUrlAllowlist"`
}

// On implements Card.
func (c Registration) On(s Settings) Settings {
	s.ClientRegistration, s.ClientRegistrationLimit, s.ClientRegistrationDays = c.ClientRegistration, c.ClientRegistrationLimit, c.ClientRegistrationDays
	s.CIMDURLAllowlist = c.CIMDURLAllowlist
	return s
}

// Of implements Card.
func (Registration) Of(s Settings) Card {
	return Registration{s.ClientRegistration, s.ClientRegistrationLimit, s.ClientRegistrationDays, s.CIMDURLAllowlist}
}

func (s Settings) checkRegistration() (Settings, error) {
	if s.ClientRegistrationLimit < 1 || s.ClientRegistrationLimit > MaxRegistrationLimit {
		return s, ErrRegistrationLimit
	}
	if s.ClientRegistrationDays < 1 || s.ClientRegistrationDays > MaxRegistrationDays {
		return s, ErrRegistrationDays
	}
	var err error
	s.CIMDURLAllowlist, err = CheckDocuments(s.CIMDURLAllowlist)
	return s, err
}

// CheckDocuments returns the allowed documents as they are stored: without blanks, the
// host in lower case, none twice.
func CheckDocuments(list []string) ([]string, error) {
	checked := []string{}
	for _, text := range list {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		p, ok := parseDocumentPattern(text)
		if !ok {
			return nil, ErrDocumentPattern.With("pattern", text[:min(len(text), 100)])
		}
		if text = p.String(); !slices.Contains(checked, text) {
			checked = append(checked, text)
		}
	}
	if len(checked) > MaxDocumentPatterns {
		return nil, ErrDocumentsTooMany
	}
	return checked, nil
}

// A documentPattern is an entry of the allowed documents: a host alone, which is all of its
// documents; an address; or an address in which a * stands for one whole label of the host,
// for a part of one segment of the path, or ** at the end for all below.
type documentPattern struct {
	host, port, path string // path "" is any
}

// String is the entry as it is stored.
func (p documentPattern) String() string {
	if p.path == "" && p.port == "" {
		return p.host
	}
	at := p.host
	if p.port != "" {
		at += ":" + p.port
	}
	return "https://" + at + p.path
}

// parseDocumentPattern reads an entry. It knows no way to write "every host": the part of
// a name that somebody registers is never a * (threats 67, 69).
func parseDocumentPattern(text string) (p documentPattern, ok bool) {
	if len(text) > maxDocumentPattern || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }) ||
		strings.ContainsAny(text, `?#@\%"<>^{|}`+"`") {
		return p, false
	}
	rest, address := strings.CutPrefix(text, "https://")
	p.host = rest
	if address {
		i := strings.IndexByte(rest, '/')
		if i < 0 {
			return p, false
		}
		p.host, p.path = rest[:i], rest[i:]
	} else if strings.ContainsAny(rest, "/:") {
		return p, false
	}
	if host, port, cut := strings.Cut(p.host, ":"); cut {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || port[0] == '0' {
			return p, false
		}
		if p.host = host; n != 443 {
			p.port = port
		}
	}
	p.host = strings.ToLower(p.host)
	return p, hostPattern(p.host) && pathPattern(p.path)
}

// secondLevel are names below which countries register.
var secondLevel = []string{"ac", "co", "com", "edu", "gov", "net", "ne", "or", "org"}

// hostPattern says whether host is a name with a dot, one whole label of which may be a *
// when a domain that somebody owns is to the right of it.
func hostPattern(host string) bool {
	labels := strings.Split(host, ".")
	if len(host) > 253 || len(labels) < 2 {
		return host == "localhost"
	}
	last := len(labels) - 1
	for i, label := range labels {
		if label == "*" {
			fixed := last - i
			if fixed < 2 || fixed == 2 && len(labels[last]) == 2 && slices.Contains(secondLevel, labels[last-1]) {
				return false
			}
			continue
		}
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-') }) {
			return false
		}
	}
	if strings.Count(host, "*") > 1 {
		return false
	}
	if first := labels[last][0]; first >= '0' && first <= '9' {
		_, err := netip.ParseAddr(host)
		return err == nil
	}
	return true
}

// pathPattern says whether path has no dot segments, and ** at its end alone.
func pathPattern(path string) bool {
	if path == "" {
		return true
	}
	segments := strings.Split(path[1:], "/")
	for i, segment := range segments {
		switch {
		case segment == "." || segment == "..":
			return false
		case segment == "**":
			if i != len(segments)-1 {
				return false
			}
		case strings.Contains(segment, "**"):
			return false
		}
	}
	return strings.Count(path, "*") <= 6
}

// DocumentAllowed says whether one of the allowed documents is the one at host, port ("" is
// the usual one) and path. What is compared is a whole label or a whole segment, so no name
// that only begins or ends like an allowed one passes (threats 69).
func (s Settings) DocumentAllowed(host, port, path string) bool {
	if port == "443" {
		port = ""
	}
	host = strings.ToLower(host)
	return slices.ContainsFunc(s.CIMDURLAllowlist, func(text string) bool {
		p, ok := parseDocumentPattern(text)
		return ok && p.port == port && matchHost(p.host, host) && matchPath(p.path, path)
	})
}

func matchHost(pattern, host string) bool {
	p, h := strings.Split(pattern, "."), strings.Split(host, ".")
	if len(p) != len(h) {
		return false
	}
	for i := range p {
		if p[i] != h[i] && (p[i] != "*" || h[i] == "") {
			return false
		}
	}
	return true
}

func matchPath(pattern, path string) bool {
	if pattern == "" {
		return true
	}
	p, q := strings.Split(pattern, "/"), strings.Split(path, "/")
	if last := len(p) - 1; p[last] == "**" {
		if len(q) < len(p) || q[last] == "" && len(q) == len(p) {
			return false
		}
		p, q = p[:last], q[:last]
	}
	if len(p) != len(q) {
		return false
	}
	for i := range p {
		if !MatchSegment(p[i], q[i]) {
			return false
		}
	}
	return true
}

// MatchSegment says whether s is what pattern stands for, in which a * is any run of
// characters and never nothing. The pieces between the stars are found from the left, the
// first and the last at the ends, so no input makes it go back. Whoever calls it has cut
// both at what a * must not reach across.
func MatchSegment(pattern, s string) bool {
	pieces := strings.Split(pattern, "*")
	if len(pieces) == 1 {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, pieces[0])
	if !ok {
		return false
	}
	for _, piece := range pieces[1 : len(pieces)-1] {
		if s == "" {
			return false
		}
		i := strings.Index(s[1:], piece)
		if i < 0 {
			return false
		}
		s = s[1+i+len(piece):]
	}
	last := pieces[len(pieces)-1]
	return len(s) > len(last) && strings.HasSuffix(s, last)
}
