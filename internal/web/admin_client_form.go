package web

import (
	"encoding/json"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pocketid/internal/fault"
	"pocketid/internal/oidc"
)

// A clientForm is what was typed: the edit, and durations as they stand in their fields.
type clientForm struct {
	oidc.ClientEdit
	// Typed are the fields of durations.
	Typed map[string]string
	// Was is the client as this form first showed it, as JSON.
	Was string
	// Meanwhile is what somebody else has changed since.
	Meanwhile []meanwhile
}

// A clientDuration is a part of a client that is typed as a number.
type clientDuration struct {
	field string
	at    func(*oidc.ClientEdit) *time.Duration
	unit  time.Duration
	bad   *fault.Error
}

var clientDurations = []clientDuration{
	{"access_token_lifetime", func(e *oidc.ClientEdit) *time.Duration { return &e.AccessTokenFor }, time.Minute, oidc.ErrLifetime},
	{"id_token_lifetime", func(e *oidc.ClientEdit) *time.Duration { return &e.IDTokenFor }, time.Minute, oidc.ErrLifetime},
	{"refresh_token_lifetime", func(e *oidc.ClientEdit) *time.Duration { return &e.RefreshTokenFor }, time.Minute, oidc.ErrLifetime},
	{"refresh_max_lifetime", func(e *oidc.ClientEdit) *time.Duration { return &e.RefreshMaxFor }, time.Minute, oidc.ErrLifetime},
	{"default_max_age", func(e *oidc.ClientEdit) *time.Duration { return &e.DefaultMaxAge }, time.Second, oidc.ErrMaxAge},
}

// clientLines are the parts of a client that are typed one in a line.
var clientLines = map[string]func(*oidc.ClientEdit) *[]string{
	"contacts":           func(e *oidc.ClientEdit) *[]string { return &e.Contacts },
	"request_uris":       func(e *oidc.ClientEdit) *[]string { return &e.RequestURIs },
	"default_acr_values": func(e *oidc.ClientEdit) *[]string { return &e.DefaultACRValues },
}

// clientSwitches are the parts of a client that are on or off.
var clientSwitches = map[string]func(*oidc.ClientEdit) *bool{
	"pkce_required":          func(e *oidc.ClientEdit) *bool { return &e.PKCERequired },
	"par_required":           func(e *oidc.ClientEdit) *bool { return &e.PARRequired },
	"reauth_required":        func(e *oidc.ClientEdit) *bool { return &e.ReauthRequired },
	"skip_consent":           func(e *oidc.ClientEdit) *bool { return &e.SkipConsent },
	"claims_at_userinfo":     func(e *oidc.ClientEdit) *bool { return &e.ClaimsAtUserinfo },
	"auth_time_required":     func(e *oidc.ClientEdit) *bool { return &e.AuthTimeRequired },
	"backchannel_needs_sid":  func(e *oidc.ClientEdit) *bool { return &e.BackchannelNeedsSid },
	"frontchannel_needs_sid": func(e *oidc.ClientEdit) *bool { return &e.FrontchannelNeedsSid },
}

// A clientText is a part of a client that is typed or chosen as one text. Texts of types
// of their own are reached through the edit alone, so it reads and writes.
type clientText struct {
	read  func(*oidc.ClientEdit) string
	write func(*oidc.ClientEdit, string)
}

func text[T ~string](at func(*oidc.ClientEdit) *T) clientText {
	return clientText{func(e *oidc.ClientEdit) string { return string(*at(e)) }, func(e *oidc.ClientEdit, s string) { *at(e) = T(s) }}
}

