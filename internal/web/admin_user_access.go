package web

import (
	"errors"
	"net/http"
	"slices"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/i18n"
	"pocketid/internal/oidc"
	"pocketid/internal/signin"
)

// otherKeyLineOf describes a passkey of somebody to somebody else.
func otherKeyLineOf(words *i18n.Locale, k *signin.Passkey, session signin.Session) keyLine {
	l := keyLineOf(words, k, session)
	if k.BackupState && k.Model() == "" {
		l.Kind = words.T("user.passkeys.synced")
	}
	return l
}

// userPasskeyPage asks before somebody's passkey is removed.
type userPasskeyPage struct {
	Frame
	Name    string // whose it is
	Address string // of their page
	Key     keyLine
	Left    int // how many are left without it
	Self    bool
}

func (x *Web) userPasskeyPageOf(r *http.Request) (*userPasskeyPage, error) {
	u, err := x.directory.User(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	keys, err := x.signin.PasskeysOf(r.Context(), actor(r), u.ID)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(keys, func(k signin.Passkey) bool { return k.ID == r.PathValue("pid") })
	if i < 0 {
		return nil, signin.ErrNoPasskey
	}
	words := x.words(r)
	return &userPasskeyPage{
		Frame: Frame{Title: words.T("user_passkey.title", "name", keys[i].Name), Area: "admin", Here: "users", Narrow: true},
		Name:  u.Name(), Address: userPath(u.ID), Key: otherKeyLineOf(words, &keys[i], visitor(r).Session), Left: len(keys) - 1,
		Self: u.ID == actor(r).UserID,
	}, nil
}

// again leads to a fresh proof and back to this question.
func (p *userPasskeyPage) again(w http.ResponseWriter) error {
	return seeOther(w, withRedirect("/login/again", p.Address+"/passkeys/"+p.Key.ID+"/remove"))
}

// userPasskeyRemove asks before a passkey goes, after a fresh proof.
func (x *Web) userPasskeyRemove(w http.ResponseWriter, r *http.Request) error {
	p, err := x.userPasskeyPageOf(r)
	if err != nil {
		return err
	}
	needs, err := x.signin.NeedsStepUp(r.Context(), visitor(r), signin.PurposePasskeys)
	if errors.Is(err, signin.ErrCodeSession) || err == nil && needs {
		return p.again(w)
	}
	if err != nil {
		return err
	}
	return x.show(w, r, "user-passkey", p)
}

func (x *Web) userPasskeyRemoved(w http.ResponseWriter, r *http.Request) error {
	p, err := x.userPasskeyPageOf(r)
	if err != nil {
		return err
	}
	key, err := x.signin.RemovePasskeyOf(r.Context(), actor(r), r.PathValue("id"), p.Key.ID)
	if errors.Is(err, signin.ErrStepUp) {
		return p.again(w)
	}
	if err != nil {
		return err
	}
	flash(w, r, "flash.passkey_removed", "name", key.Name)
	return seeOther(w, p.Address+"#passkeys")
}

func (x *Web) userSessionEnd(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("sid")
	if err := x.signin.EndSessionOf(r.Context(), actor(r), r.PathValue("id"), id); err != nil {
		return err
	}
	if id == visitor(r).Session.ID {
		edge.SetCookie(w, r, signin.Cookie, "", -1)
		return seeOther(w, "/signed-out")
	}
	flash(w, r, "flash.session_ended")
	return seeOther(w, userPath(r.PathValue("id"))+"#sessions")
}

// userSignOutPage asks before everything ends that somebody has open.
type userSignOutPage struct {
	Frame
	User    *directory.User
	Address string // of their page
	Self    bool
}

func (x *Web) userSignOut(w http.ResponseWriter, r *http.Request) error {
	u, err := x.directory.User(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	p := userSignOutPage{
		Frame: Frame{Title: x.words(r).T("user_signout.title", "name", u.Name()), Area: "admin", Here: "users", Narrow: true},
		User:  &u, Address: userPath(u.ID), Self: u.ID == actor(r).UserID,
	}
	return x.show(w, r, "user-signout", &p)
}

func (x *Web) userSignedOut(w http.ResponseWriter, r *http.Request) error {
	u, err := x.directory.User(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := x.signin.SignOutEverywhereOf(r.Context(), actor(r), u.ID); err != nil {
		return err
	}
	if u.ID == actor(r).UserID {
		edge.SetCookie(w, r, signin.Cookie, "", -1)
		return seeOther(w, "/signed-out")
	}
	flash(w, r, "flash.user_signed_out", "name", u.Name())
	return seeOther(w, userPath(u.ID)+"#sessions")
}

// userAppPage asks before an application loses access to somebody's account.
type userAppPage struct {
	Frame
	Name    string // whose account it is
	Address string // of their page
	App     allowedLine
}

func (x *Web) userAppPageOf(r *http.Request) (*userAppPage, error) {
	u, err := x.directory.User(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	apps, err := x.oidc.AllowedOf(r.Context(), actor(r), u.ID)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(apps, func(a oidc.Allowed) bool { return a.ClientID == r.PathValue("client") })
	if i < 0 {
		return nil, oidc.ErrNoConsent
	}
	words := x.words(r)
	return &userAppPage{
		Frame: Frame{Title: words.T("user_app.title", "app", apps[i].Name, "name", u.Name()), Area: "admin", Here: "users", Narrow: true},
		Name:  u.Name(), Address: userPath(u.ID), App: allowedLineOf(words, &apps[i]),
	}, nil
}

func (x *Web) userAppRevoke(w http.ResponseWriter, r *http.Request) error {
	p, err := x.userAppPageOf(r)
	if err != nil {
		return err
	}
	return x.show(w, r, "user-app", p)
}

func (x *Web) userAppRevoked(w http.ResponseWriter, r *http.Request) error {
	p, err := x.userAppPageOf(r)
	if err != nil {
		return err
	}
	if err := x.oidc.RevokeConsentOf(r.Context(), actor(r), r.PathValue("id"), p.App.ID); err != nil {
		return err
	}
	flash(w, r, "flash.allowed_ended", "name", p.App.Name)
	return seeOther(w, p.Address+"#apps")
}
