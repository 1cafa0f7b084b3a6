package oidc

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
	"pocketid/internal/signin"
)

// How many user codes that nobody gave out may be typed: by one account, from one
// network, and in all. Against the third no account is shut out that has not guessed
// itself; see docs/decisions/0137-guessing-user-codes.md.
var (
	userCodesPerAccount = signin.Limit{Count: 10, Within: 15 * time.Minute}
	userCodesPerNetwork = signin.Limit{Count: 20, Within: 15 * time.Minute}
	userCodesInAll      = signin.Limit{Count: 500, Within: time.Hour}
)

const (
	allUserCodes     = "user-code"
	networkUserCodes = "user-code:net:"
	accountUserCodes = "user-code:user:"

	// deviceFresh is how old the proof may be on which a device is let in. What is let in
	// stays for long, and somebody else may have sent the code (RFC 8628 §5.4).
	deviceFresh = time.Hour
	// sealDevice is the purpose under which the ticket of a device is sealed.
	sealDevice = "device"
)

// How it stands with a device that asked to be let in.
const (
	DeviceAsks      = "asks"
	DeviceConnected = "connected"
	DeviceDeclined  = "declined"
)

// A DeviceQuestion is what the page shows that asks whether to let a device in.
type DeviceQuestion struct {
	// State is DeviceAsks, or how it was answered.
	State string
	// Code is the user code, to be compared with what the device shows.
	Code       string
	ClientID   string
	ClientName string
	// LaunchURL is where the application starts; "" when it is not known.
	LaunchURL string
	// ClientHost is the host behind a client that no administrator made; "" of others.
	ClientHost string
	Scopes     []string
	// APIs are what the client asks for at APIs.
	APIs []AskedAPI
	// Stays says that the device stays connected until somebody ends that.
	Stays bool
	// Address and UserAgent are where it was asked from, AskedAt is when.
	Address   string
	UserAgent string
	AskedAt   time.Time
	// Proof says that the person has to prove once more who they are.
	Proof bool
}

// A deviceTicket goes on from the typed code to the question and its answer. It
// travels sealed, and is good for the session that typed the code and for no other, so
// that the page needs no second guess and nobody can make a browser answer what its
// person has not seen (threats 19, 32).
type deviceTicket struct {
	Device  []byte `json:"device"` // the hash of the device code
	Code    string `json:"code"`
	Session string `json:"session"`
}

// OpenDevice finds the device whose user code somebody typed, and returns the ticket
// with which the pages go on. Codes that nobody gave out are counted. Somebody who may
// not use the client hears that here, and so does the device.
func (p *Provider) OpenDevice(ctx context.Context, v signin.Visitor, typed string) (ticket string, err error) {
	by := audit.From(ctx)
	code, malformed := parseUserCode(typed)
	err = p.db.Write(ctx, func(tx *db.Tx) error {
		if malformed != nil {
			return malformed // it cannot be one, so nothing was guessed
		}
		network := networkUserCodes + signin.Network(by.Address)
		account := accountUserCodes + v.User.ID
		if err := mayGuess(tx, account, network); err != nil {
			return err
		}
		var k deviceCode
		err := tx.One(k.fields(), `SELECT `+deviceColumns+` FROM device_codes WHERE user_code = $1`, p.master.MAC(macUserCode, code))
		if errors.Is(err, db.ErrNotFound) {
			return guessed(tx, account, network)
		}
		if err != nil {
			return err
		}
		if _, _, err := p.settle(tx, &k, v, by); err != nil {
			return err
		}
		ticket, err = p.sealTicket(deviceTicket{Device: k.hash, Code: code, Session: v.Session.ID})
		return err
	})
	return ticket, err
}

// mayGuess refuses an account or a network that has guessed too often, whether or not
// its code is right this time.
func mayGuess(tx *db.Tx, account, network string) error {
	perAccount, perNetwork := userCodesPerAccount, userCodesPerNetwork
	if err := signin.Blocked(tx, allUserCodes, userCodesInAll); errors.Is(err, signin.ErrTooManyAttempts) {
		perAccount.Count, perNetwork.Count = 1, 1
	} else if err != nil {
		return err
	}
	if err := signin.Blocked(tx, account, perAccount); err != nil {
		return err
	}
	return signin.Blocked(tx, network, perNetwork)
}

// guessed counts a code that nobody gave out.
func guessed(tx *db.Tx, account, network string) error {
	for _, count := range []struct {
		key   string
		limit signin.Limit
	}{{account, userCodesPerAccount}, {network, userCodesPerNetwork}, {allUserCodes, userCodesInAll}} {
		if err := signin.Guess(tx, count.key, count.limit); err != nil && !errors.Is(err, signin.ErrTooManyAttempts) {
			return err
		}
	}
	return db.Keep(ErrDeviceCode.Because("nobody gave it out"))
}

