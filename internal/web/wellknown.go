package web

import (
	"net/http"

	"pocketid/internal/edge"
)

// wellKnownRoutes are documents in fixed places, for passkey managers and browsers.
// No script of another origin has any use for them, so none may read them.
func (x *Web) wellKnownRoutes() []edge.Route {
	return []edge.Route{
		{Pattern: "GET /.well-known/passkey-endpoints", Access: edge.Open, Surface: edge.Problem, Handler: x.passkeyEndpoints},
		{Pattern: "GET /.well-known/webauthn", Access: edge.Open, Surface: edge.Problem, Handler: x.relatedOrigins},
	}
}

// passkeyEndpoints tells passkey managers where people add passkeys and where they keep
// them in order (W3C, A Well-Known URL for Relying Party Passkey Endpoints).
func (x *Web) passkeyEndpoints(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "public, max-age=86400")
	base := x.public.JoinPath(passkeysPath).String()
	return edge.WriteJSON(w, http.StatusOK, struct {
		Enroll string `json:"enroll"`
		Manage string `json:"manage"`
	}{base + "/add", base})
}

// relatedOrigins tells browsers which other pages may use the passkeys of this house
// (WebAuthn §5.11). Without any there is no such document, because its list may not be
// empty.
func (x *Web) relatedOrigins(w http.ResponseWriter, r *http.Request) error {
	s, err := x.settings(r.Context())
	if err != nil {
		return err
	}
	if len(s.RelatedOrigins) == 0 {
		return edge.ErrNotFound
	}
	w.Header().Set("Cache-Control", "public, max-age=300") // what is taken out counts here at once, and there soon
	return edge.WriteJSON(w, http.StatusOK, struct {
		Origins []string `json:"origins"`
	}{s.RelatedOrigins})
}
