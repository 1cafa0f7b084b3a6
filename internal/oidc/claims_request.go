package oidc

import "encoding/json"

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