// judgeDevice says whether v may answer for a device that still waits: the visitor is
// looked up again in tx, and the gate is asked.
func (p *Provider) judgeDevice(tx *db.Tx, k *deviceCode, v signin.Visitor) (door, situation, error) {
	d, err := doorOf(tx, k.clientID, v.User.ID, v.Session.ID)
	if errors.Is(err, ErrClientUnknown) {
		return d, situation{}, ErrDeviceCode.Because("the client is gone")
	}
	if err != nil {
		return d, situation{}, err
	}
	told := func(f *fault.Error) *fault.Error {
		return f.With("client", d.client.Name).With("launch", d.client.LaunchURL)
	}
	switch {
	case k.grantID != "" || !k.deniedAt.IsZero() || !k.usedAt.IsZero():
		return d, situation{}, told(ErrDeviceUsed)
	case !tx.Now().Before(k.expiresAt):
		return d, situation{}, told(ErrDeviceExpired)
	}
	s, err := p.situation(tx, &k.request, d, place{}, caller{visitor: v, known: true})
	switch {
	case err != nil:
		return d, s, err
	case s.session.ID == "":
		return d, s, ErrDeviceElsewhere.Because("the session has ended")
	case s.gate != nil:
		return d, s, told(ErrDeviceDenied).Because("%w", s.gate)
	case s.missed != nil:
		return d, s, told(ErrDeviceDenied).Because("%w", s.missed)
	}
	return d, s, nil
}

// settle is judgeDevice where something may be written. Whom the gate refuses is an
// answer: the device is told.
func (p *Provider) settle(tx *db.Tx, k *deviceCode, v signin.Visitor, by audit.Actor) (door, situation, error) {
	d, s, err := p.judgeDevice(tx, k, v)
	if errors.Is(err, ErrDeviceDenied) {
		k.deny(tx, d.client, by, fault.Of(cmp.Or(s.gate, s.missed)).Code)
		err = db.Keep(err)
	}
	return d, s, err
}

// deny turns the device away: it hears access_denied. why is "" when the person said so.
func (k *deviceCode) deny(tx *db.Tx, c *Client, by audit.Actor, why string) {
	now, said := tx.Now(), map[string]any{"device_address": k.address}
	if why != "" {
		said["code"] = why
	}
	tx.Do(`UPDATE device_codes SET denied_at = $2 WHERE hash = $1 AND denied_at IS NULL AND grant_id IS NULL`, k.hash, db.Time(&now))
	audit.Record(tx, by, audit.Event{Name: audit.DeviceDeclined, Object: c.object(), User: by.UserID, Client: c.ID, Data: said})
}

// needsProof says whether the person has to prove who they are once more: always where
// the client wants that, and where the last proof is too old. A proof that came after
// the device asked is one for this.
func (s *situation) needsProof(asked time.Time) bool {
	age := s.now.Sub(s.session.AuthTime)
	fresh := !s.session.ByCode() && s.session.AuthTime.After(asked) && age <= reauthGrace
	limit := deviceFresh
	if m := s.client.DefaultMaxAge; m > 0 && m < limit {
		limit = m
	}
	return !fresh && (s.client.ReauthRequired || age > limit)
}

