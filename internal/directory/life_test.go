package directory

import (
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
)

// An account is refused from the instant of its end on, by the verb and by the statement
// alike, and whoever prolongs it revives nothing.
func TestAccountsEndWhenTheyExpire(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		end := time.Now().Add(time.Hour)
		ada := b.make(NewUser{Username: "ada", Email: "ada@example.org", ExpiresAt: end})
		signIn := func() (err error) {
			b.write(func(tx *db.Tx) error {
				_, err = TouchSignIn(tx, ada.ID)
				return nil
			})
			return err
		}
		must(t, signIn())
		time.Sleep(time.Hour - time.Microsecond)
		must(t, signIn())
		time.Sleep(time.Microsecond)
		wants(t, "signing in at the end", signIn(), ErrExpired)
		u, err := b.User(t.Context(), ada.ID)
		must(t, err)
		wants(t, "the end", u.Active(time.Now()), ErrExpired)
		must(t, b.expire(t.Context(), ada.ID))
		if len(b.records("user.expired")) != 1 {
			t.Error("the log says nothing of the end")
		}

		edit := u.Edit()
		edit.ExpiresAt = time.Now().Add(-time.Minute)
		_, err = b.EditUser(t.Context(), root, ada.ID, edit)
		wants(t, "an end that is no later than now", err, ErrExpiryPast)
		edit = u.Edit()
		edit.FirstName = "Ada"
		u, err = b.EditUser(t.Context(), root, ada.ID, edit)
		if err != nil || u.Outlived(time.Now()) {
			t.Errorf("another change of somebody whose time is over: %v", err)
		}
		time.Sleep(time.Second) // records of one instant have no order
		edit.ExpiresAt = time.Now().Add(time.Hour)
		u, err = b.EditUser(t.Context(), root, ada.ID, edit)
		if err != nil || u.Active(time.Now()) != nil || !u.Outlived(time.Now()) {
			t.Errorf("more time: %+v, %v", u, err)
		}
		if r := b.records("user.edited"); len(r) != 2 || r[1].before["expires_at"] == nil || r[1].before["expires_at"] == r[1].after["expires_at"] {
			t.Errorf("the records are %+v", r)
		}
		must(t, b.expire(t.Context(), ada.ID)) // the job of the old end
		must(t, b.expire(t.Context(), "nobody"))
		if len(b.records("user.expired")) != 1 {
			t.Error("the job of an end that was put off ends the account")
		}
		_, err = b.AddUserAs(t.Context(), root, NewUser{Username: "eve", Email: "eve@example.org", ExpiresAt: time.Now()})
		wants(t, "an account that is over when it begins", err, ErrExpiryPast)
		off := b.make(NewUser{Username: "off", Email: "off@example.org", Disabled: true})
		wants(t, "an account that begins disabled", off.Active(time.Now()), ErrDisabled)
	})
}

// threats 56: an administrator whose account ends is none to rely on.
func TestExpiringAdministratorsDoNotCount(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		ada := b.admin("ada")
		bob := b.make(NewUser{Username: "bob", Email: "bob@example.org", Admin: true, ExpiresAt: time.Now().Add(time.Hour)})
		wants(t, "disabling the only one who stays", b.Disable(t.Context(), as(bob), ada.ID), ErrLastAdmin)
		edit := ada.Edit()
		edit.ExpiresAt = time.Now().Add(24 * time.Hour)
		_, err := b.EditUser(t.Context(), root, ada.ID, edit)
		wants(t, "an end for the only one who stays", err, ErrLastAdmin)
		b.admin("carol")
		_, err = b.EditUser(t.Context(), root, ada.ID, edit)
		wants(t, "an end when another one stays", err, nil)
	})
}

// Nobody disables or deletes themselves, and of several all change or none.
func TestChangingSeveralAtOnce(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		ada, eve := b.admin("ada"), b.admin("eve")
		one, two := b.user("one"), b.user("two")
		for name, do := range map[string]func(...string) error{
			"disable": func(ids ...string) error { return b.Disable(t.Context(), as(ada), ids...) },
			"delete":  func(ids ...string) error { return b.Delete(t.Context(), as(ada), ids...) },
		} {
			wants(t, name+" with oneself among them", do(one.ID, ada.ID, two.ID), ErrOwnAccount)
			wants(t, name+" with nobody among them", do(one.ID, "nobody"), ErrNoUser)
		}
		must(t, b.Disable(t.Context(), as(ada), one.ID, two.ID, one.ID, eve.ID))
		if n := len(b.records("user.disabled")); n != 3 {
			t.Errorf("%d records", n)
		}
		must(t, b.Enable(t.Context(), as(ada), one.ID, two.ID, eve.ID, ada.ID))
		if n := len(b.records("user.enabled")); n != 3 {
			t.Errorf("%d records", n)
		}
		must(t, b.Delete(t.Context(), as(ada), one.ID, two.ID))
		if n := b.count(`SELECT count(*) FROM user_words WHERE user_id IN ($1, $2)`, one.ID, two.ID); n != 0 {
			t.Errorf("the deleted are found by %d words", n)
		}
	})
}

// Names are reserved until they are released, also before the tombstone is emptied, and
// then for whoever is next; the id is not.
func TestRelease(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		ada := b.user("ada")
		wants(t, "by no administrator", b.Release(t.Context(), as(ada), ada.ID), audit.ErrNotAdmin)
		wants(t, "of the living", b.Release(t.Context(), root, ada.ID), ErrNotReserved)
		must(t, b.Delete(t.Context(), root, ada.ID))
		u, err := b.Tombstone(t.Context(), root, ada.ID)
		if err != nil || u.Username != "ada" {
			t.Fatalf("the tombstone is %+v, %v", u, err)
		}
		must(t, b.Release(t.Context(), root, ada.ID))
		wants(t, "again", b.Release(t.Context(), root, ada.ID), ErrNotReserved)
		_, err = b.Tombstone(t.Context(), root, ada.ID)
		wants(t, "a tombstone that keeps nothing", err, ErrNoUser)
		if next := b.user("ada"); next.ID == ada.ID {
			t.Error("the id is given again")
		}
		_, err = b.AddUserAs(t.Context(), root, NewUser{ID: ada.ID, Username: "x", Email: "x@example.org"})
		wants(t, "the id", err, ErrIDTaken)
		time.Sleep(purgeAfter)
		must(t, b.Purge(t.Context(), ada.ID))
		p, err := b.Users(t.Context(), root, UserFilter{State: StateDeleted})
		if err != nil || p.Total != 0 {
			t.Errorf("%d are listed as deleted, %v", p.Total, err)
		}
	})
}
