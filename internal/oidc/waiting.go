package oidc

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
	"pocketid/internal/signin"
)

// Why a stored request cannot go on. Pages name the application and lead back to it: the
// params are client, its name, and launch, its address or "".
var (
	ErrAuthorizationDone    = fault.New(fault.Conflict, "authorization_done")
	ErrAuthorizationExpired = fault.New(fault.Invalid, "authorization_expired")
	// ErrAuthorizationUnknown is for an id that nobody gave out, or long ago.
	ErrAuthorizationUnknown = fault.New(fault.Invalid, "authorization_unknown")
	// ErrAuthorizationElsewhere is for a request that began in another browser.
	ErrAuthorizationElsewhere = fault.New(fault.Invalid, "authorization_elsewhere")
)

const (
	// authorizationFor is how long a person may take.
	authorizationFor = time.Hour
	// unboundFor is how long a request that was posted from another site waits for the
	// GET that follows it, which is at once.
	unboundFor = 5 * time.Minute
)

// An authorization is a request that waits for a person. Its id is a secret of 256
// bits that the address of the pages carries; only the hash is stored.
type authorization struct {
	hash []byte
	// browser is the hash of the cookie of the browser that the request is bound to. It
	// is empty until the first GET when the request was posted from another site.
	browser    []byte
	request    authRequest
	selectedIn string
	allowedBy  string
	deniedAt   time.Time
	doneAt     time.Time
	// pushed is the pushed request that it came from; nil is none.
	pushed    []byte
	createdAt time.Time
	expiresAt time.Time
}

const authorizationColumns = `id, browser, params, session_id, consent_by, denied_at, done_at, pushed, created_at, expires_at`

func (a *authorization) fields() []any {
	return []any{&a.hash, &a.browser, db.JSON(&a.request), db.Text(&a.selectedIn), db.Text(&a.allowedBy),
		db.Time(&a.deniedAt), db.Time(&a.doneAt), &a.pushed, db.Time(&a.createdAt), db.Time(&a.expiresAt)}
}

// store keeps q while a person acts, and returns the id under which it is found.
func (p *Provider) store(tx *db.Tx, q *authRequest, browser []byte) string {
	id := secret.Token()
	if browser == nil {
		browser = []byte{}
	}
	a := authorization{hash: secret.Hash(id), browser: browser, request: *q, pushed: q.pushed, createdAt: tx.Now(), expiresAt: tx.Now().Add(authorizationFor)}
	tx.Do(`INSERT INTO authorizations (`+authorizationColumns+`, client_id) VALUES (`+db.Marks(11)+`)`, append(a.fields(), q.ClientID)...)
	return id
}

// nextURL is where every page goes when its step is done.
func nextURL(id string) string { return "/authorize/next?id=" + url.QueryEscape(id) }

// stepURL is the page of a step. All of them come back to nextURL and go nowhere else.
func stepURL(st Step, id string) string {
	back := "?redirect=" + url.QueryEscape(nextURL(id))
	switch st {
	case StepSignIn:
		return "/login" + back
	case StepSelect:
		return "/login/select" + back
	case StepReauth:
		return "/login/again" + back
	case StepConsent:
		return "/consent?id=" + url.QueryEscape(id)
	}
	panic("oidc: no page for the step " + string(st))
}

// find loads the request with this id.
func find(tx *db.Tx, id string) (authorization, error) {
	var a authorization
	err := tx.One(a.fields(), `SELECT `+authorizationColumns+` FROM authorizations WHERE id = $1`, secret.Hash(id))
	if errors.Is(err, db.ErrNotFound) {
		return a, ErrAuthorizationUnknown
	}
	return a, err
}

// bind gives a request that was posted from another site to the browser whose GET
// follows.
func (a *authorization) bind(tx *db.Tx, browser []byte) {
	if len(a.browser) == 0 && tx.Now().Sub(a.createdAt) <= unboundFor {
		a.browser = browser
		tx.Do(`UPDATE authorizations SET browser = $1 WHERE id = $2`, a.browser, a.hash)
	}
}

