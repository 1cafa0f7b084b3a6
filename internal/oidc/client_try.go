package oidc

import (
	"errors"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/fault"
)

// errNoMatch is why an address that is well-formed would not be answered at.
var errNoMatch = fault.New(fault.Invalid, "redirect_uri_no_match").At("try")

// maxTried is how many addresses are looked at in one go.
const maxTried = maxClientURIs + 1

// A RedirectTry is what would become of redirect URIs if a client were saved with them.
type RedirectTry struct {
	// Faults says of each address why it cannot be saved; nil is that it can.
	Faults []error
	// Matched is the registered address that lets the tried one through, "" when none does,
	// and Fault is why, a fault with words.
	Matched string
	Fault   error
}

// TryRedirects says whether a client with the redirect URIs of edit could be saved, and
// whether tried would be answered at, by the very rules of the authorization endpoint;
// tried may be "". It is for administrators while they type, and changes nothing.
func (p *Provider) TryRedirects(by audit.Actor, edit ClientEdit, tried string) (RedirectTry, error) {
	uris := edit.RedirectURIs
	if err := by.MustAdmin(); err != nil {
		return RedirectTry{}, err
	}
	if len(uris) > maxTried {
		return RedirectTry{}, ErrTooManyURIs.At("redirect_uris")
	}
	held := rules{public: edit.Public, insecure: p.insecure}
	t := RedirectTry{Faults: make([]error, len(uris))}
	c := &Client{}
	for i, u := range uris {
		u.URI = strings.TrimSpace(u.URI)
		switch err := checkURI(u, held); {
		case u.URI == "":
		case err != nil:
			t.Faults[i] = err
		default:
			c.RedirectURIs = append(c.RedirectURIs, u)
		}
	}
	if tried = strings.TrimSpace(tried); tried == "" {
		return t, nil
	}
	if _, err := c.redirect(tried, held); err != nil {
		if t.Fault = err; errors.Is(err, ErrUnregistered) {
			t.Fault = errNoMatch
		}
		return t, nil
	}
	a, err := parseAddress(tried)
	if err != nil {
		return t, err
	}
	for _, u := range c.RedirectURIs {
		if u.matches(tried, a) {
			t.Matched = u.URI
			break
		}
	}
	return t, nil
}
