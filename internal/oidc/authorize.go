package oidc

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
	"pocketid/internal/signin"
)

// A caller is who stands before the provider in a browser.
type caller struct {
	by      audit.Actor
	visitor signin.Visitor
	known   bool // somebody is signed in
	// posted says that the request came by POST. From another site that is without
	// cookies, so nobody is known then.
	posted bool
	// browser is the hash of the browser cookie; nil on a POST from elsewhere,
	// which browsers send without cookies.
	browser []byte
}

func callerOf(w http.ResponseWriter, r *http.Request) caller {
	c := caller{by: audit.From(r.Context()), posted: r.Method == http.MethodPost}
	if !c.posted {
		c.visitor, c.known = signin.From(r.Context())
	}
	if browser := edge.Browser(w, r); browser != "" {
		c.browser = secret.Hash(browser)
	}
	return c
}

// An outcome is what a browser is told: to go on to a page of ours, or to take an
// answer back to the client.
type outcome struct {
	page   string // where on our side; "" is an answer
	answer answer
}

// Authorize is the authorization endpoint (RFC 6749 §3.1), by GET and by POST.
//
// The client and the redirect URI come first: until they are known to belong
// together a fault is a page, from then on it is an answer to the client (threats
// 27). When nothing is left to do the code is issued here and now; otherwise the
// request is stored, bound to this browser, and a page asks the person.
func (p *Provider) Authorize(w http.ResponseWriter, r *http.Request) error {
	noStore(w)
	if r.Method == http.MethodHead { // a look is no request
		return nil
	}
	form, err := authorizeForm(r)
	if err != nil {
		return err
	}
	// The target is judged in the database below, and only then is refusal told.
	q, refusal, err := p.read(r.Context(), form)
	if err != nil {
		return err
	}
	by := callerOf(w, r)

	// Nothing is written for a request that is refused whatever the client is.
	run := p.db.Write
	if refusal != nil || q.pushed == nil && !by.posted && !by.known && q.asks(promptNone) {
		run = p.db.Read
	}
	var out outcome
	err = run(r.Context(), func(tx *db.Tx) (err error) {
		q := q // a retry starts anew
		out, err = p.begin(tx, &q, by, refusal)
		return err
	})
	if err != nil {
		return err
	}
	return p.conclude(w, r, out)
}

// authorizeForm reads the parameters: the query of a GET, the body of a POST.
func authorizeForm(r *http.Request) (url.Values, error) {
	if r.Method == http.MethodPost {
		return edge.Form(r)
	}
	form, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, ErrMalformed.Because("%w", err)
	}
	return form, nil
}

// read reads a request: what the parameters say, what the request object says that is
// among them or at an address, or that it was pushed before. Refusal is for the client, if
// the target is good; an error is a page.
func (p *Provider) read(ctx context.Context, form url.Values) (q authRequest, refusal, err error) {
	if q, err = parseTarget(form); err != nil {
		return q, nil, err
	}
	edge.Note(ctx, "client", q.ClientID)
	if err := p.meetClient(ctx, q.ClientID); err != nil {
		return q, nil, err
	}
	if form.Has("request") || form.Has("request_uri") {
		if hash := pushedHash(form); hash != nil && len(form["request_uri"]) == 1 && !form.Has("request") {
			return authRequest{ClientID: q.ClientID, pushed: hash}, nil, nil
		}
		inside, err := p.requestObject(ctx, form)
		if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind != fault.Unavailable && f.Kind != fault.Internal {
			return q, f, nil
		}
		if err != nil {
			return q, nil, err
		}
		if q, err = parseTarget(inside); err != nil {
			return q, nil, err
		}
		form, q.Signed = inside, true
	}
	if refusal = q.parseRequest(form); refusal == nil && q.IDTokenHint != "" {
		if q.Hinted, err = p.hintedSubject(ctx, q.IDTokenHint); err != nil {
			return q, nil, err
		}
		edge.Note(ctx, "hinted", q.Hinted)
	}
	return q, refusal, nil
}

