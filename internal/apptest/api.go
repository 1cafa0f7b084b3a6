package apptest

import (
	"maps"
	"net/url"

	"pocketid/internal/audit"
	"pocketid/internal/oidc"
)

// API is a service elsewhere that accepts access tokens.
type API struct {
	ID, Resource string
	h            *House
}

// API makes one with these permissions.
func (h *House) API(resource string, permissions ...string) *API {
	h.t.Helper()
	by := audit.System("cli")
	a, err := h.App.OIDC.AddAPI(h.t.Context(), by, resource, oidc.APIEdit{Name: "The API"})
	if err != nil {
		h.t.Fatal(err)
	}
	list := make([]oidc.Permission, len(permissions))
	for i, name := range permissions {
		list[i] = oidc.Permission{Name: name, Title: "May " + name}
	}
	if _, err := h.App.OIDC.SetPermissions(h.t.Context(), by, a.ID, list); err != nil {
		h.t.Fatal(err)
	}
	return &API{a.ID, a.Resource, h}
}

// Allow lets a client use the API as grant says, and no more.
func (a *API) Allow(c *Client, grant oidc.APIGrant) {
	a.h.t.Helper()
	if err := a.h.App.OIDC.SetAPIClient(a.h.t.Context(), audit.System("cli"), a.ID, c.ID, grant); err != nil {
		a.h.t.Fatal(err)
	}
}

// Refuse takes the API from a client.
func (a *API) Refuse(c *Client) {
	a.h.t.Helper()
	if err := a.h.App.OIDC.RemoveAPIClient(a.h.t.Context(), audit.System("cli"), a.ID, c.ID); err != nil {
		a.h.t.Fatal(err)
	}
}

// Delete takes the API away.
func (a *API) Delete() {
	a.h.t.Helper()
	if _, err := a.h.App.OIDC.DeleteAPI(a.h.t.Context(), audit.System("cli"), a.ID); err != nil {
		a.h.t.Fatal(err)
	}
}

// Edit changes what an administrator may set about it.
func (a *API) Edit(change func(*oidc.APIEdit)) {
	a.h.t.Helper()
	by := audit.System("cli")
	is, err := a.h.App.OIDC.API(a.h.t.Context(), by, a.ID)
	if err != nil {
		a.h.t.Fatal(err)
	}
	edit := is.APIEdit
	change(&edit)
	if _, err := a.h.App.OIDC.EditAPI(a.h.t.Context(), by, a.ID, edit); err != nil {
		a.h.t.Fatal(err)
	}
}

// Machine asks for a token in the client's own name. Changes are pairs of a parameter and
// its value.
func (c *Client) Machine(changes ...string) Tokens {
	c.t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}}
	for i := 0; i+1 < len(changes); i += 2 {
		form.Set(changes[i], changes[i+1])
	}
	return c.Token(form)
}

// Introspect asks about a token as the client, and returns the answer.
func (c *Client) Introspect(token string) map[string]any {
	c.t.Helper()
	a := c.Tell("/api/oidc/introspect", url.Values{"token": {token}})
	if a.Status != 200 {
		c.t.Errorf("introspection answers %d %s", a.Status, a.Body)
		return nil
	}
	return a.JSON()
}

// Revoke gives a token back as the client, and returns the status.
func (c *Client) Revoke(token string) int {
	c.t.Helper()
	return c.Tell("/api/oidc/revoke", url.Values{"token": {token}}).Status
}

// Tell sends a form to an endpoint with the credentials of the client.
func (c *Client) Tell(path string, form url.Values) *Answer {
	c.t.Helper()
	form = maps.Clone(form)
	form.Set("client_id", c.ID)
	if c.Secret != "" {
		form.Set("client_secret", c.Secret)
	}
	return c.h.Program().Post(path, form)
}