// open loads what a belongs to, if it is this browser's and still waits.
func (p *Provider) open(tx *db.Tx, a *authorization, by caller) (door, error) {
	if len(a.browser) == 0 || !secret.Equal(a.browser, by.browser) {
		return door{}, ErrAuthorizationElsewhere
	}
	d, err := doorOf(tx, a.request.ClientID, by.visitor.User.ID, by.visitor.Session.ID)
	if err != nil {
		return d, err
	}
	if !a.doneAt.IsZero() {
		return d, ErrAuthorizationDone.With("client", d.client.Name).With("launch", d.client.LaunchURL)
	}
	if !tx.Now().Before(a.expiresAt) {
		return d, ErrAuthorizationExpired.With("client", d.client.Name).With("launch", d.client.LaunchURL)
	}
	return d, nil
}

func (p *Provider) findOpen(tx *db.Tx, id string, by caller) (authorization, door, error) {
	a, err := find(tx, id)
	if err != nil {
		return a, door{}, err
	}
	d, err := p.open(tx, &a, by)
	return a, d, err
}

// judgeStored gathers the situation of a stored request.
func (p *Provider) judgeStored(tx *db.Tx, a *authorization, d door, by caller) (situation, place, error) {
	target, err := p.target(d.client, &a.request)
	if err != nil {
		return situation{}, target, err
	}
	s, err := p.situation(tx, &a.request, d, target, by)
	s.created, s.denied, s.selectedIn, s.allowedBy = a.createdAt, !a.deniedAt.IsZero(), a.selectedIn, a.allowedBy
	return s, target, err
}

// Next goes on with a stored request: to the page of the step that is left, or back to
// the client. Every page of the way returns here, so no step can be passed by
// (threats 34). A request is answered once.
func (p *Provider) Next(w http.ResponseWriter, r *http.Request) error {
	noStore(w)
	if r.Method == http.MethodHead { // a look is no step
		return nil
	}
	id := r.URL.Query().Get("id")
	by := callerOf(w, r)
	var out outcome
	var client string
	err := p.db.Write(r.Context(), func(tx *db.Tx) error {
		a, err := find(tx, id)
		if err != nil {
			return err
		}
		client = a.request.ClientID
		a.bind(tx, by.browser)
		d, err := p.open(tx, &a, by)
		if err != nil {
			return err
		}
		s, target, err := p.judgeStored(tx, &a, d, by)
		if err != nil {
			return err
		}
		st, refusal := next(s)
		switch {
		case refusal != nil:
			if err := turnedAway(tx, &s, by.by, refusal); err != nil {
				return err
			}
			out = p.refuse(&a.request, target, refusal)
		case st == StepDone:
			out = p.issue(tx, &a.request, d, &s, target, by)
		default:
			out = outcome{page: stepURL(st, id)}
			return nil
		}
		now := tx.Now()
		tx.Do(`UPDATE authorizations SET done_at = $1 WHERE id = $2`, db.Time(&now), a.hash)
		return usePushed(tx, a.pushed, d.client)
	})
	if client != "" {
		edge.Note(r.Context(), "client", client)
	}
	if err != nil {
		return err
	}
	return p.conclude(w, r, out)
}

// Waiting is what the pages of a request show and need.
type Waiting struct {
	ClientID   string
	ClientName string
	// Look is how the pages on the way to the client differ from the others.
	Look Look
	// Logo says which logos the client has here.
	Logo Logo
	// LaunchURL is where the application starts; "" when it is not known.
	LaunchURL string
	// RedirectURI is where the answer goes. A page whose form may end there says so by
	// edge.AllowFormTo, or browsers stop the form (CSP form-action).
	RedirectURI string
	// RedirectHost is the part of RedirectURI that a person can recognise: the host, or
	// the scheme of an application on the device.
	RedirectHost string
	// ClientHost is the host that stands behind the client where nobody but the client says
	// what it is called; "" where an administrator does.
	ClientHost string
	// ClientURI, PolicyURI and TOSURI are pages of the client that a person may want to read.
	ClientURI, PolicyURI, TOSURI string
	// Scopes are what the client asks for, with those of single claims, in the order in
	// which pages show them.
	Scopes []string
	// APIs are what it asks for at APIs.
	APIs []AskedAPI
	// LoginHint is what the client believes the person signs in with: text to fill in,
	// and no proof of anything.
	LoginHint string
	// UILocales are the languages that the client asks for, as BCP 47 tags with blanks
	// between them.
	UILocales string
	// Step is what is left. At StepDone, and when it is not the page's own, Next is where
	// to go.
	Step Step
	// Next is where the page goes when its step is done.
	Next string
	// UserID is who is signed in; "" is nobody.
	UserID string

	logoURI string // where the client says there is a logo
}

