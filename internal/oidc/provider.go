// Package oidc is the OpenID provider: clients, authorization, tokens, keys and
// logout, by the rules of OAuth 2 and OpenID Connect. Endpoints live here, where
// their specification lives; pages live in web.
package oidc

import (
	"errors"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/jobs"
	"pocketid/internal/jose"
	"pocketid/internal/outbound"
	"pocketid/internal/secret"
	"pocketid/internal/signin"
)

// What a client is told about its request (RFC 6749 §4.1.2.1, OpenID Connect
// Core §3.1.2.6). The codes are those of the specifications.
var (
	errInvalidRequest           = fault.New(fault.Invalid, "invalid_request")
	errInvalidScope             = fault.New(fault.Invalid, "invalid_scope")
	errAccessDenied             = fault.New(fault.Forbidden, "access_denied")
	errUnsupportedResponseType  = fault.New(fault.Invalid, "unsupported_response_type")
	errLoginRequired            = fault.New(fault.Invalid, "login_required")
	errConsentRequired          = fault.New(fault.Invalid, "consent_required")
	errUnmet                    = fault.New(fault.Forbidden, "unmet_authentication_requirements") // OpenID Connect Core Unmet Authentication Requirements §2
	errInvalidRequestObject     = fault.New(fault.Invalid, "invalid_request_object")
	errInvalidRequestURI        = fault.New(fault.Invalid, "invalid_request_uri")
	errRequestURINotSupported   = fault.New(fault.Invalid, "request_uri_not_supported")
	errRegistrationNotSupported = fault.New(fault.Invalid, "registration_not_supported")
)

// What a person is told on a page, because there is nobody else who may be told.
var (
	// ErrMalformed is a query or form that cannot be read at all.
	ErrMalformed = fault.New(fault.Invalid, "authorization_malformed")
	// ErrRepeated is a client_id or redirect_uri that stands twice: it is not known whom to answer.
	ErrRepeated        = fault.New(fault.Invalid, "parameter_repeated")
	ErrClientMissing   = fault.New(fault.Invalid, "client_missing")
	ErrClientUnknown   = fault.New(fault.Invalid, "client_unknown")
	ErrRedirectMissing = fault.New(fault.Invalid, "redirect_uri_missing")
)

// Config is what the provider has to know.
type Config struct {
	DB        *db.DB
	Directory *directory.Directory
	SignIn    *signin.SignIn
	Master    *secret.Master
	// Outbound fetches what clients point at; nil reaches public addresses only.
	Outbound *outbound.Client
	// Issuer is APP_URL without a slash at the end: "https://id.example.com".
	Issuer string
	// InternalURL is where clients reach the endpoints that no browser visits; "" is Issuer.
	InternalURL string
	// AllowInsecureCallbacks lets clients be answered over http beyond loopback
	// (ALLOW_INSECURE_CALLBACK_URLS).
	AllowInsecureCallbacks bool
	// NewKey makes signing keys; nil is jose.Generate. Tests have RSA keys that
	// were made before.
	NewKey func(jose.Alg) (*jose.Key, error)
}

// Provider is the OpenID provider. Its endpoints are edge.Handlers.
type Provider struct {
	db        *db.DB
	directory *directory.Directory
	signin    *signin.SignIn
	master    *secret.Master
	outbound  *outbound.Client
	// documents are those of elsewhere that are kept for a while: keys, metadata.
	documents *outbound.Documents
	keys      *Keyring
	metadata  *discovery

	issuer      string
	internalURL string
	// farewells are the ends that clients are being told of by this process.
	farewells farewells
	// insecure lets http addresses be used beyond loopback.
	insecure bool
	// legacyTurn has the one place of who verifies old hashes.
	legacyTurn chan struct{}
}

// New makes a provider.
func New(c Config) (*Provider, error) {
	if c.DB == nil || c.Directory == nil || c.SignIn == nil || c.Master == nil || c.Issuer == "" {
		return nil, errors.New("oidc: the configuration lacks a part")
	}
	p := &Provider{
		db: c.DB, directory: c.Directory, signin: c.SignIn, master: c.Master,
		issuer: c.Issuer, internalURL: c.InternalURL, insecure: c.AllowInsecureCallbacks,
		legacyTurn: make(chan struct{}, 1),
	}
	if p.outbound = c.Outbound; p.outbound == nil {
		p.outbound = outbound.New(outbound.Config{})
	}
	p.documents = outbound.NewDocuments(p.outbound)
	if p.internalURL == "" {
		p.internalURL = p.issuer
	}
	p.keys = NewKeyring(c.DB, c.Master, c.NewKey)
	p.metadata = newDiscovery(p.issuer, p.internalURL)
	return p, nil
}

// Keys is the ring of signing keys. The app starts and runs it.
func (p *Provider) Keys() *Keyring { return p.keys }

// keepEnded is how long a request that ran out is remembered, so that a person who
// comes back to it is told what became of it.
const keepEnded = 24 * time.Hour

// Work tells r what the provider does beside requests.
func (p *Provider) Work(r *jobs.Runner) {
	p.grantWork(r)
	p.logoutWork(r)
	p.registrationWork(r)
	r.Purge("authorizations", purgeAuthorizations)
	r.Purge("oidc.device_codes", purgeDevices)
	r.Purge("oidc.used_assertions", forgetAssertions)
	r.Purge("oidc.pushed_requests", purgePushed)
}

func purgeAuthorizations(tx *db.Tx, limit int) (int64, error) {
	before := tx.Now().Add(-keepEnded)
	return tx.Exec(`DELETE FROM authorizations WHERE id IN (
		SELECT id FROM authorizations WHERE expires_at < $1 ORDER BY expires_at NULLS LAST LIMIT $2)`, db.Time(&before), limit)
}
