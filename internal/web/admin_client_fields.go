package web

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pocketid/internal/i18n"
	"pocketid/internal/oidc"
)

// How a setting of a client stands in its form.
const (
	asText    = "text"    // one line
	asURL     = "url"     // an address in one line
	asArea    = "area"    // several lines of one text
	asLines   = "lines"   // a list, one to a line
	asWords   = "words"   // a list in one line, with blanks between
	asMinutes = "minutes" // a time; nothing is none
	asSwitch  = "switch"
	asChoice  = "choice"
)

// A clientField is a setting of a client that its page shows as it shows many others. Its
// words are client.NAME and client.NAME.hint, and client.NAME.VALUE of a choice.
type clientField struct {
	name string // of the part, and of the field
	card string // of the page
	as   string
	// class says with which other choice the field is shown.
	class string
	// choices are the values of a choice. What has no words of its own is shown as it is.
	choices []string
	text    func(*oidc.ClientEdit) *string
	on      func(*oidc.ClientEdit) *bool
	list    func(*oidc.ClientEdit) *[]string
	time    func(*oidc.ClientEdit) *time.Duration
	alg     func(*oidc.ClientEdit) *oidc.Alg
}

// confidential is the class of what only a client with a secret or a key can have.
const confidential = "if-confidential"

// clientFields are those settings, in the order of the cards.
var clientFields = []clientField{
	{name: "client_uri", card: "people", as: asURL, text: func(e *oidc.ClientEdit) *string { return &e.ClientURI }},
	{name: "logo_uri", card: "people", as: asURL, text: func(e *oidc.ClientEdit) *string { return &e.LogoURI }},
	{name: "policy_uri", card: "people", as: asURL, text: func(e *oidc.ClientEdit) *string { return &e.PolicyURI }},
	{name: "tos_uri", card: "people", as: asURL, text: func(e *oidc.ClientEdit) *string { return &e.TOSURI }},
	{name: "initiate_login", card: "people", as: asURL, text: func(e *oidc.ClientEdit) *string { return &e.InitiateLogin }},
	{name: "contacts", card: "people", as: asLines, list: func(e *oidc.ClientEdit) *[]string { return &e.Contacts }},

	{name: "backchannel_logout", card: "channels", as: asURL, text: func(e *oidc.ClientEdit) *string { return &e.BackchannelLogout }},
	{name: "backchannel_needs_sid", card: "channels", as: asSwitch, on: func(e *oidc.ClientEdit) *bool { return &e.BackchannelNeedsSid }},
	{name: "frontchannel_logout", card: "channels", as: asURL, text: func(e *oidc.ClientEdit) *string { return &e.FrontchannelLogout }},
	{name: "frontchannel_needs_sid", card: "channels", as: asSwitch, on: func(e *oidc.ClientEdit) *bool { return &e.FrontchannelNeedsSid }},

	{name: "default_max_age", card: "freshness", as: asMinutes, time: func(e *oidc.ClientEdit) *time.Duration { return &e.DefaultMaxAge }},
	{name: "default_acr_values", card: "freshness", as: asWords, list: func(e *oidc.ClientEdit) *[]string { return &e.DefaultACRValues }},
	{name: "auth_time_required", card: "freshness", as: asSwitch, on: func(e *oidc.ClientEdit) *bool { return &e.AuthTimeRequired }},

	{name: "par_required", card: "requests", as: asSwitch, on: func(e *oidc.ClientEdit) *bool { return &e.PARRequired }},
	{name: "request_object_alg", card: "objects", as: asChoice, choices: append([]string{""}, names(oidc.ClientAlgs)...),
		alg: func(e *oidc.ClientEdit) *oidc.Alg { return &e.RequestObjectAlg }},
	{name: "request_uris", card: "objects", as: asLines, list: func(e *oidc.ClientEdit) *[]string { return &e.RequestURIs }},

	{name: "id_token_alg", card: "algs", as: asChoice, choices: names(oidc.KeyAlgs), alg: func(e *oidc.ClientEdit) *oidc.Alg { return &e.IDTokenAlg }},
	{name: "access_token_alg", card: "algs", as: asChoice, choices: names(oidc.KeyAlgs), alg: func(e *oidc.ClientEdit) *oidc.Alg { return &e.AccessTokenAlg }},
	{name: "userinfo_alg", card: "algs", as: asChoice, choices: append([]string{""}, names(oidc.KeyAlgs)...), alg: func(e *oidc.ClientEdit) *oidc.Alg { return &e.UserinfoAlg }},

	{name: "subject_type", card: "subject", as: asChoice, choices: []string{oidc.SubjectPublic, oidc.SubjectPairwise}, text: func(e *oidc.ClientEdit) *string { return &e.SubjectType }},
	{name: "sector", card: "subject", as: asText, text: func(e *oidc.ClientEdit) *string { return &e.Sector }},

	{name: "access_token_lifetime", card: "lifetimes", as: asMinutes, time: func(e *oidc.ClientEdit) *time.Duration { return &e.AccessTokenFor }},
	{name: "id_token_lifetime", card: "lifetimes", as: asMinutes, time: func(e *oidc.ClientEdit) *time.Duration { return &e.IDTokenFor }},
	{name: "refresh_token_lifetime", card: "lifetimes", as: asMinutes, time: func(e *oidc.ClientEdit) *time.Duration { return &e.RefreshTokenFor }},
	{name: "refresh_max_lifetime", card: "lifetimes", as: asMinutes, time: func(e *oidc.ClientEdit) *time.Duration { return &e.RefreshMaxFor }},

	{name: "auth_method", card: "proof", as: asChoice, class: confidential, choices: []string{"", "client_secret_basic", "client_secret_post", "private_key_jwt"},
		text: func(e *oidc.ClientEdit) *string { return &e.AuthMethod }},
	{name: "jwks_uri", card: "keys", as: asURL, text: func(e *oidc.ClientEdit) *string { return &e.JWKSURI }},
	{name: "jwks", card: "keys", as: asArea, text: func(e *oidc.ClientEdit) *string { return &e.JWKS }},
	{name: "assertion_alg", card: "keys", as: asChoice, class: confidential, choices: append([]string{""}, names(oidc.ClientAlgs)...),
		alg: func(e *oidc.ClientEdit) *oidc.Alg { return &e.AssertionAlg }},
	{name: "assertion_audience", card: "keys", as: asChoice, class: confidential, choices: []string{oidc.AudienceStrict, oidc.AudienceLenient},
		text: func(e *oidc.ClientEdit) *string { return &e.AssertionAudience }},
}

