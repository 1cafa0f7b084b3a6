package oidc

import (
	"errors"
	"net/url"

	"pocketid/internal/db"
	"pocketid/internal/secret"
)

func parseDeviceGrant(q *tokenRequest, form url.Values) error {
	if q.deviceCode = form.Get("device_code"); q.deviceCode == "" {
		return errInvalidRequest.Saying("device_code is missing")
	}
	return nil
}

// redeemDevice answers a device that asks whether it may come in (RFC 8628 §3.4 and
// §3.5). The first question after the person said yes gets the tokens, and no other
// does: of many at once, one statement lets one through (threats 4). Another client's
// question changes nothing.
func (p *Provider) redeemDevice(tx *db.Tx, c *Client, q *tokenRequest) (issue, error) {
	var k deviceCode
	hash, now := secret.Hash(q.deviceCode), tx.Now()
	err := tx.One(k.fields(), `SELECT `+deviceColumns+` FROM device_codes WHERE hash = $1`, hash)
	switch {
	case errors.Is(err, db.ErrNotFound):
		return issue{}, errInvalidGrant.Because("there is no such device code")
	case err != nil:
		return issue{}, err
	case k.clientID != c.ID:
		return issue{}, errInvalidGrant.Because("the device code is another client's")
	case !k.usedAt.IsZero():
		return issue{}, errInvalidGrant.Because("the device code was used before")
	case !k.deniedAt.IsZero():
		return issue{}, errAccessDenied.Saying("the person declined")
	case !now.Before(k.expiresAt):
		return issue{}, errExpiredToken
	case k.grantID == "":
		return issue{}, k.wait(tx)
	}
	err = tx.One([]any{&hash}, `UPDATE device_codes SET used_at = $2 WHERE hash = $1 AND used_at IS NULL RETURNING hash`, hash, db.Time(&now))
	if errors.Is(err, db.ErrNotFound) {
		return issue{}, errInvalidGrant.Because("the device code has just been used")
	}
	if err != nil {
		return issue{}, err
	}
	h, err := p.holdCode(tx, c, k.grantID)
	if errors.Is(err, errEnded) {
		return issue{}, db.Keep(errAccessDenied.Saying("this person may not use this client").Because("%w", err))
	}
	if err != nil {
		return issue{}, err
	}
	i, err := first(tx, h, q, k.request.Nonce)
	if err != nil {
		return issue{}, db.Keep(err)
	}
	return i, nil
}

// wait tells a device to come again later, and to take more time when it came too soon.
// That is remembered: each question that comes too soon adds five seconds.
func (k *deviceCode) wait(tx *db.Tx) error {
	now, told := tx.Now(), errAuthorizationPending
	if !k.polledAt.IsZero() && now.Sub(k.polledAt) < k.pause-pauseLeeway {
		k.pause, told = min(k.pause+devicePause, maxDevicePause), errSlowDown
	}
	tx.Do(`UPDATE device_codes SET polled_at = $2, pause = $3 WHERE hash = $1`, k.hash, db.Time(&now), db.Seconds(&k.pause))
	return db.Keep(told)
}
