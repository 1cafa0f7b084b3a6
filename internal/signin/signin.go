// Package signin proves who somebody is, and remembers it: passkeys, sessions,
// one-time codes, set-up. It is the only door of the WebAuthn library.
//
// Each proof is a ceremony of two halves. Begin stores a row that works once
// and gives the options for navigator.credentials; Finish takes the row away
// before it looks at the answer, so a replay finds nothing. A refusal is kept:
// the row is gone, the attempt is counted, the log has a record.
package signin

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/jobs"
	"pocketid/internal/secret"
)

// ErrNoSession is what everybody hears about a session that is not there, not
// there any more, or whose user may not come in.
var ErrNoSession = fault.New(fault.Unauthenticated, "not_signed_in")

// Config is what signing in is built from. DB, Directory, Master and PublicURL
// are needed.
type Config struct {
	DB        *db.DB
	Directory *directory.Directory
	Master    *secret.Master
	// PublicURL is where people find the house.
	PublicURL *url.URL
	// RPID is the scope of passkeys; empty is the host of PublicURL.
	RPID string
	// Origins are the pages whose ceremonies count; empty is that of PublicURL.
	Origins []string
	// SetupToken, when set, is asked for by set-up.
	SetupToken string
	// SetupOpenFor is how long OpenSetup opens it; zero is 60 minutes.
	SetupOpenFor time.Duration
	// StaticKey, when set, is the key of a service account that is an administrator.
	StaticKey string
}

// SignIn is the door to the house.
type SignIn struct {
	db           *db.DB
	directory    *directory.Directory
	master       *secret.Master
	publicURL    string
	rpID         string
	origins      []string
	setupToken   string
	setupOpenFor time.Duration
	// static is SHA-256 of the key in the environment, or nil.
	static []byte
}

// New returns signing in as c describes it.
func New(c Config) (*SignIn, error) {
	if c.DB == nil || c.Directory == nil || c.Master == nil || c.PublicURL == nil || c.PublicURL.Hostname() == "" {
		return nil, fmt.Errorf("sign-in needs a database, a directory, a master key and a public URL with a host")
	}
	s := &SignIn{db: c.DB, directory: c.Directory, master: c.Master, publicURL: strings.TrimSuffix(c.PublicURL.String(), "/"),
		rpID: c.RPID, origins: slices.Clone(c.Origins), setupToken: c.SetupToken, setupOpenFor: c.SetupOpenFor}
	if s.rpID == "" {
		s.rpID = strings.ToLower(c.PublicURL.Hostname())
	}
	if len(s.origins) == 0 {
		s.origins = []string{origin(c.PublicURL)}
	}
	if c.StaticKey != "" {
		s.static = secret.Hash(c.StaticKey)
	}
	if s.setupOpenFor == 0 {
		s.setupOpenFor = time.Hour
	}
	return s, nil
}

// RPID is the scope of the passkeys of this house, as pages need it to tell
// passkey managers what is still known here.
func (s *SignIn) RPID() string { return s.rpID }

// origin is u as a browser writes its origin (HTML, 7.1.1): lower case, no
// default port.
func origin(u *url.URL) string {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch {
	case scheme == "https":
		host = strings.TrimSuffix(host, ":443")
	case scheme == "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return scheme + "://" + host
}

// Work tells r what signing in does beside requests: it follows what becomes
// of users and sweeps away what has run out.
func (s *SignIn) Work(r *jobs.Runner) {
	r.Handle("signin.user_changed", s.userChanged)
	r.Subscribe("user.changed", "signin.user_changed")
	r.Handle("signin.user_purged", s.userPurged)
	r.Subscribe("user.purged", "signin.user_purged")
	r.Purge("signin.expired", expire)
	for _, p := range purges {
		r.Purge(p.name, p.sweep)
	}
}

// Seen is where a request comes from, as its session remembers it.
type Seen struct {
	Address   string
	UserAgent string
}

// maxUserAgent is how much of a browser's description of itself is kept.
const maxUserAgent = 300

func (s Seen) clipped() Seen {
	if len(s.UserAgent) > maxUserAgent {
		s.UserAgent = strings.ToValidUTF8(s.UserAgent[:maxUserAgent], "")
	}
	return s
}

// actor is who the request of ctx acts as once it is known to be u.
func actor(ctx context.Context, u *directory.User, sessionID string, seen Seen) audit.Actor {
	by := audit.From(ctx)
	by.UserID, by.Name, by.Admin, by.SessionID = u.ID, u.Username, u.Admin, sessionID
	if by.Via == "" {
		by.Via = "page"
	}
	if by.Address == "" {
		by.Address = seen.Address
	}
	if by.UserAgent == "" {
		by.UserAgent = seen.UserAgent
	}
	return by
}

// nobody is who the request of ctx acts as while that is not known.
func nobody(ctx context.Context, seen Seen) audit.Actor {
	return actor(ctx, &directory.User{}, "", seen)
}

func userObject(u *directory.User) audit.Object {
	return audit.Object{Kind: "user", ID: u.ID, Name: u.Username}
}
