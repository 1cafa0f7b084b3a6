package apptest

import "github.com/descope/virtualwebauthn"

// A Passkey is one that was made elsewhere.
type Passkey struct{ credential virtualwebauthn.Credential }

// NewPasskey makes a passkey that no house knows yet.
func NewPasskey() Passkey { return Passkey{newPasskey()} }

// ID is what authenticators call the passkey.
func (p Passkey) ID() []byte { return p.credential.ID }

// Public is its public half, a COSE key.
func (p Passkey) Public() []byte { return p.credential.Key.AttestationData() }

// Brought is somebody whose account came from another house, with a passkey that was made
// there.
func (h *House) Brought(name, id string, key Passkey) *Person {
	p := h.newPerson(name)
	p.ID = id
	p.keys.Options.UserHandle = []byte(id)
	p.keys.AddCredential(key.credential)
	return p
}

// BroughtClient is an application that came from another house, with the secret that it knows.
func (h *House) BroughtClient(id, secret, redirectURI string) *Client {
	c := &Client{ID: id, Secret: secret, RedirectURI: redirectURI, h: h, t: h.t}
	c.http = h.Program().http
	return c
}
