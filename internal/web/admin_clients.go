package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"pocketid/internal/edge"
	"pocketid/internal/oidc"
)

// clientsPage lists the clients.
type clientsPage struct {
	Frame
	Search string
	// Only says which are listed, out of Choices.
	Only    oidc.ClientChoice
	Choices []clientOption
	Rows    []clientLine
	Total   int
	Counted bool   // Total is exact
	Next    string // the address of the page after this one
	Later   bool   // this is not the first page
}

// A clientLine is a client as the list shows it.
type clientLine struct {
	oidc.ClientRow
	Badge Avatar
	Host  string // where it starts
	Path  string // its page
}

func (x *Web) clients(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	search, after := strings.TrimSpace(query.Get("q")), query.Get("after")
	only := oidc.ClientChoice(query.Get("kind"))
	if !slices.Contains(oidc.ClientChoices, only) {
		only = ""
	}
	found, err := x.oidc.Clients(r.Context(), actor(r), oidc.ClientFilter{Search: search, Only: only, After: after, Limit: 25})
	if err != nil {
		return err
	}
	p := clientsPage{
		Frame:  Frame{Title: x.words(r).T("clients.title"), Area: "admin", Here: "clients"},
		Search: search, Only: only, Total: found.Total, Counted: found.Total < oidc.MaxCount, Later: after != "",
	}
	for _, choice := range oidc.ClientChoices {
		p.Choices = append(p.Choices, clientOption{Value: string(choice), Text: x.words(r).T("clients.filter." + string(choice)), Chosen: choice == only})
	}
	for _, row := range found.Rows {
		p.Rows = append(p.Rows, clientLine{row, clientBadge(r, row.Name, row.ID, row.Logo), hostOf(row.LaunchURL), clientPath(row.ID)})
	}
	if found.Next != "" {
		next := url.Values{"after": {found.Next}}
		if search != "" {
			next.Set("q", search)
		}
		if only != "" {
			next.Set("kind", string(only))
		}
		p.Next = clientsPath + "?" + next.Encode()
	}
	return x.show(w, r, "clients", &p)
}

// hostOf is what people recognise of an address.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// clientPath is the page of a client.
func clientPath(id string) string { return clientsPath + "/" + url.PathEscape(oidc.PathID(id)) }

// ofClients lets routes find the id of a client in a path as clientPath writes it.
func ofClients(routes []edge.Route) []edge.Route {
	for i, route := range routes {
		handler := route.Handler
		routes[i].Handler = func(w http.ResponseWriter, r *http.Request) error {
			if segment := r.PathValue("id"); segment != "" {
				r.SetPathValue("id", oidc.ParsePathID(segment))
			}
			return handler(w, r)
		}
	}
	return routes
}

// clientNewPage asks what a client needs to begin with.
type clientNewPage struct {
	Frame
	Edit  oidc.ClientEdit
	URIs  uriList
	Kinds []clientOption
	// Draft is the id that the client gets when none is chosen. It makes sending the
	// form twice one client.
	Draft string
}

// A clientKind is a choice of what fits an application of one kind.
type clientKind struct {
	name string
	set  func(*oidc.ClientEdit)
}

// clientKinds are the kinds in the order in which the page offers them: what an
// administrator knows about an application, and what follows from it.
var clientKinds = []clientKind{
	{"web", func(*oidc.ClientEdit) {}},
	{"spa", func(e *oidc.ClientEdit) { e.Public, e.RefreshIssue = true, oidc.RefreshOfflineAccess }},
	{"native", func(e *oidc.ClientEdit) { e.Public = true }},
	{"device", func(e *oidc.ClientEdit) { e.Public, e.GrantTypes = true, oidc.DeviceGrants }},
	{"machine", func(e *oidc.ClientEdit) { e.GrantTypes = oidc.MachineGrants }},
}

// kindOf is the kind that was chosen; the first when none was.
func kindOf(name string) clientKind {
	return clientKinds[max(0, slices.IndexFunc(clientKinds, func(k clientKind) bool { return k.name == name }))]
}

func (x *Web) clientNew(w http.ResponseWriter, r *http.Request) error {
	return x.showClientNew(w, r, oidc.NewClientEdit(), kindOf(""), nil)
}

func (x *Web) showClientNew(w http.ResponseWriter, r *http.Request, edit oidc.ClientEdit, kind clientKind, problem *Problem) error {
	p := clientNewPage{
		Frame: Frame{Title: x.words(r).T("client_new.title"), Area: "admin", Here: "clients", Narrow: true,
			Modules: []string{"forms.js"}, Fault: problem},
		Edit: edit, Draft: oidc.NewClientID(),
	}
	p.URIs = uriListOf(&p.Frame, "redirect_uris", edit.RedirectURIs)
	for _, k := range clientKinds {
		words, key := x.words(r), "client_new.kind."+k.name
		p.Kinds = append(p.Kinds, clientOption{Value: k.name, Text: words.T(key), Hint: words.T(key + ".hint"), Chosen: k.name == kind.name})
	}
	return x.show(w, r, "client-new", &p)
}

