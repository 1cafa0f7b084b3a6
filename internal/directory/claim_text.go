package directory

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
)

// Claims are JSON here and texts to programs, which were made for a house that keeps
// texts and looks at each token whether one of them is JSON. A program that writes a text
// and reads another one writes again, for ever. So what it wrote is kept beside the value
// wherever we would write it in another way, and counts for as long as the value is that.

// ErrDuplicateClaim refuses two values of one name.
var ErrDuplicateClaim = fault.New(fault.Invalid, "duplicate_claim").At("claims")

// A WrittenClaim is a claim as programs write it.
type WrittenClaim struct{ Name, Text string }

// ParseClaimText is the value that a program means by a text: the JSON that it is, or the
// text itself. A number that we could not keep to its last digit is a text.
func ParseClaimText(text string) (any, error) {
	v, err := parseClaimJSON(text)
	switch {
	case err == nil:
		return v, nil
	case errors.Is(err, ErrClaimTooDeep):
		return nil, err
	case errors.Is(err, ErrClaimNumber) && strings.ContainsAny(text, "[{"):
		return nil, err
	}
	return text, nil
}

// FormatClaimText is the text that ParseClaimText turns into v again.
func FormatClaimText(v any) string {
	if s, ok := v.(string); ok {
		if again, err := ParseClaimText(s); err == nil && again == any(s) {
			return s
		}
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// ClaimTexts are the claims of u as programs write them, by name.
func (u *User) ClaimTexts() []WrittenClaim { return claimTexts(u.Claims, u.claimTexts) }

// ClaimTexts are the claims of g as programs write them, by name.
func (g *Group) ClaimTexts() []WrittenClaim { return claimTexts(g.Claims, g.claimTexts) }

func claimTexts(claims map[string]any, kept string) []WrittenClaim {
	var written map[string]string
	if kept != "" {
		_ = json.Unmarshal([]byte(kept), &written) // it came from keepTexts; without it there is the plain form
	}
	list := make([]WrittenClaim, 0, len(claims))
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		text, ok := written[name]
		if ok {
			v, err := ParseClaimText(text)
			ok = err == nil && reflect.DeepEqual(v, claims[name])
		}
		if !ok {
			text = FormatClaimText(claims[name])
		}
		list = append(list, WrittenClaim{name, text})
	}
	return list
}

// parseClaims are the claims that a program wrote, and the texts to keep beside them.
func parseClaims(list []WrittenClaim) (claims map[string]any, kept string, err error) {
	if len(list) > maxClaims {
		return nil, "", ErrClaimsTooLarge
	}
	claims, odd, size := map[string]any{}, map[string]string{}, 0
	for _, c := range list {
		if _, twice := claims[c.Name]; twice {
			return nil, "", ErrDuplicateClaim.With("name", c.Name)
		}
		if size += len(c.Text); size > maxClaimsBytes {
			return nil, "", ErrClaimsTooLarge
		}
		v, err := ParseClaimText(c.Text)
		if err != nil {
			return nil, "", cmp.Or(nameClaim(err, c.Name), err)
		}
		claims[c.Name] = v
		if FormatClaimText(v) != c.Text {
			odd[c.Name] = c.Text
		}
	}
	if len(odd) > 0 {
		b, err := json.Marshal(odd)
		if err != nil {
			return nil, "", err
		}
		kept = string(b)
	}
	return claims, kept, CheckClaims(claims)
}

// nameClaim is the fault in err with the name of the claim that it is about.
func nameClaim(err error, name string) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.With("name", name)
	}
	return nil
}

// WriteClaims is SetClaims for programs, which write texts.
func (d *Directory) WriteClaims(ctx context.Context, by audit.Actor, id string, list []WrittenClaim) (User, error) {
	if err := by.MustAdmin(); err != nil {
		return User{}, err
	}
	claims, kept, err := parseClaims(list)
	if err != nil {
		return User{}, err
	}
	var u User
	err = d.db.Write(ctx, func(tx *db.Tx) (err error) {
		if u, err = changeUser(tx, by, id, audit.UserClaimsEdited, func(u *User) error {
			u.Claims = claims
			return nil
		}); err != nil || u.claimTexts == kept {
			return err
		}
		u.claimTexts = kept // no change of what is said of them
		tx.Do(`UPDATE users SET claim_texts = $2 WHERE id = $1`, u.ID, db.Text(&kept))
		return nil
	})
	if err != nil {
		return User{}, err
	}
	return u, nil
}

// WriteGroupClaims is SetGroupClaims for programs, which write texts.
func (d *Directory) WriteGroupClaims(ctx context.Context, by audit.Actor, id string, list []WrittenClaim) (Group, error) {
	if err := by.MustAdmin(); err != nil {
		return Group{}, err
	}
	claims, kept, err := parseClaims(list)
	if err != nil {
		return Group{}, err
	}
	var g Group
	err = d.db.Write(ctx, func(tx *db.Tx) (err error) {
		if g, err = changeGroup(tx, by, id, audit.GroupClaimsEdited, func(g *Group) error {
			g.Claims = claims
			return nil
		}); err != nil || g.claimTexts == kept {
			return err
		}
		g.claimTexts = kept
		tx.Do(`UPDATE user_groups SET claim_texts = $2 WHERE id = $1`, g.ID, db.Text(&kept))
		return nil
	})
	if err != nil {
		return Group{}, err
	}
	return g, nil
}

// maxSuggested bounds the names of claims that are suggested, and maxScanned the people
// and groups that are looked at for them.
const (
	maxSuggested = 100
	maxScanned   = 20_000
)

// ClaimNames are the names of claims that are in use, those used most first.
func (d *Directory) ClaimNames(ctx context.Context, by audit.Actor) ([]string, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	used := map[string]int{}
	err := d.db.Read(ctx, func(tx *db.Tx) error {
		clear(used)
		for _, of := range []string{
			`SELECT claims FROM users WHERE claims <> '{}' AND deleted_at IS NULL ORDER BY updated_at DESC, id LIMIT $1`,
			`SELECT claims FROM user_groups WHERE claims <> '{}' ORDER BY updated_at DESC, id LIMIT $1`} {
			list, err := db.All(tx, func(m *map[string]any) []any { return []any{db.JSON(m)} }, of, maxScanned)
			if err != nil {
				return err
			}
			for _, claims := range list {
				for name := range claims {
					used[name]++
				}
			}
		}
		return nil
	})
	names := slices.SortedFunc(maps.Keys(used), func(a, b string) int { return cmp.Or(used[b]-used[a], strings.Compare(a, b)) })
	return names[:min(len(names), maxSuggested)], err
}
