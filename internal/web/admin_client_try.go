package web

import (
	"net/http"
	"net/url"
	"strings"

	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/oidc"
)

// A redirectTry is an address that an administrator tries, and what would become of it.
type redirectTry struct {
	URI  string
	Good bool
	Text string
}

// maxTried is how long an address may be that a page repeats.
const maxTried = 2048

// tryRedirect says what the provider would do with an address for a client with this edit.
func (x *Web) tryRedirect(r *http.Request, edit oidc.ClientEdit, asked string) (redirectTry, error) {
	asked = strings.TrimSpace(asked)
	if asked == "" || len(asked) > maxTried {
		return redirectTry{}, nil
	}
	check, err := x.oidc.CheckRedirect(actor(r), edit, asked)
	if err != nil {
		return redirectTry{}, err
	}
	words, t := x.words(r), redirectTry{URI: asked, Good: check.Refused == nil}
	switch f := fault.Of(check.Refused); {
	case t.Good && check.Matched.URI == asked:
		t.Text = words.T("client.try.exact")
	case t.Good:
		t.Text = words.T("client.try.matched", "uri", check.Matched.URI)
	case f.Code == oidc.ErrUnregistered.Code:
		t.Text = words.T("client.try.unregistered")
	default:
		t.Text = words.Fault(f.Code, f.Kind.String(), f.Params).Text
	}
	return t, nil
}

// A checkAnswer is what a module says about addresses while they are typed.
type checkAnswer struct {
	// Wrong is what is wrong with rows, by their field; those that are empty are not counted.
	Wrong map[string]string `json:"wrong"`
	// Good and Text are about the address that was tried; "" is that none was.
	Good bool   `json:"good"`
	Text string `json:"text"`
}

// clientCheck looks at addresses that were typed and not saved.
func (x *Web) clientCheck(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	edit := typedURIs(form)
	wrong, err := x.oidc.CheckURIs(actor(r), edit)
	if err != nil {
		return err
	}
	words, answer := x.words(r), checkAnswer{Wrong: map[string]string{}}
	for field, err := range wrong {
		f := fault.Of(err)
		answer.Wrong[field] = words.Fault(f.Code, f.Kind.String(), f.Params).Text
	}
	t, err := x.tryRedirect(r, edit, form.Get("try"))
	if err != nil {
		return err
	}
	answer.Good, answer.Text = t.Good, t.Text
	return edge.WriteJSON(w, http.StatusOK, answer)
}

// typedURIs is as much of an edit as its addresses are judged by.
func typedURIs(form url.Values) oidc.ClientEdit {
	return oidc.ClientEdit{Public: form.Get("public") == "1",
		RedirectURIs: urisOf(form, "redirect_uris"), PostLogoutURIs: urisOf(form, "post_logout_uris")}
}
