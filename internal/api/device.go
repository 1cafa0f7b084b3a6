package api

import (
	"net/http"

	"pocketid/internal/edge"
	"pocketid/internal/i18n"
	"pocketid/internal/oidc"
	"pocketid/internal/signin"
)

func (a *API) deviceOperations() []Operation {
	code := func(o Operation) Operation {
		return o.param("code", "", "The code that the device shows.").counts(edge.LimitUserCode)
	}
	return []Operation{
		// What lets a device in takes sessions alone.
		code(mine("GET /api/oidc/device/info", "", "Tells what a device asks for that shows this code.", fromHere(a.deviceInfo))).answers(http.StatusOK, deviceInfo{}),
		code(mine("POST /api/oidc/device/verify", "", "Lets a device in that shows this code.", a.deviceVerify)),
	}
}

// fromHere refuses what another site asks a browser to do. Typing a code counts, so it is
// more than looking.
func fromHere(h edge.Handler) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
			return edge.ErrForbidden.Because("asked by another site")
		}
		return h(w, r)
	}
}

// A scopeWord is a scope in words.
type scopeWord struct {
	Key         string  `json:"key"`
	Name        string  `json:"name"`
	Description *string `json:"description"`
}

// deviceInfo is what a device asks for.
type deviceInfo struct {
	Scope          []string    `json:"scope"`
	ScopeInfo      []scopeWord `json:"scopeInfo"`
	Authorization  bool        `json:"authorizationRequired"`
	Authentication bool        `json:"reauthenticationRequired"`
	Client         clientMeta  `json:"client"`
}

func (a *API) deviceInfo(w http.ResponseWriter, r *http.Request) error {
	v, _ := signin.From(r.Context())
	ticket, err := a.oidc.OpenDevice(r.Context(), v, r.URL.Query().Get("code"))
	if err != nil {
		return err
	}
	q, err := a.oidc.DeviceQuestion(r.Context(), v, ticket)
	if err != nil {
		return err
	}
	c, err := a.oidc.ShownClient(r.Context(), q.ClientID)
	if err != nil {
		return err
	}
	out := deviceInfo{Scope: orEmpty(q.Scopes), ScopeInfo: []scopeWord{}, Authorization: q.State == oidc.DeviceAsks, Authentication: q.Proof, Client: metaOf(c)}
	words := i18n.For(edge.Locale(r, v.User.Locale))
	for _, s := range q.Scopes {
		name := s
		if key := "consent.scope." + s; words.Has(key) {
			name = words.T(key)
		}
		out.ScopeInfo = append(out.ScopeInfo, scopeWord{Key: s, Name: name})
	}
	for _, asked := range q.APIs {
		for _, p := range asked.Permissions {
			out.Scope = append(out.Scope, p.Name)
			out.ScopeInfo = append(out.ScopeInfo, scopeWord{p.Name, p.Title, maybe(p.Description)})
		}
	}
	return edge.WriteJSON(w, http.StatusOK, out)
}

func (a *API) deviceVerify(w http.ResponseWriter, r *http.Request) error {
	v, _ := signin.From(r.Context())
	ticket, err := a.oidc.OpenDevice(r.Context(), v, r.URL.Query().Get("code"))
	if err != nil {
		return err
	}
	return nothing(w, a.oidc.AllowDevice(r.Context(), v, ticket))
}
