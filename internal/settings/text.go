package settings

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
)

// Programs know the settings as texts by their names: true and false, numbers in digits,
// lists as JSON. They set all of them at once.

// What is refused about a setting that came as a text.
var (
	ErrNotBoolean = fault.New(fault.Invalid, "setting_not_boolean")
	ErrNotNumber  = fault.New(fault.Invalid, "setting_not_number")
	ErrNotList    = fault.New(fault.Invalid, "setting_not_list").With("max", strconv.Itoa(maxListed))
	ErrLongText   = fault.New(fault.Invalid, "setting_text_malformed").With("max", strconv.Itoa(maxSettingText))
)

const (
	maxSettingText = 500 // bytes of one text
	maxListed      = 100 // entries of a list
	// Masked stands for a secret that there is. It is never taken for one (threats 64).
	Masked = "XXXXXXXXXX"
)

// A Text is a setting as programs know it.
type Text struct {
	Key string
	// Type is string, boolean or number.
	Type  string
	Value string
	// Public settings are for everybody who asks.
	Public bool
}

// publicTexts are the settings that everybody may know: pages show what follows from them.
var publicTexts = strings.Fields(`appName homePageUrl disableAnimations allowOwnAccountEdit allowUserSignups accentColor requireUserEmail
	emailOneTimeAccessAsUnauthenticatedEnabled emailVerificationEnabled ldapEnabled`)

// ourTexts are settings that programs written for the incumbent do not know. What they do
// not send of these stays as it is.
var ourTexts = strings.Fields(`allowAccountDelete defaultLocale adminLoginCodes userEditableClaims webauthnDeniedAaguids relatedOrigins
	clientRegistration clientRegistrationLimit clientRegistrationDays`)

// guarded are the secrets among the settings with those that say to whom they are told:
// one that leads elsewhere takes its secret away (threats 64).
var guarded = map[string][]string{
	"smtpPassword":     {"smtpHost", "smtpPort", "smtpTls", "smtpSkipCertVerify"},
	"ldapBindPassword": {"ldapUrl", "ldapSkipCertVerify"},
}

// Texts are all settings. Of a secret they say only whether there is one.
func (s Settings) Texts() []Text {
	var list []Text
	v := reflect.ValueOf(s)
	for _, variable := range Variables() {
		t := Text{Key: variable.Key, Type: "string", Public: slices.Contains(publicTexts, variable.Key)}
		switch f := v.Field(variable.field).Interface().(type) {
		case bool:
			t.Type, t.Value = "boolean", strconv.FormatBool(f)
		case int:
			t.Type, t.Value = "number", strconv.Itoa(f)
		case string:
			t.Value = f
		case Sealed:
			if len(f) > 0 {
				t.Value = Masked
			}
		default:
			b, err := json.Marshal(f)
			if err != nil {
				panic("settings: a list is always JSON")
			}
			t.Value = string(b)
		}
		list = append(list, t)
	}
	return list
}

// SealWith says what secrets among the settings are sealed with.
func (k *Keeper) SealWith(master *secret.Master) { k.master = master }

// Replace sets all settings, as programs do: what texts does not have, or has empty, is as
// it was at first. Settings that programs of others do not know stay as they are unless
// they are named, and so does a secret of which only the mask came back, as long as it is
// told to nobody else. Names that are none are not heard.
func (k *Keeper) Replace(ctx context.Context, by audit.Actor, texts map[string]string) (Settings, error) {
	return k.change(ctx, by, func(s Settings) (Settings, error) { return k.replaced(s, texts) })
}

func (k *Keeper) replaced(s Settings, texts map[string]string) (Settings, error) {
	is, first := reflect.ValueOf(&s).Elem(), reflect.ValueOf(Default())
	before := map[string]string{}
	for _, t := range s.Texts() {
		before[t.Key] = t.Value
	}
	for _, v := range Variables() {
		text, said := texts[v.Key]
		if !v.Secret {
			text = strings.TrimSpace(text)
		}
		switch {
		case !said && slices.Contains(ourTexts, v.Key), v.Secret && text == Masked:
		case text == "":
			is.Field(v.field).Set(first.Field(v.field))
		default:
			if err := k.readText(is.Field(v.field), text); err != nil {
				return s, fault.Of(err).At(v.Key)
			}
		}
	}
	after := map[string]string{}
	for _, t := range s.Texts() {
		after[t.Key] = t.Value
	}
	for _, v := range Variables() {
		moved := slices.ContainsFunc(guarded[v.Key], func(key string) bool { return before[key] != after[key] })
		if moved && strings.TrimSpace(texts[v.Key]) == Masked {
			is.Field(v.field).Set(first.Field(v.field))
		}
	}
	return s, nil
}

// readText reads a text into a setting.
func (k *Keeper) readText(f reflect.Value, text string) error {
	switch f.Interface().(type) {
	case bool:
		if text != "true" && text != "false" {
			return ErrNotBoolean
		}
		f.SetBool(text == "true")
	case int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return ErrNotNumber
		}
		f.SetInt(int64(n))
	case string:
		if len(text) > maxSettingText || !IsLine(text) {
			return ErrLongText
		}
		f.SetString(text)
	case Sealed:
		if len(text) > maxSettingText {
			return ErrLongText
		}
		if k.master == nil {
			return errors.New("settings: nobody said what secrets are sealed with")
		}
		sealed, err := SealSecret(k.master, text)
		if err != nil {
			return fmt.Errorf("seal a setting: %w", err)
		}
		f.Set(reflect.ValueOf(sealed))
	default:
		list := reflect.New(f.Type())
		if err := json.Unmarshal([]byte(text), list.Interface()); err != nil || list.Elem().IsNil() || list.Elem().Len() > maxListed || len(text) > maxListed*maxSettingText {
			return ErrNotList
		}
		f.Set(list.Elem())
	}
	return nil
}
