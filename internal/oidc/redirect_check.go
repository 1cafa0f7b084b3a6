package oidc

import (
	"fmt"

	"pocketid/internal/audit"
	"pocketid/internal/fault"
)

// A RedirectCheck is what the authorization endpoint would say to an address.
type RedirectCheck struct {
	// Matched is the registered address that lets it pass; "" is that none does.
	Matched URI
	// Refused is why nobody would be sent there, a fault with words; nil is that they would.
	Refused error
}

// CheckRedirect says whether a client with this edit, saved or not, would be answered at an
// address, for administrators. It asks what /authorize asks.
func (p *Provider) CheckRedirect(by audit.Actor, edit ClientEdit, asked string) (RedirectCheck, error) {
	if err := by.MustAdmin(); err != nil {
		return RedirectCheck{}, err
	}
	c := Client{ClientEdit: edit}
	a, err := c.redirect(asked, p.rulesOf(&c))
	check := RedirectCheck{Refused: err}
	check.Matched, _ = c.registered(asked, a)
	return check, nil
}

// CheckURIs says what is wrong with the addresses of an edit, by the names of their fields,
// for administrators: each of them, where saving names the first.
func (p *Provider) CheckURIs(by audit.Actor, edit ClientEdit) (map[string]error, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	wrong := map[string]error{}
	for _, list := range []struct {
		field string
		uris  []URI
	}{{"redirect_uris", edit.RedirectURIs}, {"post_logout_uris", edit.PostLogoutURIs}} {
		if len(list.uris) > maxClientURIs {
			wrong[list.field] = ErrTooManyURIs
			continue
		}
		for i, u := range list.uris {
			err := checkURI(u, p.rulesOf(&Client{ClientEdit: edit}))
			for _, other := range list.uris[:i] {
				if err == nil && other.URI == u.URI {
					err = ErrURIRepeated
				}
			}
			if err != nil {
				at := fmt.Sprintf("%s[%d]", list.field, i)
				wrong[at] = fault.Of(err).At(at)
			}
		}
	}
	return wrong, nil
}

// rulesOf is what the addresses of c are held to.
func (p *Provider) rulesOf(c *Client) rules { return rules{public: c.Public, insecure: p.insecure} }
