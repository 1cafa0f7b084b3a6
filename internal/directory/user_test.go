package directory

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/images"
	"pocketid/internal/settings"
)

// records are the records of an event, the oldest first.
func (b *book) records(event string) (list []record) {
	b.t.Helper()
	b.write(func(tx *db.Tx) (err error) {
		list, err = db.All(tx, func(r *record) []any {
			return []any{&r.object, db.Text(&r.user), db.Text(&r.actor), db.JSON(&r.before), db.JSON(&r.after)}
		}, `SELECT object_name, user_id, actor_id, before, after FROM audit WHERE event = $1 ORDER BY at NULLS LAST, id LIMIT 100`, event)
		return err
	})
	return list
}

type record struct {
	object, user, actor string
	before, after       map[string]any
}

func (b *book) published(topic, id string) int {
	b.t.Helper()
	return b.count(`SELECT count(*) FROM jobs WHERE body = $1`, topic+" "+id)
}

func TestAddUser(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		claims := map[string]any{"department": "Research", "quota": 250.0, "flags": []any{"a", true}}
		n := NewUser{Username: "Ada", Email: "ada@example.org", FirstName: "Ada", LastName: "Lovelace", Locale: "de", Claims: claims}
		_, err := b.AddUserAs(t.Context(), audit.Actor{UserID: "x"}, n)
		wants(t, "by no administrator", err, audit.ErrNotAdmin)
		ada := b.make(n)
		got, err := b.User(t.Context(), ada.ID)
		must(t, err)
		if !reflect.DeepEqual(got, ada) {
			t.Errorf("got  %+v\nwant %+v", got, ada)
		}
		if !reflect.DeepEqual(got.Claims, claims) || got.Name() != "Ada Lovelace" || got.Kind != "person" || got.EmailVerified || len(got.ID) != 36 {
			t.Errorf("the account is %+v", got)
		}
		if r := b.records("ACCOUNT_CREATED"); len(r) != 1 || r[0].object != "Ada" || r[0].user != ada.ID || r[0].after["username"] != "Ada" {
			t.Errorf("the records are %+v", r)
		}
		if b.published("user.changed", ada.ID) != 1 {
			t.Error("nobody hears of it")
		}
		b.settings(func(s *settings.Settings) { s.EmailsVerified = true })
		if bob := b.user("bob"); !bob.EmailVerified {
			t.Error("the address does not start verified although the settings say so")
		}
		_, err = b.User(t.Context(), "nobody")
		wants(t, "nobody", err, ErrNoUser)
	})
}

// threats 65: people change what is theirs to change and nothing else.
func TestEditProfile(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		ada := b.user("ada")
		b.write(func(tx *db.Tx) error {
			tx.Do(`UPDATE users SET email_verified = $1`, true)
			return nil
		})
		edit := ProfileEdit{Username: "ada", Email: "ada@example.org", FirstName: "Ada", DisplayName: "Countess"}
		u, err := b.EditProfile(t.Context(), as(ada), edit)
		if err != nil || u.DisplayName != "Countess" || !u.EmailVerified || u.Admin {
			t.Errorf("it is %+v, %v", u, err)
		}
		time.Sleep(time.Second)
		edit.Email = "countess@example.org"
		if u, err = b.EditProfile(t.Context(), as(ada), edit); err != nil || u.EmailVerified {
			t.Errorf("a new address is verified: %+v, %v", u, err)
		}
		r := b.records("user.profile_edited")
		if len(r) != 2 || r[0].actor != ada.ID || r[1].before["email"] != "ada@example.org" || r[1].after["email"] != "countess@example.org" || r[1].before["first_name"] != nil {
			t.Errorf("the records are %+v", r)
		}
		if _, err = b.EditProfile(t.Context(), as(ada), edit); err != nil || len(b.records("user.profile_edited")) != 2 {
			t.Errorf("changing nothing is recorded, %v", err)
		}
		edit.Email = ""
		_, err = b.EditProfile(t.Context(), as(ada), edit)
		wants(t, "no address", err, ErrEmailRequired)
		_, err = b.EditProfile(t.Context(), audit.Actor{}, edit)
		wants(t, "by nobody", err, ErrNotYours)
		edit.Email = "ada@example.org"
		b.settings(func(s *settings.Settings) { s.AllowOwnAccountEdit = false })
		_, err = b.EditProfile(t.Context(), as(ada), edit)
		wants(t, "where it is not allowed", err, ErrOwnEdit)
		if u, err = b.EditLook(t.Context(), as(ada), Look{Locale: "zh-CN", Theme: "dark", Dates: "iso"}); err != nil || u.Locale != "zh-CN" || u.Theme != "dark" || u.Dates != "iso" {
			t.Errorf("the look is %+v, %v", u, err)
		}
		_, err = b.EditLook(t.Context(), as(ada), Look{Theme: "purple"})
		wants(t, "a theme that there is not", err, ErrThemeUnknown)
		_, err = b.EditLook(t.Context(), as(ada), Look{Dates: "american"})
		wants(t, "dates as there are none", err, ErrDatesUnknown)
		_, err = b.EditLook(t.Context(), as(ada), Look{Locale: "<x>"})
		wants(t, "a language that there is not", err, ErrLocaleMalformed)
		b.settings(func(s *settings.Settings) { s.AllowOwnAccountEdit = true })
		b.write(func(tx *db.Tx) error {
			tx.Do(`UPDATE users SET ldap_id = 'uid=ada'`)
			return nil
		})
		_, err = b.EditProfile(t.Context(), as(ada), edit)
		wants(t, "of an account from LDAP", err, ErrManaged)
		_, err = b.EditLook(t.Context(), as(ada), Look{Locale: "en"})
		wants(t, "the look of one", err, nil)
	})
}

