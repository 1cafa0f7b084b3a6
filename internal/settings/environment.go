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
	"unicode"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/secret"
)

// Where UI_CONFIG_DISABLED is set, the environment decides about the settings. What it
// says is laid over the row of the settings, which stays as it is and counts again when
// the variable is gone. It is kept as a fact, so that all replicas and the command line
// read the same.

// environmentFact holds what the environment says, as JSON with the names of settings.
const environmentFact = "settings_environment"

// An Environment is what the environment says about the settings, by their names. A
// nil one says that pages decide.
type Environment map[string]any

// A Variable is a name in the environment that sets one of the settings.
type Variable struct {
	Name   string // "SESSION_DURATION"
	Secret bool   // NAME_FILE names a file to read it from
	Key    string // "sessionDuration"
	field  int
}

// Variables are all of them, in the order of the settings.
func Variables() []Variable {
	var list []Variable
	t := reflect.TypeFor[Settings]()
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("json"); key != "-" {
			list = append(list, Variable{upperSnake(key), t.Field(i).Type == reflect.TypeFor[Sealed](), key, i})
		}
	}
	return list
}

// Default is the value of v that counts when nothing is said, as it stands in the environment.
func (v Variable) Default() string {
	switch f := reflect.ValueOf(Default()).Field(v.field).Interface().(type) {
	case string:
		return f
	case bool, int:
		return fmt.Sprint(f)
	case Sealed:
		return ""
	default:
		b, err := json.Marshal(f)
		if err != nil {
			panic("settings: a list is always JSON")
		}
		return string(b)
	}
}

// upperSnake turns signupDefaultUserGroupIDs into SIGNUP_DEFAULT_USER_GROUP_IDS.
func upperSnake(key string) string {
	var b strings.Builder
	for i, c := range strings.ReplaceAll(key, "IDs", "Ids") {
		if i > 0 && unicode.IsUpper(c) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(c))
	}
	return b.String()
}

// Read takes a value as it stands in the environment into e. The error is the fault of
// the setting, or says what is wrong in words that follow the name of the variable.
func (e Environment) Read(v Variable, value string) error {
	s := Default()
	f := reflect.ValueOf(&s).Elem().Field(v.field)
	switch f.Interface().(type) {
	case string:
		f.SetString(value)
	case bool:
		b, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("is %q, which is neither true nor false", value)
		}
		f.SetBool(b)
	case int:
		n, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("is %q, which is not a whole number", value)
		}
		f.SetInt(int64(n))
	case Sealed:
		e[v.Key] = secret.Text(value)
		return nil
	default:
		if err := json.Unmarshal([]byte(value), f.Addr().Interface()); err != nil {
			return errors.New("is not the JSON list that it has to be")
		}
	}
	checked, err := s.Checked()
	if err != nil {
		return err
	}
	e[v.Key] = reflect.ValueOf(checked).Field(v.field).Interface()
	return nil
}

// Lay makes e what the environment says from now on: nil gives the settings back to
// the pages. It is for the start of the server.
func (k *Keeper) Lay(ctx context.Context, e Environment, master *secret.Master) error {
	if e == nil {
		if now, err := Reader(k.db)(ctx); err != nil || !now.Locked {
			return err
		}
	}
	return k.db.Write(ctx, func(tx *db.Tx) error { return k.layOver(tx, e, master) })
}

func (k *Keeper) layOver(tx *db.Tx, e Environment, master *secret.Master) error {
	before, err := Of(tx)
	if err != nil {
		return err
	}
	if e == nil {
		tx.Do(`DELETE FROM facts WHERE name = $1`, environmentFact)
	} else {
		sealed := map[string]any{}
		for key, v := range e {
			if text, ok := v.(secret.Text); ok {
				if v, err = SealSecret(master, string(text)); err != nil {
					return err
				}
			}
			sealed[key] = v
		}
		b, err := json.Marshal(sealed)
		if err != nil {
			return err
		}
		SetFact(tx, environmentFact, string(b))
	}
	after, err := Of(tx)
	if err != nil {
		return err
	}
	was, is := differences(before, after)
	for name := range is {
		if was[name] == true && is[name] == true { // a secret, which is sealed anew at each start
			delete(was, name)
			delete(is, name)
		}
	}
	if len(is) > 0 {
		audit.Record(tx, audit.System("serve"), audit.Event{Name: audit.SettingsEdited, Object: audit.Object{Kind: "settings", Name: after.AppName}, Before: was, After: is})
	}
	return k.follow(tx, before, after)
}

// SealSecret is text as it lies among the settings; nothing stays nothing.
func SealSecret(master *secret.Master, text string) (Sealed, error) {
	if text == "" {
		return nil, nil
	}
	return master.Seal("settings", []byte(text))
}

// lay puts what the environment says over s.
func (s *Settings) lay(environment string) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal([]byte(environment), &keys); err != nil {
		return err
	}
	s.Locked = true
	for key := range keys {
		s.Given = append(s.Given, key)
	}
	slices.Sort(s.Given)
	return json.Unmarshal([]byte(environment), s)
}
