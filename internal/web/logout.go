package web

import (
	"net/http"

	"pocketid/internal/edge"
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
		if request := form.Get("request"); request != "" {
			next, err = x.oidc.ConfirmLogout(r.Context(), v, request)
		} else {
			err = x.signin.SignOut(r.Context(), v)
		}
		if err != nil {
			return err
		}
	}
	edge.SetCookie(w, r, signin.Cookie, "", -1)
	return seeOther(w, next)
}

// signedOutPage says that it is done.
type signedOutPage struct{ Frame }

func (x *Web) signedOut(w http.ResponseWriter, r *http.Request) error {
	if edge.Who(r.Context()).UserID != "" {
		return seeOther(w, home)
	}
	p := signedOutPage{Frame{Title: x.words(r).T("signed_out.title"), Seal: "ok", Tone: "ok"}}
	return x.show(w, r, "signed-out", &p)
}