var clientTexts = map[string]clientText{
	"name":                text(func(e *oidc.ClientEdit) *string { return &e.Name }),
	"description":         text(func(e *oidc.ClientEdit) *string { return &e.Description }),
	"launch_url":          text(func(e *oidc.ClientEdit) *string { return &e.LaunchURL }),
	"accent":              text(func(e *oidc.ClientEdit) *string { return &e.Accent }),
	"greeting":            text(func(e *oidc.ClientEdit) *string { return &e.Greeting }),
	"client_uri":          text(func(e *oidc.ClientEdit) *string { return &e.ClientURI }),
	"logo_uri":            text(func(e *oidc.ClientEdit) *string { return &e.LogoURI }),
	"policy_uri":          text(func(e *oidc.ClientEdit) *string { return &e.PolicyURI }),
	"tos_uri":             text(func(e *oidc.ClientEdit) *string { return &e.TOSURI }),
	"initiate_login":      text(func(e *oidc.ClientEdit) *string { return &e.InitiateLogin }),
	"backchannel_logout":  text(func(e *oidc.ClientEdit) *string { return &e.BackchannelLogout }),
	"frontchannel_logout": text(func(e *oidc.ClientEdit) *string { return &e.FrontchannelLogout }),
	"subject_type":        text(func(e *oidc.ClientEdit) *string { return &e.SubjectType }),
	"sector":              text(func(e *oidc.ClientEdit) *string { return &e.Sector }),
	"refresh_issue":       text(func(e *oidc.ClientEdit) *string { return &e.RefreshIssue }),
	"refresh_rotation":    text(func(e *oidc.ClientEdit) *string { return &e.RefreshRotation }),
	"auth_method":         text(func(e *oidc.ClientEdit) *string { return &e.AuthMethod }),
	"jwks":                text(func(e *oidc.ClientEdit) *string { return &e.JWKS }),
	"jwks_uri":            text(func(e *oidc.ClientEdit) *string { return &e.JWKSURI }),
	"assertion_audience":  text(func(e *oidc.ClientEdit) *string { return &e.AssertionAudience }),
	"id_token_alg":        {func(e *oidc.ClientEdit) string { return string(e.IDTokenAlg) }, func(e *oidc.ClientEdit, s string) { set(&e.IDTokenAlg, s) }},
	"access_token_alg":    {func(e *oidc.ClientEdit) string { return string(e.AccessTokenAlg) }, func(e *oidc.ClientEdit, s string) { set(&e.AccessTokenAlg, s) }},
	"userinfo_alg":        {func(e *oidc.ClientEdit) string { return string(e.UserinfoAlg) }, func(e *oidc.ClientEdit, s string) { set(&e.UserinfoAlg, s) }},
	"request_object_alg":  {func(e *oidc.ClientEdit) string { return string(e.RequestObjectAlg) }, func(e *oidc.ClientEdit, s string) { set(&e.RequestObjectAlg, s) }},
	"assertion_alg":       {func(e *oidc.ClientEdit) string { return string(e.AssertionAlg) }, func(e *oidc.ClientEdit, s string) { set(&e.AssertionAlg, s) }},
}

func set[T ~string](to *T, s string) { *to = T(s) }

// clientFormOf is the form as it begins.
func clientFormOf(c *oidc.Client) clientForm {
	was, err := json.Marshal(c.Edit().Seen())
	if err != nil {
		panic("web: hashes are always JSON")
	}
	f := clientForm{Was: string(was)}
	f.set(c.Edit())
	return f
}

// set sets the form to an edit.
func (f *clientForm) set(edit oidc.ClientEdit) {
	f.ClientEdit, f.Typed = edit, map[string]string{}
	for _, d := range clientDurations {
		if value := *d.at(&edit); value != 0 {
			f.Typed[d.field] = strconv.FormatFloat(float64(value)/float64(d.unit), 'f', -1, 64)
		}
	}
}

// was is how the form first showed the client. What is no client of ours is like none.
func (f *clientForm) was() oidc.ClientSeen {
	var was oidc.ClientSeen
	if json.Unmarshal([]byte(f.Was), &was) != nil {
		return nil
	}
	return was
}

func minutes(d time.Duration) string { return strconv.FormatFloat(d.Minutes(), 'f', -1, 64) }

// lifetime reads minutes as they were typed; nothing is the default.
func lifetime(field, typed string) (time.Duration, error) {
	return duration(typed, time.Minute, oidc.ErrLifetime.At(field))
}

// duration reads a number of units as it was typed; nothing is 0.
func duration(typed string, unit time.Duration, bad error) (time.Duration, error) {
	typed = strings.TrimSpace(typed)
	if typed == "" {
		return 0, nil
	}
	n, err := strconv.ParseFloat(typed, 64)
	if err != nil || math.IsNaN(n) || n <= 0 || n*unit.Seconds() > 1e9 {
		return 0, bad
	}
	return time.Duration(math.Round(n*unit.Seconds())) * time.Second, nil
}

