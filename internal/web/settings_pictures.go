package web

import (
	"net/http"
	"net/url"

	"pocketid/internal/edge"
	"pocketid/internal/images"
	"pocketid/internal/oidc"
	"pocketid/internal/settings"
)

// ownPictures are the addresses of those pictures of the instance that are its own.
type ownPictures map[string]string

// path is the address of a picture, which it may be kept under for ever, or "".
func (p ownPictures) path(name string) string {
	etag := p[name]
	if etag == "" {
		return ""
	}
	at := map[string]string{images.LogoLight: "logo?light=true&", images.LogoDark: "logo?light=false&", images.Favicon: "favicon?",
		images.Background: "background?", images.DefaultPerson: "default-profile-picture?"}[name]
	return "/api/application-images/" + at + "v=" + url.QueryEscape(etag)
}

// logos are those of the instance.
func (p ownPictures) logos() oidc.LogoPaths {
	return oidc.LogoPaths{Light: p.path(images.LogoLight), Dark: p.path(images.LogoDark)}
}

// band is the logo for the band, which is dark in every theme.
func (p ownPictures) band() Avatar {
	logos := p.logos()
	if logos.Dark != "" {
		logos.Light = ""
	}
	return Avatar{}.showing("", logos)
}

// pictureFields are the fields in which the pictures of the instance are chosen.
func (p *settingsPage) pictureFields(is settings.Settings) {
	own := ownPictures(is.Pictures)
	for _, name := range settings.PictureNames {
		f := pictureField{ID: name, Label: p.words.T("settings.picture." + name), Hint: p.words.T("settings.picture." + name + ".hint"), Err: p.Err(name),
			Want: images.InstanceWants[name], Own: own[name] != "", Remove: p.words.T("settings.picture.remove"), Round: name == images.DefaultPerson}
		f.Now = Avatar{Picture: own.path(name)}
		if name == images.LogoDark && f.Own {
			f.Now.Tile = "dark"
		}
		p.Pictures = append(p.Pictures, f)
	}
	p.Logos, p.Background = own.logos(), own.path(images.Background)
}

// settingsPicture takes a picture of the instance, or lets the one of the house count again.
func (x *Web) settingsPicture(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	want, known := images.InstanceWants[name]
	if !known {
		return edge.ErrNotFound
	}
	said := "flash.settings_picture"
	picture, err := pictureSent(r, name, want)
	switch {
	case err != nil:
	case picture == nil:
		said, err = "flash.settings_picture_removed", x.keeper.RemovePicture(r.Context(), actor(r), name)
	default:
		err = x.keeper.SetPicture(r.Context(), actor(r), name, *picture)
	}
	if err != nil {
		problem := x.problem(r, err)
		if problem == nil {
			return err
		}
		is, err := x.settings(r.Context())
		if err != nil {
			return err
		}
		return x.showSettings(w, r, is, is, settingsTyped{problem: problem, tab: "branding"})
	}
	flash(w, r, said)
	return seeOther(w, settingsPath+"#branding")
}
