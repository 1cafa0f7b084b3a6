package web

import (
	"cmp"
	"net/http"
	"strings"

	"pocketid/internal/edge"
	"pocketid/internal/images"
	"pocketid/internal/oidc"
)

// grounds are what a picture of a client is for, in the order of the page: its name in the
// address and in faults. The last one stands behind the pages on the way to the client.
var grounds = [3]struct {
	name, field string
	kind        images.Kind
	want        images.Want
}{{"light", "logo", images.ClientLight, images.ForLogo}, {"dark", "dark_logo", images.ClientDark, images.ForLogo},
	{"background", "background", images.ClientBackground, images.ForBackground}}

// asEverywhere is the swatch of the colour that the instance has.
const asEverywhere = "house"

// housePictures are the addresses of the pictures that pages show where a client has none.
type housePictures struct{ Light, Dark, Photo string }

// look is what the tab about the look of the client offers, and shows before it is saved.
func (p *clientPage) look(x *Web, r *http.Request) error {
	p.Accents, p.Picked, p.Own = accentsFor(p.Form.Accent)
	if p.Form.Accent == "" {
		p.Picked = asEverywhere
	}
	s, err := x.settings(r.Context())
	if err != nil {
		return err
	}
	own := ownPictures(s.Pictures)
	paths := p.Client.Logo.Paths(p.Client.ID)
	p.House = housePictures{paths.Light, paths.Dark, cmp.Or(p.Client.Look().BackgroundPath(), own.path(images.Background))}
	if paths == (oidc.LogoPaths{}) {
		logos := own.logos()
		p.House.Light, p.House.Dark = logos.Light, logos.Dark
	}
	return nil
}

// logoFields are the fields in which the logos of a client are chosen.
func (p *clientPage) logoFields(typed string) (fields [3]pictureField) {
	paths := p.Client.Logo.Paths(p.Client.ID)
	for i, g := range grounds {
		f := pictureField{ID: g.field, Form: "logo-" + g.name, Label: p.words.T("client.logo." + g.name), Hint: p.words.T("picture.hint.logo", "max", images.MaxFile>>20),
			Err: p.Err(g.field), Want: g.want, Now: avatarOf(p.Client.Name, p.Client.ID), Remove: p.words.T("picture.remove"),
			Elsewhere: g.kind != images.ClientBackground, AddressErr: p.Err(g.field + "_address")}
		if p.Fault != nil && (f.Err != "" || f.AddressErr != "") {
			f.Address = typed
		}
		one := oidc.LogoPaths{Light: paths.Light}
		if g.kind == images.ClientDark {
			one = oidc.LogoPaths{Dark: paths.Dark}
		}
		if g.kind == images.ClientBackground {
			f.Hint, one = p.words.T("settings.picture.background.hint"), oidc.LogoPaths{Light: p.Client.Look().BackgroundPath()}
		}
		f.Own = one != oidc.LogoPaths{}
		f.Now = f.Now.showing("", one)
		fields[i] = f
	}
	return fields
}

// clientLogo takes a logo, from a file or from an address, or takes it away.
func (x *Web) clientLogo(w http.ResponseWriter, r *http.Request) error {
	i := 0
	for i < len(grounds) && grounds[i].name != r.PathValue("ground") {
		i++
	}
	if i == len(grounds) {
		return edge.ErrNotFound
	}
	ground := grounds[i]
	ctx, by := r.Context(), actor(r)
	c, err := x.oidc.Client(ctx, by, r.PathValue("id"))
	if err != nil {
		return err
	}
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	said, address := "flash.client_logo", strings.TrimSpace(form.Get("address"))
	_, chosen, err := edge.File(r, "picture")
	if err != nil {
		return err
	}
	var picture *images.Picture
	if address != "" && !chosen && ground.kind != images.ClientBackground && !form.Has("picture_remove") {
		var fetched images.Picture
		fetched, err = x.oidc.FetchLogo(ctx, by, address)
		picture, err = &fetched, at(err, ground.field+"_address")
	} else {
		picture, err = pictureSent(r, ground.field, ground.want)
	}
	switch {
	case err != nil:
	case picture == nil:
		said = "flash.client_logo_removed"
		err = x.oidc.RemoveClientLogo(ctx, by, c.ID, ground.kind)
	default:
		err = x.oidc.SetClientLogo(ctx, by, c.ID, ground.kind, *picture)
	}
	if err != nil {
		problem := x.problem(r, err)
		if problem == nil {
			return err
		}
		return x.showClient(w, r, &c, clientView{form: clientFormOf(&c), problem: problem, tab: "look", address: address})
	}
	flash(w, r, said, "name", c.Name)
	return seeOther(w, clientPath(c.ID)+"#look")
}
