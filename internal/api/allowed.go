package api

import (
	"net/http"
	"strings"
	"time"

	"pocketid/internal/oidc"
)

func (a *API) allowedOperations() []Operation {
	return []Operation{
		mine("GET /api/oidc/users/me/authorized-clients", "account:read", "Lists the applications that may use your account.", a.allowedMine).lists(allowed{}, allowedColumns),
		mine("DELETE /api/oidc/users/me/authorized-clients/{id}", "account:write", "Takes back what you allowed an application.", ofClient(a.allowedRevoke)),
		mine("GET /api/oidc/users/me/clients", "account:read", "Lists the applications that you may use.", a.myClients).lists(myClient{}, myClientColumns),
		admins("GET /api/oidc/users/{id}/authorized-clients", "users:read", "Lists the applications that may use an account.", a.allowedOf).lists(allowed{}, allowedColumns),
		admins("DELETE /api/oidc/users/{id}/authorized-clients/{client}", "users:write", "Takes back what somebody allowed an application.", a.allowedRevokeOf),
	}
}

// An allowed is an application that may use an account.
type allowed struct {
	Scope      string     `json:"scope"`
	Client     clientMeta `json:"client"`
	LastUsedAt *time.Time `json:"lastUsedAt"`
}

// A myClient is an application that somebody may use.
type myClient struct {
	clientMeta
	LastUsedAt *time.Time `json:"lastUsedAt"`
}

var (
	allowedColumns  = columns{sortable: []string{"lastUsedAt"}}
	myClientColumns = columns{sortable: []string{"name", "createdAt", "lastUsedAt"}}
)

func (a *API) allowedMine(w http.ResponseWriter, r *http.Request) error {
	list, err := a.oidc.Allowed(r.Context(), actor(r))
	return writeAllowed(w, r, list, err)
}

func (a *API) allowedOf(w http.ResponseWriter, r *http.Request) error {
	if _, err := a.directory.User(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	list, err := a.oidc.AllowedOf(r.Context(), actor(r), r.PathValue("id"))
	return writeAllowed(w, r, list, err)
}

// writeAllowed answers a list that is short, so it is sorted and cut into pages here.
func writeAllowed(w http.ResponseWriter, r *http.Request, list []oidc.Allowed, err error) error {
	if err != nil {
		return err
	}
	q := queryOf(r, allowedColumns)
	if q.Sort != "" {
		sorted(list, q.Down, func(x, y *oidc.Allowed) int { return x.LastUsedAt.Compare(y.LastUsedAt) })
	}
	var data []allowed
	for i := range list[min(q.Offset, len(list)):min(q.Offset+q.Limit, len(list))] {
		l := &list[q.Offset+i]
		data = append(data, allowed{strings.Join(l.Scopes, " "), metaOf(oidc.App{ID: l.ClientID, Name: l.Name, Description: l.Description,
			LaunchURL: l.LaunchURL, Logo: l.Logo, Kind: l.Kind, ReauthRequired: l.ReauthRequired}), instant(l.LastUsedAt)})
	}
	return writePage(w, q, data, len(list))
}

func (a *API) allowedRevoke(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.oidc.RevokeConsent(r.Context(), actor(r), r.PathValue("id")))
}

func (a *API) allowedRevokeOf(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.oidc.RevokeConsentOf(r.Context(), actor(r), r.PathValue("id"), oidc.ParsePathID(r.PathValue("client"))))
}

func (a *API) myClients(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r, myClientColumns)
	list, total, err := a.oidc.QueryApps(r.Context(), actor(r), q)
	if err != nil {
		return err
	}
	var data []myClient
	for _, app := range list {
		data = append(data, myClient{metaOf(app), instant(app.LastUsedAt)})
	}
	return writePage(w, q, data, total)
}
