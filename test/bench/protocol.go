package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"pocketid/internal/secret"
)

// post sends a form of a client and reads the JSON of the answer.
func (p *person) post(c *client, path, form string, status int, out any) error {
	a, err := p.rp.ask("POST", path, "Content-Type: application/x-www-form-urlencoded\r\n"+c.authorization(), form)
	if err == nil {
		err = a.expect(status)
	}
	if err == nil {
		err = json.Unmarshal(a.body, out)
	}
	if err != nil {
		return fmt.Errorf("POST %s: %w", path, err)
	}
	return nil
}

// machine is a token for the application itself (RFC 6749 §4.4).
func (p *person) machine(c *client) error {
	var t struct {
		Access string `json:"access_token"`
	}
	err := p.post(c, "/api/oidc/token", "grant_type=client_credentials", 200, &t)
	if err == nil && t.Access == "" {
		err = errors.New("there is no access token")
	}
	return err
}

// introspect asks what became of an access token (RFC 7662).
func (p *person) introspect(c *client) error {
	var said struct {
		Active bool `json:"active"`
	}
	err := p.post(c, "/api/oidc/introspect", "token="+url.QueryEscape(p.access[c]), 200, &said)
	if err == nil && !said.Active {
		err = errors.New("the token is not active")
	}
	return err
}

// pushed is a code flow whose request comes by the application (RFC 9126): three requests.
func (p *person) pushed(c *client) error {
	verifier := secret.Token()
	var made struct {
		URI string `json:"request_uri"`
	}
	err := p.post(c, "/api/oidc/par", "response_type=code&client_id="+c.id+"&redirect_uri="+url.QueryEscape(callback)+
		"&scope=openid+profile+email+groups&state=af0ifjsldkj&nonce=n-0S6_WzA2Mj&code_challenge="+
		base64.RawURLEncoding.EncodeToString(secret.Hash(verifier))+"&code_challenge_method=S256", 201, &made)
	if err != nil {
		return err
	}
	a, err := p.web.get("/authorize?client_id="+c.id+"&request_uri="+url.QueryEscape(made.URI), otherSite+p.cookies())
	if err == nil {
		err = a.expect(303)
	}
	if err != nil {
		return fmt.Errorf("authorize: %w", err)
	}
	return p.redeem(c, a.location, verifier)
}

// device lets a device in (RFC 8628): it asks, the person types its code and says yes, and
// it gets its tokens. Four requests.
func (p *person) device(c *client) error {
	var made struct {
		Device string `json:"device_code"`
		User   string `json:"user_code"`
	}
	if err := p.post(c, "/api/oidc/device/authorize", "client_id="+c.id+"&scope=openid+profile+email+groups", 200, &made); err != nil {
		return err
	}
	a, err := p.submit("/device", url.Values{"user_code": {made.User}})
	if err == nil {
		err = a.expect(303)
	}
	if err != nil {
		return fmt.Errorf("type the code: %w", err)
	}
	to, err := url.Parse(a.location)
	if err != nil {
		return err
	}
	a, err = p.submit("/device/confirm", url.Values{"ticket": {to.Query().Get("ticket")}, "decision": {"allow"}})
	if err == nil {
		err = a.expect(303)
	}
	if err != nil {
		return fmt.Errorf("allow: %w", err)
	}
	return p.tokens(c, "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code="+made.Device)
}
