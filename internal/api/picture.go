package api

import (
	"net/http"

	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/images"
	"pocketid/internal/oidc"
)

// What programs know faults of pictures by.
var (
	errLogoType  = fault.New(fault.Unprocessable, "logo_type_not_supported")
	errLogoLarge = fault.New(fault.Unprocessable, "logo_too_large")
)

// maxLogo is how many bytes the logo of a client may have that a program sends.
const maxLogo = 2 << 20

func (a *API) pictureOperations() []Operation {
	light := func(o Operation) Operation {
		return o.param("light", true, "false is the logo for dark ground.")
	}
	return []Operation{
		light(admins("POST /api/oidc/clients/{id}/logo", "clients:write", "Sets the logo of an OIDC client.", ofClient(a.logoSet)).takesFile(maxLogo)),
		light(admins("DELETE /api/oidc/clients/{id}/logo", "clients:write", "Takes the logo of an OIDC client away.", ofClient(a.logoRemove))),
		admins("POST /api/oidc/clients/{id}/background", "clients:write", "Sets the picture behind the pages on the way to an OIDC client.", ofClient(a.backgroundSet)).takesFile(images.MaxFile),
		admins("DELETE /api/oidc/clients/{id}/background", "clients:write", "Takes the picture behind the pages on the way to an OIDC client away.", ofClient(a.backgroundRemove)),

		light(admins("PUT /api/application-images/logo", "settings:write", "Sets the logo of the instance.", a.instanceSet(logoName)).takesFile(images.MaxFile)),
		admins("PUT /api/application-images/background", "settings:write", "Sets the picture behind the pages before somebody is signed in.", a.instanceSet(named(images.Background))).takesFile(images.MaxFile),
		admins("PUT /api/application-images/favicon", "settings:write", "Sets the icon of the instance.", a.instanceSet(named(images.Favicon))).takesFile(images.MaxFile),
		admins("PUT /api/application-images/default-profile-picture", "settings:write", "Sets the picture of people who have none.", a.instanceSet(named(images.DefaultPerson))).takesFile(images.MaxFile),
		light(admins("DELETE /api/application-images/logo", "settings:write", "Lets the logo of the house count again.", a.instanceRemove(logoName))),
		admins("DELETE /api/application-images/background", "settings:write", "Takes the picture behind the pages away.", a.instanceRemove(named(images.Background))),
		admins("DELETE /api/application-images/favicon", "settings:write", "Lets the icon of the house count again.", a.instanceRemove(named(images.Favicon))),
		admins("DELETE /api/application-images/default-profile-picture", "settings:write", "Lets people who have no picture have their letters again.", a.instanceRemove(named(images.DefaultPerson))),
	}
}

// fileSent is the picture that a program sent in the field "file".
func fileSent(r *http.Request, want images.Want) (images.Picture, error) {
	file, _, err := edge.File(r, "file")
	if err != nil {
		return images.Picture{}, err
	}
	return images.Read(r.Context(), file.Data, want)
}

// logoFault is why the picture at an address cannot be a logo.
func logoFault(err error, field string) error {
	f := fault.Of(err)
	if f.Kind == fault.Internal {
		return err
	}
	f = f.At(field)
	switch f.Code {
	case images.ErrType.Code:
		return errLogoType.For(f)
	case images.ErrTooLarge.Code, images.ErrTooManyPixels.Code:
		return errLogoLarge.For(f)
	case oidc.ErrLogoDownload.Code:
		return f
	}
	return oidc.ErrLogoDownload.For(f)
}

// groundOf is which of its logos a program means.
func groundOf(r *http.Request) images.Kind {
	if r.URL.Query().Get("light") == "false" {
		return images.ClientDark
	}
	return images.ClientLight
}

func (a *API) logoSet(w http.ResponseWriter, r *http.Request) error {
	return a.clientPictureSet(w, r, groundOf(r), images.ForLogo)
}

func (a *API) backgroundSet(w http.ResponseWriter, r *http.Request) error {
	return a.clientPictureSet(w, r, images.ClientBackground, images.ForBackground)
}

func (a *API) clientPictureSet(w http.ResponseWriter, r *http.Request, kind images.Kind, want images.Want) error {
	p, err := fileSent(r, want)
	if err != nil {
		return err
	}
	return nothing(w, a.oidc.SetClientLogo(r.Context(), actor(r), r.PathValue("id"), kind, p))
}

func (a *API) logoRemove(w http.ResponseWriter, r *http.Request) error {
	return a.clientPictureRemove(w, r, groundOf(r))
}

func (a *API) backgroundRemove(w http.ResponseWriter, r *http.Request) error {
	return a.clientPictureRemove(w, r, images.ClientBackground)
}

// clientPictureRemove answers image_not_found where there is none.
func (a *API) clientPictureRemove(w http.ResponseWriter, r *http.Request, kind images.Kind) error {
	c, err := a.oidc.Client(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	if is := map[images.Kind]string{images.ClientLight: c.Logo.Light, images.ClientDark: c.Logo.Dark, images.ClientBackground: c.Background}; is[kind] == "" {
		return images.ErrNone
	}
	return nothing(w, a.oidc.RemoveClientLogo(r.Context(), actor(r), c.ID, kind))
}

// named is always the same picture of the instance.
func named(name string) func(*http.Request) string { return func(*http.Request) string { return name } }

func logoName(r *http.Request) string {
	if groundOf(r) == images.ClientDark {
		return images.LogoDark
	}
	return images.LogoLight
}

func (a *API) instanceSet(name func(*http.Request) string) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		p, err := fileSent(r, images.InstanceWants[name(r)])
		if err != nil {
			return err
		}
		if err := a.keeper.SetPicture(r.Context(), actor(r), name(r), p); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
}

// instanceRemove answers image_not_found where there is none.
func (a *API) instanceRemove(name func(*http.Request) string) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if _, err := a.keeper.Picture(r.Context(), name(r)); err != nil {
			return err
		}
		if err := a.keeper.RemovePicture(r.Context(), actor(r), name(r)); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
}
