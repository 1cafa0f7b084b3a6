package directory

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/settings"
)

// What is refused about standard claims. Each names its field.
var (
	ErrBirthdate   = fault.New(fault.Invalid, "birthdate_malformed").At("birthdate")
	ErrZoneUnknown = fault.New(fault.Invalid, "zoneinfo_unknown").At("zoneinfo")
	ErrClaimURL    = fault.New(fault.Invalid, "claim_url_malformed")
	ErrPhone       = fault.New(fault.Invalid, "phone_number_malformed").At("phone_number")
	ErrOwnDetails  = fault.New(fault.Forbidden, "own_details_disabled")
)

// Standard is what OpenID Connect Core §5.1 has said about a person beside what an
// account needs. What is not known is empty and is not said.
type Standard struct {
	MiddleName  string `json:"middle_name,omitempty"`
	Nickname    string `json:"nickname,omitempty"`
	Profile     string `json:"profile,omitempty"`
	Picture     string `json:"picture,omitempty"` // elsewhere; one that lies here counts before it
	Website     string `json:"website,omitempty"`
	Gender      string `json:"gender,omitempty"`
	Birthdate   string `json:"birthdate,omitempty"` // YYYY-MM-DD, 0000-MM-DD or YYYY
	Zoneinfo    string `json:"zoneinfo,omitempty"`  // a name of the tz database
	PhoneNumber string `json:"phone_number,omitempty"`
	// PhoneVerified is what an administrator says, of this very number.
	PhoneVerified bool    `json:"phone_number_verified,omitempty"`
	Address       Address `json:"address,omitzero"`
}

// An Address is where somebody lives or works (OpenID Connect Core §5.1.1).
type Address struct {
	Formatted     string `json:"formatted,omitempty"` // as on a letter
	StreetAddress string `json:"street_address,omitempty"`
	Locality      string `json:"locality,omitempty"`
	Region        string `json:"region,omitempty"`
	PostalCode    string `json:"postal_code,omitempty"`
	Country       string `json:"country,omitempty"`
}

// Letter is the address as it stands on a letter: Formatted, or what the parts make.
func (a Address) Letter() string {
	if a.Formatted != "" {
		return a.Formatted
	}
	join := func(parts []string, with string) string {
		return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), with)
	}
	return join([]string{a.StreetAddress, join([]string{a.PostalCode, a.Locality}, " "), a.Region, a.Country}, "\n")
}

// A StandardField is a text of Standard: what its field is called in forms and in the
// log, and the claim that it belongs to.
type StandardField struct {
	Name, Claim string
	at          func(*Standard) *string
	check       func(field, typed string) (string, error)
}

// StandardFields are those texts, in the order of forms. The claims of all are those of
// settings.PersonalClaims; a test compares.
var StandardFields = []StandardField{
	{"nickname", "nickname", func(s *Standard) *string { return &s.Nickname }, line(100)},
	{"middle_name", "middle_name", func(s *Standard) *string { return &s.MiddleName }, line(100)},
	{"profile", "profile", func(s *Standard) *string { return &s.Profile }, webAddress},
	{"website", "website", func(s *Standard) *string { return &s.Website }, webAddress},
	{"picture", "picture", func(s *Standard) *string { return &s.Picture }, webAddress},
	{"birthdate", "birthdate", func(s *Standard) *string { return &s.Birthdate }, birthdate},
	{"gender", "gender", func(s *Standard) *string { return &s.Gender }, line(50)},
	{"zoneinfo", "zoneinfo", func(s *Standard) *string { return &s.Zoneinfo }, zone},
	{"phone_number", "phone_number", func(s *Standard) *string { return &s.PhoneNumber }, phone},
	{"street_address", "address", func(s *Standard) *string { return &s.Address.StreetAddress }, lines(300)},
	{"postal_code", "address", func(s *Standard) *string { return &s.Address.PostalCode }, line(20)},
	{"locality", "address", func(s *Standard) *string { return &s.Address.Locality }, line(100)},
	{"region", "address", func(s *Standard) *string { return &s.Address.Region }, line(100)},
	{"country", "address", func(s *Standard) *string { return &s.Address.Country }, line(100)},
	{"formatted", "address", func(s *Standard) *string { return &s.Address.Formatted }, lines(500)},
}

// Of is the field of s.
func (f StandardField) Of(s *Standard) string { return *f.at(s) }

// Set sets the field of s to what somebody typed.
func (f StandardField) Set(s *Standard, typed string) { *f.at(s) = typed }

// checked is s as it is stored, or the first fault of it.
func (s Standard) checked() (Standard, error) {
	for _, f := range StandardFields {
		value, err := f.check(f.Name, f.Of(&s))
		if err != nil {
			return s, err
		}
		f.Set(&s, value)
	}
	s.PhoneVerified = s.PhoneVerified && s.PhoneNumber != ""
	return s, nil
}

// SetStandard replaces the standard claims of a user as an administrator. Also those of
// people whom another directory owns: it knows nothing of these.
func (d *Directory) SetStandard(ctx context.Context, by audit.Actor, id string, s Standard) (User, error) {
	if err := by.MustAdmin(); err != nil {
		return User{}, err
	}
	return d.setStandard(ctx, by, id, s, func(Standard) error { return nil })
}

// ReviseStandard is SetStandard for somebody who saw the claims as they were, or ErrStale.
func (d *Directory) ReviseStandard(ctx context.Context, by audit.Actor, id string, was, s Standard) (User, error) {
	if err := by.MustAdmin(); err != nil {
		return User{}, err
	}
	return d.setStandard(ctx, by, id, s, func(is Standard) error {
		if is != was {
			return ErrStale
		}
		return nil
	})
}

