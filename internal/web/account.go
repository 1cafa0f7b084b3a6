package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"pocketid/internal/edge"
	"pocketid/internal/i18n"
	"pocketid/internal/signin"
)

const (
	accountPath  = "/settings/account"
	passkeysPath = accountPath + "/passkeys"
	sessionsPath = accountPath + "/sessions"
)

func (x *Web) accountRoutes() []edge.Route {
	return slices.Concat(x.deleteRoutes(), []edge.Route{
		page("GET "+accountPath, edge.SignedIn, x.profile),
		page("POST "+accountPath, edge.SignedIn, x.profileSave),
		pictureForm("POST "+accountPath+"/picture", edge.SignedIn, x.ownPicture),
		page("POST "+accountPath+"/details", edge.SignedIn, x.detailsSave),
		page("POST "+accountPath+"/look", edge.SignedIn, x.lookSave),

		page("GET "+passkeysPath, edge.SignedIn, x.passkeys),
		page("GET "+passkeysPath+"/add", edge.SignedIn, x.passkeyAdd),
		script("POST "+passkeysPath+"/begin", edge.SignedIn, edge.LimitStepUp, x.passkeyBegin),
		script("POST "+passkeysPath+"/finish", edge.SignedIn, edge.LimitStepUp, x.passkeyFinish),
		page("POST "+passkeysPath+"/offer", edge.SignedIn, x.offerDismissed),
		page("GET "+passkeysPath+"/{id}/rename", edge.SignedIn, x.passkeyRename),
		page("POST "+passkeysPath+"/{id}/rename", edge.SignedIn, x.passkeyRenamed),
		page("GET "+passkeysPath+"/{id}/remove", edge.SignedIn, x.passkeyRemove),
		page("POST "+passkeysPath+"/{id}/remove", edge.SignedIn, x.passkeyRemoved),

		page("GET "+sessionsPath, edge.SignedIn, x.sessions),
		page("GET "+sessionsPath+"/others", edge.SignedIn, x.othersQuestion),
		page("POST "+sessionsPath+"/others", edge.SignedIn, x.sessionsOthers),
		page("GET "+sessionsPath+"/everywhere", edge.SignedIn, x.everywhereQuestion),
		page("POST "+sessionsPath+"/everywhere", edge.SignedIn, x.sessionsEverywhere),
		page("POST "+sessionsPath+"/{id}/end", edge.SignedIn, x.sessionEnd),
	})
}

// passkeysPage lists the passkeys of an account.
type passkeysPage struct {
	Frame
	Keys   []keyLine
	Single bool // one, and one only
	// DeviceBound says that the only one is on one device and cannot be copied.
	DeviceBound bool
	Signals     signin.Signals
	Offer       bool
}

// deviceName is a browser and its system in words.
func deviceName(words *i18n.Locale, agent string) string {
	switch d := edge.DeviceOf(agent); {
	case d.Browser != "" && d.System != "":
		return words.T("device.name", "browser", d.Browser, "system", d.System)
	case d.Browser+d.System != "":
		return d.Browser + d.System
	}
	return words.T("device.unknown")
}

func (x *Web) passkeys(w http.ResponseWriter, r *http.Request) error {
	v, words := visitor(r), x.words(r)
	keys, err := x.signin.Passkeys(r.Context(), v)
	if err != nil {
		return err
	}
	s, err := x.settings(r.Context())
	if err != nil {
		return err
	}
	p := passkeysPage{Frame: Frame{Title: words.T("passkeys.title"), Area: "account", Here: "passkeys", Narrow: true, Modules: []string{"signals.js"}},
		Signals: x.signin.Signals(v, keys), Offer: offered(r, s)}
	for i := range keys {
		p.Keys = append(p.Keys, keyLineOf(words, &keys[i], v.Session))
		p.Keys[i].Outside = keys[i].Outside(s)
	}
	p.Single = len(keys) == 1
	p.DeviceBound = p.Single && keys[0].BackupKnown && !keys[0].BackupEligible
	return x.show(w, r, "passkeys", &p)
}

// passkeyAddPage adds a passkey.
type passkeyAddPage struct {
	Frame
	Ceremony Ceremony
	First    bool   // there is none yet
	Here     bool   // the settings allow one on this device
	Else     bool   // the settings allow one on another device
	Later    string // where to go instead
}

