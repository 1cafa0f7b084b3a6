package directory

import (
	"testing"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/settings"
)

// People delete their own account only where the settings let them, and what is theirs
// goes as if an administrator had deleted it.
func TestDeleteOwn(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		boss, ada := b.admin("boss"), b.user("ada")
		leave := func(u User) error {
			return b.db.Write(t.Context(), func(tx *db.Tx) error { return DeleteOwn(tx, as(u)) })
		}
		wants(t, "where it is not allowed", leave(ada), ErrAccountDelete)
		wants(t, "asking where it is not allowed", b.MayDeleteOwn(t.Context(), as(ada)), ErrAccountDelete)
		b.settings(func(s *settings.Settings) { s.AllowAccountDelete = true })
		wants(t, "by nobody", leave(User{}), ErrNotYours)
		wants(t, "the last administrator", leave(boss), ErrLastAdmin)
		wants(t, "asking as the last administrator", b.MayDeleteOwn(t.Context(), as(boss)), ErrLastAdmin)

		b.write(func(tx *db.Tx) error { tx.Do(`UPDATE users SET ldap_id = 'uid=ada' WHERE id = $1`, ada.ID); return nil })
		wants(t, "an account of another directory", leave(ada), ErrManaged)
		b.write(func(tx *db.Tx) error { tx.Do(`UPDATE users SET ldap_id = NULL`); return nil })
		if n := b.count(`SELECT count(*) FROM users WHERE deleted_at IS NOT NULL`); n != 0 {
			t.Fatalf("%d accounts went although it was refused", n)
		}

		time.Sleep(time.Second)
		wants(t, "asking", b.MayDeleteOwn(t.Context(), as(ada)), nil)
		must(t, leave(ada))
		wants(t, "twice", leave(ada), ErrNoUser)
		_, err := b.User(t.Context(), ada.ID)
		wants(t, "the account", err, ErrNoUser)
		_, err = b.AddUserAs(t.Context(), root, NewUser{Username: "ada", Email: "other@example.org"})
		wants(t, "the name for somebody else", err, ErrUsernameTaken)
		r := b.records("user.deleted")
		if len(r) != 1 || r[0].actor != ada.ID {
			t.Errorf("the records are %+v", r)
		}
		if n := b.count(`SELECT count(*) FROM user_words WHERE user_id = $1`, ada.ID); n != 0 {
			t.Errorf("%d words still find the account", n)
		}

		// With another administrator the first may go.
		b.admin("chief")
		must(t, leave(boss))
	})
}

// Who saw a profile that an administrator has changed since is told, and nothing is lost.
func TestReviseProfile(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		ada := b.user("ada")
		was := ada.Profile()
		edit := was
		edit.DisplayName = "Countess"
		other := ada.Edit()
		other.FirstName = "Augusta"
		if _, err := b.EditUser(t.Context(), root, ada.ID, other); err != nil {
			t.Fatal(err)
		}
		_, err := b.ReviseProfile(t.Context(), as(ada), was, edit)
		wants(t, "over what somebody changed", err, ErrStale)
		was.FirstName, edit.FirstName = "Augusta", "Augusta"
		u, err := b.ReviseProfile(t.Context(), as(ada), was, edit)
		if err != nil || u.FirstName != "Augusta" || u.DisplayName != "Countess" {
			t.Errorf("it is %+v, %v", u, err)
		}

		b.settings(func(s *settings.Settings) { s.OwnClaimNames = []string{"nickname"} })
		if _, err := b.SetStandard(t.Context(), root, ada.ID, Standard{Nickname: "Ada", Gender: "female"}); err != nil {
			t.Fatal(err)
		}
		_, err = b.ReviseOwnStandard(t.Context(), as(ada), Standard{}, Standard{Nickname: "Adi"})
		wants(t, "over a detail that somebody changed", err, ErrStale)
		// What is not theirs to see is not compared, and stays.
		u, err = b.ReviseOwnStandard(t.Context(), as(ada), Standard{Nickname: "Ada"}, Standard{Nickname: "Adi", Gender: "x"})
		if err != nil || u.Standard.Nickname != "Adi" || u.Standard.Gender != "female" {
			t.Errorf("the details are %+v, %v", u.Standard, err)
		}
	})
}