// begin judges a request that came in. A POST is always stored and continued by a GET.
func (p *Provider) begin(tx *db.Tx, q *authRequest, by caller, refusal error) (outcome, error) {
	d, err := doorOf(tx, q.ClientID, by.visitor.User.ID, by.visitor.Session.ID)
	if err != nil {
		return outcome{}, err
	}
	if q.pushed != nil {
		if err := p.pushed(tx, q, d.client); err != nil {
			return outcome{}, err
		}
	}
	target, err := p.target(d.client, q)
	if err != nil {
		return outcome{}, err
	}
	if refusal == nil && q.pushed == nil && d.client.PARRequired {
		refusal = errInvalidRequest.Saying("this client has to push its requests (PAR)")
	}
	if refusal == nil {
		refusal = p.judge(d.client, q)
	}
	if refusal != nil {
		return p.refuse(q, target, refusal), usePushed(tx, q.pushed, d.client)
	}
	if by.posted {
		return outcome{page: nextURL(p.store(tx, q, by.browser))}, nil
	}
	s, err := p.situation(tx, q, d, target, by)
	if err != nil {
		return outcome{}, err
	}
	switch st, refusal := next(s); {
	case refusal != nil:
		if err := turnedAway(tx, &s, by.by, refusal); err != nil {
			return outcome{}, err
		}
		return p.refuse(q, target, refusal), usePushed(tx, q.pushed, d.client)
	case st == StepDone:
		return p.issue(tx, q, d, &s, target, by), usePushed(tx, q.pushed, d.client)
	default:
		return outcome{page: stepURL(st, p.store(tx, q, by.browser))}, nil
	}
}

// judge holds what depends on the client and on the hint.
func (p *Provider) judge(c *Client, q *authRequest) error {
	if !c.uses(grantTypeCode) {
		return errUnauthorizedClient.Saying("this client may not use the authorization code flow")
	}
	if c.RequestObjectAlg != "" && !q.Signed { // RFC 9101 §10.5
		return errInvalidRequest.Saying("this client has to send its requests in signed request objects")
	}
	if q.ACREssential && !slices.ContainsFunc(q.ACR, func(acr string) bool { return slices.Contains(acrValues, acr) }) {
		return errUnmet.Saying("the acr that is essential is not one of this server")
	}
	if q.Challenge == "" && (c.PKCERequired || c.Public) {
		return errInvalidRequest.Saying("this client has to send a code_challenge (PKCE)")
	}
	// A hint that cannot be verified names nobody. That is an answer when nobody may
	// be asked, and no obstacle otherwise: the person is going to be asked anyway.
	if q.IDTokenHint != "" && q.Hinted == "" && q.asks(promptNone) {
		return errLoginRequired.Saying("id_token_hint cannot be verified")
	}
	return nil
}

// A place is where an answer goes.
type place struct {
	client string // its name
	uri    string
	addr   address
}

// target finds where the answer goes, or says why nobody is sent anywhere.
func (p *Provider) target(c *Client, q *authRequest) (place, error) {
	uri := q.RedirectURI
	if uri == "" { // RFC 6749 §3.1.2.3; OpenID Connect Core §3.1.2.1 always wants it
		if slices.Contains(q.Scopes, "openid") || len(c.RedirectURIs) != 1 || c.RedirectURIs[0].Pattern {
			return place{}, ErrRedirectMissing.With("client", c.Name).With("client_id", c.ID)
		}
		uri = c.RedirectURIs[0].URI
	}
	addr, err := c.redirect(uri, p.rulesOf(c))
	if err != nil {
		told := ErrUnregistered
		if errors.Is(err, ErrURIInsecure) || errors.Is(err, ErrURIPrivate) {
			told = ErrRefused
		}
		return place{}, told.With("client", c.Name).With("client_id", c.ID).With("redirect_uri", shown(uri)).Because("%w", err)
	}
	return place{c.Name, uri, addr}, nil
}

// maxShown is how much of a stranger's text a page repeats.
const maxShown = 300

func shown(s string) string { return s[:min(len(s), maxShown)] }

// A door is what is between somebody and a client, loaded by one statement.
type door struct {
	client  *Client
	consent *consent // nil when nothing was allowed yet
	sid     string   // of this session at this client; "" when it was never there
}

// doorOf loads the client, the consent of the user to it and the sid of the session at
// it. Neither user nor session need be there.
func doorOf(tx *db.Tx, clientID, userID, sessionID string) (door, error) {
	d := door{client: &Client{}}
	var uris, groups string
	var allowed allowance
	var lastUsed time.Time
	err := tx.One(append(d.client.fields(), db.Text(&uris), db.Text(&groups), db.JSON(&allowed), db.Time(&lastUsed), db.Text(&d.sid)), `
		SELECT `+clientColumns+`, `+clientLists+`,
			(SELECT '{"scopes":' || scopes || ',"resources":' || resources || '}' FROM consents WHERE user_id = $2 AND client_id = clients.id),
			(SELECT last_used_at FROM consents WHERE user_id = $2 AND client_id = clients.id),
			(SELECT sid FROM session_clients WHERE session_id = $3 AND client_id = clients.id AND ended_at IS NULL)
		FROM clients WHERE id = $1 AND deleted_at IS NULL`, clientID, userID, sessionID)
	if errors.Is(err, db.ErrNotFound) {
		return d, ErrClientUnknown.With("client_id", clientID)
	}
	if err != nil {
		return d, err
	}
	d.client.setLists(uris, groups)
	if allowed.Scopes != nil {
		d.consent = &consent{allowed, lastUsed}
	}
	return d, nil
}