// passkeyAdd comes after a fresh proof, unless this is the first passkey of an account
// that was opened by a code.
func (x *Web) passkeyAdd(w http.ResponseWriter, r *http.Request) error {
	edge.Browser(w, r)
	v := visitor(r)
	target := redirectOf(r, passkeysPath)
	keys, err := x.signin.Passkeys(r.Context(), v)
	if err != nil {
		return err
	}
	if len(keys) > 0 {
		here := withRedirect(passkeysPath+"/add", target)
		needs, err := x.signin.NeedsStepUp(r.Context(), v, signin.PurposePasskeys)
		if errors.Is(err, signin.ErrCodeSession) || err == nil && needs {
			return seeOther(w, withRedirect("/login/again", here))
		}
		if err != nil {
			return err
		}
	}
	words := x.words(r)
	p := passkeyAddPage{
		Frame: Frame{Title: words.T("passkey_add.title"), Seal: "key", Modules: []string{"passkey.js"}},
		Ceremony: Ceremony{Kind: "create", Begin: passkeysPath + "/begin", Finish: passkeysPath + "/finish", Redirect: target,
			Words: ceremonyWords(words)},
		First: len(keys) == 0, Later: target,
	}
	s, err := x.settings(r.Context())
	if err != nil {
		return err
	}
	p.Here, p.Else = s.WebauthnAuthenticatorAttachment != "cross-platform", s.WebauthnAuthenticatorAttachment != "platform"
	return x.show(w, r, "passkey-add", &p)
}

func (x *Web) passkeyBegin(w http.ResponseWriter, r *http.Request) error {
	var in begun
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	c, err := x.signin.BeginAdd(r.Context(), visitor(r), edge.BrowserHash(r), in.Hint)
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, c)
}

func (x *Web) passkeyFinish(w http.ResponseWriter, r *http.Request) error {
	var in answered
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	key, err := x.signin.FinishAdd(r.Context(), visitor(r), edge.BrowserHash(r), in.ID, in.Answer, seen(r))
	if err != nil {
		return err
	}
	if key.Attachment == "platform" {
		closeOffer(w, r)
	}
	flash(w, r, "flash.passkey_added", "name", key.Name)
	return edge.WriteJSON(w, http.StatusOK, onward{inside(in.Redirect, passkeysPath)})
}

// passkeyPage renames a passkey, or asks before it is removed.
type passkeyPage struct {
	Frame
	Key  keyLine
	Name string
	Left int // how many are left without it
}

func (x *Web) passkeyPageOf(r *http.Request, title string) (*passkeyPage, error) {
	v, words := visitor(r), x.words(r)
	keys, err := x.signin.Passkeys(r.Context(), v)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(keys, func(k signin.Passkey) bool { return k.ID == r.PathValue("id") })
	if i < 0 {
		return nil, signin.ErrNoPasskey
	}
	return &passkeyPage{
		Frame: Frame{Title: words.T(title, "name", keys[i].Name), Area: "account", Here: "passkeys", Narrow: true},
		Key:   keyLineOf(words, &keys[i], v.Session), Name: keys[i].Name, Left: len(keys) - 1,
	}, nil
}

func (x *Web) passkeyRename(w http.ResponseWriter, r *http.Request) error {
	p, err := x.passkeyPageOf(r, "passkeys.rename.title")
	if err != nil {
		return err
	}
	return x.show(w, r, "passkey-rename", p)
}

func (x *Web) passkeyRenamed(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	name := strings.TrimSpace(form.Get("name"))
	key, err := x.signin.RenamePasskey(r.Context(), visitor(r), r.PathValue("id"), name)
	if errors.Is(err, signin.ErrPasskeyName) {
		p, perr := x.passkeyPageOf(r, "passkeys.rename.title")
		if perr != nil {
			return perr
		}
		p.Name, p.Fault = name, x.problem(r, err)
		return x.show(w, r, "passkey-rename", p)
	}
	if err != nil {
		return err
	}
	flash(w, r, "flash.passkey_renamed", "name", key.Name)
	return seeOther(w, passkeysPath)
}

// passkeyRemove asks before a passkey goes, after a fresh proof.
func (x *Web) passkeyRemove(w http.ResponseWriter, r *http.Request) error {
	p, err := x.passkeyPageOf(r, "passkeys.remove.title")
	if err != nil {
		return err
	}
	if p.Left > 0 {
		needs, err := x.signin.NeedsStepUp(r.Context(), visitor(r), signin.PurposePasskeys)
		if errors.Is(err, signin.ErrCodeSession) || err == nil && needs {
			return seeOther(w, withRedirect("/login/again", passkeysPath+"/"+p.Key.ID+"/remove"))
		}
		if err != nil {
			return err
		}
	}
	return x.show(w, r, "passkey-remove", p)
}

