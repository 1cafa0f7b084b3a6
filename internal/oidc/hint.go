package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"pocketid/internal/jose"
)

// errHint says that an id_token_hint is none of our ID tokens.
var errHint = errors.New("the hint is not an ID token of ours")

// A hinted is what an id_token_hint tells: whom an ID token of ours was about, for
// which client and in which session. It may have expired long ago, so it names
// somebody and proves nothing about now (OpenID Connect Core §3.1.2.1, OpenID Connect
// RP-Initiated Logout §2).
type hinted struct {
	subject  string // the client's name for them: see isSubject
	clientID string
	sid      string
}

// readHint reads an ID token of ours, signed with any key that is ours or was. Other
// tokens of ours have another type and are no hints (threats 7, 8).
//
// An error that is no errHint is an outage.
func (p *Provider) readHint(ctx context.Context, token string) (hinted, error) {
	if len(token) > maxIDTokenHint {
		return hinted{}, fmt.Errorf("%w: it is too long", errHint)
	}
	_, payload, err := p.keys.VerifyHint(ctx, token, "jwt")
	if errors.Is(err, jose.ErrInvalid) {
		return hinted{}, fmt.Errorf("%w: %w", errHint, err)
	}
	if err != nil {
		return hinted{}, err
	}
	return p.hintOf(payload)
}

// hintOf is the hint in the payload of an ID token. It is pure.
func (p *Provider) hintOf(payload []byte) (hinted, error) {
	var claims struct {
		Issuer   string   `json:"iss"`
		Subject  string   `json:"sub"`
		Audience audience `json:"aud"`
		Sid      string   `json:"sid"`
	}
	if err := jose.Unmarshal(payload, &claims); err != nil { // by exact names: a claim of somebody's own may be called "Sub"
		return hinted{}, fmt.Errorf("%w: %w", errHint, err)
	}
	if claims.Issuer != p.issuer || claims.Subject == "" || len(claims.Audience) != 1 {
		return hinted{}, fmt.Errorf("%w: its issuer, subject or audience is not what we write", errHint)
	}
	return hinted{claims.Subject, claims.Audience[0], claims.Sid}, nil
}

// hintedSubject is what the client of an id_token_hint calls whom it names; "" when it is
// none of our ID tokens.
func (p *Provider) hintedSubject(ctx context.Context, token string) (string, error) {
	h, err := p.readHint(ctx, token)
	if errors.Is(err, errHint) {
		return "", nil
	}
	return h.subject, err
}

// An audience is a text or a list of them (RFC 7519 §4.1.3).
type audience []string

// UnmarshalJSON reads either form.
func (a *audience) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(a))
}
