package settings

import (
	"encoding/json"
	"reflect"

	"pocketid/internal/db"
	"pocketid/internal/secret"
)

// Reseal seals the secrets among the settings with another master key. It is a part.
func Reseal(tx *db.Tx, from, to *secret.Master) error {
	return eachSealed(tx, func(sealed Sealed) (Sealed, error) { return reseal(sealed, from, to) })
}

// Lose forgets the secrets among the settings, whose master key nobody has any more, and
// says how many there were. What the environment sets comes back with the next start. It
// is a part.
func Lose(tx *db.Tx) (n int, err error) {
	err = eachSealed(tx, func(Sealed) (Sealed, error) {
		n++
		return Sealed{}, nil
	})
	return n, err
}

// eachSealed puts what fn makes of each secret in its place.
func eachSealed(tx *db.Tx, fn func(Sealed) (Sealed, error)) error {
	s := Default()
	var row, environment string
	if err := tx.One([]any{db.Text(&row), db.Text(&environment)}, `
		SELECT (SELECT value FROM settings WHERE id = 1), (SELECT value FROM facts WHERE name = '`+environmentFact+`')`); err != nil {
		return err
	}
	if row != "" {
		if err := json.Unmarshal([]byte(row), &s); err != nil {
			return err
		}
		v := reflect.ValueOf(&s).Elem()
		for i := range v.NumField() {
			if sealed, ok := v.Field(i).Interface().(Sealed); ok && len(sealed) > 0 {
				anew, err := fn(sealed)
				if err != nil {
					return err
				}
				v.Field(i).Set(reflect.ValueOf(anew))
			}
		}
		Save(tx, s)
	}
	if environment == "" {
		return nil
	}
	var said map[string]json.RawMessage
	if err := json.Unmarshal([]byte(environment), &said); err != nil {
		return err
	}
	for _, v := range Variables() {
		var sealed Sealed
		if !v.Secret || said[v.Key] == nil {
			continue
		}
		if err := json.Unmarshal(said[v.Key], &sealed); err != nil {
			return err
		}
		if len(sealed) == 0 {
			continue
		}
		anew, err := fn(sealed)
		if err != nil {
			return err
		}
		if said[v.Key], err = json.Marshal(anew); err != nil {
			return err
		}
	}
	b, err := json.Marshal(said)
	if err != nil {
		return err
	}
	SetFact(tx, environmentFact, string(b))
	return nil
}

func reseal(sealed Sealed, from, to *secret.Master) (Sealed, error) {
	plain, err := from.Open("settings", sealed)
	if err != nil {
		return nil, err
	}
	return to.Seal("settings", plain)
}