func (x *Web) clientAdd(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	draft := form.Get("draft")
	edit := oidc.NewClientEdit()
	edit.ID, edit.Name = strings.TrimSpace(form.Get("id")), form.Get("name")
	edit.RedirectURIs = urisOf(form, "redirect_uris")
	edit.PKCERequired = form.Has("pkce_required")
	kind := kindOf(form.Get("kind"))
	kind.set(&edit)
	chosen := edit.ID != ""
	if !chosen {
		edit.ID = draft
	}
	c, text, err := x.oidc.AddClient(r.Context(), actor(r), edit)
	if errors.Is(err, oidc.ErrClientIDTaken) && !chosen {
		return seeOther(w, clientPath(draft)) // the form was sent twice
	}
	if err != nil {
		if !chosen {
			edit.ID = ""
		}
		if problem := x.problem(r, err); problem != nil {
			return x.showClientNew(w, r, edit, kind, problem)
		}
		return err
	}
	return x.showSecret(w, r, &c, text, "client_secret.created")
}

// clientSecretPage shows a secret, once. It is the answer to the form that made it, so
// that the secret is in no address, cookie or log.
type clientSecretPage struct {
	Frame
	ID, Name  string
	Secret    string // "" of a client that has none
	Lead      string
	Redirects []oidc.URI
	Machine   bool // it signs in nobody and needs an API
	Endpoints oidc.Endpoints
	// Client is the address of the client, which the page takes for its own: loading it
	// again does not send the form again.
	Client string
}

func (x *Web) showSecret(w http.ResponseWriter, r *http.Request, c *oidc.Client, text, words string) error {
	t := x.words(r)
	p := clientSecretPage{
		Frame: Frame{Title: t.T(words+".title", "name", c.Name), Area: "admin", Here: "clients", Narrow: true},
		ID:    c.ID, Name: c.Name, Secret: text, Lead: t.T(words, "name", c.Name), Redirects: c.RedirectURIs,
		Machine:   slices.Equal(c.GrantTypes, oidc.MachineGrants),
		Endpoints: x.oidc.Endpoints(), Client: clientPath(c.ID),
	}
	w.Header().Set("Cache-Control", "no-store")
	return x.show(w, r, "client-secret", &p)
}

// expiries are how many days a new secret may work; 0 is for ever.
var expiries = []int{0, 30, 90, 180, 365}

func (x *Web) secretAdd(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	c, err := x.oidc.Client(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	edit, err := secretEditOf(form, edge.Now(r.Context()))
	text := ""
	if err == nil {
		_, text, err = x.oidc.AddSecret(r.Context(), actor(r), c.ID, edit)
	}
	if err != nil {
		if problem := x.problem(r, err); problem != nil {
			return x.showClient(w, r, &c, clientView{form: clientFormOf(&c), problem: problem, tab: "secrets"})
		}
		return err
	}
	return x.showSecret(w, r, &c, text, "client_secret.added")
}

// secretEditOf reads the form of a new secret.
func secretEditOf(form url.Values, now time.Time) (oidc.SecretEdit, error) {
	days, ok := choice(form.Get("expires"), expiries)
	switch {
	case !ok:
		return oidc.SecretEdit{}, oidc.ErrSecretExpiry
	case days == 0:
		return oidc.SecretEdit{}, nil
	}
	return oidc.SecretEdit{ExpiresAt: now.AddDate(0, 0, days)}, nil
}

// secretDeletePage asks before a secret goes.
type secretDeletePage struct {
	Frame
	Name   string
	Secret oidc.Secret
	Client string
	Last   bool // it is the only one
}

func (x *Web) secretDelete(w http.ResponseWriter, r *http.Request) error {
	c, err := x.oidc.Client(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	all, err := x.oidc.Secrets(r.Context(), actor(r), c.ID)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.ID != r.PathValue("sid") {
			continue
		}
		p := secretDeletePage{
			Frame: Frame{Title: x.words(r).T("secret_delete.title", "prefix", s.Prefix), Area: "admin", Here: "clients", Narrow: true},
			Name:  c.Name, Secret: s, Client: clientPath(c.ID), Last: len(all) == 1 && !c.Public,
		}
		return x.show(w, r, "secret-delete", &p)
	}
	return oidc.ErrSecretNotFound
}

func (x *Web) secretDeleted(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if err := x.oidc.RemoveSecret(r.Context(), actor(r), id, r.PathValue("sid")); err != nil {
		return err
	}
	flash(w, r, "flash.secret_deleted")
	return seeOther(w, clientPath(id)+"#secrets")
}

// clientDeletePage asks before a client goes.
type clientDeletePage struct {
	Frame
	Name       string
	LastUsedAt time.Time
	Client     string
}

func (x *Web) clientDelete(w http.ResponseWriter, r *http.Request) error {
	c, err := x.oidc.Client(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	p := clientDeletePage{
		Frame: Frame{Title: x.words(r).T("client_delete.title", "name", c.Name), Area: "admin", Here: "clients", Narrow: true},
		Name:  c.Name, LastUsedAt: c.LastUsedAt, Client: clientPath(c.ID),
	}
	return x.show(w, r, "client-delete", &p)
}

func (x *Web) clientDeleted(w http.ResponseWriter, r *http.Request) error {
	c, err := x.oidc.Client(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := x.oidc.DeleteClient(r.Context(), actor(r), c.ID); err != nil {
		return err
	}
	flash(w, r, "flash.client_deleted", "name", c.Name)
	return seeOther(w, clientsPath)
}
