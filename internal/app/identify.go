package app

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/edge"
	"pocketid/internal/signin"
)

// identify finds out who is asking: the edge gets what it decides by, the
// domain the actor of its records, the pages the visitor. A cookie that opens
// nothing is left in the browser, because the answer to a request that was
// under way during a change of handle must not take the new one away.
func (a *App) identify(w http.ResponseWriter, r *http.Request) (context.Context, edge.Identity, error) {
	ctx := r.Context()
	by := audit.Actor{Via: way(r), Address: edge.Address(ctx), UserAgent: edge.UserAgent(ctx), RequestID: edge.RequestID(ctx)}
	handle := edge.ReadCookie(r, signin.Cookie)
	if handle == "" {
		return audit.With(ctx, by), edge.Identity{}, nil
	}
	v, err := a.SignIn.Visit(ctx, handle, signin.Seen{Address: by.Address, UserAgent: by.UserAgent})
	if errors.Is(err, signin.ErrNoSession) {
		return audit.With(ctx, by), edge.Identity{}, nil
	}
	if err != nil {
		return ctx, edge.Identity{}, err
	}
	by.UserID, by.Name, by.Admin, by.SessionID = v.User.ID, v.User.Username, v.User.Admin, v.Session.ID
	who := edge.Identity{UserID: v.User.ID, SessionID: v.Session.ID, Name: v.User.Username, Admin: v.User.Admin}
	return signin.With(audit.With(ctx, by), v), who, nil
}

// identifyKey finds out whose API key a program shows. The right of an administrator is
// the owner's at this moment.
func (a *App) identifyKey(r *http.Request, key, scope string) (context.Context, edge.Identity, error) {
	ctx := r.Context()
	h, err := a.SignIn.KeyFor(ctx, key)
	if err != nil {
		return ctx, edge.Identity{}, err
	}
	edge.Note(ctx, "key", h.Key.ID)
	if scope != edge.AnyKey && !h.Key.Allows(signin.Scope(scope)) {
		return ctx, edge.Identity{}, edge.ErrKeyScope.With("scope", scope)
	}
	by := audit.Actor{Via: way(r), Address: edge.Address(ctx), UserAgent: edge.UserAgent(ctx), RequestID: edge.RequestID(ctx),
		UserID: h.User.ID, Name: h.User.Username, Admin: h.User.Admin, KeyID: h.Key.ID, KeyName: h.Key.Name, Scoped: !h.Key.Whole()}
	who := edge.Identity{UserID: h.User.ID, Name: h.User.Username, Admin: h.User.Admin, KeyID: h.Key.ID}
	return signin.WithHolder(audit.With(ctx, by), h), who, nil
}

// way is how a request acts: by a page, or as a program that speaks to the API. People are
// sent to the end-session endpoint as they are to a page.
func way(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, "/api/") && r.URL.Path != "/api/oidc/end-session" {
		return "api"
	}
	return "page"
}