func TestEditUser(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		root, ada := b.admin("root"), b.user("ada")
		edit := UserEdit{Username: "countess", Email: "ada@example.org", EmailVerified: true, Admin: true, Locale: "fr"}
		_, err := b.EditUser(t.Context(), as(ada), ada.ID, edit)
		wants(t, "by no administrator", err, audit.ErrNotAdmin)
		u, err := b.EditUser(t.Context(), as(root), ada.ID, edit)
		if err != nil || u.Username != "countess" || !u.Admin || !u.EmailVerified || u.Locale != "fr" {
			t.Errorf("it is %+v, %v", u, err)
		}
		if r := b.records("user.edited"); len(r) != 1 || r[0].after["admin"] != true || r[0].before["username"] != "ada" {
			t.Errorf("the records are %+v", r)
		}
		u, err = b.SetClaims(t.Context(), as(root), ada.ID, map[string]any{"level": 3.0})
		if err != nil || u.Claims["level"] != 3.0 || u.Username != "countess" {
			t.Errorf("it is %+v, %v", u, err)
		}
		_, err = b.SetClaims(t.Context(), as(root), ada.ID, map[string]any{"Email": "x"})
		wants(t, "a reserved claim", err, ErrReservedClaim)
		if u, err = b.SetClaims(t.Context(), as(root), ada.ID, nil); err != nil || len(u.Claims) != 0 {
			t.Errorf("without claims it is %+v, %v", u, err)
		}
		_, err = b.EditUser(t.Context(), as(root), "nobody", edit)
		wants(t, "nobody", err, ErrNoUser)
	})
}

func TestDisableAndEnable(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		root, ada := b.admin("root"), b.user("ada")
		wants(t, "by no administrator", b.Disable(t.Context(), as(ada), ada.ID), audit.ErrNotAdmin)
		must(t, b.Disable(t.Context(), as(root), ada.ID))
		u, err := b.User(t.Context(), ada.ID)
		must(t, err)
		if !errors.Is(u.Active(time.Now()), ErrDisabled) || !u.Outlived(time.Now()) || u.Outlived(time.Now().Add(time.Microsecond)) {
			t.Errorf("it is %+v", u)
		}
		at := u.DisabledAt
		time.Sleep(time.Minute)
		must(t, b.Disable(t.Context(), as(root), ada.ID))
		if u, _ = b.User(t.Context(), ada.ID); !u.DisabledAt.Equal(at) || len(b.records("user.disabled")) != 1 {
			t.Error("disabling twice counts twice")
		}
		b.write(func(tx *db.Tx) error {
			_, err := TouchSignIn(tx, ada.ID)
			wants(t, "signing in", err, ErrDisabled)
			return nil
		})
		must(t, b.Enable(t.Context(), as(root), ada.ID))
		u, err = b.User(t.Context(), ada.ID)
		must(t, err)
		if u.Active(time.Now()) != nil || !u.Outlived(time.Now()) || !u.LastSignInAt.IsZero() {
			t.Errorf("it is %+v", u)
		}
		if b.published("user.changed", ada.ID) != 3 {
			t.Errorf("%d times it was published", b.published("user.changed", ada.ID))
		}
	})
}

