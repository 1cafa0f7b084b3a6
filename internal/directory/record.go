package directory

import (
	"reflect"
	"time"

	"pocketid/internal/audit"
)

// object names u in the log.
func object(u *User) audit.Object {
	return audit.Object{Kind: "user", ID: u.ID, Name: u.Username, Words: words(u)}
}

// account is what the log keeps of a user: all that can be changed by hand.
func account(u *User) map[string]any {
	m := map[string]any{"username": u.Username, "email": u.Email, "email_verified": u.EmailVerified,
		"first_name": u.FirstName, "last_name": u.LastName, "display_name": u.DisplayName, "admin": u.Admin,
		"locale": u.Locale, "theme": u.Theme, "dates": u.Dates, "picture": u.PictureID, "owner": u.OwnerID, "description": u.Description}
	if len(u.Claims) > 0 {
		m["claims"] = u.Claims
	}
	for _, f := range StandardFields {
		m[f.recorded()] = f.Of(&u.Standard)
	}
	m["phone_number_verified"] = u.Standard.PhoneVerified
	for name, at := range map[string]time.Time{"disabled_at": u.DisabledAt, "deleted_at": u.DeletedAt,
		"expires_at": u.ExpiresAt} {
		if !at.IsZero() {
			m[name] = at
		}
	}
	for name, v := range m {
		if v == "" || v == false {
			delete(m, name)
		}
	}
	return m
}

// recorded is what f is called in the log, where the picture that lies here has its name.
func (f StandardField) recorded() string {
	if f.Name == "picture" {
		return "picture_url"
	}
	return f.Name
}

// differences are the members of before and after that are not the same.
func differences(before, after map[string]any) (was, is map[string]any) {
	was, is = map[string]any{}, map[string]any{}
	for name, v := range before {
		if w, ok := after[name]; !ok || !reflect.DeepEqual(v, w) {
			was[name] = v
		}
	}
	for name, v := range after {
		if w, ok := before[name]; !ok || !reflect.DeepEqual(v, w) {
			is[name] = v
		}
	}
	return was, is
}