// read sets what the page shows to what was typed. What a form does not have stays, but for
// switches and boxes, which are not sent when they are off.
func (f *clientForm) read(form url.Values) error {
	f.Was = form.Get("was")
	method, accent := f.AuthMethod, f.Accent
	for field, part := range clientTexts {
		if form.Has(field) {
			part.write(&f.ClientEdit, form.Get(field))
		}
	}
	// A swatch that was picked counts, unless another colour was typed beside it.
	if picked := form.Get("swatch"); picked == asEverywhere && f.Accent == accent {
		f.Accent = ""
	} else if f.Accent == "" || f.Accent == accent {
		f.Accent = accentTyped(picked, f.Accent)
	}
	for field, at := range clientLines {
		if form.Has(field) {
			*at(&f.ClientEdit) = trimmed(lines(form.Get(field)))
		}
	}
	for field, at := range clientSwitches {
		*at(&f.ClientEdit) = form.Has(field)
	}
	f.RedirectURIs, f.PostLogoutURIs = urisOf(form, "redirect_uris"), urisOf(form, "post_logout_uris")
	f.readAccess(form)
	f.Public = form.Get("public") == "1"
	switch none := f.AuthMethod == oidc.AuthNone; {
	case f.Public && method == oidc.AuthNone: // it is not offered, and stays
		f.AuthMethod = method
	case f.Public || none: // the ways of the one kind are none for the other
		f.AuthMethod = ""
	}
	f.GrantTypes = []string{}
	for _, grant := range oidc.GrantTypes {
		if slices.Contains(form["grant_types"], grant) {
			f.GrantTypes = append(f.GrantTypes, grant)
		}
	}
	if form.Has("federated_issuer") {
		f.Federated = federatedOf(form)
	}
	var first error
	for _, d := range clientDurations {
		if !form.Has(d.field) {
			continue
		}
		f.Typed[d.field] = form.Get(d.field)
		value, err := duration(f.Typed[d.field], d.unit, d.bad.At(d.field))
		if err != nil && first == nil {
			first = err
		}
		*d.at(&f.ClientEdit) = value
	}
	return first
}

func trimmed(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.TrimSpace(s)
	}
	return out
}

// value is the text of a field.
func (f *clientForm) value(field string) string {
	if part, ok := clientTexts[field]; ok {
		return part.read(&f.ClientEdit)
	}
	if at, ok := clientLines[field]; ok {
		return strings.Join(*at(&f.ClientEdit), "\n")
	}
	return f.Typed[field]
}

// A uriList is the addresses of one purpose in a form, with an empty row at the end.
type uriList struct {
	Field string
	Err   string // about all of them
	Rows  []uriRow
}

// A uriRow is an address in a form.
type uriRow struct {
	oidc.URI
	ID, Err string
	Number  int
}

func uriListOf(f *Frame, field string, uris []oidc.URI) uriList {
	l := uriList{Field: field, Err: f.Err(field)}
	for i, u := range append(slices.Clone(uris), oidc.URI{}) {
		id := rowOf(field, i)
		l.Rows = append(l.Rows, uriRow{u, id, f.Err(id), i + 1})
	}
	return l
}

// rowOf is the field of a row, as faults name it.
func rowOf(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

// urisOf reads the rows of a uriList. Empty ones are none.
func urisOf(form url.Values, field string) []oidc.URI {
	kinds := form[field+"_kind"]
	var uris []oidc.URI
	for i, uri := range form[field] {
		if uri = strings.TrimSpace(uri); uri != "" {
			uris = append(uris, oidc.URI{URI: uri, Pattern: i < len(kinds) && kinds[i] == "pattern"})
		}
	}
	return uris
}

// A federatedRow is an issuer elsewhere in a form.
type federatedRow struct {
	Cells            []federatedCell
	ReplayProtection bool
	Number           int
}

// A federatedCell is a text of a federatedRow.
type federatedCell struct {
	ID, Name, Value, Err string
	Label, Words         string // keys of what it is called, for the eye and in full
	Number               int
}

func federatedRows(f *Frame, all []oidc.Federated) (rows []federatedRow) {
	for i, at := range append(slices.Clone(all), oidc.Federated{}) {
		row := federatedRow{ReplayProtection: at.ReplayProtection, Number: i + 1}
		for _, c := range []struct{ member, value string }{{"issuer", at.Issuer}, {"subject", at.Subject}, {"audience", at.Audience}, {"jwks", at.JWKS}} {
			id, words := rowOf("federated", i)+"."+c.member, "client.federated."+c.member
			row.Cells = append(row.Cells, federatedCell{id, "federated_" + c.member, c.value, f.Err(id), words, words + ".label", i + 1})
		}
		rows = append(rows, row)
	}
	return rows
}

// federatedOf reads the rows in which something was typed.
func federatedOf(form url.Values) []oidc.Federated {
	list := []oidc.Federated{}
	for i := range form["federated_issuer"] {
		of := func(member string) string {
			if all := form["federated_"+member]; i < len(all) {
				return strings.TrimSpace(all[i])
			}
			return ""
		}
		f := oidc.Federated{Issuer: of("issuer"), Subject: of("subject"), Audience: of("audience"), JWKS: of("jwks")}
		if f != (oidc.Federated{}) {
			f.ReplayProtection = of("replay") == "once"
			list = append(list, f)
		}
	}
	return list
}

// choice is one of the whole numbers that a form offers.
func choice(typed string, offered []int) (int, bool) {
	n, err := strconv.Atoi(typed)
	return n, err == nil && slices.Contains(offered, n)
}
