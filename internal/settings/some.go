package settings

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/fault"
)

// ErrNoSetting refuses a name that is none of a setting.
var ErrNoSetting = fault.New(fault.NotFound, "setting_unknown")

// Where the value of a setting comes from.
const (
	FromDefault     = "default"
	FromPage        = "page" // somebody changed it: on a page, by the API, at a terminal
	FromEnvironment = "environment"
)

// cards are all cards that there are. What is on none of them nothing asks for yet.
var cards = Deck{General{}, Accounts{}, Details{}, Passkeys{}, Codes{}, Branding{}, Registration{}}

// InUse reports whether the setting of that name does something.
func InUse(key string) bool {
	return slices.ContainsFunc(Fields(cards), func(f Field) bool { return f.Key == key })
}

// Source says where the value of the setting of that name comes from.
func (s Settings) Source(key string) string {
	if slices.Contains(s.Given, key) {
		return FromEnvironment
	}
	for _, v := range Variables() {
		if v.Key == key && !reflect.DeepEqual(reflect.ValueOf(s).Field(v.field).Interface(), reflect.ValueOf(Default()).Field(v.field).Interface()) {
			return FromPage
		}
	}
	return FromDefault
}

// Set sets the settings that texts names and leaves the others as they are.
func (k *Keeper) Set(ctx context.Context, by audit.Actor, texts map[string]string) (Settings, error) {
	for key := range texts {
		if !slices.ContainsFunc(Variables(), func(v Variable) bool { return v.Key == key }) {
			return Settings{}, ErrNoSetting.With("name", key)
		}
	}
	return k.change(ctx, by, func(s Settings) (Settings, error) {
		is := reflect.ValueOf(&s).Elem()
		for _, v := range Variables() {
			text, said := texts[v.Key]
			if !said {
				continue
			}
			if !v.Secret {
				text = strings.TrimSpace(text)
			}
			if text == "" && is.Field(v.field).Kind() == reflect.String {
				is.Field(v.field).SetString("")
				continue
			}
			if err := k.readText(is.Field(v.field), text); err != nil {
				return s, fault.Of(err).At(v.Key)
			}
		}
		return s, nil
	})
}

// Unset sets the settings of these names back to what they were at first.
func (k *Keeper) Unset(ctx context.Context, by audit.Actor, keys ...string) (Settings, error) {
	for _, key := range keys {
		if !slices.ContainsFunc(Variables(), func(v Variable) bool { return v.Key == key }) {
			return Settings{}, ErrNoSetting.With("name", key)
		}
	}
	return k.change(ctx, by, func(s Settings) (Settings, error) {
		is, first := reflect.ValueOf(&s).Elem(), reflect.ValueOf(Default())
		for _, v := range Variables() {
			if slices.Contains(keys, v.Key) {
				is.Field(v.field).Set(first.Field(v.field))
			}
		}
		return s, nil
	})
}
