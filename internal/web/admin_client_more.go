package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/edge"
	"pocketid/internal/i18n"
	"pocketid/internal/oidc"
)

// grantNames are the grants that a form offers, by their names in words.
var grantNames = map[string]string{
	"authorization_code": "code", "refresh_token": "refresh", "client_credentials": "client",
	"urn:ietf:params:oauth:grant-type:device_code":    "device",
	"urn:ietf:params:oauth:grant-type:token-exchange": "exchange",
}

// grantChoices are the grants with those that the client may use. Without a list of its
// own these are the usual ones.
func grantChoices(e *oidc.ClientEdit, words *i18n.Locale) []choiceView {
	var all []choiceView
	for _, grant := range oidc.GrantTypes {
		all = append(all, choiceView{grant, words.T("client.grant." + grantNames[grant]), e.Uses(grant)})
	}
	return all
}

// readGrants sets what the client may use. All of the usual ones are no list, so that the
// client follows what is usual.
func (f *clientForm) readGrants(form url.Values) {
	if !form.Has("grant_types_shown") {
		return
	}
	chosen := []string{}
	usual := true
	kind := oidc.ClientEdit{Public: f.Public}
	for _, grant := range oidc.GrantTypes {
		has := slices.Contains(form["grant_types"], grant)
		if has {
			chosen = append(chosen, grant)
		}
		usual = usual && has == kind.Uses(grant)
	}
	if usual {
		chosen = []string{}
	}
	f.GrantTypes = chosen
}

// A federatedRow is an issuer elsewhere in a form.
type federatedRow struct {
	oidc.Federated
	Number int
	ID     string            // of its fields, without their names
	Errs   map[string]string // by member
}