// names are those of algorithms.
func names(algs []oidc.Alg) []string {
	all := make([]string, len(algs))
	for i, alg := range algs {
		all[i] = string(alg)
	}
	return all
}

// value is what the field of f holds for an edit.
func (f *clientField) value(e *oidc.ClientEdit) string {
	switch {
	case f.text != nil:
		return *f.text(e)
	case f.alg != nil:
		return string(*f.alg(e))
	case f.list != nil && f.as == asWords:
		return strings.Join(*f.list(e), " ")
	case f.list != nil:
		return strings.Join(*f.list(e), "\n")
	case f.time != nil && *f.time(e) != 0:
		return minutes(*f.time(e))
	}
	return ""
}

// read sets an edit to what stands in the form. A field that is not there leaves what it
// stands for as it is; a switch that is not there is off.
func (f *clientField) read(e *oidc.ClientEdit, form url.Values) error {
	if f.as == asSwitch {
		*f.on(e) = form.Has(f.name)
		return nil
	}
	if !form.Has(f.name) {
		return nil
	}
	typed := strings.TrimSpace(form.Get(f.name))
	if f.as == asChoice && !slices.Contains(f.choices, typed) {
		return oidc.ErrChoiceUnknown.At(f.name)
	}
	var err error
	switch {
	case f.text != nil:
		*f.text(e) = typed
	case f.alg != nil:
		*f.alg(e) = oidc.Alg(typed)
	case f.list != nil && f.as == asWords:
		*f.list(e) = append([]string{}, strings.Fields(typed)...)
	case f.list != nil:
		*f.list(e) = linesOf(typed)
	case f.time != nil:
		*f.time(e), err = lifetime(f.name, typed)
	}
	return err
}

// linesOf are the lines of a text without the empty ones.
func linesOf(typed string) []string {
	lines := []string{}
	for line := range strings.Lines(typed) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// A fieldView is a clientField as the page shows it.
type fieldView struct {
	ID, As, Class, Label, Hint, Value, Err string
	On                                     bool
	Rows                                   int
	Options                                []choiceView
}

// A choiceView is one value of a choice.
type choiceView struct {
	Value, Text string
	Chosen      bool
}

// fieldViews are the fields of the page by card. typed are texts that could not be read,
// which stand in their fields again.
func (x *Web) fieldViews(p *clientPage, words *i18n.Locale) map[string][]fieldView {
	cards := map[string][]fieldView{}
	for i := range clientFields {
		f := &clientFields[i]
		v := fieldView{ID: f.name, As: f.as, Class: f.class, Label: words.T("client." + f.name), Hint: words.T("client." + f.name + ".hint"),
			Value: f.value(&p.Form.ClientEdit), Err: p.errAt(f.name), Rows: 3}
		if typed, ok := p.Form.Typed[f.name]; ok {
			v.Value = typed
		}
		if f.as == asSwitch {
			v.On = *f.on(&p.Form.ClientEdit)
		}
		if f.as == asArea {
			v.Rows = 6
		}
		for _, choice := range f.choices {
			text := choice
			if !plainChoice(choice) {
				text = words.T("client." + f.name + "." + cmp.Or(choice, "none"))
			}
			v.Options = append(v.Options, choiceView{choice, text, choice == v.Value})
		}
		cards[f.card] = append(cards[f.card], v)
	}
	return cards
}

// plainChoice says whether a value is its own word: the name of an algorithm.
func plainChoice(choice string) bool { return slices.Contains(oidc.ClientAlgs, oidc.Alg(choice)) }

// errAt is what is wrong with a field, or with one entry of it: the second of a list is
// named as its second line.
func (p *clientPage) errAt(name string) string {
	if p.Fault == nil {
		return ""
	}
	at, rest, _ := strings.Cut(p.Fault.Field, "[")
	if at != name {
		return ""
	}
	if n, err := strconv.Atoi(strings.TrimSuffix(rest, "]")); err == nil {
		return strconv.Itoa(n+1) + ": " + p.Fault.Text
	}
	return p.Fault.Text
}

// cardOf says in which card a field stands; "" is none of these.
func clientCard(name string) string {
	for i := range clientFields {
		if clientFields[i].name == name {
			return clientFields[i].card
		}
	}
	return ""
}