// threats 56: there is always an administrator who can come in.
func TestLastAdministratorStays(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		ada := b.admin("ada")
		demote := func(u User) error {
			_, err := b.EditUser(t.Context(), root, u.ID, UserEdit{Username: u.Username, Email: u.Email})
			return err
		}
		refused := func(when string) {
			t.Helper()
			wants(t, "disabling "+when, b.Disable(t.Context(), root, ada.ID), ErrLastAdmin)
			wants(t, "deleting "+when, b.Delete(t.Context(), root, ada.ID), ErrLastAdmin)
			wants(t, "demoting "+when, demote(ada), ErrLastAdmin)
		}
		refused("the only one")
		bob := b.admin("bob")
		must(t, b.Disable(t.Context(), root, bob.ID))
		refused("when the other one is disabled")
		must(t, b.Delete(t.Context(), root, bob.ID))
		refused("when the other one is deleted")
		b.user("eve")
		refused("when the others are none")
		carol := b.admin("carol")
		must(t, demote(ada))
		wants(t, "the other one now", b.Delete(t.Context(), root, carol.ID), ErrLastAdmin)
	})
}

// threats 56: two administrators who remove each other at once leave one.
func TestTwoAdministratorsRemoveEachOther(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		var admins []User
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			admins = append(admins, b.admin(name))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var all sync.WaitGroup
		for i, u := range admins {
			all.Go(func() {
				by := as(admins[(i+1)%len(admins)])
				err := []func() error{
					func() error { return b.Disable(ctx, by, u.ID) },
					func() error { return b.Delete(ctx, by, u.ID) },
					func() error {
						_, err := b.EditUser(ctx, by, u.ID, UserEdit{Username: u.Username, Email: u.Email})
						return err
					},
				}[i%3]()
				if err != nil && !errors.Is(err, ErrLastAdmin) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := b.count(`SELECT count(*) FROM users WHERE admin AND disabled_at IS NULL AND deleted_at IS NULL`); n != 1 {
			t.Errorf("%d administrators are left", n)
		}
	})
}

func TestDeleteAndPurge(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		b.admin("root")
		ada := b.make(NewUser{Username: "ada", Email: "ada@example.org", FirstName: "Ada", Claims: map[string]any{"a": "b"}})
		g, err := b.AddGroup(t.Context(), root, GroupEdit{Name: "staff", FriendlyName: "Staff"})
		must(t, err)
		must(t, b.SetMembers(t.Context(), root, g.ID, []string{ada.ID}))
		portrait := images.Picture{Type: "image/png", ETag: "seen", Data: []byte("PIXELS")}
		_, err = b.SetPicture(t.Context(), root, ada.ID, portrait)
		must(t, err)
		shown := func() string {
			p, err := b.Portrait(t.Context(), ada.ID)
			if err != nil && !errors.Is(err, ErrNoUser) {
				t.Fatal(err)
			}
			return p.Picture.ETag
		}
		must(t, b.Purge(t.Context(), ada.ID))
		if shown() != "seen" {
			t.Error("the picture of somebody who lives is gone")
		}
		if u, err := b.User(t.Context(), ada.ID); err != nil || u.FirstName != "Ada" {
			t.Errorf("somebody who lives was purged: %+v, %v", u, err)
		}
		must(t, b.Delete(t.Context(), root, ada.ID))
		_, err = b.User(t.Context(), ada.ID)
		wants(t, "a deleted user", err, ErrNoUser)
		wants(t, "deleting again", b.Delete(t.Context(), root, ada.ID), ErrNoUser)
		wants(t, "enabling", b.Enable(t.Context(), root, ada.ID), ErrNoUser)
		read := func() (u User) {
			b.write(func(tx *db.Tx) (err error) {
				u, err = UserByID(tx, ada.ID)
				return err
			})
			return u
		}
		if u := read(); !errors.Is(u.Active(time.Now()), ErrNoUser) || u.FirstName != "Ada" || !u.Outlived(time.Now()) {
			t.Errorf("the tombstone is %+v", u)
		}
		must(t, b.Purge(t.Context(), ada.ID))
		if shown() != "" {
			t.Error("somebody who is deleted is shown")
		}
		if u := read(); u.FirstName != "Ada" {
			t.Error("it was purged too early")
		}
		time.Sleep(purgeAfter)
		must(t, b.Purge(t.Context(), ada.ID))
		if u := read(); u.FirstName != "" || len(u.Claims) != 0 || u.Username != "ada" || u.Email != "ada@example.org" || u.DeletedAt.IsZero() {
			t.Errorf("what is left is %+v", u)
		}
		if n := b.count(`SELECT (SELECT count(*) FROM user_words WHERE user_id = $1) + (SELECT count(*) FROM user_group_members WHERE user_id = $1) +
			(SELECT count(*) FROM images WHERE object_id = $1)`, ada.ID); n != 0 {
			t.Errorf("%d rows are left", n)
		}
		if b.published("user.purged", ada.ID) != 1 || b.count(`SELECT count(*) FROM jobs WHERE kind = 'user.purge' AND body = $1`, ada.ID) != 1 {
			t.Error("the purge was not asked for, or nobody hears of it")
		}
		must(t, b.Purge(t.Context(), "nobody"))
	})
}