// Waiting is the stored request with this id, for the page that asks the person. The
// visitor is the one of ctx; browser is the hash of the browser cookie.
func (p *Provider) Waiting(ctx context.Context, browser []byte, id string) (Waiting, error) {
	by := caller{browser: browser}
	by.visitor, by.known = signin.From(ctx)
	var waiting Waiting
	err := p.db.Read(ctx, func(tx *db.Tx) error {
		a, d, err := p.findOpen(tx, id, by)
		if err != nil {
			return err
		}
		s, target, err := p.judgeStored(tx, &a, d, by)
		if err != nil {
			return err
		}
		st, refusal := next(s)
		if refusal != nil {
			st = StepDone // Next tells the client
		}
		waiting = Waiting{
			ClientHost: d.client.behind(target.addr), ClientURI: d.client.ClientURI, PolicyURI: d.client.PolicyURI, TOSURI: d.client.TOSURI,
			ClientID: d.client.ID, ClientName: d.client.Name, Look: d.client.Look(), Logo: d.client.Logo, logoURI: d.client.LogoURI, LaunchURL: d.client.LaunchURL,
			RedirectURI: target.uri, RedirectHost: target.addr.shown(),
			Scopes: a.request.needs(), LoginHint: a.request.LoginHint, UILocales: a.request.UILocales,
			Step: st, Next: nextURL(id), UserID: s.session.UserID,
		}
		waiting.APIs, err = askedOf(tx, a.request.Targets)
		return err
	})
	return waiting, err
}

// Allow notes that the visitor allows what the request asks for, and returns where to
// go. It counts only while consent is the step that is left.
func (p *Provider) Allow(ctx context.Context, v signin.Visitor, browser []byte, id string) (string, error) {
	return p.decide(ctx, v, browser, id, func(tx *db.Tx, a *authorization, s situation) {
		if st, refusal := next(s); refusal == nil && st == StepConsent {
			tx.Do(`UPDATE authorizations SET consent_by = $1, consented_at = $2 WHERE id = $3`, s.session.UserID, tx.Now().UnixMicro(), a.hash)
		}
	})
}

// Deny notes that the person does not go on, at whichever step, and returns where to
// go: Next answers the client with access_denied.
func (p *Provider) Deny(ctx context.Context, v signin.Visitor, browser []byte, id string) (string, error) {
	return p.decide(ctx, v, browser, id, func(tx *db.Tx, a *authorization, _ situation) {
		tx.Do(`UPDATE authorizations SET denied_at = $1 WHERE id = $2`, tx.Now().UnixMicro(), a.hash)
	})
}

// SelectAccount notes that the visitor goes on with the account that is signed in, and
// returns where to go.
func (p *Provider) SelectAccount(ctx context.Context, v signin.Visitor, browser []byte, id string) (string, error) {
	return p.decide(ctx, v, browser, id, func(tx *db.Tx, a *authorization, s situation) {
		if s.session.ID != "" {
			tx.Do(`UPDATE authorizations SET session_id = $1, selected_at = $2 WHERE id = $3`, s.session.ID, tx.Now().UnixMicro(), a.hash)
		}
	})
}

func (p *Provider) decide(ctx context.Context, v signin.Visitor, browser []byte, id string, note func(*db.Tx, *authorization, situation)) (string, error) {
	by := caller{by: audit.From(ctx), visitor: v, known: v.Session.ID != "", browser: browser}
	err := p.db.Write(ctx, func(tx *db.Tx) error {
		a, d, err := p.findOpen(tx, id, by)
		if err != nil {
			return err
		}
		s, _, err := p.judgeStored(tx, &a, d, by)
		if err != nil {
			return err
		}
		note(tx, &a, s)
		return nil
	})
	if err != nil {
		return "", err
	}
	return nextURL(id), nil
}
