// Package overview is what those who run the house see of it at a glance: checks of
// everything that can be wrong with an installation, jobs that gave up, counts and figures.
// The page of the administrator and a command at a terminal show the same checks.
package overview

import (
	"context"
	"crypto/x509"
	"net/url"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/oidc"
	"pocketid/internal/signin"
)

// Config is what the house says about itself. All of it is needed but what says otherwise.
type Config struct {
	DB    *db.DB
	Audit *audit.Log
	// PublicURL is APP_URL.
	PublicURL *url.URL
	Version   string
	// KeyFile is the file that the encryption key was read from; "" when it stood in the
	// environment. KeyNamed says that a variable names that file, so it is somebody else's.
	KeyFile  string
	KeyNamed bool
	// Proxies says that TRUST_PROXY names somebody, EveryProxy that it names everybody.
	Proxies, EveryProxy bool
	// Certificate is the server's own, and why a newer one is not in use, if there is one;
	// nil where a proxy has it.
	Certificate func() (*x509.Certificate, error)
	// NoLimits says that the limits for each network are off.
	NoLimits bool
}

// An Overview looks at the house.
type Overview struct {
	Config
}

// New makes an Overview.
func New(c Config) *Overview { return &Overview{c} }

// MaxCount is where counts stop.
const MaxCount = directory.MaxCount

// Counts are how many there are of what the menu of an administrator leads to, each up to
// MaxCount.
type Counts struct {
	Users, Groups, Clients, APIs, APIKeys int
}

// Counts counts for the menu, in one transaction of three statements that each read the
// entries of an index and stop at MaxCount.
func (o *Overview) Counts(ctx context.Context, by audit.Actor) (c Counts, err error) {
	if err := by.MustAdmin(); err != nil {
		return Counts{}, err
	}
	err = o.DB.Read(ctx, func(tx *db.Tx) (err error) {
		if c.Users, c.Groups, err = directory.CountAll(tx); err != nil {
			return err
		}
		if c.Clients, c.APIs, err = oidc.CountAll(tx); err != nil {
			return err
		}
		c.APIKeys, err = signin.CountAPIKeys(tx)
		return err
	})
	return c, err
}

// Figures are what an administrator wants to know of people.
type Figures struct {
	// Active are the people who came in during the last seven days, Everybody those who may.
	Active, Everybody int
	// Single are the people with one passkey only.
	Single int
}

// Figures counts, each up to MaxCount.
func (o *Overview) Figures(ctx context.Context, by audit.Actor) (f Figures, err error) {
	if err := by.MustAdmin(); err != nil {
		return Figures{}, err
	}
	err = o.DB.Read(ctx, func(tx *db.Tx) (err error) {
		if f.Active, err = directory.CountSeen(tx, tx.Now().AddDate(0, 0, -7)); err != nil {
			return err
		}
		if f.Everybody, err = directory.CountActive(tx); err != nil {
			return err
		}
		f.Single, err = directory.CountSingle(tx)
		return err
	})
	return f, err
}
