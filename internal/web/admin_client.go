package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"pocketid/internal/edge"
	"pocketid/internal/oidc"
)

// clientPage shows everything about a client. One form holds all of its tabs, so that
// what was typed in one is saved or kept with what was typed in another.
type clientPage struct {
	Frame
	Client  *oidc.Client
	Badge   Avatar
	Address string // of this page
	Form    clientForm
	// Logos are the pictures for light and for dark ground, to be chosen.
	Logos [3]pictureField
	// Accents are our colours; Picked is the name of the one that is chosen, "own" where it
	// is another, and asEverywhere where it is that of the instance. House is what the pages
	// show where the client has no pictures of its own.
	Accents   []accentChoice
	Picked    string
	Own       string
	House     housePictures
	Redirects uriList
	Logouts   uriList
	Federated []federatedRow
	Endpoints oidc.Endpoints
	Access    clientAccess
	Secrets   []secretLine
	Expiries  []int
	Try       redirectTry
	Preview   clientPreview
	APIs      []oidc.ClientAPI
	Exchanges []exchangeLine
	From      string // the client that was typed to exchange tokens of
	// Came is how a client came that registered itself.
	Came *oidc.Registered
	// Fixed says that a document says what most fields hold.
	Fixed bool
	// Tab is the one to show first; "" leaves it to the address.
	Tab string

	usual clientForm // as a new client is
	algs  []string   // that the house signs with
}

// A clientField is one part of a client in its form.
type clientField struct {
	ID, Label, Hint, Err, Value string
	On                          bool
	Options                     []clientOption
	Numeric, Address            bool
	Max                         string
}

// A clientOption is something to choose.
type clientOption struct {
	Value, Text, Hint string
	Chosen            bool
}

// clientLimits are the bounds of texts that are no addresses.
var clientLimits = map[string]string{"name": "50", "description": "150", "sector": "253", "accent": "60", "greeting": "150"}

// F is the field of a part.
func (p *clientPage) F(id string) clientField {
	f := clientField{ID: id, Label: p.words.T(clientLabels[id]), Err: p.errOf(id), Value: p.Form.value(id), Max: clientLimits[id]}
	if hint := "client." + id + ".hint"; p.words.Has(hint) {
		f.Hint = p.words.T(hint)
	}
	if at, ok := clientSwitches[id]; ok {
		f.On = *at(&p.Form.ClientEdit)
	}
	_, list := clientLines[id]
	_, f.Numeric = p.Form.Typed[id]
	f.Numeric = f.Numeric || slices.ContainsFunc(clientDurations, func(d clientDuration) bool { return d.field == id })
	f.Address = f.Max == "" && !f.Numeric && !list
	f.Options = p.options(id, f.Value)
	return f
}

// errOf is what is wrong with a field, or with a line or row of it.
func (p *clientPage) errOf(id string) string {
	if p.Fault != nil && (p.Fault.Field == id || strings.HasPrefix(p.Fault.Field, id+"[")) {
		return p.Fault.Text
	}
	return ""
}

// clientChoices are what can be chosen, by their values; what is empty has words. What signs
// tokens is the house's to offer.
var clientChoices = map[string][]string{
	"auth_method":        {"", oidc.AuthBasic, oidc.AuthPost, oidc.AuthPrivateKey},
	"subject_type":       {oidc.SubjectPublic, oidc.SubjectPairwise},
	"assertion_audience": {oidc.AudienceStrict, oidc.AudienceLenient},
	"refresh_issue":      {oidc.RefreshAlways, oidc.RefreshOfflineAccess},
	"refresh_rotation":   {oidc.RotationDefault, oidc.RotationAlways},
	"userinfo_alg":       {""},
	"request_object_alg": slices.Concat([]string{""}, oidc.ObjectAlgs()),
	"assertion_alg":      slices.Concat([]string{""}, oidc.AssertionAlgs()),
	"grant_types":        oidc.GrantTypes,
}

// options are what can be chosen for a field. The words of a value are those of
// client.<field>.is.<value>; an algorithm is its own name.
func (p *clientPage) options(id, value string) (list []clientOption) {
	choices := clientChoices[id]
	switch id {
	case "id_token_alg", "access_token_alg", "userinfo_alg":
		choices = slices.Concat(choices, p.algs)
	}
	for _, v := range choices {
		o := clientOption{Value: v, Text: v, Chosen: v == value}
		if id == "grant_types" {
			o.Chosen = slices.Contains(p.Form.GrantTypes, v)
		}
		name := v[strings.LastIndex(v, ":")+1:]
		if name == "" {
			name = "default"
		}
		if key := "client." + id + ".is." + name; p.words.Has(key) {
			o.Text = p.words.T(key)
			if p.words.Has(key + ".hint") {
				o.Hint = p.words.T(key + ".hint")
			}
		}
		list = append(list, o)
	}
	return list
}

// Open says whether a part of the page that is folded is shown: something in it is at fault,
// or is not as it is usually.
func (p *clientPage) Open(fields ...string) bool {
	for _, id := range fields {
		usual := p.usual.value(id)
		if at, ok := clientSwitches[id]; ok && *at(&p.Form.ClientEdit) != *at(&p.usual.ClientEdit) {
			return true
		}
		if p.errOf(id) != "" || p.Form.value(id) != usual {
			return true
		}
	}
	return false
}

