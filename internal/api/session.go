package api

import (
	"net/http"
	"time"

	"pocketid/internal/edge"
	"pocketid/internal/signin"
)

func (a *API) sessionOperations() []Operation {
	return []Operation{
		mine("GET /api/users/me/sessions", "account:read", "Lists where you are signed in, the last seen first.", a.mySessions).answers(http.StatusOK, []session{}),
		mine("DELETE /api/users/me/sessions", "account:write", "Ends all of your sessions but the one that asks.", a.myOtherSessions),
		mine("DELETE /api/users/me/sessions/{session}", "account:write", "Ends one of your sessions.", a.mySessionEnd),
		mine("POST /api/users/me/sign-out-everywhere", "account:write", "Ends everything that you have open, here and at applications.", a.meOut),
		admins("GET /api/users/{id}/sessions", "users:read", "Lists where somebody is signed in, the last seen first.", a.userSessions).answers(http.StatusOK, []session{}),
		admins("DELETE /api/users/{id}/sessions/{session}", "users:write", "Ends one of somebody's sessions.", a.userSessionEnd),
		admins("POST /api/users/{id}/sign-out-everywhere", "users:write", "Ends everything that somebody has open, here and at applications.", a.userOut),
	}
}

// A session is one browser that somebody has signed in with.
type session struct {
	ID         string    `json:"id"`
	Current    bool      `json:"isCurrent"`
	By         string    `json:"signedInBy"` // "passkey" or "code"
	Device     string    `json:"device"`
	UserAgent  string    `json:"userAgent"`
	Address    string    `json:"ipAddress"`
	CreatedAt  time.Time `json:"createdAt"`
	LastSeenAt time.Time `json:"lastSeenAt"`
	ExpiresAt  time.Time `json:"expiresAt"`
}

func sessionsOf(r *http.Request, list []signin.Session) []session {
	out := make([]session, 0, len(list))
	for i := range list {
		out = append(out, showSession(&list[i], actor(r).SessionID))
	}
	return out
}

// ShowSession is a session in the shape of the API, for somebody who has none.
func ShowSession(s *signin.Session) any { return showSession(s, "") }

func showSession(s *signin.Session, current string) session {
	by := "passkey"
	if s.ByCode() {
		by = "code"
	}
	return session{ID: s.ID, Current: s.ID == current, By: by, Device: edge.DeviceOf(s.UserAgent).String(),
		UserAgent: s.UserAgent, Address: s.Address, CreatedAt: s.CreatedAt.UTC(), LastSeenAt: s.LastSeenAt.UTC(), ExpiresAt: s.ExpiresAt.UTC()}
}

// visitor is whoever asks: a session, or the owner of a key, who has none.
func visitor(r *http.Request) signin.Visitor {
	if v, ok := signin.From(r.Context()); ok {
		return v
	}
	h, _ := signin.HolderOf(r.Context())
	return signin.Visitor{User: h.User}
}

func (a *API) mySessions(w http.ResponseWriter, r *http.Request) error {
	list, err := a.signin.Sessions(r.Context(), visitor(r))
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, sessionsOf(r, list))
}

func (a *API) myOtherSessions(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.signin.EndOthers(r.Context(), visitor(r)))
}

func (a *API) mySessionEnd(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.signin.EndSession(r.Context(), visitor(r), r.PathValue("session")))
}

func (a *API) meOut(w http.ResponseWriter, r *http.Request) error {
	if err := a.signin.SignOutEverywhere(r.Context(), visitor(r)); err != nil {
		return err
	}
	if actor(r).SessionID != "" {
		edge.SetCookie(w, r, signin.Cookie, "", -1)
	}
	return nothing(w, nil)
}

func (a *API) userSessions(w http.ResponseWriter, r *http.Request) error {
	list, err := a.signin.SessionsOf(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, sessionsOf(r, list))
}

func (a *API) userSessionEnd(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.signin.EndSessionOf(r.Context(), actor(r), r.PathValue("id"), r.PathValue("session")))
}

func (a *API) userOut(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.signin.SignOutEverywhereOf(r.Context(), actor(r), r.PathValue("id")))
}
