package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"pocketid/internal/api"
	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/i18n"
	"pocketid/internal/jobs"
	"pocketid/internal/metrics"
	"pocketid/internal/oidc"
	"pocketid/internal/outbound"
	"pocketid/internal/overview"
	"pocketid/internal/secret"
	"pocketid/internal/settings"
	"pocketid/internal/signin"
	"pocketid/internal/socket"
	"pocketid/internal/web"
)

// App is the house: every part built and given to those above it. It runs
// nothing by itself; see Run.
type App struct {
	DB        *db.DB
	Jobs      *jobs.Runner
	Audit     *audit.Log
	Settings  *settings.Keeper
	Directory *directory.Directory
	SignIn    *signin.SignIn
	OIDC      *oidc.Provider
	Overview  *overview.Overview
	Web       *web.Web // nil beside a server
	API       *api.API // likewise

	config   Config
	measures *metrics.Set // nil where nobody looks
	log      *slog.Logger
	master   *secret.Master
	handler  http.Handler
	stopping atomic.Bool // a balancer should turn away

	// certificates are those that the server speaks TLS by; nil without TLS, and beside a server.
	certificates atomic.Pointer[socket.Certificates]
	// Again is where somebody asks for the certificate to be read again; nil is never.
	Again <-chan os.Signal
}