// A secretLine is a secret as the list shows it.
type secretLine struct {
	oidc.Secret
	Expired bool
	Soon    bool // it expires within two weeks
}

// soon is how long before its end a secret is worth a second look.
const soon = 14 * 24 * time.Hour

// A clientView is what a page of a client shows beside the client as it is.
type clientView struct {
	form    clientForm
	problem *Problem
	tab     string
	from    string
	address string // that was typed to fetch a logo from
}

func (x *Web) client(w http.ResponseWriter, r *http.Request) error {
	c, err := x.oidc.Client(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	return x.showClient(w, r, &c, clientView{form: clientFormOf(&c)})
}

func (x *Web) showClient(w http.ResponseWriter, r *http.Request, c *oidc.Client, view clientView) error {
	ctx, by, form := r.Context(), actor(r), view.form
	secrets, err := x.oidc.Secrets(ctx, by, c.ID)
	if err != nil {
		return err
	}
	p := clientPage{
		Frame:  Frame{Title: c.Name, Area: "admin", Here: "clients", Narrow: true, Modules: []string{"forms.js", "preview.js"}, Fault: view.problem},
		Client: c, Badge: clientBadge(r, c.Name, c.ID, c.Logo), Address: clientPath(c.ID), Form: form, Endpoints: x.oidc.Endpoints(),
		Expiries: expiries, Tab: view.tab, From: view.from, Fixed: c.Kind == oidc.KindDocument,
	}
	p.words = x.words(r)
	p.usual.set(oidc.NewClientEdit())
	algs, err := x.oidc.Keys().Algs(ctx)
	if err != nil {
		return err
	}
	for _, alg := range algs {
		p.algs = append(p.algs, string(alg))
	}
	p.Logos = p.logoFields(view.address)
	if err := p.look(x, r); err != nil {
		return err
	}
	p.Redirects = uriListOf(&p.Frame, "redirect_uris", form.RedirectURIs)
	p.Logouts = uriListOf(&p.Frame, "post_logout_uris", form.PostLogoutURIs)
	p.Federated = federatedRows(&p.Frame, form.Federated)
	if p.Access, err = x.clientAccess(r, c, &p.Frame, form); err != nil {
		return err
	}
	now := edge.Now(ctx)
	for _, s := range secrets {
		p.Secrets = append(p.Secrets, secretLine{s, s.Expired(now), !s.ExpiresAt.IsZero() && s.ExpiresAt.Sub(now) < soon})
	}
	if c.Kind != oidc.KindStandard {
		came, err := x.oidc.RegisteredAs(ctx, by, c.ID)
		if err != nil {
			return err
		}
		p.Came = &came
	}
	if p.APIs, err = x.oidc.APIsOfClient(ctx, by, c.ID); err != nil {
		return err
	}
	if p.Exchanges, err = x.exchangesOf(r, c.ID); err != nil {
		return err
	}
	if r.Method == http.MethodGet {
		if p.Try, err = x.tryRedirect(r, c.Edit(), r.URL.Query().Get("try")); err != nil {
			return err
		}
	}
	if p.Preview, err = x.clientPreview(r, c); err != nil {
		return err
	}
	switch {
	case p.Tab != "":
	case p.Preview.Asked():
		p.Tab = "claims"
	case p.Try.URI != "":
		p.Tab = "uris"
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
		return x.showClient(w, r, &c, clientView{form: typed, problem: problem, tab: tabOf(problem.Field)})
	}
	flash(w, r, "flash.client_saved")
	return seeOther(w, clientPath(c.ID))
}

// clientTabs are the tabs of a client with the fields that stand in them. What is nowhere
// else stands among tokens and security.
var clientTabs = map[string][]string{
	"general": {"name", "description", "launch_url", "client_uri", "logo_uri", "policy_uri", "tos_uri", "contacts", "initiate_login"},
	"look":    {"accent", "greeting", "logo", "dark_logo", "logo_address", "dark_logo_address"},
	"uris": {"redirect_uris", "post_logout_uris", "backchannel_logout", "backchannel_needs_sid", "frontchannel_logout",
		"frontchannel_needs_sid", "request_uris"},
	"access": {"group_restricted", "allowed_groups", "skip_consent", "reauth_required", "default_max_age", "auth_time_required", "default_acr_values"},
	"tokens": {"public", "pkce_required", "par_required", "request_object_alg", "grant_types", "id_token_alg", "access_token_alg",
		"userinfo_alg", "claims_at_userinfo", "subject_type", "sector", "refresh_issue", "refresh_rotation",
		"access_token_lifetime", "id_token_lifetime", "refresh_token_lifetime", "refresh_max_lifetime"},
	"secrets": {"auth_method", "jwks", "jwks_uri", "assertion_alg", "assertion_audience", "federated", "expires", "expires_at", "secret"},
	"apis":    {"from"},
}

// tabOf is the tab in which a field of a client stands.
func tabOf(field string) string {
	name, _, _ := strings.Cut(field, "[")
	for tab, fields := range clientTabs {
		if slices.Contains(fields, name) {
			return tab
		}
	}
	return ""
}
