package web

import (
	"html/template"
	"net/http"

	"pocketid/internal/edge"
	"pocketid/internal/oidc"
	"pocketid/internal/signin"
)

func (x *Web) logoutRoutes() []edge.Route {
	return []edge.Route{
		page("GET /logout", edge.Public, x.logout),
		page("POST /logout", edge.Public, x.signOut),
		page("GET /signed-out", edge.Public, x.signedOut),
	}
}

// logoutPage asks whether to sign out.
type logoutPage struct {
	Frame
	Client, Request string
}

func (x *Web) logout(w http.ResponseWriter, r *http.Request) error {
	if edge.Who(r.Context()).UserID == "" {
		return seeOther(w, "/signed-out")
	}
	request := r.URL.Query().Get("request")
	q, err := x.oidc.LogoutQuestion(r.Context(), request)
	if err != nil {
		return err
	}
	if q.Return != "" {
		edge.AllowFormTo(w, q.Return)
	}
	p := logoutPage{Frame: Frame{Title: x.words(r).T("logout.title"), Seal: "signout"}, Client: q.Client, Request: request}
	return x.show(w, r, "logout", &p)
}

// signOut ends the session of this browser. CrossOriginProtection keeps other sites
// from asking for it.
func (x *Web) signOut(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	next := "/signed-out"
	if v, ok := signin.From(r.Context()); ok {
		if next, err = x.oidc.ConfirmLogout(r.Context(), v, form.Get("request")); err != nil {
			return err
		}
	}
	return x.leave(w, r, next)
}

// leave takes the session from the browser and sends it on.
func (x *Web) leave(w http.ResponseWriter, r *http.Request, next string) error {
	edge.SetCookie(w, r, signin.Cookie, "", -1)
	return seeOther(w, next)
}

// signedOutPage says that it is done, what became of it at applications, and where to go on.
type signedOutPage struct {
	Frame
	oidc.Departure
	Left []appLeft
	Host string // of Launch
	// Onward is Return as a link: an address that the client registered, which may have a
	// scheme of its own.
	Onward template.URL
	// Frames says that applications are signed out of by frames on this page.
	Frames bool
}

// An appLeft is an application with what became of it.
type appLeft struct {
	oidc.AppLeft
	Badge Avatar
	State string // the end of a key of words
}

func (x *Web) signedOut(w http.ResponseWriter, r *http.Request) error {
	if edge.Who(r.Context()).UserID != "" {
		return seeOther(w, home)
	}
	d, err := x.oidc.Departure(r.Context(), r.URL.Query().Get("done"))
	if err != nil {
		return err
	}
	p := signedOutPage{Frame: Frame{Title: x.words(r).T("signed_out.title"), Seal: "ok", Tone: "ok"}, Departure: d, Host: hostOf(d.Launch), Onward: template.URL(d.Return)}
	for _, a := range d.Apps {
		l := appLeft{AppLeft: a, Badge: avatarOf(a.Name, a.ID)}
		if l.Frame != "" && !edge.AllowFrame(w, l.Frame) {
			l.Frame = ""
		}
		p.Frames = p.Frames || l.Frame != ""
		l.State = stateOf(&l.AppLeft)
		p.Left = append(p.Left, l)
	}
	if p.Frames {
		p.Modules = append(p.Modules, "signed-out.js")
	}
	if p.Frames && p.Return != "" {
		// Browsers go on when all frames have loaded, without a script too; with one no frame
		// holds them up (OpenID Connect Front-Channel Logout §3).
		w.Header().Set("Refresh", "1; url="+p.Return)
	}
	return x.show(w, r, "signed-out", &p)
}

// stateOf is what became of an application, as the end of a key.
func stateOf(a *oidc.AppLeft) string {
	switch {
	case a.Told:
		return "told"
	case a.Frame != "":
		return "leaving"
	case a.Trying:
		return "trying"
	case a.Failed:
		return "failed"
	}
	return "open"
}
