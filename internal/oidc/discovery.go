package oidc

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/edge"
	"pocketid/internal/i18n"
	"pocketid/internal/jose"
	"pocketid/internal/settings"
)

// metadataMaxAge is how long a client may keep the discovery document.
const metadataMaxAge = time.Hour

// Addresses of the protocol, below the issuer or the internal address.
const (
	pathAuthorize  = "/authorize"
	pathPush       = "/api/oidc/par"
	pathToken      = "/api/oidc/token"
	pathUserinfo   = "/api/oidc/userinfo"
	pathIntrospect = "/api/oidc/introspect"
	pathRevoke     = "/api/oidc/revoke"
	pathEndSession = "/api/oidc/end-session"
	pathRegister   = "/api/oidc/register"
	pathJWKS       = "/.well-known/jwks.json"
)

// pathDiscovery is below the issuer (OpenID Connect Discovery §4).
const pathDiscovery = "/.well-known/openid-configuration"

// Endpoints are the addresses that an application is told of, as discovery has them.
type Endpoints struct {
	Issuer, Discovery, Authorization, Token, Userinfo, EndSession, JWKS, Registration string
}

// Endpoints is what an administrator types into an application.
func (p *Provider) Endpoints() Endpoints {
	return Endpoints{
		Issuer: p.issuer, Discovery: p.issuer + pathDiscovery, Authorization: p.issuer + pathAuthorize,
		Token: p.internalURL + pathToken, Userinfo: p.internalURL + pathUserinfo,
		EndSession: p.issuer + pathEndSession, JWKS: p.internalURL + pathJWKS, Registration: p.internalURL + pathRegister,
	}
}

