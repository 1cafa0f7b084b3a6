package api

import (
	"net/http"
	"time"

	"pocketid/internal/edge"
	"pocketid/internal/oidc"
)

func (a *API) secretOperations() []Operation {
	return []Operation{
		admins("GET /api/oidc/clients/{id}/secrets", "clients:read", "Lists the secrets of an OIDC client, without their texts.", ofClient(a.secrets)).answers(http.StatusOK, []secretSeen{}),
		admins("POST /api/oidc/clients/{id}/secrets", "clients:write", "Gives an OIDC client another secret, which is told here and nowhere else.", ofClient(a.secretAdd)).
			takes(secretIn{}).answers(http.StatusCreated, secretMade{}).tellsSecret(),
		admins("DELETE /api/oidc/clients/{id}/secrets/{secret}", "clients:write", "Takes a secret from an OIDC client at once.", ofClient(a.secretRemove)),
		admins("POST /api/oidc/clients/{id}/secret", "clients:write", "Gives an OIDC client one secret instead of all that it had, as version 2.2 did.", ofClient(a.secretReplace)).
			takes(secretIn{}).answers(http.StatusOK, secretText{}).tellsSecret(),
	}
}

// A secret is a secret of a client without its text.
type secret struct {
	ID        string     `json:"id"`
	Prefix    string     `json:"prefix"`
	CreatedAt time.Time  `json:"createdAt"`
	ExpiresAt *time.Time `json:"expiresAt"`
	IsActive  bool       `json:"isActive"`
}

// A secretSeen is a secret with when it was used last.
type secretSeen struct {
	secret
	LastUsedAt *time.Time `json:"lastUsedAt"`
}

// A secretMade is a secret with its text.
type secretMade struct {
	secret
	Secret string `json:"secret"`
}

// secretText is the text of a secret alone.
type secretText struct {
	Secret string `json:"secret"`
}

func secretOf(s *oidc.Secret, now time.Time) secret {
	return secret{ID: s.ID, Prefix: s.Prefix, CreatedAt: s.CreatedAt.UTC(), ExpiresAt: instant(s.ExpiresAt), IsActive: !s.Expired(now)}
}

func (a *API) secrets(w http.ResponseWriter, r *http.Request) error {
	c, err := a.oidc.WholeClient(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	list := []secretSeen{}
	for i := range c.Secrets {
		s := &c.Secrets[i]
		list = append(list, secretSeen{secretOf(s, edge.Now(r.Context())), instant(s.LastUsedAt)})
	}
	return edge.WriteJSON(w, http.StatusOK, list)
}

// secretIn is what a program says of a new secret: nothing makes one that does not end.
type secretIn struct {
	Secret    string     `json:"secret" doc:"min=16 max=256"`
	ExpiresAt *time.Time `json:"expiresAt"`
}

func readSecret(r *http.Request) (edit oidc.SecretEdit, err error) {
	var in secretIn
	if r.ContentLength != 0 {
		if err = edge.ReadJSON(r, &in); err != nil {
			return edit, err
		}
	}
	setAs(&edit.Text, &in.Secret)
	set(&edit.ExpiresAt, in.ExpiresAt)
	return edit, nil
}

func (a *API) secretAdd(w http.ResponseWriter, r *http.Request) error {
	edit, err := readSecret(r)
	if err != nil {
		return err
	}
	s, text, err := a.oidc.AddSecret(r.Context(), actor(r), r.PathValue("id"), edit)
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusCreated, secretMade{secretOf(&s, edge.Now(r.Context())), text})
}

func (a *API) secretReplace(w http.ResponseWriter, r *http.Request) error {
	edit, err := readSecret(r)
	if err != nil {
		return err
	}
	_, text, err := a.oidc.ReplaceSecrets(r.Context(), actor(r), r.PathValue("id"), edit)
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, secretText{text})
}

func (a *API) secretRemove(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.oidc.RemoveSecret(r.Context(), actor(r), r.PathValue("id"), r.PathValue("secret")))
}
