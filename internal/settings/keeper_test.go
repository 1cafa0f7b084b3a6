package settings_test

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
	"pocketid/internal/settings"
)

var boss = audit.Actor{UserID: "b", Name: "boss", Admin: true, Via: "page"}

func recorded(t *testing.T, d *db.DB) (list []string) {
	t.Helper()
	if err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
		list, err = db.All(tx, func(s *string) []any { return []any{s} }, `SELECT before || ' > ' || after FROM audit ORDER BY at, id`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestCardsAreChangedOneByOne(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		k := settings.NewKeeper(d)
		var hooked []int
		k.OnChange(func(_ *db.Tx, before, after settings.Settings) error {
			hooked = append(hooked, before.SessionDuration, after.SessionDuration)
			return nil
		})
		card := settings.General{AppName: " Acme ", SessionDuration: 15, HomePageURL: "/settings/account/sessions"}
		seen := settings.Shown(settings.General{}.Of(settings.Default()))
		if _, err := k.Revise(t.Context(), audit.Actor{UserID: "x"}, seen, card); fault.Of(err).Kind != fault.Forbidden {
			t.Errorf("somebody changes settings: %v", err)
		}
		if _, err := k.Revise(t.Context(), boss, seen, card); err != nil {
			t.Fatal(err)
		}
		want := settings.Default()
		want.AppName, want.SessionDuration, want.HomePageURL = "Acme", 15, "/settings/account/sessions"
		if got := read(t, d); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v", got)
		}
		if !slices.Equal(hooked, []int{60, 15}) {
			t.Errorf("the hook saw %v", hooked)
		}
		// Who saw the card as it was is refused; other cards are other matters.
		if _, err := k.Revise(t.Context(), boss, seen, card); !errors.Is(err, settings.ErrStale) {
			t.Errorf("over a change that nobody has seen: %v", err)
		}
		if _, err := k.Revise(t.Context(), boss, settings.Shown(settings.Branding{}.Of(settings.Default())), settings.Branding{AccentColor: "teal"}); err != nil {
			t.Errorf("another card: %v", err)
		}
		// What is refused changes nothing, and what changes nothing is not recorded.
		if _, err := k.Change(t.Context(), boss, settings.Branding{AccentColor: "x{}"}); !errors.Is(err, settings.ErrAccentColor) {
			t.Errorf("got %v", err)
		}
		if _, err := k.Change(t.Context(), boss, settings.Branding{AccentColor: "TEAL"}); err != nil {
			t.Error(err)
		}
		want.AccentColor = "teal"
		if got := read(t, d); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v", got)
		}
		list := recorded(t, d)
		if len(list) != 2 || !strings.Contains(list[0], `"sessionDuration":60`) || !strings.Contains(list[0], `"sessionDuration":15`) ||
			!strings.Contains(list[1], `{"accentColor":"default"} > {"accentColor":"teal"}`) {
			t.Errorf("recorded: %q", list)
		}
	})
}

func TestWhatWasLeftAloneFollows(t *testing.T) {
	was := settings.General{AppName: "a", SessionDuration: 1, HomePageURL: "/a"}
	typed, is := was, was
	typed.AppName = "mine"
	is.AppName, is.SessionDuration = "theirs", 2
	want := settings.General{AppName: "mine", SessionDuration: 2, HomePageURL: "/a"}
	if got := settings.Follow(settings.Shown(was), typed, is); got != want {
		t.Errorf("got %+v", got)
	}
	if got := settings.Follow("", typed, is); got != typed {
		t.Errorf("without what was shown: %+v", got)
	}
}