// situation gathers what next looks at. The session and the user are read again in tx,
// so that a sign-out between the look at the cookie and the code is seen.
func (p *Provider) situation(tx *db.Tx, q *authRequest, d door, target place, by caller) (situation, error) {
	s := situation{request: q, client: d.client, native: target.addr.native(), now: tx.Now()}
	if d.consent != nil {
		s.remembered, s.consented = true, d.consent.allowance
	}
	if s.missed = q.aim(tx, d.client); isOutage(s.missed) {
		return s, s.missed
	}
	if !by.known {
		return s, nil
	}
	session, err := signin.SessionAlive(tx, by.visitor.Session.ID)
	if errors.Is(err, signin.ErrNoSession) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	user, err := directory.UserByID(tx, session.UserID)
	if errors.Is(err, directory.ErrNoUser) || err == nil && user.Outlived(session.CreatedAt) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	s.session = session
	s.stranger = q.Hinted != "" && !p.isSubject(d.client, q.Hinted, session.UserID) ||
		len(q.Subjects) > 0 && !slices.Contains(q.Subjects, p.subject(d.client, session.UserID))
	if s.weak() {
		if s.stronger, err = signin.HasPasskey(tx, user.ID); err != nil {
			return s, err
		}
	}
	s.pass, s.gate = mayUse(tx, user, d.client)
	if isOutage(s.gate) {
		return s, s.gate // it could not find out
	}
	return s, nil
}

// isOutage says whether err is no refusal, but that something could not be found out.
func isOutage(err error) bool {
	kind := fault.Of(err).Kind
	return err != nil && (kind == fault.Internal || kind == fault.Unavailable)
}

// issue writes the code and all that goes with it. It is called in the transaction in
// which next said done.
func (p *Provider) issue(tx *db.Tx, q *authRequest, d door, s *situation, target place, by caller) outcome {
	c, now := d.client, tx.Now()
	event := audit.ClientAuthorization
	switch {
	case s.allowedBy == s.session.UserID && remember(tx, s.session.UserID, c.ID, d.consent, q.allowance()):
		event = audit.NewClientAuthorization
	case d.consent != nil && now.Sub(d.consent.lastUsedAt) >= lastUsedEvery:
		tx.Do(`UPDATE consents SET last_used_at = $1 WHERE user_id = $2 AND client_id = $3`, db.Time(&now), s.session.UserID, c.ID)
	}
	sid := d.sid
	if sid == "" {
		sid = newSid(tx, s.session, c.ID)
	}
	unexpected := q.Challenge != "" && !c.PKCERequired && !c.PKCESeen
	if unexpected || now.Sub(c.LastUsedAt) >= lastUsedEvery {
		tx.Do(`UPDATE clients SET last_used_at = $1, pkce_seen = $2 WHERE id = $3`, db.Time(&now), c.PKCESeen || unexpected, c.ID)
	}
	_, maxAgeAsked := s.maxAge()
	code := newCode(tx, codeRequest{
		pass: s.pass, Session: s.session, Sid: sid, ACR: s.acr(), Scopes: q.Scopes, Targets: q.Targets, Claims: q.Claims, RedirectURI: q.RedirectURI,
		Challenge: q.Challenge, Nonce: q.Nonce, MaxAgeAsked: maxAgeAsked, Browser: by.browser,
	})
	audit.Record(tx, by.by, audit.Event{Name: event, Object: c.object(), User: s.session.UserID, Client: c.ID,
		Data: q.told()})
	return outcome{answer: p.success(q, target, code)}
}

// turnedAway notes that the gate refused somebody, if that is why the request was. Nobody
// learns it from the client, which is told less.
func turnedAway(tx *db.Tx, s *situation, by audit.Actor, refusal error) error {
	if s.gate == nil || s.denied || !errors.Is(refusal, errAccessDenied) {
		return nil
	}
	return signin.RecordRefusal(tx, by, audit.Event{Name: audit.ClientRefused, Object: s.client.object(), User: s.session.UserID, Client: s.client.ID,
		Data: map[string]any{"reason": fault.Of(s.gate).Code}})
}

// refuse is the outcome of a request that is answered with a fault.
func (p *Provider) refuse(q *authRequest, target place, refusal error) outcome {
	return outcome{answer: p.failure(q, target, fault.Of(refusal))}
}

// conclude tells the browser.
func (p *Provider) conclude(w http.ResponseWriter, r *http.Request, out outcome) error {
	if out.page != "" {
		seeOther(w, out.page)
		return nil
	}
	return out.answer.send(w, r)
}
