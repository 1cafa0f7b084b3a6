package api

import (
	"encoding/base64"
	"net/http"
	"time"

	"pocketid/internal/edge"
	"pocketid/internal/signin"
)

func (a *API) passkeyOperations() []Operation {
	return []Operation{
		mine("GET /api/webauthn/credentials", "account:read", "Lists your passkeys.", a.myPasskeys).answers(http.StatusOK, []passkey{}),
		// What changes passkeys takes sessions alone.
		mine("PATCH /api/webauthn/credentials/{id}", "", "Renames one of your passkeys.", a.myPasskeyRename).takes(passkeyIn{}).answers(http.StatusOK, passkey{}),
		mine("DELETE /api/webauthn/credentials/{id}", "", "Removes one of your passkeys, after a fresh confirmation by passkey, and never the last one.", a.myPasskeyRemove),
		admins("GET /api/users/{id}/webauthn-credentials", "users:read", "Lists somebody's passkeys.", a.userPasskeys).answers(http.StatusOK, []passkey{}),
		admins("DELETE /api/users/{id}/webauthn-credentials/{credential}", "", "Removes one of somebody's passkeys, after a fresh confirmation by passkey.", a.userPasskeyRemove),
	}
}

// A passkey is one as programs know it.
type passkey struct {
	ID             string     `json:"id"`
	Name           string     `json:"name"`
	CredentialID   string     `json:"credentialID"`
	Attestation    string     `json:"attestationType"`
	Transports     []string   `json:"transport"`
	BackupEligible bool       `json:"backupEligible"`
	BackupState    bool       `json:"backupState"`
	CreatedAt      time.Time  `json:"createdAt"`
	LastUsedAt     *time.Time `json:"lastUsedAt"`
}

func passkeyOf(p *signin.Passkey) passkey {
	transports := p.Transports
	if transports == nil {
		transports = []string{}
	}
	return passkey{ID: p.ID, Name: p.Name, CredentialID: base64.RawURLEncoding.EncodeToString(p.CredentialID), Attestation: p.Attestation, Transports: transports,
		BackupEligible: p.BackupEligible, BackupState: p.BackupState, CreatedAt: p.CreatedAt.UTC(), LastUsedAt: instant(p.LastUsedAt)}
}

func passkeysOf(list []signin.Passkey) []passkey {
	out := make([]passkey, 0, len(list))
	for i := range list {
		out = append(out, passkeyOf(&list[i]))
	}
	return out
}

func (a *API) myPasskeys(w http.ResponseWriter, r *http.Request) error {
	list, err := a.signin.Passkeys(r.Context(), visitor(r))
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, passkeysOf(list))
}

// passkeyIn is what a program says of a passkey.
type passkeyIn struct {
	Name string `json:"name" doc:"required min=1 max=50"`
}

func (a *API) myPasskeyRename(w http.ResponseWriter, r *http.Request) error {
	var in passkeyIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	p, err := a.signin.RenamePasskey(r.Context(), visitor(r), r.PathValue("id"), in.Name)
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, passkeyOf(&p))
}

func (a *API) myPasskeyRemove(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.signin.RemovePasskey(r.Context(), visitor(r), r.PathValue("id")))
}

func (a *API) userPasskeys(w http.ResponseWriter, r *http.Request) error {
	list, err := a.signin.PasskeysOf(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, passkeysOf(list))
}

func (a *API) userPasskeyRemove(w http.ResponseWriter, r *http.Request) error {
	_, err := a.signin.RemovePasskeyOf(r.Context(), actor(r), r.PathValue("id"), r.PathValue("credential"))
	return nothing(w, err)
}