func (d *Directory) setStandard(ctx context.Context, by audit.Actor, id string, s Standard, check func(is Standard) error) (User, error) {
	s, err := s.checked()
	if err != nil {
		return User{}, err
	}
	return d.change(ctx, by, id, audit.UserEdited, func(_ *db.Tx, _ settings.Settings, u *User) error {
		if err := check(u.Standard); err != nil {
			return err
		}
		u.Standard = s
		return nil
	})
}

// EditOwnStandard changes those claims of the account that by acts for that people may
// change themselves; whatever else is in s is not looked at (threats 65). A number that
// is new is not verified.
func (d *Directory) EditOwnStandard(ctx context.Context, by audit.Actor, s Standard) (User, error) {
	return d.editOwnStandard(ctx, by, s, func(Standard) error { return nil })
}

// ReviseOwnStandard is EditOwnStandard for somebody who saw those claims as they were, or
// ErrStale.
func (d *Directory) ReviseOwnStandard(ctx context.Context, by audit.Actor, was, s Standard) (User, error) {
	return d.editOwnStandard(ctx, by, s, func(is Standard) error {
		if is != was {
			return ErrStale
		}
		return nil
	})
}

// Only is s without the claims that are not named.
func (s Standard) Only(claims []string) (some Standard) {
	for _, f := range StandardFields {
		if slices.Contains(claims, f.Claim) {
			f.Set(&some, f.Of(&s))
		}
	}
	return some
}

func (d *Directory) editOwnStandard(ctx context.Context, by audit.Actor, s Standard, check func(is Standard) error) (User, error) {
	id, err := own(by)
	if err != nil {
		return User{}, err
	}
	return d.change(ctx, by, id, audit.UserProfileEdited, func(tx *db.Tx, set settings.Settings, u *User) error {
		if err := u.Active(tx.Now()); err != nil {
			return err
		}
		if u.Service() {
			return ErrServiceFixed
		}
		allowed := set.OwnClaims()
		if len(allowed) == 0 {
			return ErrOwnDetails
		}
		if err := check(u.Standard.Only(allowed)); err != nil {
			return err
		}
		edit := u.Standard
		for _, f := range StandardFields {
			if slices.Contains(allowed, f.Claim) {
				f.Set(&edit, f.Of(&s))
			}
		}
		if edit, err = edit.checked(); err != nil {
			return err
		}
		edit.PhoneVerified = u.Standard.PhoneVerified && edit.PhoneNumber == u.Standard.PhoneNumber
		u.Standard = edit
		return nil
	})
}

// line accepts a printable text on one line.
func line(max int) func(field, typed string) (string, error) {
	return func(field, typed string) (string, error) { return parseName(field, typed, max) }
}

// lines accepts a printable text on several lines, none of them empty.
func lines(max int) func(field, typed string) (string, error) {
	return func(field, typed string) (string, error) {
		var kept []string
		for l := range strings.Lines(strings.ReplaceAll(typed, "\r", "\n")) {
			l, err := parseName(field, l, max)
			if err != nil {
				return "", err
			}
			if l != "" {
				kept = append(kept, l)
			}
		}
		all := strings.Join(kept, "\n")
		if utf8.RuneCountInString(all) > max {
			return "", ErrNameTooLong.At(field).With("max", strconv.Itoa(max))
		}
		return all, nil
	}
}

// maxClaimURL is how long an address among the claims may be, in bytes.
const maxClaimURL = 500

// webAddress accepts an address that a page can link to: nothing that runs code, and no
// password in it.
func webAddress(field, typed string) (string, error) {
	typed = strings.TrimSpace(typed)
	if typed == "" {
		return "", nil
	}
	u, err := url.Parse(typed)
	if err != nil || len(typed) > maxClaimURL || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil ||
		strings.ContainsFunc(typed, func(r rune) bool { return r <= ' ' || r == '\\' || r == '<' || r == '>' || r == '"' || !printable(r) }) {
		return "", ErrClaimURL.At(field)
	}
	return norm.NFC.String(typed), nil
}

// birthdate accepts a date, a date whose year nobody is told, and a year alone
// (OpenID Connect Core §5.1).
func birthdate(field, typed string) (string, error) {
	typed = strings.TrimSpace(typed)
	day := typed
	switch {
	case typed == "":
		return "", nil
	case len(typed) == len("1815"):
		day += "-01-01"
	case strings.HasPrefix(typed, "0000-"):
		day = "2000" + typed[4:] // which has a 29 February
	}
	if at, err := time.Parse(time.DateOnly, day); err != nil || at.Year() == 0 {
		return "", ErrBirthdate.At(field)
	}
	return typed, nil
}

// phones is E.164 as people write it, and an extension as RFC 3966 §3 writes it.
var phones = regexp.MustCompile(`^\+[0-9]([0-9 ().-]{0,30}[0-9])(;ext=[0-9]{1,10})?$`)

// phone accepts a number with the code of its country: 7 to 15 digits (ITU-T E.164 §6).
func phone(field, typed string) (string, error) {
	typed = strings.Join(strings.Fields(typed), " ")
	if typed == "" {
		return "", nil
	}
	number, _, _ := strings.Cut(typed, ";")
	digits := strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, number)
	if !phones.MatchString(typed) || len(digits) < 7 || len(digits) > 15 {
		return "", ErrPhone.At(field)
	}
	return typed, nil
}
