package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/i18n"
	"pocketid/internal/oidc"
)

// apiPage shows everything about an API. Each of its tabs is saved by itself.
type apiPage struct {
	Frame
	API     oidc.API
	Address string // of this page
	Seen    string // what the API was when the forms were shown
	// Meanwhile is what somebody else has changed since.
	Meanwhile []meanwhile
	// Tab is the one to show first; "" leaves it to the address.
	Tab string

	Form apiForm
	// Introspectors are the clients as which the API could ask about tokens.
	Introspectors []apiOption
	Algs          []apiOption

	Rows []permissionRow

	Clients    []oidc.APIClient
	Find       string // clients to add
	Candidates []oidc.ClientRow
}

// An apiForm is an edit with the lifetime as it was typed.
type apiForm struct {
	oidc.APIEdit
	Lifetime string
}

// An apiOption is a choice of a list.
type apiOption struct {
	Value, Name string
	Chosen      bool
}

// A permissionRow is a permission in a form, with what is wrong with it.
type permissionRow struct {
	oidc.Permission
	// N counts from one, for people, and At from nothing, as the ids of the fields do.
	N, At                       int
	NameErr, TitleErr, DescrErr string
}

// Of is the address of the page on which the access of a client is set.
func (p *apiPage) Of(client string) string { return p.Address + "/clients/" + url.PathEscape(client) }

