package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/i18n"
)

// A detailsForm is what is said about somebody to applications beside their name (part
// "details").
type detailsForm struct {
	// Fields are those that whoever looks may change, and Address the lines of the address.
	Fields  []detailField
	Address []detailField
	// Verified is the switch of administrators about the phone number.
	Verified bool
	Zones    []string
	// Was is the details as this form first showed them, as JSON.
	Was       string
	Meanwhile []meanwhile
}

// A detailField is one field of it.
type detailField struct {
	ID, Label, Value, Hint, Err string
	Type, Autocomplete, List    string
	Wide                        bool
	Lines                       int // 0 is a field of one line
}

// detailLooks says how fields look that are no plain texts of one line.
var detailLooks = map[string]detailField{
	"profile":        {Type: "url", Hint: "details.profile.hint"},
	"website":        {Type: "url", Hint: "details.website.hint"},
	"picture":        {Type: "url", Hint: "details.picture.hint", Wide: true},
	"birthdate":      {Hint: "details.birthdate.hint"},
	"zoneinfo":       {Hint: "details.zoneinfo.hint", List: "zones"},
	"phone_number":   {Type: "tel", Hint: "details.phone_number.hint"},
	"street_address": {Lines: 2, Wide: true},
	"formatted":      {Lines: 4, Wide: true, Hint: "details.formatted.hint"},
}

// autocompletes are the names that browsers know our fields by (HTML §4.10.18.7).
var autocompletes = map[string]string{"nickname": "nickname", "middle_name": "additional-name", "website": "url", "picture": "photo", "gender": "sex",
	"phone_number": "tel", "street_address": "street-address", "postal_code": "postal-code", "locality": "address-level2",
	"region": "address-level1", "country": "country-name"}

// detailsFormOf shows s with the claims that are allowed. complete has the names by which
// the browser may fill fields in, where they are about whoever looks.
func detailsFormOf(f *Frame, words *i18n.Locale, s directory.Standard, allowed []string, complete map[string]string) detailsForm {
	was, err := json.Marshal(s)
	if err != nil {
		panic("web: details are always JSON")
	}
	form := detailsForm{Verified: s.PhoneVerified, Was: string(was)}
	for _, field := range directory.StandardFields {
		if !slices.Contains(allowed, field.Claim) {
			continue
		}
		look := detailLooks[field.Name]
		look.ID, look.Label, look.Value, look.Err = field.Name, words.T("details."+field.Name), field.Of(&s), f.Err(field.Name)
		if look.Hint != "" {
			look.Hint = words.T(look.Hint)
		}
		if look.Autocomplete = complete[field.Name]; look.Autocomplete == "" {
			look.Autocomplete = "off"
		}
		if look.List != "" {
			form.Zones = directory.Zones()
		}
		if field.Claim == "address" {
			form.Address = append(form.Address, look)
			continue
		}
		form.Fields = append(form.Fields, look)
	}
	return form
}

// detailsOf reads the details that somebody typed.
func detailsOf(form url.Values) (s directory.Standard) {
	for _, field := range directory.StandardFields {
		field.Set(&s, form.Get(field.Name))
	}
	s.PhoneVerified = form.Has("phone_number_verified")
	return s
}

// detailsSave changes what people say of themselves. What is not theirs to say stays.
func (x *Web) detailsSave(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	s, err := x.settings(r.Context())
	if err != nil {
		return err
	}
	u, allowed := visitor(r).User, s.OwnClaims()
	typed, was := detailsOf(form).Only(allowed), directory.Standard{}
	if err = showedAs(form, &was); err == nil {
		_, err = x.directory.ReviseOwnStandard(r.Context(), actor(r), was, typed)
	}
	if err != nil {
		problem := x.problem(r, err)
		if problem == nil {
			return err
		}
		again := &detailsTyped{typed: typed, was: form.Get("was")}
		if errors.Is(err, directory.ErrStale) {
			problem.Field = "details"
			again = overtakenDetails(x.words(r), was, typed, u.Standard.Only(allowed))
		}
		return x.showProfile(w, r, profileTyped{details: again}, problem)
	}
	flash(w, r, "flash.details")
	return seeOther(w, accountPath+"#details")
}

// userDetailsSave changes what is said about somebody as an administrator.
func (x *Web) userDetailsSave(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	u, err := x.directory.User(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	typed, was := detailsOf(form), directory.Standard{}
	if err = showedAs(form, &was); err == nil {
		_, err = x.directory.ReviseStandard(r.Context(), actor(r), u.ID, was, typed)
	}
	if err != nil {
		problem := x.problem(r, err)
		if problem == nil {
			return err
		}
		again := userForms{details: &detailsTyped{typed: typed, was: form.Get("was")}}
		if errors.Is(err, directory.ErrStale) {
			if u, err = x.directory.User(r.Context(), u.ID); err != nil {
				return err
			}
			problem.Field = "details"
			again.details = overtakenDetails(x.words(r), was, typed, u.Standard)
		}
		return x.showUser(w, r, &u, again, problem)
	}
	flash(w, r, "flash.user_details_saved")
	return seeOther(w, userPath(u.ID)+"#details")
}

// detailsTyped are details as they were typed; was is what the form first showed.
type detailsTyped struct {
	typed     directory.Standard
	was       string
	meanwhile []meanwhile
}

// overtakenDetails brings details that were typed up to those that are by now: what was
// not touched follows them, what was typed stays.
func overtakenDetails(words *i18n.Locale, was, typed, is directory.Standard) *detailsTyped {
	d := &detailsTyped{typed: typed}
	for _, f := range directory.StandardFields {
		before, now := f.Of(&was), f.Of(&is)
		if before == now {
			continue
		}
		if f.Of(&typed) == before {
			f.Set(&d.typed, now)
		}
		shown := strings.ReplaceAll(now, "\n", words.T("frame.comma"))
		if shown == "" {
			shown = words.T("meanwhile.empty")
		}
		d.meanwhile = append(d.meanwhile, meanwhile{words.T("details." + f.Name), shown})
	}
	if was.PhoneVerified != is.PhoneVerified {
		if typed.PhoneVerified == was.PhoneVerified {
			d.typed.PhoneVerified = is.PhoneVerified
		}
		d.meanwhile = append(d.meanwhile, meanwhile{words.T("details.phone_number_verified"), onOff(words, is.PhoneVerified)})
	}
	b, err := json.Marshal(is)
	if err != nil {
		panic("web: details are always JSON")
	}
	d.was = string(b)
	return d
}

// toldDetails names the details that an application is told of with the profile.
func toldDetails(words *i18n.Locale, u *directory.User) []string {
	var names []string
	for _, f := range directory.StandardFields {
		if f.Of(&u.Standard) != "" && f.Claim != "address" && f.Claim != "phone_number" {
			names = append(names, words.T("details."+f.Name))
		}
	}
	return names
}
