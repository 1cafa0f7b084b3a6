package oidc

import (
	"slices"
	"strings"

	"pocketid/internal/fault"
)

// What is refused about the addresses at which a client hears that a session ended.
var (
	ErrLogoutURI = fault.New(fault.Invalid, "logout_uri_malformed")
	// ErrLogoutInsecure is about http to a host that is not on an inner network which the
	// operator named.
	ErrLogoutInsecure = fault.New(fault.Invalid, "logout_uri_insecure").At("backchannel_logout")
	// ErrLogoutOrigin is about a page in a frame that is not where the client is.
	ErrLogoutOrigin = fault.New(fault.Invalid, "logout_uri_origin").At("frontchannel_logout")
)

// checkLogout holds the rules for both addresses. That of the back channel is one that we
// may reach (OpenID Connect Back-Channel Logout §2.2, threats 73). That of the front channel
// has the origin of a redirect URI, so that no client has pages of others opened (OpenID
// Connect Front-Channel Logout §2).
func (p *Provider) checkLogout(e *ClientEdit) error {
	e.BackchannelLogout, e.FrontchannelLogout = strings.TrimSpace(e.BackchannelLogout), strings.TrimSpace(e.FrontchannelLogout)
	if e.BackchannelLogout != "" {
		if _, err := parseLogoutURI("backchannel_logout", e.BackchannelLogout); err != nil {
			return err
		}
		if err := p.outbound.Check(e.BackchannelLogout); err != nil {
			return ErrLogoutInsecure.Because("%w", err)
		}
	}
	if e.FrontchannelLogout == "" {
		return nil
	}
	a, err := parseLogoutURI("frontchannel_logout", e.FrontchannelLogout)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(e.RedirectURIs, func(u URI) bool { return u.covers(a) }) {
		return ErrLogoutOrigin
	}
	return nil
}

// parseLogoutURI takes an address apart that has to be one of the web.
func parseLogoutURI(field, uri string) (address, error) {
	a, err := parseAddress(uri)
	if err != nil {
		return a, ErrLogoutURI.At(field).Because("%w", err)
	}
	if !a.web || strings.Contains(a.host+a.path+a.query, "*") {
		return a, ErrLogoutURI.At(field)
	}
	return a, nil
}

// covers says whether a has the origin of u, or one that u stands for.
func (u URI) covers(a address) bool {
	r, err := parseAddress(u.URI)
	if err != nil || r.scheme != a.scheme || r.portOf() != a.portOf() {
		return false
	}
	return strings.EqualFold(r.host, a.host) || u.Pattern && checkPattern(r) == nil && matchParts(r.host, a.host, ".")
}

// portOf is the port that a stands for.
func (a address) portOf() string {
	switch {
	case a.port != "":
		return a.port
	case a.scheme == "http":
		return "80"
	}
	return "443"
}