func (p *clientPage) federatedRows() []federatedRow {
	var rows []federatedRow
	for i, one := range append(slices.Clone(p.Form.Federated), oidc.Federated{}) {
		row := federatedRow{one, i + 1, fmt.Sprintf("federated[%d]", i), map[string]string{}}
		if p.Fault != nil {
			if member, ok := strings.CutPrefix(p.Fault.Field, row.ID+"."); ok {
				row.Errs[member] = p.Fault.Text
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// readFederated reads the rows of issuers elsewhere. One without an issuer is none.
func (f *clientForm) readFederated(form url.Values) {
	if !form.Has("federated_issuer") {
		return
	}
	at := func(name string, i int) string {
		if i < len(form[name]) {
			return strings.TrimSpace(form[name][i])
		}
		return ""
	}
	f.Federated = []oidc.Federated{}
	for i := range form["federated_issuer"] {
		one := oidc.Federated{Issuer: at("federated_issuer", i), Subject: at("federated_subject", i), Audience: at("federated_audience", i),
			JWKS: at("federated_jwks", i), ReplayProtection: at("federated_once", i) == "yes"}
		if one != (oidc.Federated{ReplayProtection: one.ReplayProtection}) {
			f.Federated = append(f.Federated, one)
		}
	}
}

// clientExchanges is whose tokens a client may exchange.
type clientExchanges struct {
	Rows []oidc.Exchange
	// Others are clients that could be added; More says that not all fit.
	Others []oidc.ClientRow
	More   bool
}

func (x *Web) clientExchanges(r *http.Request, c *oidc.Client) (e clientExchanges, err error) {
	if c.Public {
		return e, nil
	}
	if e.Rows, err = x.oidc.Exchanges(r.Context(), actor(r), c.ID); err != nil {
		return e, err
	}
	found, err := x.oidc.Clients(r.Context(), actor(r), oidc.ClientFilter{Limit: 100})
	for _, other := range found.Rows {
		has := slices.ContainsFunc(e.Rows, func(one oidc.Exchange) bool { return one.ClientID == other.ID })
		if !has && other.ID != c.ID {
			e.Others = append(e.Others, other)
		}
	}
	e.More = found.Next != ""
	return e, err
}

// exchangeChange lets the client exchange tokens of another one, or no longer.
func (x *Web) exchangeChange(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	c, err := x.oidc.Client(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	flashed := "flash.exchange_allowed"
	if remove := form.Get("remove"); remove != "" {
		flashed = "flash.exchange_forbidden"
		err = x.oidc.ForbidExchange(r.Context(), actor(r), c.ID, remove)
	} else {
		err = x.oidc.AllowExchange(r.Context(), actor(r), c.ID, strings.TrimSpace(form.Get("from")))
	}
	if err != nil {
		if problem := x.problem(r, err); problem != nil {
			return x.showClient(w, r, &c, clientFormOf(&c), problem, "secrets")
		}
		return err
	}
	flash(w, r, flashed)
	return seeOther(w, clientPath(c.ID)+"#secrets")
}

// clientLifePage asks before a client is taken out of use, or in again.
type clientLifePage struct {
	Frame
	Do     string // "disable" or "enable"
	Name   string
	Text   string
	Button string
	Client string // its address
}

// A clientDeed is one of the two, with the keys of its words.
type clientDeed struct {
	name, title, text, button, done string
	do                              func(*oidc.Provider, context.Context, audit.Actor, string) error
}

var (
	disableClient = &clientDeed{"disable", "client_disable.title", "client_disable.text", "client_disable.button", "flash.client_disabled", (*oidc.Provider).DisableClient}
	enableClient  = &clientDeed{"enable", "client_enable.title", "client_enable.text", "client_enable.button", "flash.client_enabled", (*oidc.Provider).EnableClient}
)

func (x *Web) clientLife(do *clientDeed) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		c, err := x.oidc.Client(r.Context(), actor(r), r.PathValue("id"))
		if err != nil {
			return err
		}
		return x.show(w, r, "client-life", &clientLifePage{
			Frame: Frame{Title: x.words(r).T(do.title, "name", c.Name), Area: "admin", Here: "clients", Narrow: true},
			Do:    do.name, Text: x.words(r).T(do.text), Button: x.words(r).T(do.button), Name: c.Name, Client: clientPath(c.ID),
		})
	}
}

func (x *Web) clientLived(do *clientDeed) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		c, err := x.oidc.Client(r.Context(), actor(r), r.PathValue("id"))
		if err != nil {
			return err
		}
		if err := do.do(x.oidc, r.Context(), actor(r), c.ID); err != nil {
			return err
		}
		flash(w, r, do.done, "name", c.Name)
		return seeOther(w, clientPath(c.ID))
	}
}

// A triedLine is what became of an address that was tried.
type triedLine struct {
	URI, Matched string
	Err          string
}

// tryLine tries the address of the query against what the form holds.
func (x *Web) tryLine(r *http.Request, p *clientPage) error {
	uri := strings.TrimSpace(r.URL.Query().Get("try"))
	if uri == "" || r.Method != http.MethodGet {
		return nil
	}
	said, err := x.oidc.TryRedirects(actor(r), p.Form.ClientEdit, uri)
	if err != nil {
		return err
	}
	p.Tried = &triedLine{URI: uri, Matched: said.Matched, Err: x.faultText(r, said.Fault)}
	if p.Tab == "" {
		p.Tab = "uris"
	}
	return nil
}

// faultText is a fault in words; "" is none.
func (x *Web) faultText(r *http.Request, err error) string {
	if err == nil {
		return ""
	}
	if problem := x.problem(r, err); problem != nil {
		return problem.Text
	}
	return ""
}

// tryAsked and tryTold are what redirects.js asks while somebody types, and hears.
type (
	tryAsked struct {
		Public bool       `json:"public"`
		URIs   []oidc.URI `json:"uris"`
		Try    string     `json:"try"`
	}
	tryTold struct {
		Errors  []string `json:"errors"` // of each address; "" is that it is good
		Matched string   `json:"matched,omitempty"`
		Error   string   `json:"error,omitempty"`
	}
)

func (x *Web) clientTry(w http.ResponseWriter, r *http.Request) error {
	var in tryAsked
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	said, err := x.oidc.TryRedirects(actor(r), oidc.ClientEdit{Public: in.Public, RedirectURIs: in.URIs}, in.Try)
	if err != nil {
		return err
	}
	out := tryTold{Errors: make([]string, len(said.Faults)), Matched: said.Matched, Error: x.faultText(r, said.Fault)}
	for i, f := range said.Faults {
		out.Errors[i] = x.faultText(r, f)
	}
	return edge.WriteJSON(w, http.StatusOK, out)
}
