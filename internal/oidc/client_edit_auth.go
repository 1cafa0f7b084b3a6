package oidc

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pocketid/internal/fault"
	"pocketid/internal/jose"
)

// What is refused about how a client proves itself. Each names its field.
var (
	ErrAuthMethod       = fault.New(fault.Invalid, "auth_method_unknown").At("auth_method")
	ErrAuthMethodPublic = fault.New(fault.Invalid, "auth_method_public").At("auth_method")
	ErrAuthMethodNone   = fault.New(fault.Invalid, "auth_method_none").At("auth_method")
	ErrAuthMethodKeys   = fault.New(fault.Invalid, "auth_method_needs_keys").At("jwks")
	ErrKeysTwice        = fault.New(fault.Invalid, "client_keys_twice").At("jwks_uri")
	ErrKeysMalformed    = fault.New(fault.Invalid, "client_keys_malformed").At("jwks")
	ErrKeysPrivate      = fault.New(fault.Invalid, "client_keys_private").At("jwks")
	ErrKeysRepeated     = fault.New(fault.Invalid, "client_keys_repeated").At("jwks")
	ErrKeysUnfit        = fault.New(fault.Invalid, "client_keys_unfit").At("assertion_alg")
	ErrKeysAddress      = fault.New(fault.Invalid, "client_keys_address")
	ErrAudienceUnknown  = fault.New(fault.Invalid, "assertion_audience_unknown").At("assertion_audience")
	ErrGrantUnknown     = fault.New(fault.Invalid, "grant_type_unknown")
	ErrGrantPublic      = fault.New(fault.Invalid, "grant_type_public")

	ErrFederatedPublic   = fault.New(fault.Invalid, "federated_public").At("federated")
	ErrFederatedMethod   = fault.New(fault.Invalid, "federated_method").At("auth_method")
	ErrFederatedTooMany  = fault.New(fault.Invalid, "federated_too_many").At("federated").With("max", "20")
	ErrFederatedIssuer   = fault.New(fault.Invalid, "federated_issuer")
	ErrFederatedSelf     = fault.New(fault.Invalid, "federated_self")
	ErrFederatedText     = fault.New(fault.Invalid, "federated_text")
	ErrFederatedRepeated = fault.New(fault.Invalid, "federated_repeated")
)

// maxFederated is how many credentials of elsewhere a client may have.
const maxFederated = 20

// GrantTypes are the grants that a client may be allowed, by the names of RFC 7591 §2.
var GrantTypes = []string{grantTypeCode, grantTypeRefresh, grantTypeClient, grantTypeDevice, grantTypeExchange}

// checkAuthentication holds the rules of how a client proves itself and what for.
func (p *Provider) checkAuthentication(edit *ClientEdit) error {
	edit.JWKS, edit.JWKSURI = strings.TrimSpace(edit.JWKS), strings.TrimSpace(edit.JWKSURI)
	edit.AssertionAudience = cmp.Or(edit.AssertionAudience, AudienceStrict)
	switch {
	case edit.AuthMethod != "" && !slices.Contains(authMethods, edit.AuthMethod):
		return ErrAuthMethod
	case edit.Public && edit.AuthMethod != "" && edit.AuthMethod != AuthNone:
		return ErrAuthMethodPublic
	case !edit.Public && edit.AuthMethod == AuthNone:
		return ErrAuthMethodNone
	case edit.AssertionAudience != AudienceStrict && edit.AssertionAudience != AudienceLenient:
		return ErrAudienceUnknown
	case edit.AssertionAlg != "" && !edit.AssertionAlg.Known():
		return ErrAlgUnknown.At("assertion_alg")
	case edit.JWKS != "" && edit.JWKSURI != "": // OpenID Connect Dynamic Client Registration §2
		return ErrKeysTwice
	case edit.AuthMethod == AuthPrivateKey && edit.JWKS == "" && edit.JWKSURI == "" && len(edit.Federated) == 0:
		return ErrAuthMethodKeys
	}
	if err := checkKeys(edit); err != nil {
		return err
	}
	if edit.JWKSURI != "" && !p.isFetchable(edit.JWKSURI) {
		return ErrKeysAddress.At("jwks_uri")
	}
	for i, grant := range edit.GrantTypes {
		at := fmt.Sprintf("grant_types[%d]", i)
		switch {
		case !slices.Contains(GrantTypes, grant) || slices.Contains(edit.GrantTypes[:i], grant):
			return ErrGrantUnknown.At(at)
		case edit.Public && grant == grantTypeClient: // RFC 6749 §4.4
			return ErrGrantPublic.At(at)
		}
	}
	return p.checkFederated(edit)
}

// checkKeys looks at the keys that were typed in. They are public, and one of them fits
// the algorithm of the assertions.
func checkKeys(edit *ClientEdit) error {
	if edit.JWKS == "" {
		return nil
	}
	keys, err := jose.ParseKeys([]byte(edit.JWKS))
	switch {
	case errors.Is(err, jose.ErrPrivateKey):
		return ErrKeysPrivate
	case errors.Is(err, jose.ErrKeyRepeated):
		return ErrKeysRepeated
	case err != nil:
		return ErrKeysMalformed
	case edit.AssertionAlg != "" && !keys.Serve(edit.AssertionAlg):
		return ErrKeysUnfit
	}
	return nil
}

// isFetchable says whether the house could ask an address for keys: https, or http where
// the host is one of ALLOWED_PRIVATE_HOSTS.
func (p *Provider) isFetchable(address string) bool {
	return isText(address) && !strings.Contains(address, "#") && p.outbound.Check(address) == nil
}

// checkFederated looks at the issuers that vouch for a client.
func (p *Provider) checkFederated(edit *ClientEdit) error {
	edit.Federated = append([]Federated{}, edit.Federated...)
	switch {
	case len(edit.Federated) == 0:
		return nil
	case len(edit.Federated) > maxFederated:
		return ErrFederatedTooMany
	case edit.Public:
		return ErrFederatedPublic
	case edit.AuthMethod != "" && edit.AuthMethod != AuthPrivateKey:
		return ErrFederatedMethod
	}
	for i := range edit.Federated {
		f := &edit.Federated[i]
		at := func(member string) string { return fmt.Sprintf("federated[%d].%s", i, member) }
		for _, member := range []struct {
			name string
			text *string
		}{{"issuer", &f.Issuer}, {"subject", &f.Subject}, {"audience", &f.Audience}, {"jwks", &f.JWKS}} {
			if *member.text = strings.TrimSpace(*member.text); len(*member.text) > maxURI || !isText(*member.text) {
				return ErrFederatedText.At(at(member.name))
			}
		}
		switch {
		case f.Issuer == "" || f.JWKS == "" && !p.isFetchable(f.keys()):
			return ErrFederatedIssuer.At(at("issuer"))
		case strings.TrimSuffix(f.Issuer, "/") == p.issuer: // or a token of a person would do (threats 7)
			return ErrFederatedSelf.At(at("issuer"))
		case f.JWKS != "" && !p.isFetchable(f.JWKS):
			return ErrKeysAddress.At(at("jwks"))
		}
		same := func(o Federated) bool {
			return o.Issuer == f.Issuer && o.Subject == f.Subject && o.Audience == f.Audience
		}
		if slices.ContainsFunc(edit.Federated[:i], same) {
			return ErrFederatedRepeated.At(at("issuer"))
		}
	}
	return nil
}
