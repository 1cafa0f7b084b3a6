package web

import (
	"net/http"
	"strings"

	"pocketid/internal/edge"
	"pocketid/internal/images"
	"pocketid/internal/oidc"
)

// grounds are what a logo of a client is for, in the order of the page: its name in the
// address and in faults.
var grounds = [2]struct {
	name, field string
	kind        images.Kind
}{{"light", "logo", images.ClientLight}, {"dark", "dark_logo", images.ClientDark}}

// logoFields are the fields in which the logos of a client are chosen.
func (p *clientPage) logoFields(typed string) (fields [2]pictureField) {
	paths := p.Client.Logo.Paths(p.Client.ID)
	for i, g := range grounds {
		f := pictureField{ID: g.field, Form: "logo-" + g.name, Label: p.words.T("client.logo." + g.name), Hint: p.words.T("picture.hint.logo", "max", images.MaxFile>>20),
			Err: p.Err(g.field), Want: images.ForLogo, Now: avatarOf(p.Client.Name, p.Client.ID), Remove: p.words.T("picture.remove"),
			Elsewhere: true, AddressErr: p.Err(g.field + "_address")}
		if p.Fault != nil && (f.Err != "" || f.AddressErr != "") {
			f.Address = typed
		}
		one := oidc.LogoPaths{Light: paths.Light}
		if g.kind == images.ClientDark {
			one = oidc.LogoPaths{Dark: paths.Dark}
		}
		f.Own = one != oidc.LogoPaths{}
		f.Now = f.Now.showing("", one)
		fields[i] = f
	}
	return fields
}

// clientLogo takes a logo, from a file or from an address, or takes it away.
func (x *Web) clientLogo(w http.ResponseWriter, r *http.Request) error {
	ground := grounds[0]
	if r.PathValue("ground") != ground.name {
		if ground = grounds[1]; r.PathValue("ground") != ground.name {
			return edge.ErrNotFound
		}
	}
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
	if address != "" && !chosen && !form.Has("picture_remove") {
		var fetched images.Picture
		fetched, err = x.oidc.FetchLogo(ctx, by, address)
		picture, err = &fetched, at(err, ground.field+"_address")
	} else {
		picture, err = pictureSent(r, ground.field, images.ForLogo)
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