// New builds the house for serving. Nothing is changed before it is known that
// the key and the database belong together; then the database is brought up to
// date. An error that is a *Stop or a *db.Refusal is for the operator.
func New(ctx context.Context, c Config, log *slog.Logger) (*App, error) {
	a, err := open(ctx, c, log, db.Serve)
	if err != nil {
		return nil, err
	}
	if err := a.serving(ctx); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// Beside builds the house for a command, which works while a server runs.
func Beside(ctx context.Context, c Config, log *slog.Logger) (*App, error) {
	return open(ctx, c, log, db.Beside)
}

// open builds all parts below the pages.
func open(ctx context.Context, c Config, log *slog.Logger, mode db.Mode) (*App, error) {
	if mode == db.Serve {
		if err := db.Writable(string(c.Database)); err != nil {
			return nil, err
		}
		if err := c.takeOver(ctx, log); err != nil {
			return nil, err
		}
	}
	master, err := c.resolveKey(ctx)
	if err != nil {
		return nil, err
	}
	if master == nil && mode == db.Beside {
		return nil, &Stop{"There is no encryption key yet: the server has not been started here.", "Start the server once, or run this command in its working directory with its settings."}
	}
	a := &App{config: c, log: log, master: master}
	if c.Postgres() && strings.Contains(string(c.Database), "verify") { // sslmode=verify-full, verify-ca
		outbound.BringRoots()
	}
	if a.DB, err = db.Open(ctx, string(c.Database), mode); err != nil {
		return nil, err
	}
	if err := a.build(ctx); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// build makes the parts over the open database, lowest floor first.
func (a *App) build(ctx context.Context) (err error) {
	if a.master == nil {
		if a.master, err = a.config.makeKey(); err != nil {
			return err
		}
		a.log.Info("a new encryption key was written; keep a copy of it, the database is worth nothing without", "file", a.config.keyPath())
	}
	if err := sealCheck(ctx, a.DB, a.master); err != nil {
		return err
	}
	a.Jobs = jobs.New(a.DB)
	keep := time.Duration(a.config.AuditRetentionDays) * 24 * time.Hour
	a.Jobs.Purge("audit", func(tx *db.Tx, limit int) (int64, error) { return audit.Forget(tx, keep, limit) })
	a.Jobs.Purge("audit.names", func(tx *db.Tx, limit int) (int64, error) { return audit.ForgetNames(tx, keep, limit) })
	a.Jobs.Purge("audit.hours", audit.CountHours)
	a.Audit = audit.New(a.DB, keep)
	a.Settings = settings.NewKeeper(a.DB)
	a.Settings.SealWith(a.master)
	a.Directory = directory.New(a.DB)
	a.Directory.Work(a.Jobs)
	a.SignIn, err = signin.New(signin.Config{
		DB: a.DB, Directory: a.Directory, Master: a.master,
		PublicURL: a.config.PublicURL, SetupToken: string(a.config.SetupToken), StaticKey: string(a.config.StaticKey),
	})
	if err != nil {
		return err
	}
	a.SignIn.Work(a.Jobs)
	a.Settings.OnChange(a.SignIn.SettingsChanged)
	elsewhere := a.config.Outbound
	elsewhere.Private = a.config.PrivateHosts
	a.OIDC, err = oidc.New(oidc.Config{
		DB: a.DB, Directory: a.Directory, SignIn: a.SignIn, Master: a.master,
		Outbound: outbound.New(elsewhere),
		Issuer:   a.config.PublicURL.String(), InternalURL: a.config.InternalURL.String(),
		AllowInsecureCallbacks: a.config.AllowInsecureCallbacks, NewKey: a.config.NewKey,
	})
	if err != nil {
		return err
	}
	a.OIDC.Work(a.Jobs)
	a.Settings.OnChange(a.OIDC.SettingsChanged)
	a.Overview = a.newOverview()
	return nil
}

// newOverview makes what looks after the house.
func (a *App) newOverview() *overview.Overview {
	c := overview.Config{DB: a.DB, Audit: a.Audit, PublicURL: a.config.PublicURL, Version: a.config.Version, NoLimits: a.config.NoRateLimits,
		KeyFile: a.config.EncryptionKeyFile, KeyNamed: a.config.EncryptionKeyFile != ""}
	if a.config.EncryptionKey == "" {
		c.KeyFile = a.config.keyPath()
	}
	for _, n := range a.config.TrustProxy {
		c.Proxies = true
		c.EveryProxy = c.EveryProxy || n.Bits() == 0
	}
	if a.config.TLS.Set() {
		c.Certificate = a.certificate
	}
	return overview.New(c)
}

// serving makes what only the server needs: pages, routes, the handler.
func (a *App) serving(ctx context.Context) error {
	if err := i18n.Load(); err != nil {
		return err
	}
	a.measure()
	if err := a.Settings.Lay(ctx, a.config.Settings, a.master); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	if err := a.OIDC.Keys().Start(ctx); err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	if a.config.StaticKey == "" {
		if err := a.Directory.DropStatic(ctx); err != nil {
			return fmt.Errorf("the account of the key in the environment: %w", err)
		}
	}
	var err error
	a.API = api.New(api.Config{Directory: a.Directory, SignIn: a.SignIn, OIDC: a.OIDC, Audit: a.Audit, Settings: settings.Reader(a.DB), Keeper: a.Settings,
		Overview: a.Overview, Version: a.config.Version, Others: func() []edge.Route { return slices.Concat(a.protocol(), a.Web.Routes()) }})
	a.Web, err = web.New(web.Config{
		Operations: a.API.Reference,
		Directory:  a.Directory, SignIn: a.SignIn, OIDC: a.OIDC, Audit: a.Audit,
		Settings: settings.Reader(a.DB), Keeper: a.Settings, Overview: a.Overview, PublicURL: a.config.PublicURL, Version: a.config.Version,
		Environment: a.config.fixed(),
	})
	if err != nil {
		return fmt.Errorf("pages: %w", err)
	}
	server, err := edge.New(edge.Config{
		PublicURL:     a.config.PublicURL,
		TrustProxy:    a.config.TrustProxy,
		AddressHeader: a.config.TrustedPlatform,
		NoHSTS:        a.config.NoHSTS,
		NoLimits:      a.config.NoRateLimits,
		Log:           a.log,
		Measure:       a.measured(),
		Identify:      a.identify,
		IdentifyKey:   a.identifyKey,
		RenderError:   a.Web.RenderError,
	}, a.Routes())
	if err != nil {
		return fmt.Errorf("routes: %w", err)
	}
	a.handler = server
	return nil
}

// Handler answers requests, with or without a listener in front of it.
func (a *App) Handler() http.Handler { return a.handler }

// Close gives the database back. It is called once everything has stopped.
func (a *App) Close() error { return a.DB.Close() }

// fixed is what the environment says, as pages show it.
func (c *Config) fixed() (list []web.Fixed) {
	for _, g := range c.Given {
		list = append(list, web.Fixed(g))
	}
	return list
}
