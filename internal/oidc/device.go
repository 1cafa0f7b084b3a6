package oidc

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
)

// What a device that waits is told (RFC 8628 §3.5).
var (
	errAuthorizationPending = fault.New(fault.Invalid, "authorization_pending")
	errSlowDown             = fault.New(fault.Invalid, "slow_down")
	errExpiredToken         = fault.New(fault.Invalid, "expired_token")
	// refusal is a 400 (RFC 6749 §5.2).
)

const (
	pathDevice = "/api/oidc/device/authorize"
	devicePage = "/device"
	// deviceFor is how long a person may take to type a user code and to answer.
	deviceFor = 15 * time.Minute
	// devicePause is how long a device waits between two questions, and by how much
	// longer after each one that came too soon (RFC 8628 §3.5).
	devicePause = 5 * time.Second
	// maxDevicePause is where it stops to grow.
	maxDevicePause = 5 * time.Minute
	// pauseLeeway is by how much a question may come too soon: clocks and networks tremble.
	pauseLeeway = 500 * time.Millisecond
	// keepDevice is how long a code that has run out is remembered, so that whoever types
	// it hears what became of it.
	keepDevice = time.Hour
	// maxAgent bounds what is kept of a user agent, in bytes.
	maxAgent = 300
)

// A deviceCode is a device that asks to be let in. What it asks for is an authRequest
// without an address to answer to: the device comes to fetch the answer.
type deviceCode struct {
	// hash is SHA-256 of the device code, which has 256 bits.
	hash []byte
	// userCode is the MAC of the user code under the master key.
	userCode []byte
	clientID string
	request  authRequest
	// address and userAgent are where it was asked from.
	address   string
	userAgent string
	// grantID is the grant that somebody allowed; "" as long as nobody did.
	grantID  string
	deniedAt time.Time
	// pause is how long the device has to wait between two questions.
	pause     time.Duration
	polledAt  time.Time
	createdAt time.Time
	expiresAt time.Time
	usedAt    time.Time
}

const deviceColumns = `hash, user_code, client_id, params, address, user_agent, grant_id, denied_at, pause, polled_at, created_at, expires_at, used_at`

func (k *deviceCode) fields() []any {
	return []any{&k.hash, &k.userCode, &k.clientID, db.JSON(&k.request), &k.address, &k.userAgent, db.Text(&k.grantID), db.Time(&k.deniedAt),
		db.Seconds(&k.pause), db.Time(&k.polledAt), db.Time(&k.createdAt), db.Time(&k.expiresAt), db.Time(&k.usedAt)}
}

// A deviceAnswer is what a device is told to show (RFC 8628 §3.2).
type deviceAnswer struct {
	DeviceCode              string `json:"device_code"`
	UserCode                string `json:"user_code"`
	VerificationURI         string `json:"verification_uri"`
	VerificationURIComplete string `json:"verification_uri_complete"`
	ExpiresIn               int64  `json:"expires_in"`
	Interval                int64  `json:"interval"`
}

// DeviceAuthorize is POST /api/oidc/device/authorize (RFC 8628 §3.1). The client
// authenticates as at the token endpoint.
func (p *Provider) DeviceAuthorize(w http.ResponseWriter, r *http.Request) error {
	noStore(w)
	ctx := r.Context()
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	q, err := parseDevice(form)
	if err != nil {
		return err
	}
	credentials, err := parseCredentials(r.Header, form)
	if err != nil {
		return err
	}
	q.ClientID = credentials.clientID
	by := audit.From(ctx)
	by.Via = "api"
	edge.Note(ctx, "client", q.ClientID)
	if err := p.meetClient(ctx, q.ClientID); err != nil {
		return toldOfDocument(err)
	}
	if credentials, err = p.prove(ctx, credentials); err != nil {
		return err
	}
	var answer *deviceAnswer
	err = p.tryLegacy(ctx, func() error {
		return p.db.Write(ctx, func(tx *db.Tx) error {
			c, err := p.authenticate(tx, credentials, by)
			if err != nil {
				return err
			}
			answer, err = p.newDevice(tx, c, *q, by)
			return err
		})
	})
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, answer)
}

// parseDevice reads what a device asks for. It is pure.
func parseDevice(form url.Values) (*authRequest, error) {
	if err := edge.Single(form, "resource"); err != nil {
		return nil, err
	}
	q := &authRequest{}
	if q.Nonce = form.Get("nonce"); len(q.Nonce) > maxNonce || !isText(q.Nonce) {
		return nil, errInvalidRequest.Saying("nonce is longer than 1024 characters or no text")
	}
	if err := q.parseScope(form); err != nil {
		return nil, err
	}
	return q, q.parseResources(form)
}

// newDevice makes the two codes of a device: the one it holds, and the one it shows.
func (p *Provider) newDevice(tx *db.Tx, c *Client, q authRequest, by audit.Actor) (*deviceAnswer, error) {
	if !c.uses(grantTypeDevice) || !c.DisabledAt.IsZero() {
		return nil, errUnauthorizedClient.Saying("the client may not let devices ask")
	}
	if err := q.aim(tx, c); err != nil { // the device hears it now rather than the person later
		return nil, err
	}
	deviceText := secret.Token()
	k := deviceCode{hash: secret.Hash(deviceText), clientID: c.ID, request: q, address: by.Address,
		userAgent: strings.ToValidUTF8(by.UserAgent[:min(len(by.UserAgent), maxAgent)], ""),
		pause:     devicePause, createdAt: tx.Now(), expiresAt: tx.Now().Add(deviceFor)}
	for range 5 { // a code that is in use, which one in a million is
		userCode := secret.Letters(userCodeLen)
		k.userCode = p.master.MAC(macUserCode, userCode)
		var made []byte
		fields := k.fields()
		err := tx.One([]any{&made}, `INSERT INTO device_codes (`+deviceColumns+`) VALUES (`+db.Marks(len(fields))+`)
			ON CONFLICT (user_code) DO NOTHING RETURNING hash`, fields...)
		if errors.Is(err, db.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		shown := shownUserCode(userCode)
		page := p.issuer + devicePage
		return &deviceAnswer{DeviceCode: deviceText, UserCode: shown, VerificationURI: page,
			VerificationURIComplete: page + "?user_code=" + shown,
			ExpiresIn:               int64(deviceFor / time.Second), Interval: int64(devicePause / time.Second)}, nil
	}
	return nil, errors.New("there is no user code left")
}

// purgeDevices forgets codes that ran out a while ago.
func purgeDevices(tx *db.Tx, limit int) (int64, error) {
	before := tx.Now().Add(-keepDevice)
	return tx.Exec(`DELETE FROM device_codes WHERE hash IN (
		SELECT hash FROM device_codes WHERE expires_at < $1 ORDER BY expires_at NULLS LAST LIMIT $2)`, db.Time(&before), limit)
}
