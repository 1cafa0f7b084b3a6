package directory

import (
	"errors"
	"testing"
	"testing/synctest"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/settings"
)

var root = audit.System("cli")

// a book is a directory over a database of its own.
type book struct {
	*Directory
	t *testing.T
}

// each runs fn on both engines, in a bubble whose time passes by itself.
func each(t *testing.T, fn func(t *testing.T, b *book)) {
	t.Helper()
	dbtest.Migrated(t, func(t *testing.T, dsn string) {
		synctest.Test(t, func(t *testing.T) {
			fn(t, &book{New(dbtest.OpenDSN(t, dsn)), t})
		})
	})
}

func (b *book) write(fn func(*db.Tx) error) {
	b.t.Helper()
	if err := b.db.Write(b.t.Context(), fn); err != nil {
		b.t.Fatal(err)
	}
}

func (b *book) settings(change func(*settings.Settings)) {
	b.t.Helper()
	b.write(func(tx *db.Tx) error {
		s, err := settings.Of(tx)
		change(&s)
		settings.Save(tx, s)
		return err
	})
}

func (b *book) count(q string, args ...any) (n int) {
	b.t.Helper()
	b.write(func(tx *db.Tx) error { return tx.One([]any{&n}, q, args...) })
	return n
}

// user makes an account.
func (b *book) user(name string) User {
	b.t.Helper()
	return b.make(NewUser{Username: name, Email: name + "@example.org"})
}

// admin makes an administrator.
func (b *book) admin(name string) User {
	b.t.Helper()
	return b.make(NewUser{Username: name, Email: name + "@example.org", Admin: true})
}

func (b *book) make(n NewUser) User {
	b.t.Helper()
	u, err := b.AddUserAs(b.t.Context(), root, n)
	must(b.t, err)
	return u
}

// as is u acting on a page.
func as(u User) audit.Actor {
	return audit.Actor{UserID: u.ID, Name: u.Username, Admin: u.Admin, Via: "page"}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants fails unless err is want, which may be nil.
func wants(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}