func TestEachCardHoldsItsSettings(t *testing.T) {
	s := settings.Default()
	s.AppName, s.SessionDuration, s.HomePageURL = "a", 2, "/b"
	s.AllowOwnAccountEdit, s.RequireUserEmail, s.EmailsVerified, s.DisableAnimations = false, false, true, true
	s.WebauthnUserVerification, s.WebauthnAllowSyncedPasskeys, s.WebauthnAuthenticatorAttachment = "preferred", false, "platform"
	s.WebauthnDeniedAAGUIDs, s.RelatedOrigins, s.AccentColor = []string{"x"}, []string{"y"}, "red"
	s.DefaultLocale, s.AdminLoginCodes = "zh-CN", false
	got := settings.Default()
	for _, c := range []settings.Card{settings.General{}, settings.Accounts{}, settings.Passkeys{}, settings.Codes{}, settings.Branding{}} {
		before := settings.Shown(c.Of(got))
		got = c.Of(s).On(got)
		if settings.Shown(c.Of(got)) == before {
			t.Errorf("the stamp of %T stays", c)
		}
	}
	if !reflect.DeepEqual(got, s) {
		t.Errorf("got  %+v\nwant %+v", got, s)
	}
}

// The environment lies over the row, which stays as it is. threats 64
func TestEnvironmentDecides(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		master, err := secret.NewMaster(bytes.Repeat([]byte("k"), 32))
		if err != nil {
			t.Fatal(err)
		}
		k := settings.NewKeeper(d)
		if _, err := k.Change(t.Context(), boss, settings.General{AppName: "Row", SessionDuration: 15, HomePageURL: "/a"}); err != nil {
			t.Fatal(err)
		}
		row := read(t, d)
		var ends []int
		k.OnChange(func(_ *db.Tx, before, after settings.Settings) error {
			ends = append(ends, before.SessionDuration, after.SessionDuration)
			return nil
		})
		e := settings.Environment{}
		for _, v := range settings.Variables() {
			if value := map[string]string{"APP_NAME": "Env", "SESSION_DURATION": "5", "SMTP_PASSWORD": "hunter2",
				"SIGNUP_DEFAULT_USER_GROUP_IDS": `["g"]`, "REQUIRE_USER_EMAIL": "false"}[v.Name]; value != "" {
				if err := e.Read(v, value); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := k.Lay(t.Context(), e, master); err != nil {
			t.Fatal(err)
		}
		got := read(t, d)
		if got.AppName != "Env" || got.SessionDuration != 5 || got.HomePageURL != "/a" || got.RequireUserEmail || !slices.Equal(got.SignupDefaultUserGroupIDs, []string{"g"}) {
			t.Errorf("got %+v", got)
		}
		if plain, err := master.Open("settings", got.SMTPPassword); err != nil || string(plain) != "hunter2" {
			t.Errorf("the password is %q, %v", plain, err)
		}
		if !got.Locked || !slices.Equal(got.Given, []string{"appName", "requireUserEmail", "sessionDuration", "signupDefaultUserGroupIDs", "smtpPassword"}) {
			t.Errorf("locked %v by %v", got.Locked, got.Given)
		}
		if !slices.Equal(ends, []int{15, 5}) {
			t.Errorf("the hook saw %v", ends)
		}
		if _, err := k.Change(t.Context(), boss, settings.General{AppName: "Page", SessionDuration: 1, HomePageURL: "/"}); !errors.Is(err, settings.ErrFixed) {
			t.Errorf("a page changes what the environment decides: %v", err)
		}
		if err := k.Lay(t.Context(), nil, master); err != nil {
			t.Fatal(err)
		}
		if got := read(t, d); !reflect.DeepEqual(got, row) {
			t.Errorf("after that the row is %+v", got)
		}
	})
}

func TestEnvironmentNamesWhatIsWrong(t *testing.T) {
	e := settings.Environment{}
	for _, v := range settings.Variables() {
		bad := map[string]string{"SESSION_DURATION": "long", "REQUIRE_USER_EMAIL": "perhaps", "SIGNUP_DEFAULT_USER_GROUP_IDS": "g",
			"ACCENT_COLOR": "red}", "APP_NAME": strings.Repeat("a", 31)}[v.Name]
		if bad == "" {
			continue
		}
		if err := e.Read(v, bad); err == nil {
			t.Errorf("%s=%s is taken", v.Name, bad)
		}
	}
	if len(e) != 0 {
		t.Errorf("taken: %v", e)
	}
	if err := settings.NewKeeper(dbtest.Open(t)).Lay(context.Background(), nil, nil); err != nil {
		t.Errorf("nothing to lay: %v", err)
	}
}
