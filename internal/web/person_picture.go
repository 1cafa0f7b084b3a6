package web

import (
	"net/http"

	"pocketid/internal/directory"
	"pocketid/internal/images"
	"pocketid/internal/settings"
)

// A pictureCard is the form in which somebody's picture is chosen (part "picture-card").
type pictureCard struct {
	Action string
	// StandIn says that a picture of the instance stands for people who have none.
	StandIn bool
	Field   pictureField
}

// cropModule lets people choose which part of a picture is kept. Without it the middle is.
const cropModule = "crop.js"

// portraitField is the id of the field: "picture" is that of the claim on the same page.
const portraitField = "portrait"

// pictureCardOf is the form for the picture of u, or nil when another directory sends it.
func (f *Frame) pictureCardOf(u *directory.User, s settings.Settings, action string) *pictureCard {
	if u.LDAPID != "" && s.LDAPAttributeUserProfilePicture != "" {
		return nil
	}
	f.Modules = append(f.Modules, cropModule)
	f.StandIn = ownPictures(s.Pictures).path(images.DefaultPerson)
	return &pictureCard{Action: action, StandIn: f.StandIn != "", Field: pictureField{ID: portraitField, Label: f.words.T("profile.picture.choose"),
		Hint: f.words.T("picture.hint.person", "max", images.MaxFile>>20), Err: f.Err(portraitField), Want: images.ForPerson, Now: f.Face(badgeOf(u)),
		Own: u.PictureID != "", Remove: f.words.T("picture.remove"), Round: true}}
}

// picturePosted sets the picture of an account as a form says. It returns what is then said.
func (x *Web) picturePosted(r *http.Request, id string) (said string, err error) {
	p, err := pictureSent(r, portraitField, images.ForPerson)
	if err != nil {
		return "", err
	}
	if p == nil {
		_, err = x.directory.RemovePicture(r.Context(), actor(r), id)
		return "flash.picture_removed", err
	}
	_, err = x.directory.SetPicture(r.Context(), actor(r), id, *p)
	return "flash.picture", err
}

// ownPicture takes the picture of whoever is signed in.
func (x *Web) ownPicture(w http.ResponseWriter, r *http.Request) error {
	said, err := x.picturePosted(r, visitor(r).User.ID)
	if err != nil {
		if problem := x.problem(r, err); problem != nil {
			return x.showProfile(w, r, profileTyped{}, problem)
		}
		return err
	}
	flash(w, r, said)
	return seeOther(w, accountPath)
}

// userPicture takes the picture of somebody from an administrator.
func (x *Web) userPicture(w http.ResponseWriter, r *http.Request) error {
	u, err := x.directory.User(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	said, err := x.picturePosted(r, u.ID)
	if err != nil {
		if problem := x.problem(r, err); problem != nil {
			return x.showUser(w, r, &u, userForms{}, problem)
		}
		return err
	}
	flash(w, r, said)
	return seeOther(w, userPath(u.ID))
}
