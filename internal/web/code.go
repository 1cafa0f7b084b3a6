package web

import (
	"net/http"
	"strings"

	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/signin"
)

func (x *Web) codeRoutes() []edge.Route {
	return []edge.Route{
		page("GET /lc", edge.Public, x.code),
		page("GET /lc/{code}", edge.Public, x.code),
		{Pattern: "POST /lc", Access: edge.Public, Surface: edge.Page, Limit: edge.LimitLoginCode, Handler: x.redeem},
		page("GET /login/alternative/code", edge.Public, x.codeAlternative),
	}
}

// codePage takes a one-time code. A link fills it in; only the button uses it, because
// programs open links too.
type codePage struct {
	Frame
	Code     string
	Redirect string
	Login    string // the way back
	SignedIn string // whose session ends by it
}

func (x *Web) code(w http.ResponseWriter, r *http.Request) error {
	edge.Browser(w, r)
	code := r.PathValue("code")
	if code == "" {
		code = r.URL.Query().Get("code")
	}
	return x.showCode(w, r, code, redirectOf(r, home), nil)
}

func (x *Web) showCode(w http.ResponseWriter, r *http.Request, code, target string, problem *Problem) error {
	words := x.words(r)
	p := codePage{Frame: Frame{Title: words.T("code.title"), Seal: "ticket", Fault: problem},
		Code: code[:min(len(code), 64)], Redirect: target, Login: withRedirect("/login", target)}
	if v, ok := signin.From(r.Context()); ok {
		p.SignedIn = v.User.Name()
	}
	// Where nothing else is left to ask, the form ends at the application. A request that
	// does not wait any more says so itself, once it is reached.
	if waiting, err := x.waiting(w, r, target); err == nil && waiting != nil {
		p.Look = waiting.Look
		edge.AllowFormTo(w, waiting.RedirectURI)
	}
	return x.show(w, r, "code", &p)
}

// redeem signs in whom the code is for. Without a passkey the next page adds one,
// because the code is gone now.
func (x *Web) redeem(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	target := inside(form.Get("redirect"), home)
	code := strings.TrimSpace(form.Get("code"))
	l, err := x.signin.RedeemLogin(r.Context(), edge.BrowserHash(r), seen(r), code, edge.ReadCookie(r, signin.Cookie))
	if err != nil {
		if f := fault.Of(err); f.Code == signin.ErrCode.Code {
			words := x.words(r).Fault(f.Code, f.Kind.String(), f.Params)
			return x.showCode(w, r, code, target, &Problem{Words: words, Field: "code"})
		}
		return err
	}
	x.welcome(w, r, l)
	keys, err := x.signin.Passkeys(r.Context(), l.Visitor)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return seeOther(w, withRedirect(passkeysPath+"/add", target))
	}
	return seeOther(w, target)
}

// codeAlternative is an address that the incumbent's links know.
func (x *Web) codeAlternative(w http.ResponseWriter, r *http.Request) error {
	path := "/lc"
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	return seeOther(w, path)
}
