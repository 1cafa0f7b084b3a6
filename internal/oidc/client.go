package oidc

import (
	"time"
)

// When a client gets a refresh token, and whether it gets a new one at each use.
const (
	RefreshAlways        = "always"         // with every grant of a person, as the incumbent does
	RefreshOfflineAccess = "offline_access" // only when that scope was granted

	RotationDefault = ""       // always for public clients, never for confidential ones
	RotationAlways  = "always" // confidential ones with an overlap, for clients that lose answers
)

// A Client is an application that people sign in to (a relying party).
type Client struct {
	ID          string
	Name        string
	Description string
	// LaunchURL is where the application starts, for people who are sent away from a flow.
	LaunchURL string

	RedirectURIs   []URI
	PostLogoutURIs []URI

	// Public clients cannot keep a secret (RFC 6749 §2.1). They always need PKCE.
	Public         bool
	PKCERequired   bool
	PKCESeen       bool // a client that need not use PKCE did
	ReauthRequired bool // every sign-in needs the passkey
	SkipConsent    bool

	// GroupRestricted clients are for members of AllowedGroups alone. Groups are
	// known by id, never by name.
	GroupRestricted bool
	AllowedGroups   []string

	IDTokenAlg     string
	AccessTokenAlg string
	// ClaimsAtUserinfo keeps the claims of scopes out of the ID token.
	ClaimsAtUserinfo bool

	RefreshIssue    string
	RefreshRotation string
	AccessTokenFor  time.Duration
	IDTokenFor      time.Duration
	RefreshTokenFor time.Duration // without use
	RefreshMaxFor   time.Duration // altogether; 0 is no bound

	CreatedBy  string
	CreatedAt  time.Time
	UpdatedAt  time.Time
	LastUsedAt time.Time
	DisabledAt time.Time
	DeletedAt  time.Time
}

// A ClientEdit is what an administrator may set about a client. The zero value of
// a choice or a lifetime is the default.
type ClientEdit struct {
	// ID is chosen when the client is made and fixed from then on; "" makes one.
	ID          string
	Name        string
	Description string
	LaunchURL   string

	RedirectURIs   []URI
	PostLogoutURIs []URI

	Public         bool
	PKCERequired   bool
	ReauthRequired bool
	SkipConsent    bool

	GroupRestricted bool
	AllowedGroups   []string // ids

	IDTokenAlg       string
	ClaimsAtUserinfo bool

	RefreshIssue    string
	RefreshRotation string
	AccessTokenFor  time.Duration
	IDTokenFor      time.Duration
	RefreshTokenFor time.Duration
}
