package settings

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/images"
	"pocketid/internal/secret"
)

// Bring makes the settings those of another house that has the same names for them, each as
// a text. A value that cannot be is left at its default; refused says why, by its name, and
// unknown are names that there are not here. It is a part, and nothing is recorded: whoever
// brings a house records that.
func Bring(tx *db.Tx, master *secret.Master, values map[string]string) (refused map[string]string, unknown []string, err error) {
	refused = map[string]string{}
	variables := map[string]Variable{}
	for _, v := range Variables() {
		variables[strings.ToLower(v.Key)] = v
	}
	e := Environment{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v, ok := variables[strings.ToLower(name)]
		if !ok {
			unknown = append(unknown, name)
			continue
		}
		if values[name] == "" { // as if nobody had said anything
			continue
		}
		if err := e.Read(v, values[name]); err != nil {
			f := fault.Of(err)
			if refused[v.Key] = f.Code; f.Kind == fault.Internal {
				refused[v.Key] = "setting_malformed"
			}
		}
	}
	for key, value := range e {
		if text, ok := value.(secret.Text); ok {
			if e[key], err = SealSecret(master, string(text)); err != nil {
				return nil, nil, err
			}
		}
	}
	b, err := json.Marshal(e)
	if err != nil {
		return nil, nil, err
	}
	s := Default()
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, nil, err
	}
	Save(tx, s)
	return refused, unknown, nil
}

// BringPictures makes these the pictures of the instance, by their names. It is a part.
func BringPictures(tx *db.Tx, pictures map[string]images.Picture) error {
	etags := map[string]string{}
	for name, p := range pictures {
		images.Put(tx, images.Instance, name, p)
		etags[name] = p.ETag
	}
	b, err := json.Marshal(etags)
	if err != nil {
		return err
	}
	SetFact(tx, picturesFact, string(b))
	return nil
}