func (x *Web) api(w http.ResponseWriter, r *http.Request) error {
	a, err := x.oidc.API(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	return x.showAPI(w, r, a, nil, func(*apiPage) {})
}

// showAPI shows an API as it is, but for what change sets.
func (x *Web) showAPI(w http.ResponseWriter, r *http.Request, a oidc.API, problem *Problem, change func(*apiPage)) error {
	p := apiPage{
		Frame: Frame{Title: a.Name, Area: "admin", Here: "apis", Narrow: true, Modules: []string{"forms.js"}, Fault: problem},
		API:   a, Address: apiPath(a.ID), Seen: a.Seen(), Form: apiForm{APIEdit: a.APIEdit},
		Find: strings.TrimSpace(r.URL.Query().Get("find")),
	}
	if a.AccessTokenFor > 0 {
		p.Form.Lifetime = minutes(a.AccessTokenFor)
	}
	permissions := slices.Clone(a.Permissions)
	var err error
	if p.Clients, err = x.oidc.APIClients(r.Context(), actor(r), a.ID); err != nil {
		return err
	}
	if p.Find != "" {
		if p.Candidates, err = x.oidc.ClientsForAPI(r.Context(), actor(r), a.ID, p.Find); err != nil {
			return err
		}
	}
	for _, s := range permissions {
		p.Rows = append(p.Rows, permissionRow{Permission: s})
	}
	change(&p)
	if err := x.apiOptions(r, &p); err != nil {
		return err
	}
	p.Rows = append(p.Rows, permissionRow{})
	for i := range p.Rows {
		row := &p.Rows[i]
		at := func(field string) string { return p.Err(fmt.Sprintf("%s[%d]", field, i)) }
		row.N, row.At, row.NameErr, row.TitleErr, row.DescrErr = i+1, i, at("permission"), at("permission_title"), at("permission_description")
	}
	return x.show(w, r, "api", &p)
}

// apiOptions fills the lists of choices.
func (x *Web) apiOptions(r *http.Request, p *apiPage) error {
	clients, err := x.oidc.Clients(r.Context(), actor(r), oidc.ClientFilter{Limit: 100})
	if err != nil {
		return err
	}
	chosen := p.Form.Introspector
	p.Introspectors = []apiOption{{"", x.words(r).T("api.introspector.none"), chosen == ""}}
	known := chosen == ""
	for _, c := range clients.Rows {
		if !c.Public {
			p.Introspectors = append(p.Introspectors, apiOption{c.ID, c.Name, c.ID == chosen})
			known = known || c.ID == chosen
		}
	}
	if !known {
		p.Introspectors = append(p.Introspectors, apiOption{chosen, chosen, true})
	}
	p.Algs = []apiOption{{"", x.words(r).T("api.alg.client"), p.Form.AccessTokenAlg == ""}}
	algs, err := x.oidc.Keys().Algs(r.Context())
	if err != nil {
		return err
	}
	for _, alg := range algs {
		p.Algs = append(p.Algs, apiOption{string(alg), string(alg), alg == p.Form.AccessTokenAlg})
	}
	return nil
}

// apiLabels are the keys of what the parts of an API are called on its page.
var apiLabels = map[string]string{"name": "api.name", "description": "api.description", "resource": "api.resource", "access_token_lifetime": "api.lifetime",
	"access_token_alg": "api.alg", "introspector": "api.introspector", "permissions": "api.permissions", "for_documents": "api.documents"}

// overtaken says what is not as a form showed it, and lets what nobody touched follow it.
func (p *apiPage) overtaken(words *i18n.Locale, seen string) {
	changed := p.API.Changed(seen)
	if len(changed) == 0 {
		return
	}
	permissions := make([]string, len(p.API.Permissions))
	for i, s := range p.API.Permissions {
		permissions[i] = s.Name
	}
	now := map[string]string{"name": p.API.Name, "description": p.API.Description, "access_token_alg": string(p.API.AccessTokenAlg), "introspector": p.API.Introspector,
		"permissions": strings.Join(permissions, ", "), "for_documents": onOff(words, p.API.ForDocuments)}
	if p.API.AccessTokenFor > 0 {
		now["access_token_lifetime"] = minutes(p.API.AccessTokenFor)
	}
	for _, name := range changed {
		p.Meanwhile = append(p.Meanwhile, meanwhile{words.T(apiLabels[name]), cmp.Or(now[name], words.T("meanwhile.empty"))})
	}
	typed := p.Form.AccessTokenFor
	if p.Form.APIEdit = p.API.CatchUp(seen, p.Form.APIEdit); p.Form.AccessTokenFor != typed {
		p.Form.Lifetime = now["access_token_lifetime"]
	}
}

// apiRefused shows the page again with what was typed, if err is something to tell.
func (x *Web) apiRefused(w http.ResponseWriter, r *http.Request, a oidc.API, err error, tab string, typed func(*apiPage)) error {
	problem := x.problem(r, err)
	if problem == nil {
		return err
	}
	if errors.Is(err, oidc.ErrStale) {
		if a, err = x.oidc.API(r.Context(), actor(r), a.ID); err != nil {
			return err
		}
	}
	problem.Field = permissionField(problem.Field)
	return x.showAPI(w, r, a, problem, func(p *apiPage) {
		typed(p)
		p.Tab = tab
		p.overtaken(x.words(r), r.PostForm.Get("was"))
	})
}

func (x *Web) apiSave(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	a, err := x.oidc.API(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	typed := apiForm{APIEdit: oidc.APIEdit{
		Name: form.Get("name"), Description: form.Get("description"), Introspector: form.Get("introspector"),
		ForDocuments: a.ForDocuments, // another form has it
	}, Lifetime: form.Get("access_token_lifetime")}
	err = typed.readAlg(form.Get("access_token_alg"))
	if err == nil {
		typed.AccessTokenFor, err = lifetime("access_token_lifetime", typed.Lifetime)
	}
	if err == nil {
		_, err = x.oidc.ReviseAPI(r.Context(), actor(r), a.ID, showed(form), typed.APIEdit)
	}
	if err != nil {
		return x.apiRefused(w, r, a, err, "general", func(p *apiPage) { p.Form = typed })
	}
	flash(w, r, "flash.api_saved")
	return seeOther(w, apiPath(a.ID))
}

func (x *Web) apiPermissions(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	a, err := x.oidc.API(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	permissions := permissionsOf(form)
	for i := range permissions { // another form has it
		at := slices.IndexFunc(a.Permissions, func(s oidc.Permission) bool { return s.Name == permissions[i].Name })
		permissions[i].ForDocuments = at >= 0 && a.Permissions[at].ForDocuments
	}
	if _, err := x.oidc.RevisePermissions(r.Context(), actor(r), a.ID, showed(form), permissions); err != nil {
		return x.apiRefused(w, r, a, err, "permissions", func(p *apiPage) {
			p.Rows = nil
			for _, s := range permissions {
				p.Rows = append(p.Rows, permissionRow{Permission: s})
			}
		})
	}
	flash(w, r, "flash.api_permissions_saved")
	return seeOther(w, apiPath(a.ID)+"#permissions")
}

// apiDocuments sets what clients that are read from a document may do.
func (x *Web) apiDocuments(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	a, err := x.oidc.API(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	access := oidc.DocumentAccess{Open: form.Has("for_documents"), Permissions: form["document_permissions"]}
	if _, err := x.oidc.ReviseDocumentAccess(r.Context(), actor(r), a.ID, showed(form), access); err != nil {
		return x.apiRefused(w, r, a, err, "clients", func(p *apiPage) { p.Fault.Field = "" }) // a box that is gone cannot be shown
	}
	flash(w, r, "flash.api_documents_saved")
	return seeOther(w, apiPath(a.ID)+"#clients")
}

// permissionField is the id of the field that a fault of oidc names: forms.js makes ids of
// names.
func permissionField(field string) string {
	at, part, ok := strings.Cut(strings.TrimPrefix(field, "permissions"), ".")
	if !ok || !strings.HasPrefix(field, "permissions[") {
		return field
	}
	if part == "name" {
		return "permission" + at
	}
	return "permission_" + part + at
}

// readAlg reads the algorithm of a form.
func (f *apiForm) readAlg(typed string) error {
	if typed == "" {
		return nil
	}
	alg, known := oidc.KnownAlg(typed)
	if !known {
		return oidc.ErrAlgUnknown.At("access_token_alg")
	}
	f.AccessTokenAlg = alg
	return nil
}

// permissionsOf reads the rows of a form in which something was typed.
func permissionsOf(form url.Values) []oidc.Permission {
	at := func(field string, i int) string {
		if i < len(form[field]) {
			return strings.TrimSpace(form[field][i])
		}
		return ""
	}
	permissions := []oidc.Permission{}
	for i := range form["permission"] {
		s := oidc.Permission{Name: at("permission", i), Title: at("permission_title", i), Description: at("permission_description", i)}
		if s.Name != "" || s.Title != "" || s.Description != "" {
			permissions = append(permissions, s)
		}
	}
	return permissions
}

// apiClientPage sets what one client may do at one API.
type apiClientPage struct {
	Frame
	API      oidc.API
	Client   string // its name
	ClientID string
	Public   bool
	Back     string // the list of clients of the API
	New      bool   // it may do nothing yet
	Was      string // what it may do by now, as the form carries it
	// Meanwhile is what somebody else has changed since.
	Meanwhile []meanwhile
	Grant     oidc.APIGrant
}

// ForPeople says whether the form gives a permission for people.
func (p *apiClientPage) ForPeople(name string) bool {
	return slices.Contains(p.Grant.UserPermissions, name)
}

// ForItself says whether the form gives a permission for the client itself.
func (p *apiClientPage) ForItself(name string) bool {
	return slices.Contains(p.Grant.MachinePermissions, name)
}

func (x *Web) apiClient(w http.ResponseWriter, r *http.Request) error {
	return x.showAPIClient(w, r, nil, nil)
}

// showAPIClient shows what the client may do, or what was typed.
func (x *Web) showAPIClient(w http.ResponseWriter, r *http.Request, typed *oidc.APIGrant, problem *Problem) error {
	a, err := x.oidc.API(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	c, err := x.oidc.Client(r.Context(), actor(r), r.PathValue("client"))
	if err != nil {
		return err
	}
	all, err := x.oidc.APIClients(r.Context(), actor(r), a.ID)
	if err != nil {
		return err
	}
	p := apiClientPage{
		Frame: Frame{Title: x.words(r).T("api_client.title", "client", c.Name, "api", a.Name), Area: "admin", Here: "apis", Narrow: true, Fault: problem},
		API:   a, Client: c.Name, ClientID: c.ID, Public: c.Public, Back: apiPath(a.ID) + "#clients", New: true, Grant: oidc.APIGrant{ForUsers: true},
		Was: (*oidc.APIGrant)(nil).Seen(),
	}
	if at := slices.IndexFunc(all, func(k oidc.APIClient) bool { return k.ClientID == c.ID }); at >= 0 {
		p.New, p.Grant = false, all[at].APIGrant
		p.Was = p.Grant.Seen()
	}
	if typed != nil {
		p.overtaken(x.words(r), r.PostForm.Get("was"))
		p.Grant = *typed
	}
	return x.show(w, r, "api-client", &p)
}

// overtaken says what the client may do now that the form did not show.
func (p *apiClientPage) overtaken(words *i18n.Locale, seen string) {
	is := p.Grant
	if p.New && seen != p.Was { // what the form showed was taken away
		is = oidc.APIGrant{}
	}
	now := map[string]meanwhile{
		"for_users":           {words.T("api_client.users.allow"), onOff(words, is.ForUsers)},
		"user_permissions":    {words.T("api_client.users"), strings.Join(is.UserPermissions, ", ")},
		"for_machine":         {words.T("api_client.machine.allow"), onOff(words, is.ForMachine)},
		"machine_permissions": {words.T("api_client.machine"), strings.Join(is.MachinePermissions, ", ")},
	}
	for _, name := range is.Changed(seen) {
		line := now[name]
		line.Now = cmp.Or(line.Now, words.T("meanwhile.empty"))
		p.Meanwhile = append(p.Meanwhile, line)
	}
}

func (x *Web) apiClientSave(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	id, client := r.PathValue("id"), r.PathValue("client")
	if form.Has("remove") {
		if err := x.oidc.RemoveAPIClient(r.Context(), actor(r), id, client); err != nil {
			return err
		}
		flash(w, r, "flash.api_client_removed")
		return seeOther(w, apiPath(id)+"#clients")
	}
	grant := oidc.APIGrant{
		ForUsers: form.Has("for_users"), UserPermissions: form["user_permissions"],
		ForMachine: form.Has("for_machine"), MachinePermissions: form["machine_permissions"],
	}
	if err := x.oidc.ReviseAPIClient(r.Context(), actor(r), id, client, showed(form), grant); err != nil {
		problem := x.problem(r, err)
		if problem == nil {
			return err
		}
		if f := fault.Of(err); strings.HasPrefix(f.Field, "user_permissions") || strings.HasPrefix(f.Field, "machine_permissions") {
			problem.Field = "" // its box is gone
		}
		return x.showAPIClient(w, r, &grant, problem)
	}
	flash(w, r, "flash.api_client_saved")
	return seeOther(w, apiPath(id)+"#clients")
}