func TestInvalidate(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		ada := b.user("ada")
		before := time.Now()
		time.Sleep(time.Second)
		b.write(func(tx *db.Tx) error {
			Invalidate(tx, ada.ID)
			return nil
		})
		u, err := b.User(t.Context(), ada.ID)
		if err != nil || !u.Outlived(before) || u.Active(time.Now()) != nil {
			t.Errorf("it is %+v, %v", u, err)
		}
		if ada.Outlived(before) {
			t.Error("somebody who was never invalidated outlived something")
		}
		b.write(func(tx *db.Tx) error {
			in, err := TouchSignIn(tx, ada.ID)
			if err != nil || !in.LastSignInAt.Equal(tx.Now()) {
				t.Errorf("signing in gives %+v, %v", in, err)
			}
			return nil
		})
	})
}

func TestAnyUser(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		exists := func() (yes bool) {
			b.write(func(tx *db.Tx) (err error) {
				yes, err = AnyUser(tx)
				return err
			})
			return yes
		}
		if exists() {
			t.Error("there is somebody in an empty house")
		}
		b.user("ada")
		if !exists() {
			t.Error("there is nobody")
		}
	})
}

func TestGroups(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		ada, bob := b.user("ada"), b.user("bob")
		_, err := b.AddGroup(t.Context(), as(ada), GroupEdit{Name: "staff", FriendlyName: "Staff"})
		wants(t, "by no administrator", err, audit.ErrNotAdmin)
		staff, err := b.AddGroup(t.Context(), root, GroupEdit{Name: "staff", FriendlyName: "Staff", Claims: map[string]any{"floor": 2.0}})
		must(t, err)
		admins, err := b.AddGroup(t.Context(), root, GroupEdit{Name: "Admins", FriendlyName: "The administrators"})
		must(t, err)
		for _, tt := range []struct {
			name string
			e    GroupEdit
			want error
		}{
			{"a taken name", GroupEdit{Name: "STAFF", FriendlyName: "Staff"}, ErrGroupNameTaken},
			{"a short name", GroupEdit{Name: "s", FriendlyName: "Staff"}, ErrGroupName},
			{"a long name", GroupEdit{Name: strings.Repeat("s", 256), FriendlyName: "Staff"}, ErrNameTooLong},
			{"a short friendly name", GroupEdit{Name: "ss", FriendlyName: "S"}, ErrGroupFriendlyName},
			{"a reserved claim", GroupEdit{Name: "ss", FriendlyName: "Staff", Claims: map[string]any{"groups": 1}}, ErrReservedClaim},
		} {
			_, err := b.AddGroup(t.Context(), root, tt.e)
			wants(t, tt.name, err, tt.want)
		}
		must(t, b.SetMembers(t.Context(), root, staff.ID, []string{bob.ID, ada.ID, ada.ID}))
		must(t, b.SetMembers(t.Context(), root, admins.ID, []string{ada.ID}))
		names := func(id string) (out []string) {
			b.write(func(tx *db.Tx) error {
				groups, err := GroupsOf(tx, id)
				for _, g := range groups {
					out = append(out, g.Name)
				}
				return err
			})
			return out
		}
		if got := names(ada.ID); !slices.Equal(got, []string{"Admins", "staff"}) {
			t.Errorf("the groups are %q", got)
		}
		must(t, b.SetMembers(t.Context(), root, staff.ID, []string{ada.ID}))
		if got := names(bob.ID); len(got) != 0 {
			t.Errorf("the groups are %q", got)
		}
		wants(t, "a member who is not there", b.SetMembers(t.Context(), root, staff.ID, []string{"nobody"}), ErrNoUser)
		wants(t, "a group that is not there", b.SetMembers(t.Context(), root, "x", nil), ErrNoGroup)
		must(t, b.Delete(t.Context(), root, bob.ID))
		wants(t, "a member who is deleted", b.SetMembers(t.Context(), root, staff.ID, []string{bob.ID}), ErrNoUser)
		if r := b.records("group.created"); len(r) != 2 {
			t.Errorf("the records are %+v", r)
		}
	})
}

// What the log keeps of an edit is what differs.
func TestDifferences(t *testing.T) {
	was, is := differences(map[string]any{"a": 1, "b": 2, "c": map[string]any{"x": 1}}, map[string]any{"a": 1, "b": 3, "c": map[string]any{"x": 1}, "d": 4})
	got, _ := json.Marshal([]any{was, is})
	if string(got) != `[{"b":2},{"b":3,"d":4}]` {
		t.Errorf("got %s", got)
	}
}