func (x *Web) passkeyRemoved(w http.ResponseWriter, r *http.Request) error {
	p, err := x.passkeyPageOf(r, "passkeys.remove.title")
	if err != nil {
		return err
	}
	err = x.signin.RemovePasskey(r.Context(), visitor(r), p.Key.ID)
	if errors.Is(err, signin.ErrStepUp) || errors.Is(err, signin.ErrCodeSession) {
		return seeOther(w, withRedirect("/login/again", passkeysPath+"/"+p.Key.ID+"/remove"))
	}
	if err != nil {
		return err
	}
	flash(w, r, "flash.passkey_removed", "name", p.Key.Name)
	return seeOther(w, passkeysPath)
}

// sessionsPage lists where somebody is signed in.
type sessionsPage struct {
	Frame
	Sessions []sessionLine
	Others   int
}

// A sessionLine is a session as people see it.
type sessionLine struct {
	ID, Name, Icon, Address string
	SeenAt                  time.Time
	Here                    bool
	ByCode                  bool
}

func (x *Web) sessions(w http.ResponseWriter, r *http.Request) error {
	v, words := visitor(r), x.words(r)
	all, err := x.signin.Sessions(r.Context(), v)
	if err != nil {
		return err
	}
	p := sessionsPage{Frame: Frame{Title: words.T("sessions.title"), Area: "account", Here: "sessions", Narrow: true}}
	for i := range all {
		s := &all[i]
		line := sessionLine{ID: s.ID, Name: deviceName(words, s.UserAgent), Icon: edge.DeviceOf(s.UserAgent).Icon, Address: s.Address,
			SeenAt: s.LastSeenAt, Here: s.ID == v.Session.ID, ByCode: s.ByCode()}
		if line.Here {
			p.Sessions = slices.Insert(p.Sessions, 0, line)
			continue
		}
		p.Sessions = append(p.Sessions, line)
		p.Others++
	}
	return x.show(w, r, "sessions", &p)
}

// sessionsEndPage asks what the dialogs of the sessions page ask, where they do not open.
type sessionsEndPage struct {
	Frame
	Text, Button string
}

func (x *Web) othersQuestion(w http.ResponseWriter, r *http.Request) error {
	all, err := x.signin.Sessions(r.Context(), visitor(r))
	if err != nil {
		return err
	}
	words := x.words(r)
	return x.askEnd(w, r, words.T("sessions.others.title", "n", len(all)-1), words.T("sessions.others.text"), words.T("sessions.others"))
}

func (x *Web) everywhereQuestion(w http.ResponseWriter, r *http.Request) error {
	words := x.words(r)
	return x.askEnd(w, r, words.T("sessions.everywhere.title"), words.T("sessions.everywhere.text"), words.T("sessions.everywhere"))
}

func (x *Web) askEnd(w http.ResponseWriter, r *http.Request, title, text, button string) error {
	p := sessionsEndPage{Frame: Frame{Title: title, Area: "account", Here: "sessions", Narrow: true}, Text: text, Button: button}
	return x.show(w, r, "sessions-end", &p)
}

func (x *Web) sessionEnd(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if id == visitor(r).Session.ID {
		next, err := x.oidc.ConfirmLogout(r.Context(), visitor(r), "")
		if err != nil {
			return err
		}
		return x.leave(w, r, next)
	}
	if err := x.signin.EndSession(r.Context(), visitor(r), id); err != nil {
		return err
	}
	flash(w, r, "flash.session_ended")
	return seeOther(w, sessionsPath)
}

func (x *Web) sessionsOthers(w http.ResponseWriter, r *http.Request) error {
	if err := x.signin.EndOthers(r.Context(), visitor(r)); err != nil {
		return err
	}
	flash(w, r, "flash.sessions_ended")
	return seeOther(w, sessionsPath)
}

func (x *Web) sessionsEverywhere(w http.ResponseWriter, r *http.Request) error {
	next, err := x.oidc.SignOutEverywhere(r.Context(), visitor(r))
	if err != nil {
		return err
	}
	return x.leave(w, r, next)
}
