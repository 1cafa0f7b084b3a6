package settings

import (
	"context"
	"encoding/json"
	"reflect"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
)

// What is said about a change of the settings as a whole.
var (
	// ErrFixed refuses a change where the environment decides.
	ErrFixed = fault.New(fault.Forbidden, "ui_config_disabled")
	// ErrStale refuses a change by somebody who saw what is so no more.
	ErrStale = fault.New(fault.Conflict, "settings_changed_meanwhile")
)

// A Keeper changes the settings.
type Keeper struct {
	db     *db.DB
	master *secret.Master // see SealWith
	hooks  []func(tx *db.Tx, before, after Settings) error
}

// NewKeeper makes a keeper over d.
func NewKeeper(d *db.DB) *Keeper { return &Keeper{db: d} }

// OnChange lets fn act in the transaction of each change, for rows that follow from a
// setting. It is not for use while the keeper works.
func (k *Keeper) OnChange(fn func(tx *db.Tx, before, after Settings) error) {
	k.hooks = append(k.hooks, fn)
}

// A Card is the settings that are changed together. Each card has its own type, so
// that a form can set nothing that is not on it.
type Card interface {
	// On returns s with the settings of the card.
	On(s Settings) Settings
	// Of returns the card that s holds.
	Of(s Settings) Card
}

// General is what the house is called and where it leads.
type General struct {
	AppName         string `json:"appName"`
	SessionDuration int    `json:"sessionDuration"` // minutes
	HomePageURL     string `json:"homePageUrl"`
	DefaultLocale   string `json:"defaultLocale"`
}

// On implements Card.
func (c General) On(s Settings) Settings {
	s.AppName, s.SessionDuration, s.HomePageURL, s.DefaultLocale = c.AppName, c.SessionDuration, c.HomePageURL, c.DefaultLocale
	return s
}

// Of implements Card.
func (General) Of(s Settings) Card {
	return General{s.AppName, s.SessionDuration, s.HomePageURL, s.DefaultLocale}
}

// Accounts is what holds for the accounts of people.
type Accounts struct {
	AllowOwnAccountEdit bool `json:"allowOwnAccountEdit"`
	RequireUserEmail    bool `json:"requireUserEmail"`
	EmailsVerified      bool `json:"emailsVerified"`
	AllowAccountDelete  bool `json:"allowAccountDelete"`
}

// On implements Card.
func (c Accounts) On(s Settings) Settings {
	s.AllowOwnAccountEdit, s.RequireUserEmail, s.EmailsVerified, s.AllowAccountDelete = c.AllowOwnAccountEdit, c.RequireUserEmail, c.EmailsVerified, c.AllowAccountDelete
	return s
}

// Of implements Card.
func (Accounts) Of(s Settings) Card {
	return Accounts{s.AllowOwnAccountEdit, s.RequireUserEmail, s.EmailsVerified, s.AllowAccountDelete}
}

// Details is what people may say about themselves to applications.
type Details struct {
	OwnClaimNames []string `json:"userEditableClaims"`
}

// On implements Card.
func (c Details) On(s Settings) Settings {
	s.OwnClaimNames = c.OwnClaimNames
	return s
}

// Of implements Card.
func (Details) Of(s Settings) Card { return Details{s.OwnClaimNames} }

// Passkeys is what a new passkey has to be, and where else passkeys are used.
type Passkeys struct {
	UserVerification string   `json:"webauthnUserVerification"`
	AllowSynced      bool     `json:"webauthnAllowSyncedPasskeys"`
	Attachment       string   `json:"webauthnAuthenticatorAttachment"`
	DeniedAAGUIDs    []string `json:"webauthnDeniedAaguids"`
	RelatedOrigins   []string `json:"relatedOrigins"`
}

// On implements Card.
func (c Passkeys) On(s Settings) Settings {
	s.WebauthnUserVerification, s.WebauthnAllowSyncedPasskeys, s.WebauthnAuthenticatorAttachment = c.UserVerification, c.AllowSynced, c.Attachment
	s.WebauthnDeniedAAGUIDs, s.RelatedOrigins = c.DeniedAAGUIDs, c.RelatedOrigins
	return s
}

// Of implements Card.
func (Passkeys) Of(s Settings) Card {
	return Passkeys{s.WebauthnUserVerification, s.WebauthnAllowSyncedPasskeys, s.WebauthnAuthenticatorAttachment,
		s.WebauthnDeniedAAGUIDs, s.RelatedOrigins}
}

// Codes is how people come in without a passkey.
type Codes struct {
	AdminLoginCodes bool `json:"adminLoginCodes"`
}

// On implements Card.
func (c Codes) On(s Settings) Settings {
	s.AdminLoginCodes = c.AdminLoginCodes
	return s
}

// Of implements Card.
func (Codes) Of(s Settings) Card { return Codes{s.AdminLoginCodes} }

