package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
)

// backchannel is where the provider says that a session has ended there (OpenID Connect
// Back-Channel Logout §2.5). No browser is part of this: the session is found by its sid.
func (a *app) backchannel(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	sid, err := a.logoutToken(r.Context(), r.PostFormValue("logout_token"))
	if err != nil {
		log.Print("logout token refused: ", err)
		http.Error(w, "this is no logout token for this application", http.StatusBadRequest)
		return
	}
	a.end(sid)
	w.WriteHeader(http.StatusNoContent)
}

// logoutToken checks a logout token (§2.6) and returns the session that it ends. A token
// that comes twice ends the same session once more, which does no harm; otherwise its jti
// would have to be remembered.
func (a *app) logoutToken(ctx context.Context, token string) (sid string, err error) {
	provider, _, err := a.discover(ctx)
	if err != nil {
		return "", err
	}
	// The signature, iss, aud and exp are checked as those of an ID token are.
	verified, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: a.clientID}).Verify(ctx, token)
	if err != nil {
		return "", err
	}
	var head struct {
		Type string `json:"typ"`
	}
	first, _, _ := strings.Cut(token, ".")
	if raw, err := base64.RawURLEncoding.DecodeString(first); err != nil || json.Unmarshal(raw, &head) != nil || !strings.EqualFold(head.Type, "logout+jwt") {
		return "", fmt.Errorf("its type is %q", head.Type)
	}
	var claims struct {
		Sid    string                     `json:"sid"`
		Nonce  *string                    `json:"nonce"`
		Events map[string]json.RawMessage `json:"events"`
	}
	if err := verified.Claims(&claims); err != nil {
		return "", err
	}
	switch {
	case claims.Events["http://schemas.openid.net/event/backchannel-logout"] == nil:
		return "", errors.New("it says nothing of a logout")
	case claims.Nonce != nil:
		return "", errors.New("it has a nonce, so it is an ID token")
	case claims.Sid == "":
		return "", errors.New("it names no session")
	}
	return claims.Sid, nil
}

// frontchannel is the page that the provider opens in a frame while somebody signs out
// (OpenID Connect Front-Channel Logout §2). Browsers send no cookies with it; the sid is
// known to nobody else, so it is enough.
func (a *app) frontchannel(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors "+a.issuer)
	if r.URL.Query().Get("iss") == a.issuer {
		a.end(r.URL.Query().Get("sid"))
	}
}

// end ends the sessions here that began in a session of the provider.
func (a *app) end(sid string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, s := range a.sessions {
		if sid != "" && s.sid == sid {
			delete(a.sessions, id)
		}
	}
}