func (p *Provider) sealTicket(t deviceTicket) (string, error) {
	plain, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	sealed, err := p.master.Seal(sealDevice, plain)
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

// deviceOf is the device of a ticket that v has.
func (p *Provider) deviceOf(tx *db.Tx, v signin.Visitor, ticket string) (deviceTicket, deviceCode, error) {
	var t deviceTicket
	var k deviceCode
	sealed, err := base64.RawURLEncoding.DecodeString(ticket)
	if err != nil {
		return t, k, ErrDeviceElsewhere.Because("%w", err)
	}
	plain, err := p.master.Open(sealDevice, sealed)
	if err != nil || json.Unmarshal(plain, &t) != nil {
		return t, k, ErrDeviceElsewhere.Because("the ticket is not one of ours")
	}
	if t.Session != v.Session.ID {
		return t, k, ErrDeviceElsewhere.Because("the code was typed in another session")
	}
	err = tx.One(k.fields(), `SELECT `+deviceColumns+` FROM device_codes WHERE hash = $1`, t.Device)
	if errors.Is(err, db.ErrNotFound) {
		return t, k, ErrDeviceElsewhere.Because("the code is gone")
	}
	return t, k, err
}

// DeviceQuestion is what to ask the visitor about the device of this ticket, or how
// they answered.
func (p *Provider) DeviceQuestion(ctx context.Context, v signin.Visitor, ticket string) (DeviceQuestion, error) {
	var q DeviceQuestion
	err := p.db.Read(ctx, func(tx *db.Tx) error {
		t, k, err := p.deviceOf(tx, v, ticket)
		if err != nil {
			return err
		}
		if q, err = answeredDevice(tx, &k, v); q.State != "" || err != nil {
			return err
		}
		d, s, err := p.judgeDevice(tx, &k, v)
		if err != nil {
			return err
		}
		q = DeviceQuestion{State: DeviceAsks, Code: shownUserCode(t.Code), ClientID: d.client.ID, ClientName: d.client.Name, LaunchURL: d.client.LaunchURL,
			Scopes: k.request.Scopes, Stays: d.client.uses(grantTypeRefresh) && (d.client.RefreshIssue == RefreshAlways || slices.Contains(k.request.Scopes, scopeOffline)),
			Address: k.address, UserAgent: k.userAgent, AskedAt: k.createdAt, Proof: s.needsProof(k.createdAt)}
		if d.client.Stranger() {
			q.ClientHost = d.client.home()
		}
		q.APIs, err = askedOf(tx, k.request.Targets)
		return err
	})
	return q, err
}

// home is the host that can be told of a client which made itself known: of its document,
// or where its answers go when people sign in by a browser. One that has neither is told
// by its id.
func (c *Client) home() string {
	var answers address
	if len(c.RedirectURIs) > 0 {
		answers, _ = parseAddress(c.RedirectURIs[0].URI)
	}
	return cmp.Or(c.behind(answers), c.ID)
}

// answeredDevice is how v answered for a device. State is "" when nobody did, and for
// whoever did not do it.
func answeredDevice(tx *db.Tx, k *deviceCode, v signin.Visitor) (DeviceQuestion, error) {
	q := DeviceQuestion{ClientID: k.clientID}
	var user string
	err := tx.One([]any{&q.ClientName, &q.LaunchURL, db.Text(&user)}, `SELECT name, launch_url, (SELECT user_id FROM grants WHERE id = $2)
		FROM clients WHERE id = $1`, k.clientID, k.grantID)
	switch {
	case err != nil && !errors.Is(err, db.ErrNotFound):
		return q, err
	case !k.deniedAt.IsZero():
		q.State = DeviceDeclined
	case k.grantID != "" && user == v.User.ID:
		q.State = DeviceConnected
	}
	return q, nil
}

// AllowDevice lets the device of this ticket in, or says ErrDeviceProof. What the
// person allows is remembered as at the authorization endpoint. Of many answers the
// first counts, and nobody else's can take its place.
func (p *Provider) AllowDevice(ctx context.Context, v signin.Visitor, ticket string) error {
	by := audit.From(ctx)
	return p.db.Write(ctx, func(tx *db.Tx) error {
		_, k, err := p.deviceOf(tx, v, ticket)
		if err != nil {
			return err
		}
		d, s, err := p.settle(tx, &k, v, by)
		if err != nil {
			return err
		}
		if s.needsProof(k.createdAt) {
			return ErrDeviceProof
		}
		return letIn(tx, s.pass, &k, d.consent, s.session, by)
	})
}

// letIn makes the grant of a device. It is the device's and not the browser's: it goes
// on when the session ends in which it was allowed, and says no sid.
func letIn(tx *db.Tx, of pass, k *deviceCode, old *consent, session signin.Session, by audit.Actor) error {
	c, user, now := of.client, of.user, tx.Now()
	g := Grant{ID: secret.ID(), Kind: grantByDevice, UserID: user.ID, ClientID: c.ID, SessionID: session.ID, Offline: true,
		Scopes: k.request.Scopes, Resources: k.request.Targets, AuthTime: session.AuthTime, AMR: session.AMR, ACR: session.ACR, CreatedAt: now, ExpiresAt: k.expiresAt}
	var hash []byte
	err := tx.One([]any{&hash}, `UPDATE device_codes SET grant_id = $2 WHERE hash = $1 AND grant_id IS NULL AND denied_at IS NULL AND used_at IS NULL
		RETURNING hash`, k.hash, g.ID)
	if errors.Is(err, db.ErrNotFound) {
		return ErrDeviceUsed.With("client", c.Name).With("launch", c.LaunchURL)
	}
	if err != nil {
		return err
	}
	insertGrant(tx, &g)
	event := audit.DeviceAuthorization
	switch {
	case remember(tx, user.ID, c.ID, old, k.request.allowance()):
		event = audit.NewDeviceAuthorization
	case old != nil && now.Sub(old.lastUsedAt) >= lastUsedEvery:
		tx.Do(`UPDATE consents SET last_used_at = $1 WHERE user_id = $2 AND client_id = $3`, db.Time(&now), user.ID, c.ID)
	}
	if now.Sub(c.LastUsedAt) >= lastUsedEvery {
		tx.Do(`UPDATE clients SET last_used_at = $1 WHERE id = $2`, db.Time(&now), c.ID)
	}
	audit.Record(tx, by, audit.Event{Name: event, Object: c.object(), User: user.ID, Client: c.ID,
		Data: map[string]any{"scopes": g.Scopes, "device_address": k.address}})
	return nil
}

// DenyDevice turns the device of this ticket away: it hears access_denied.
func (p *Provider) DenyDevice(ctx context.Context, v signin.Visitor, ticket string) error {
	by := audit.From(ctx)
	return p.db.Write(ctx, func(tx *db.Tx) error {
		_, k, err := p.deviceOf(tx, v, ticket)
		if err != nil {
			return err
		}
		d, _, err := p.settle(tx, &k, v, by)
		if err != nil {
			return err
		}
		k.deny(tx, d.client, by, "")
		return nil
	})
}