// metadata is the discovery document (OpenID Connect Discovery §3, RFC 8414
// §2). It names what works and nothing else. There are no empty lists and no
// nulls in it, and what is true by default and false here is said.
type metadata struct {
	Issuer                string `json:"issuer"`
	AuthorizationEndpoint string `json:"authorization_endpoint"`
	PushEndpoint          string `json:"pushed_authorization_request_endpoint"`
	TokenEndpoint         string `json:"token_endpoint"`
	UserinfoEndpoint      string `json:"userinfo_endpoint"`
	EndSessionEndpoint    string `json:"end_session_endpoint"`
	RegistrationEndpoint  string `json:"registration_endpoint,omitempty"`
	// DeviceEndpoint is below the issuer: devices are where people are.
	DeviceEndpoint        string `json:"device_authorization_endpoint"`
	JWKSURI               string `json:"jwks_uri"`
	IntrospectionEndpoint string `json:"introspection_endpoint"`
	RevocationEndpoint    string `json:"revocation_endpoint"`

	ScopesSupported        []string   `json:"scopes_supported"`
	ResponseTypesSupported []string   `json:"response_types_supported"`
	ResponseModesSupported []string   `json:"response_modes_supported"`
	GrantTypesSupported    []string   `json:"grant_types_supported"`
	ACRValuesSupported     []string   `json:"acr_values_supported"`
	SubjectTypesSupported  []string   `json:"subject_types_supported"`
	IDTokenAlgsSupported   []jose.Alg `json:"id_token_signing_alg_values_supported"`
	ObjectAlgsSupported    []jose.Alg `json:"request_object_signing_alg_values_supported"`
	UserinfoAlgsSupported  []jose.Alg `json:"userinfo_signing_alg_values_supported"`
	AuthMethodsSupported   []string   `json:"token_endpoint_auth_methods_supported"`
	AssertionAlgsSupported []jose.Alg `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationAuth         []string   `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAlgs         []jose.Alg `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAuth      []string   `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionAlgs      []jose.Alg `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	ClaimTypesSupported    []string   `json:"claim_types_supported"`
	ClaimsSupported        []string   `json:"claims_supported"`
	ChallengesSupported    []string   `json:"code_challenge_methods_supported"`
	PromptsSupported       []string   `json:"prompt_values_supported"`
	DisplaysSupported      []string   `json:"display_values_supported"`
	UILocalesSupported     []string   `json:"ui_locales_supported"`

	ClaimsParameterSupported    bool `json:"claims_parameter_supported"`
	RequestParameterSupported   bool `json:"request_parameter_supported"`
	RequestURISupported         bool `json:"request_uri_parameter_supported"`
	RequestURIsRegistered       bool `json:"require_request_uri_registration"`
	PushRequired                bool `json:"require_pushed_authorization_requests"`
	IssuerInAuthorizationAnswer bool `json:"authorization_response_iss_parameter_supported"`
	DocumentsSupported          bool `json:"client_id_metadata_document_supported,omitempty"`

	BackchannelLogout         bool `json:"backchannel_logout_supported"`
	BackchannelLogoutSession  bool `json:"backchannel_logout_session_supported"`
	FrontchannelLogout        bool `json:"frontchannel_logout_supported"`
	FrontchannelLogoutSession bool `json:"frontchannel_logout_session_supported"`
}

// capabilities are what the discovery document tells that a setting switches. All else
// in it is always on.
type capabilities struct {
	registration bool // clients may register themselves (RFC 7591)
	documents    bool // addresses of metadata documents are client ids
	// brought are the algorithms beside KeyAlgs that the house signs with, between blanks:
	// they come with a house that is moved in.
	brought string
}

func capabilitiesOf(s settings.Settings) capabilities {
	return capabilities{registration: s.ClientRegistration != settings.RegistrationDisabled, documents: len(s.CIMDURLAllowlist) > 0}
}

// newMetadata is what the discovery document says. internal is where clients find
// what no browser visits: the token, userinfo and key endpoints.
func newMetadata(issuer, internal string, can capabilities) metadata {
	algs := slices.Clone(KeyAlgs)
	for alg := range strings.FieldsSeq(can.brought) {
		algs = append(algs, jose.Alg(alg))
	}
	m := metadata{
		Issuer:                issuer,
		AuthorizationEndpoint: issuer + pathAuthorize,
		PushEndpoint:          internal + pathPush,
		TokenEndpoint:         internal + pathToken,
		UserinfoEndpoint:      internal + pathUserinfo,
		EndSessionEndpoint:    issuer + pathEndSession,
		DeviceEndpoint:        issuer + pathDevice,
		JWKSURI:               internal + pathJWKS,
		IntrospectionEndpoint: internal + pathIntrospect,
		RevocationEndpoint:    internal + pathRevoke,

		ScopesSupported:        scopes,
		ResponseTypesSupported: []string{"code"},
		ResponseModesSupported: []string{modeQuery, modeFragment, modeFormPost},
		GrantTypesSupported:    []string{grantTypeCode, grantTypeRefresh, grantTypeClient, grantTypeDevice, grantTypeExchange},
		ACRValuesSupported:     acrValues,
		SubjectTypesSupported:  []string{SubjectPublic, SubjectPairwise},
		IDTokenAlgsSupported:   algs,
		ObjectAlgsSupported:    objectAlgs,
		UserinfoAlgsSupported:  algs,
		AuthMethodsSupported:   authMethods,
		AssertionAlgsSupported: jose.Algs,
		RevocationAuth:         authMethods,
		RevocationAlgs:         jose.Algs,
		IntrospectionAuth:      slices.DeleteFunc(slices.Clone(authMethods), func(m string) bool { return m == AuthNone }),
		IntrospectionAlgs:      jose.Algs,
		ClaimTypesSupported:    []string{"normal"},
		ClaimsSupported: []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid",
			"name", "given_name", "family_name", "middle_name", "nickname", "display_name", "preferred_username",
			"profile", "picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at",
			"email", "email_verified", "phone_number", "phone_number_verified", "address", "groups"},
		ChallengesSupported: []string{"S256"},
		PromptsSupported:    []string{"none", "login", "consent", "select_account"},
		DisplaysSupported:   []string{"page"},
		UILocalesSupported:  i18n.Locales(),

		ClaimsParameterSupported:    true,
		RequestParameterSupported:   true,
		RequestURISupported:         true,
		RequestURIsRegistered:       true,
		IssuerInAuthorizationAnswer: true,

		BackchannelLogout: true, BackchannelLogoutSession: true, FrontchannelLogout: true, FrontchannelLogoutSession: true,
		DocumentsSupported: can.documents,
	}
	if can.registration {
		m.RegistrationEndpoint = internal + pathRegister
	}
	return m
}

// settingsFor is how long a process believes what it read of the settings, as it does
// with keys: another replica may have changed them. doubtFor is how long it asks each
// time after a change of its own, whose commit is yet to come.
const (
	settingsFor = 30 * time.Second
	doubtFor    = 10 * time.Second
)

// A discovery holds the document as it is under the settings of now. It is rendered once
// for each set of capabilities.
type discovery struct {
	issuer, internal string

	rendered sync.Map // from capabilities to *document
	known    atomic.Pointer[knownCapabilities]
	doubted  atomic.Int64 // until when, in microseconds since 1970
}

type knownCapabilities struct {
	can   capabilities
	until time.Time
}

func newDiscovery(issuer, internal string) *discovery {
	return &discovery{issuer: issuer, internal: internal}
}

// of renders the document for can, or finds it.
func (d *discovery) of(can capabilities) (*document, error) {
	if held, ok := d.rendered.Load(can); ok {
		return held.(*document), nil
	}
	body, err := json.MarshalIndent(newMetadata(d.issuer, d.internal, can), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the discovery document: %w", err)
	}
	held, _ := d.rendered.LoadOrStore(can, newDocument(append(body, '\n'), metadataMaxAge))
	return held.(*document), nil
}

// capabilities are those of now, read again when they are older than settingsFor.
func (p *Provider) capabilities(ctx context.Context) (capabilities, error) {
	now := edge.Now(ctx)
	if held := p.metadata.known.Load(); held != nil && now.Before(held.until) && now.UnixMicro() > p.metadata.doubted.Load() {
		return held.can, nil
	}
	var can capabilities
	err := p.db.Read(ctx, func(tx *db.Tx) error {
		s, err := settings.Of(tx)
		can = capabilitiesOf(s)
		return err
	})
	if err == nil {
		p.metadata.known.Store(&knownCapabilities{can, now.Add(settingsFor)})
	}
	return can, err
}

// Discovery is the endpoint of the discovery document, at both of its
// addresses. It waits for the first keys as JWKS does, so that a client that
// is set up by it finds all of them.
func (p *Provider) Discovery(w http.ResponseWriter, r *http.Request) error {
	known, err := p.keys.complete(r.Context())
	if err != nil {
		return err
	}
	can, err := p.capabilities(r.Context())
	if err != nil {
		return err
	}
	can.brought = known.brought
	d, err := p.metadata.of(can)
	if err != nil {
		return err
	}
	d.serve(w, r)
	return nil
}
