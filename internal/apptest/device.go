package apptest

import (
	"net/http"
	"net/url"
)

// Device is an application on something without a keyboard that asks to be let in
// (RFC 8628).
type Device struct {
	c    *Client
	Code string // which the device keeps to itself
	// User is the code that it shows, Page and Link where it sends the person.
	User, Page, Link string
}

// DevicePath is where devices ask.
const DevicePath = "/api/oidc/device/authorize"

// Device asks for the codes of a device. Changes are pairs of a parameter and its value.
func (c *Client) Device(changes ...string) *Device {
	c.t.Helper()
	a := c.AskDevice(changes...)
	said := a.JSON()
	text := func(name string) string { s, _ := said[name].(string); return s }
	d := &Device{c: c, Code: text("device_code"), User: text("user_code"), Page: text("verification_uri"), Link: text("verification_uri_complete")}
	if a.Status != http.StatusOK || d.Code == "" || d.User == "" {
		c.t.Fatalf("the device is told: %d %s", a.Status, a.Body)
	}
	return d
}

// AskDevice is the request of a device, whatever comes of it.
func (c *Client) AskDevice(changes ...string) *Answer {
	c.t.Helper()
	form := url.Values{"scope": {"openid profile"}}
	for i := 0; i+1 < len(changes); i += 2 {
		form.Set(changes[i], changes[i+1])
	}
	var headers []string
	if c.Secret == "" {
		form.Set("client_id", c.ID)
	} else {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.Secret))
		headers = []string{"Authorization", r.Header.Get("Authorization")}
	}
	return c.h.Program().Post(DevicePath, form, append(headers, "User-Agent", "Mozilla/5.0 (SmartTV; Linux)")...)
}

// Form is how the device asks whether it may come in, but for its credentials.
func (d *Device) Form() url.Values {
	return url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {d.Code}}
}

// Poll asks once whether the device may come in.
func (d *Device) Poll() Tokens {
	d.c.t.Helper()
	return d.c.Token(d.Form())
}

// At is the same device, whose requests another replica answers.
func (d *Device) At(h *House) *Device {
	other := *d
	other.c = d.c.At(h)
	return &other
}

// Question goes with the code of the device to the page that asks whether to let it in,
// signing in on the way.
func (d *Device) Question(p *Person) *Page {
	p.t.Helper()
	page := p.Open("/device")
	if page.URL.Path == "/login" {
		next, code := p.Prove("/login", page.URL.Query().Get("redirect"))
		if code != "" {
			p.t.Fatalf("%s cannot sign in: %s", p.Name, code)
		}
		page = p.Open(next)
	}
	if page.URL.Path != "/device" {
		p.t.Fatalf("%s does not get to type a code: %s", p.Name, page)
	}
	return p.Submit("/device", url.Values{"user_code": {d.User}})
}

// Ticket is what a question carries along.
func (p *Page) Ticket() string { return p.URL.Query().Get("ticket") }

// Answer answers a question: with "allow", or with anything else. A proof that is asked
// for on the way is given.
func (d *Device) Answer(p *Person, question *Page, decision string) *Page {
	p.t.Helper()
	if question.Ticket() == "" {
		p.t.Fatalf("%s is not asked: %s", p.Name, question)
	}
	form := url.Values{"ticket": {question.Ticket()}, "decision": {decision}}
	page := p.Submit("/device/confirm", form)
	if page.URL.Path == "/login/again" {
		next, code := p.Prove("/login/again", page.URL.Query().Get("redirect"))
		if code != "" {
			p.t.Fatalf("%s cannot prove who they are: %s", p.Name, code)
		}
		p.Open(next)
		page = p.Submit("/device/confirm", form)
	}
	return page
}

// By lets p let the device in.
func (d *Device) By(p *Person) *Page {
	p.t.Helper()
	return d.Answer(p, d.Question(p), "allow")
}
