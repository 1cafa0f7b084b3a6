package oidc

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"pocketid/internal/fault"
	"pocketid/internal/settings"
)

// What is refused about what a client says of itself. Each names its field.
var (
	ErrMaxAge        = fault.New(fault.Invalid, "max_age_out_of_range").At("default_max_age")
	ErrACRValues     = fault.New(fault.Invalid, "acr_values_malformed").At("default_acr_values").With("max", "10")
	ErrInitiateLogin = fault.New(fault.Invalid, "initiate_login_malformed").At("initiate_login")
	ErrShownURI      = fault.New(fault.Invalid, "shown_uri_malformed")
	ErrLogoURI       = fault.New(fault.Invalid, "logo_uri_malformed").At("logo_uri")
	ErrGreeting      = fault.New(fault.Invalid, "greeting_malformed").At("greeting").With("max", "150")
	ErrContacts      = fault.New(fault.Invalid, "contacts_malformed").At("contacts").With("max", "10")
)

const (
	maxACRValues = 10
	maxACRValue  = 100 // bytes
	maxContacts  = 10
	maxContact   = 200 // characters
	maxDefaultMA = maxMaxAge * time.Second
	maxGreeting  = 150 // characters
)

// checkShown holds what a client says of itself to people, and what counts where a request
// says nothing.
func (p *Provider) checkShown(edit ClientEdit) (ClientEdit, error) {
	if edit.DefaultMaxAge < 0 || edit.DefaultMaxAge > maxDefaultMA {
		return edit, ErrMaxAge
	}
	if len(edit.DefaultACRValues) > maxACRValues {
		return edit, ErrACRValues
	}
	for i, value := range edit.DefaultACRValues {
		if value == "" || len(value) > maxACRValue || strings.ContainsFunc(value, notVisible) {
			return edit, ErrACRValues.At(fmt.Sprintf("default_acr_values[%d]", i))
		}
	}
	for _, at := range []struct {
		field string
		uri   *string
	}{{"client_uri", &edit.ClientURI}, {"policy_uri", &edit.PolicyURI}, {"tos_uri", &edit.TOSURI}} {
		if *at.uri = strings.TrimSpace(*at.uri); *at.uri != "" && !isLaunchURL(*at.uri) {
			return edit, ErrShownURI.At(at.field)
		}
	}
	if edit.LogoURI = strings.TrimSpace(edit.LogoURI); edit.LogoURI != "" && (!isLaunchURL(edit.LogoURI) || !strings.HasPrefix(edit.LogoURI, "https://")) {
		return edit, ErrLogoURI
	}
	// OpenID Connect Core §4: the address is of https.
	if edit.InitiateLogin = strings.TrimSpace(edit.InitiateLogin); edit.InitiateLogin != "" {
		a, err := parseAddress(edit.InitiateLogin)
		if err != nil || a.scheme != "https" && !(a.scheme == "http" && p.insecure) || strings.Contains(a.host, "*") {
			return edit, ErrInitiateLogin
		}
	}
	if err := edit.checkLook(); err != nil {
		return edit, err
	}
	if len(edit.Contacts) > maxContacts {
		return edit, ErrContacts
	}
	for i, contact := range edit.Contacts {
		if contact = strings.TrimSpace(contact); contact == "" || utf8.RuneCountInString(contact) > maxContact || !isText(contact) {
			return edit, ErrContacts.At(fmt.Sprintf("contacts[%d]", i))
		}
		edit.Contacts[i] = contact
	}
	return edit, nil
}

// checkLook holds what pages on the way to the client look like (threats 28, 29).
func (e *ClientEdit) checkLook() (err error) {
	if e.Accent, err = settings.CheckColour(e.Accent); err != nil {
		return fault.Of(err).At("accent")
	}
	if e.Accent == settings.DefaultColour { // the colour of the instance, whatever that is
		e.Accent = ""
	}
	if e.Greeting = strings.TrimSpace(e.Greeting); utf8.RuneCountInString(e.Greeting) > maxGreeting || !settings.IsLine(e.Greeting) {
		return ErrGreeting
	}
	return nil
}
