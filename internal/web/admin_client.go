package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pocketid/internal/edge"
	"pocketid/internal/oidc"
)

// clientPage shows everything about a client. One form holds all of its tabs, so that
// what was typed in one is saved or kept with what was typed in another.
type clientPage struct {
	Frame
	Client    *oidc.Client
	Badge     Avatar
	Address   string // of this page
	Form      clientForm
	Redirects uriList
	Logouts   uriList
	Endpoints oidc.Endpoints
	Algs      []algChoice
	Access    clientAccess
	Secrets   []secretLine
	Expiries  []int
	// Tab is the one to show first; "" leaves it to the address.
	Tab string
}

// An algChoice is a way to sign ID tokens.
type algChoice struct {
	Name   string
	Chosen bool
}

// A secretLine is a secret as the list shows it.
type secretLine struct {
	oidc.Secret
	Expired bool
	Soon    bool // it expires within two weeks
}

// soon is how long before its end a secret is worth a second look.
const soon = 14 * 24 * time.Hour

// A clientForm is what was typed: the edit, and lifetimes as they stand in their fields.
type clientForm struct {
	oidc.ClientEdit
	AccessToken, IDToken, RefreshToken string
	// Was is the client as this form first showed it, as JSON.
	Was string
	// Meanwhile is what somebody else has changed since.
	Meanwhile []meanwhile
}

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
	f.ClientEdit = edit
	f.AccessToken, f.IDToken, f.RefreshToken = minutes(edit.AccessTokenFor), minutes(edit.IDTokenFor), minutes(edit.RefreshTokenFor)
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
	typed = strings.TrimSpace(typed)
	if typed == "" {
		return 0, nil
	}
	n, err := strconv.ParseFloat(typed, 64)
	if err != nil || math.IsNaN(n) || n <= 0 || n > 1e7 {
		return 0, oidc.ErrLifetime.At(field)
	}
	return time.Duration(math.Round(n*60)) * time.Second, nil
}

// read sets what the page shows to what was typed. What it does not show stays.
func (f *clientForm) read(form url.Values) error {
	f.Name, f.Description, f.LaunchURL = form.Get("name"), form.Get("description"), form.Get("launch_url")
	f.RedirectURIs, f.PostLogoutURIs = urisOf(form, "redirect_uris"), urisOf(form, "post_logout_uris")
	f.Was = form.Get("was")
	f.readAccess(form)
	f.Public = form.Get("public") == "1"
	f.PKCERequired, f.ReauthRequired = form.Has("pkce_required"), form.Has("reauth_required")
	f.SkipConsent, f.ClaimsAtUserinfo = form.Has("skip_consent"), form.Has("claims_at_userinfo")
	f.RefreshIssue, f.RefreshRotation = form.Get("refresh_issue"), form.Get("refresh_rotation")
	f.AccessToken, f.IDToken, f.RefreshToken =
		form.Get("access_token_lifetime"), form.Get("id_token_lifetime"), form.Get("refresh_token_lifetime")
	f.IDTokenAlg = ""
	for _, alg := range oidc.KeyAlgs {
		if string(alg) == form.Get("id_token_alg") {
			f.IDTokenAlg = alg
		}
	}
	if f.IDTokenAlg == "" {
		return oidc.ErrAlgUnknown
	}
	var err error
	if f.AccessTokenFor, err = lifetime("access_token_lifetime", f.AccessToken); err != nil {
		return err
	}
	if f.IDTokenFor, err = lifetime("id_token_lifetime", f.IDToken); err != nil {
		return err
	}
	f.RefreshTokenFor, err = lifetime("refresh_token_lifetime", f.RefreshToken)
	return err
}

func (x *Web) client(w http.ResponseWriter, r *http.Request) error {
	c, err := x.oidc.Client(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	return x.showClient(w, r, &c, clientFormOf(&c), nil, "")
}

func (x *Web) showClient(w http.ResponseWriter, r *http.Request, c *oidc.Client, form clientForm, problem *Problem, tab string) error {
	secrets, err := x.oidc.Secrets(r.Context(), actor(r), c.ID)
	if err != nil {
		return err
	}
	p := clientPage{
		Frame:  Frame{Title: c.Name, Area: "admin", Here: "clients", Narrow: true, Modules: []string{"forms.js"}, Fault: problem},
		Client: c, Badge: avatarOf(c.Name, c.ID), Address: clientPath(c.ID), Form: form, Endpoints: x.oidc.Endpoints(),
		Expiries: expiries, Tab: tab,
	}
	p.Redirects = uriListOf(&p.Frame, "redirect_uris", form.RedirectURIs)
	p.Logouts = uriListOf(&p.Frame, "post_logout_uris", form.PostLogoutURIs)
	for _, alg := range oidc.KeyAlgs {
		p.Algs = append(p.Algs, algChoice{string(alg), alg == form.IDTokenAlg})
	}
	if p.Access, err = x.clientAccess(r, c, &p.Frame, form); err != nil {
		return err
	}
	now := edge.Now(r.Context())
	for _, s := range secrets {
		p.Secrets = append(p.Secrets, secretLine{s, s.Expired(now), !s.ExpiresAt.IsZero() && s.ExpiresAt.Sub(now) < soon})
	}
	return x.show(w, r, "client", &p)
}

func (x *Web) clientSave(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	c, err := x.oidc.Client(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	typed := clientFormOf(&c)
	err = typed.read(form)
	if err == nil {
		_, err = x.oidc.ReviseClient(r.Context(), actor(r), c.ID, typed.was(), typed.ClientEdit)
	}
	if err != nil {
		problem := x.problem(r, err)
		if problem == nil {
			return err
		}
		if errors.Is(err, oidc.ErrStale) {
			if c, err = x.oidc.Client(r.Context(), actor(r), c.ID); err != nil {
				return err
			}
			typed = typed.caughtUp(x.words(r), &c)
		}
		return x.showClient(w, r, &c, typed, problem, tabOf(problem.Field))
	}
	flash(w, r, "flash.client_saved")
	return seeOther(w, clientPath(c.ID))
}

// tabOf is the tab in which a field of a client stands.
func tabOf(field string) string {
	name, _, _ := strings.Cut(field, "[")
	switch name {
	case "name", "description", "launch_url":
		return "general"
	case "redirect_uris", "post_logout_uris":
		return "uris"
	case "group_restricted", "allowed_groups":
		return "access"
	case "":
		return ""
	}
	return "tokens"
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
		id := fmt.Sprintf("%s[%d]", field, i)
		l.Rows = append(l.Rows, uriRow{u, id, f.Err(id), i + 1})
	}
	return l
}

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

// choice is one of the whole numbers that a form offers.
func choice(typed string, offered []int) (int, bool) {
	n, err := strconv.Atoi(typed)
	return n, err == nil && slices.Contains(offered, n)
}
