package apptest

import (
	"encoding/json"

	"github.com/descope/virtualwebauthn"
)

// Attest lets the authenticator of p make a passkey by the options of a ceremony. keep puts
// the passkey beside the others, once the house has taken it.
func (p *Person) Attest(options string) (answer json.RawMessage, keep func()) {
	p.t.Helper()
	o, err := virtualwebauthn.ParseAttestationOptions(options)
	if err != nil {
		p.t.Fatalf("options: %v: %s", err, options)
	}
	key := newPasskey()
	made := virtualwebauthn.CreateAttestationResponse(relyingParty, p.keys, key, *o)
	return json.RawMessage(made), func() {
		p.ID = o.UserID
		p.keys.Options.UserHandle = []byte(o.UserID)
		p.keys.AddCredential(key)
	}
}

// Assert lets the newest passkey of p sign the challenge of a ceremony.
func (p *Person) Assert(options string) json.RawMessage {
	p.t.Helper()
	o, err := virtualwebauthn.ParseAssertionOptions(options)
	if err != nil {
		p.t.Fatalf("options: %v: %s", err, options)
	}
	if len(p.keys.Credentials) == 0 {
		p.t.Fatalf("%s has no passkey", p.Name)
	}
	site := relyingParty
	if p.Site != "" {
		site.Origin = p.Site
	}
	keys := p.keys
	keys.Options.UserNotVerified = p.Careless
	return json.RawMessage(virtualwebauthn.CreateAssertionResponse(site, keys, p.keys.Credentials[len(p.keys.Credentials)-1], *o))
}
