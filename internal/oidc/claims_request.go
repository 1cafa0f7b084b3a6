package oidc

import (
	"bytes"
	"encoding/json"
	"slices"

	"pocketid/internal/jose"
)

// Bounds of the parameter claims.
const (
	maxClaims     = 8 << 10 // bytes
	maxClaimName  = 100     // bytes
	maxClaimAsked = 100     // claims at one place
	maxClaimValue = 20      // values of one claim
)

// A claimsRequest is what a client asks for by the parameter claims (OpenID Connect Core
// §5.5): single claims, beside those of the scopes.
type claimsRequest struct {
	Userinfo map[string]*claimAsked `json:"userinfo,omitempty"`
	IDToken  map[string]*claimAsked `json:"id_token,omitempty"`
}

// A claimAsked is what is said about one claim; nil is only that it is wanted.
type claimAsked struct {
	Essential bool              `json:"essential,omitempty"`
	Value     json.RawMessage   `json:"value,omitempty"`
	Values    []json.RawMessage `json:"values,omitempty"`
}

// parseClaims reads the parameter. What it does not know is ignored (OpenID Connect Core
// §5.5); what cannot be read, or is too much, is refused.
func parseClaims(s string) (claimsRequest, error) {
	var r claimsRequest
	if s == "" {
		return r, nil
	}
	if len(s) > maxClaims {
		return r, errInvalidRequest.Saying("claims is longer than 8192 characters")
	}
	var places struct {
		Userinfo map[string]json.RawMessage `json:"userinfo"`
		IDToken  map[string]json.RawMessage `json:"id_token"`
	}
	if err := jose.Unmarshal([]byte(s), &places); err != nil {
		return r, errInvalidRequest.Saying("claims is no JSON object of objects").Because("%w", err)
	}
	var err error
	if r.Userinfo, err = parseClaimsAt(places.Userinfo); err == nil {
		r.IDToken, err = parseClaimsAt(places.IDToken)
	}
	return r, err
}

func parseClaimsAt(place map[string]json.RawMessage) (map[string]*claimAsked, error) {
	if len(place) > maxClaimAsked {
		return nil, errInvalidRequest.Saying("claims asks for more than 100 claims")
	}
	if len(place) == 0 {
		return nil, nil
	}
	asked := make(map[string]*claimAsked, len(place))
	for name, raw := range place {
		if len(name) > maxClaimName || !isText(name) {
			return nil, errInvalidRequest.Saying("claims has a name that is too long or no text")
		}
		if string(raw) == "null" {
			asked[name] = nil
			continue
		}
		var a claimAsked
		if err := jose.Unmarshal(raw, &a); err != nil || len(a.Values) > maxClaimValue {
			return nil, errInvalidRequest.Saying("claims says of " + printable(name) + " what is not understood")
		}
		asked[name] = &a
	}
	return asked, nil
}

// empty says whether no claim is asked for.
func (r *claimsRequest) empty() bool { return len(r.Userinfo)+len(r.IDToken) == 0 }

// protocolClaims are said anyway, or say nothing of the person: nobody has to allow them.
var protocolClaims = []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "sid", "jti",
	"at_hash", "c_hash", "s_hash", "nbf", "txn"}

// scopes are those that the claims belong to, in the order of pages. Who allows a scope
// allows each claim of it, so a claim that is asked for by its name needs the same consent.
func (r *claimsRequest) scopes() (list []string) {
	if r.empty() {
		return nil
	}
	wanted := map[string]bool{}
	for _, place := range []map[string]*claimAsked{r.Userinfo, r.IDToken} {
		for name := range place {
			if !slices.Contains(protocolClaims, name) {
				wanted[scopeOf(name)] = true
			}
		}
	}
	for _, scope := range scopes {
		if wanted[scope] {
			list = append(list, scope)
		}
	}
	return list
}

// values are those that a claim has to have at one of the places, as texts; nil is any.
func (r *claimsRequest) values(name string) (list []string) {
	for _, place := range []map[string]*claimAsked{r.IDToken, r.Userinfo} {
		if a := place[name]; a != nil {
			for _, raw := range a.all() {
				var s string
				if json.Unmarshal(raw, &s) == nil {
					list = append(list, s)
				}
			}
		}
	}
	return list
}

// essential says whether a claim is essential at one of the places.
func (r *claimsRequest) essential(name string) bool {
	a, b := r.IDToken[name], r.Userinfo[name]
	return a != nil && a.Essential || b != nil && b.Essential
}

// all are value and values together.
func (a *claimAsked) all() []json.RawMessage {
	if len(a.Value) == 0 {
		return a.Values
	}
	return append([]json.RawMessage{a.Value}, a.Values...)
}

// takes says whether a claim that is v is what was asked for. One that has to have a
// value is said when it has that, and else left out.
func (a *claimAsked) takes(v any) bool {
	if a == nil || len(a.all()) == 0 {
		return true
	}
	is, err := json.Marshal(v)
	return err == nil && slices.ContainsFunc(a.all(), func(want json.RawMessage) bool {
		var plain bytes.Buffer
		return json.Compact(&plain, want) == nil && bytes.Equal(plain.Bytes(), is)
	})
}

// single are the claims of asked that a token with scopes gives. One that was narrowed says
// no more than its scopes.
func (g *Grant) single(scopes []string, asked map[string]*claimAsked) map[string]*claimAsked {
	if !covers(scopes, g.Scopes) {
		return nil
	}
	return asked
}
