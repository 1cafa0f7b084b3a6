package web

import (
	"net/http"

	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/images"
	"pocketid/internal/oidc"
)

// Pictures are chosen in forms that carry files (pictureForm), each by itself: a file that
// was chosen is lost when a form comes back with a fault, so there is nothing else in such
// a form to lose. A handler reads one with pictureSent.

func (x *Web) pictureRoutes() []edge.Route {
	return []edge.Route{
		{Pattern: "GET /api/users/{id}/profile-picture.png", Access: edge.Open, Surface: edge.Problem, Handler: x.portrait},
		{Pattern: "GET /api/application-images/{name}", Access: edge.Open, Surface: edge.Problem, Handler: x.instancePicture},
	}
}

// pictureForm is a route to which a form sends a picture.
func pictureForm(pattern string, access edge.Access, h edge.Handler) edge.Route {
	return edge.Route{Pattern: pattern, Access: access, Surface: edge.Page, MaxFile: images.MaxFile, Handler: h}
}

// A pictureField is the part of a form in which a picture is chosen, for the template
// picture-field. The form has method post and enctype multipart/form-data.
type pictureField struct {
	// ID is of the field, and what faults call it; Form is the id of its form when it
	// stands elsewhere.
	ID, Form    string
	Label, Hint string
	Err         string
	// Want says what may be chosen.
	Want images.Want
	// Now is what is shown at the moment, Own that it can be taken away again: what the
	// button says is Remove.
	Now    Avatar
	Own    bool
	Remove string
	// Round pictures are of people.
	Round bool
	// Elsewhere offers to fetch the picture from an address, which is named <ID>_address.
	Elsewhere           bool
	Address, AddressErr string
}

// Accept is what the browser offers.
func (f pictureField) Accept() string { return f.Want.Accept() }

// Class is how the picture is shown.
func (f pictureField) Class() string {
	if f.Round {
		return "avatar big"
	}
	return "app big"
}

// pictureSent is the picture that a form sent, or nil when it says that there shall be none.
// A fault is at field.
func pictureSent(r *http.Request, field string, want images.Want) (*images.Picture, error) {
	form, err := edge.Form(r)
	if err != nil {
		return nil, at(err, field)
	}
	if form.Has("picture_remove") {
		return nil, nil
	}
	file, _, err := edge.File(r, "picture")
	if err != nil {
		return nil, at(err, field)
	}
	want.Crop = images.ParseCrop(form.Get("crop"))
	picture, err := images.Read(r.Context(), file.Data, want)
	if err != nil {
		return nil, at(err, field)
	}
	return &picture, nil
}

// at lets a fault name a field of a page.
func at(err error, field string) error {
	if f := fault.Of(err); f.Kind != fault.Internal {
		return f.At(field)
	}
	return err
}

// portrait is GET /api/users/{id}/profile-picture.png, at the path that they know: what
// applications show for somebody. It is open, because they fetch it without saying who asks.
func (x *Web) portrait(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	p, err := x.directory.Portrait(r.Context(), id)
	if err != nil {
		return err
	}
	if p.Picture.Data == nil {
		letters := avatarOf(p.Name, id)
		w.Header().Add("Vary", "Accept")
		p.Picture = images.Letters(letters.Initials, letters.Hue, r.Header.Get("Accept"))
	}
	return servePicture(w, r, p.Picture)
}

// instancePicture is GET /api/application-images/{name}, the paths of the incumbent.
func (x *Web) instancePicture(w http.ResponseWriter, r *http.Request) error {
	names := map[string][]string{"logo": {images.LogoLight, images.LogoDark}, "favicon": {images.Favicon}, "background": {images.Background},
		"default-profile-picture": {images.DefaultPerson}}[r.PathValue("name")]
	if names == nil {
		return images.ErrNone
	}
	if len(names) == 2 && r.URL.Query().Get("light") == "false" {
		names[0], names[1] = names[1], names[0]
	}
	p, err := x.keeper.Picture(r.Context(), names...)
	if err != nil {
		return err
	}
	return servePicture(w, r, p)
}

func servePicture(w http.ResponseWriter, r *http.Request, p images.Picture) error {
	return edge.Serve(w, r, edge.Content{Type: p.Type, ETag: p.ETag, Data: p.Data})
}

// showing is a with the pictures at paths. A theme that somebody chose decides here which
// one it is; otherwise the browser does.
func (a Avatar) showing(theme string, paths oidc.LogoPaths) Avatar {
	switch {
	case paths.Light != "" && paths.Dark != "" && theme == "":
		a.Picture, a.Dark, a.Tile = paths.Light, paths.Dark, "both"
	case paths.Dark != "" && (paths.Light == "" || theme == "dark"):
		a.Picture, a.Tile = paths.Dark, "dark"
	default:
		a.Picture = paths.Light
	}
	return a
}

// clientBadge is what stands for a client.
func clientBadge(r *http.Request, name, id string, logo oidc.Logo) Avatar {
	return avatarOf(name, id).showing(themeOf(r), logo.Paths(id))
}