// Branding is what the house looks like.
type Branding struct {
	AccentColor       string `json:"accentColor"`
	DisableAnimations bool   `json:"disableAnimations"`
}

// On implements Card.
func (c Branding) On(s Settings) Settings {
	s.AccentColor, s.DisableAnimations = c.AccentColor, c.DisableAnimations
	return s
}

// Of implements Card.
func (Branding) Of(s Settings) Card { return Branding{s.AccentColor, s.DisableAnimations} }

// A Deck is several cards that are changed together.
type Deck []Card

// On implements Card.
func (d Deck) On(s Settings) Settings {
	for _, c := range d {
		s = c.On(s)
	}
	return s
}

// Of implements Card.
func (d Deck) Of(s Settings) Card {
	of := make(Deck, len(d))
	for i, c := range d {
		of[i] = c.Of(s)
	}
	return of
}

// Shown is a card as a form carries it, to say what it showed.
func Shown(c Card) string {
	b, err := json.Marshal(c)
	if err != nil {
		panic("settings: a card is always JSON")
	}
	return string(b)
}

// Change sets the settings of a card.
func (k *Keeper) Change(ctx context.Context, by audit.Actor, c Card) (Settings, error) {
	return k.change(ctx, by, func(s Settings) (Settings, error) { return c.On(s), nil })
}

// Revise is Change for somebody who saw the card as shown says: when it is another one
// by now, that is ErrStale, and nothing has changed.
func (k *Keeper) Revise(ctx context.Context, by audit.Actor, shown string, c Card) (Settings, error) {
	return k.change(ctx, by, func(s Settings) (Settings, error) {
		if Shown(c.Of(s)) != shown {
			return s, ErrStale
		}
		return c.On(s), nil
	})
}

// Follow returns the card that somebody typed over the one in shown, as it would be had
// they typed it over is: what they left alone is as it is now.
func Follow[C Card](shown string, typed, is C) C {
	var was C
	if json.Unmarshal([]byte(shown), &was) != nil {
		return typed
	}
	w, t, i := reflect.ValueOf(was), reflect.ValueOf(&typed).Elem(), reflect.ValueOf(is)
	for f := range t.NumField() {
		if reflect.DeepEqual(w.Field(f).Interface(), t.Field(f).Interface()) {
			t.Field(f).Set(i.Field(f))
		}
	}
	return typed
}

// When makes the next change of ctx depend on what check says of the settings as they are in
// the transaction of that change.
func (k *Keeper) When(ctx context.Context, check func(Settings) error) context.Context {
	return db.Before(ctx, func(tx *db.Tx) error {
		s, err := Of(tx)
		if err != nil {
			return err
		}
		return check(s)
	})
}

func (k *Keeper) change(ctx context.Context, by audit.Actor, edit func(s Settings) (Settings, error)) (s Settings, err error) {
	if err := by.MustAdmin(); err != nil {
		return Settings{}, err
	}
	err = k.db.Write(ctx, func(tx *db.Tx) error {
		before, err := Of(tx)
		if err != nil {
			return err
		}
		if before.Locked {
			return ErrFixed
		}
		if s, err = edit(before); err != nil {
			return err
		}
		if s, err = s.Checked(); err != nil {
			return err
		}
		was, is := differences(before, s)
		if len(is) == 0 {
			return nil
		}
		Save(tx, s)
		audit.Record(tx, by, audit.Event{Name: audit.SettingsEdited, Object: audit.Object{Kind: "settings", Name: s.AppName}, Before: was, After: is})
		return k.follow(tx, before, s)
	})
	return s, err
}

func (k *Keeper) follow(tx *db.Tx, before, after Settings) error {
	for _, fn := range k.hooks {
		if err := fn(tx, before, after); err != nil {
			return err
		}
	}
	return nil
}

// differences are the settings that are not the same in a and b, by the names that
// scripts know. Of secrets it only says whether there is one (threats 64).
func differences(a, b Settings) (was, is map[string]any) {
	was, is = map[string]any{}, map[string]any{}
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range va.NumField() {
		name := va.Type().Field(i).Tag.Get("json")
		x, y := va.Field(i).Interface(), vb.Field(i).Interface()
		if name == "-" || reflect.DeepEqual(x, y) {
			continue
		}
		if s, ok := x.(Sealed); ok {
			x, y = len(s) > 0, len(y.(Sealed)) > 0
		}
		was[name], is[name] = x, y
	}
	return was, is
}

// A Field is one setting of a card.
type Field struct {
	Key   string
	Value any
}

// Fields are the settings of a card in their order.
func Fields(c Card) []Field {
	var list []Field
	if d, ok := c.(Deck); ok {
		for _, c := range d {
			list = append(list, Fields(c)...)
		}
		return list
	}
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		list = append(list, Field{v.Type().Field(i).Tag.Get("json"), v.Field(i).Interface()})
	}
	return list
}
