// Package apptest is the whole house in memory: the server that production
// runs, people with browsers and passkeys, and applications that people sign
// in to. A test of it reads as a story, and time in it passes by time.Sleep.
package apptest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/directory"
	"pocketid/internal/oidc"
	"pocketid/internal/signin"
)

// URL is where the house is, in memory.
const URL = "https://id.example.test"

// House is a running server without a network.
type House struct {
	t   testing.TB
	App *app.App

	dsn   string
	log   *log
	peers int // how many machines there are, each with an address of its own
	net   *network
}

// Both runs fn on each engine with a house of its own, in a bubble whose time
// passes by sleeping. Settings are lines as in the environment. Stories run beside each
// other, for they wait more for PostgreSQL than they compute.
func Both(t *testing.T, fn func(t *testing.T, h *House), settings ...string) {
	t.Helper()
	beside(t)
	for _, engine := range []string{dbtest.SQLite, dbtest.Postgres} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			dsn := dbtest.MigratedDSN(t, engine) // not before its turn, or all databases were made at once
			synctest.Test(t, func(t *testing.T) { fn(t, Open(t, dsn, settings...)) })
		})
	}
}

// beside lets a test run beside others, also when it asks for that again.
func beside(t *testing.T) {
	defer func() { recover() }()
	t.Parallel()
}

// SQLite is Both on SQLite alone, for what has nothing to do with the engine.
func SQLite(t *testing.T, fn func(t *testing.T, h *House), settings ...string) {
	t.Helper()
	beside(t)
	t.Run(dbtest.SQLite, func(t *testing.T) {
		dsn := dbtest.MigratedDSN(t, dbtest.SQLite)
		synctest.Test(t, func(t *testing.T) { fn(t, Open(t, dsn, settings...)) })
	})
}

// Config is the configuration of a house over a database.
func Config(t testing.TB, dsn string, settings ...string) app.Config {
	t.Helper()
	c, err := app.Load(append([]string{
		"APP_URL=" + URL, "DB_CONNECTION_STRING=" + dsn, "ENCRYPTION_KEY=the key of a house for tests", "LOG_LEVEL=debug", "LOG_JSON=true",
	}, settings...), "")
	if err != nil {
		t.Fatal(err)
	}
	c.NewKey = keyMaker()
	return c
}

// Open starts a house over a database; the end of the test closes it. Jobs run
// as in production. The care of signing keys does not, because it would look at
// the database for each five seconds that a test sleeps: see KeepKeys.
func Open(t testing.TB, dsn string, settings ...string) *House {
	t.Helper()
	h := &House{t: t, dsn: dsn, log: &log{}, net: newNetwork()}
	c := Config(t, dsn, settings...)
	c.Outbound = h.net.config()
	a, err := app.New(t.Context(), c, c.Logger(h.log))
	if err != nil {
		t.Fatal(err)
	}
	h.App = a
	a.Jobs.Poll = time.Hour // its own commits wake it
	ctx, stop := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() { a.Jobs.Run(ctx) })
	t.Cleanup(func() {
		stop()
		working.Wait()
		h.recorded(t)
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		for _, line := range strings.Split(h.Log(), "\n") {
			if strings.Contains(line, `"level":"ERROR"`) && !h.log.expected {
				t.Errorf("the log has an error: %s", line)
			}
		}
	})
	if _, err := a.SignIn.OpenSetup(t.Context(), audit.System("serve")); err != nil && !errors.Is(err, signin.ErrSetupDone) {
		t.Fatal(err)
	}
	return h
}

// KeepKeys looks after the signing keys until the test ends, as production does.
func (h *House) KeepKeys() {
	ctx, stop := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() { h.App.OIDC.Keys().Run(ctx, func(err error) { h.t.Error(err) }) })
	h.t.Cleanup(func() { stop(); working.Wait() })
}

// Settle lets everything go on until all wait: jobs that were due are done.
func (h *House) Settle() { synctest.Wait() }

// Log is what the server has logged so far.
func (h *House) Log() string { return h.log.String() }

// ErrorsExpected lets the server log errors, which otherwise fail the test.
func (h *House) ErrorsExpected() { h.log.expected = true }

// Change changes a user as an administrator would on the command line.
func (h *House) Change(fn func(ctx context.Context, by audit.Actor, d *directory.Directory) error) {
	h.t.Helper()
	if err := fn(h.t.Context(), audit.System("cli"), h.App.Directory); err != nil {
		h.t.Fatal(err)
	}
}

// Rows is everything that the database holds.
func (h *House) Rows() map[string][]string { h.t.Helper(); return dbtest.Rows(h.t, h.dsn) }

// SQL brings about what no verb does yet, or what takes too long to wait for.
func (h *House) SQL(statement string, args ...any) {
	h.t.Helper()
	if err := h.App.DB.Write(h.t.Context(), func(tx *db.Tx) error { tx.Do(statement, args...); return nil }); err != nil {
		h.t.Fatal(err)
	}
}

// log is what the server writes, for tests that look for secrets in it.
type log struct {
	mu       sync.Mutex
	text     bytes.Buffer
	expected bool
}

// Write takes a line.
func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// String is everything so far.
func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Disable disables somebody's account.
func (h *House) Disable(p *Person) {
	h.t.Helper()
	h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
		return d.Disable(ctx, by, p.ID)
	})
}

// RotateKeys begins to replace every signing key.
func (h *House) RotateKeys() {
	h.t.Helper()
	for _, alg := range oidc.KeyAlgs {
		if _, err := h.App.OIDC.Keys().Rotate(h.t.Context(), audit.System("cli"), alg); err != nil {
			h.t.Fatal(err)
		}
	}
}

// Link makes a one-time code for somebody.
func (h *House) Link(p *Person) string {
	h.t.Helper()
	code, _, err := h.App.SignIn.MakeLoginLink(h.t.Context(), audit.System("cli"), p.Name, time.Hour)
	if err != nil {
		h.t.Fatal(err)
	}
	return code
}
