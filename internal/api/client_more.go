package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"pocketid/internal/edge"
	"pocketid/internal/oidc"
)

func (a *API) clientMoreOperations() []Operation {
	return []Operation{
		admins("GET /api/oidc/clients/{id}/preview/{user}", "clients:read", "Tells what an OIDC client would be told about somebody who signs in now. Nothing of it is signed.", ofClient(a.clientPreview)).
			param("scopes", "", "Scopes that the client asks for, with commas or blanks between them; openid, profile, email and groups unless it is there.").
			param("resource", "", "An API that it asks for; it can stand several times.").answers(http.StatusOK, preview{}),
		admins("GET /api/oidc/clients/{id}/exchanges", "clients:read", "Lists the OIDC clients whose access tokens this one may exchange for its own.", ofClient(a.exchanges)).answers(http.StatusOK, []exchange{}),
		admins("PUT /api/oidc/clients/{id}/exchanges/{from}", "clients:write", "Lets an OIDC client exchange the access tokens of another one for its own.", ofClient(a.exchangeAllow)),
		admins("DELETE /api/oidc/clients/{id}/exchanges/{from}", "clients:write", "Takes that back, and ends what was exchanged.", ofClient(a.exchangeForbid)),
		admins("GET /api/oidc/clients/{id}/registration", "clients:read", "Tells how an OIDC client came that nobody here made, and what it said of itself.", ofClient(a.clientRegistration)).answers(http.StatusOK, registered{}),

		admins("GET /api/client-registration-tokens", "clients:read", "Lists the initial access tokens with which applications may register themselves.", a.registrationTokens).answers(http.StatusOK, []registrationToken{}),
		admins("POST /api/client-registration-tokens", "clients:write", "Makes an initial access token, which is told here and nowhere else.", a.registrationTokenAdd).
			takes(registrationTokenIn{}).answers(http.StatusCreated, registrationTokenMade{}).tellsSecret(),
		admins("DELETE /api/client-registration-tokens/{id}", "clients:write", "Revokes an initial access token.", a.registrationTokenRevoke),
	}
}

// A preview is what a client would be told.
type preview struct {
	IDToken     map[string]any `json:"idToken"`
	AccessToken map[string]any `json:"accessToken"`
	UserInfo    map[string]any `json:"userInfo"`
	// Refused is the code of why the person may not use the client; null is that they may.
	Refused *string `json:"refused"`
	Scope   string  `json:"scope"`
}

func (a *API) clientPreview(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	scopes := strings.FieldsFunc(query.Get("scopes"), func(c rune) bool { return c == ',' || c == ' ' })
	if !query.Has("scopes") {
		scopes = []string{"openid", "profile", "email", "groups"}
	}
	v, err := a.oidc.Preview(r.Context(), actor(r), r.PathValue("id"), r.PathValue("user"), scopes, query["resource"])
	if err != nil {
		return err
	}
	out := preview{Scope: strings.Join(v.Scopes, " ")}
	if v.Refused != nil {
		out.Refused = refusedAs(v.Refused)
	}
	for _, part := range []struct {
		text string
		to   *map[string]any
	}{{v.IDToken, &out.IDToken}, {v.AccessToken, &out.AccessToken}, {v.Userinfo, &out.UserInfo}} {
		*part.to = map[string]any{}
		if part.text == "" {
			continue
		}
		if err := json.Unmarshal([]byte(part.text), part.to); err != nil {
			return err
		}
	}
	return edge.WriteJSON(w, http.StatusOK, out)
}

// An exchange is a client whose access tokens another one may exchange.
type exchange struct {
	ClientID  string    `json:"clientId"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"createdAt"`
}

func (a *API) exchanges(w http.ResponseWriter, r *http.Request) error {
	if _, err := a.oidc.Client(r.Context(), actor(r), r.PathValue("id")); err != nil {
		return err
	}
	all, err := a.oidc.Exchanges(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	list := []exchange{}
	for _, e := range all {
		list = append(list, exchange{e.ClientID, e.Name, e.CreatedAt.UTC()})
	}
	return edge.WriteJSON(w, http.StatusOK, list)
}

func (a *API) exchangeAllow(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.oidc.AllowExchange(r.Context(), actor(r), r.PathValue("id"), oidc.ParsePathID(r.PathValue("from"))))
}

func (a *API) exchangeForbid(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.oidc.ForbidExchange(r.Context(), actor(r), r.PathValue("id"), oidc.ParsePathID(r.PathValue("from"))))
}

// registered is how a client came by itself.
type registered struct {
	Host      string         `json:"host"`
	ExpiresAt *time.Time     `json:"metadataExpiresAt"`
	Token     string         `json:"registrationTokenName"`
	Metadata  map[string]any `json:"metadata"`
}

func (a *API) clientRegistration(w http.ResponseWriter, r *http.Request) error {
	reg, err := a.oidc.RegisteredAs(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	out := registered{Host: reg.Host, ExpiresAt: instant(reg.ExpiresAt), Token: reg.With, Metadata: map[string]any{}}
	if reg.Metadata != "" {
		if err := json.Unmarshal([]byte(reg.Metadata), &out.Metadata); err != nil {
			return err
		}
	}
	return edge.WriteJSON(w, http.StatusOK, out)
}

// A registrationToken is an initial access token without its text.
type registrationToken struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	UsageLimit int        `json:"usageLimit"`
	UsageCount int        `json:"usageCount"`
	CreatedAt  time.Time  `json:"createdAt"`
	ExpiresAt  time.Time  `json:"expiresAt"`
	LastUsedAt *time.Time `json:"lastUsedAt"`
}

// A registrationTokenMade is one with its text.
type registrationTokenMade struct {
	registrationToken
	Token string `json:"token"`
}

func registrationTokenOf(t *oidc.RegistrationToken) registrationToken {
	return registrationToken{t.ID, t.Name, t.Uses, t.Uses - t.UsesLeft, t.CreatedAt.UTC(), t.ExpiresAt.UTC(), instant(t.LastUsedAt)}
}

func (a *API) registrationTokens(w http.ResponseWriter, r *http.Request) error {
	all, err := a.oidc.RegistrationTokens(r.Context(), actor(r))
	if err != nil {
		return err
	}
	list := []registrationToken{}
	for i := range all {
		list = append(list, registrationTokenOf(&all[i]))
	}
	return edge.WriteJSON(w, http.StatusOK, list)
}

// registrationTokenIn is what a program says of a new initial access token.
type registrationTokenIn struct {
	Name       string    `json:"name" doc:"required min=1 max=50"`
	UsageLimit int       `json:"usageLimit" doc:"required min=1 max=1000"`
	ExpiresAt  time.Time `json:"expiresAt" doc:"required"`
}

func (a *API) registrationTokenAdd(w http.ResponseWriter, r *http.Request) error {
	var in registrationTokenIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	t, text, err := a.oidc.AddRegistrationToken(r.Context(), actor(r), oidc.RegistrationTokenEdit{Name: in.Name, Uses: in.UsageLimit, ExpiresAt: in.ExpiresAt})
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusCreated, registrationTokenMade{registrationTokenOf(&t), text})
}

func (a *API) registrationTokenRevoke(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.oidc.RevokeRegistrationToken(r.Context(), actor(r), r.PathValue("id")))
}
