package web

import (
	"net/http"
	"strings"

	"pocketid/internal/edge"
	"pocketid/internal/i18n"
	"pocketid/internal/oidc"
	"pocketid/internal/signin"
)

func (x *Web) consentRoutes() []edge.Route {
	return []edge.Route{
		page("GET /consent", edge.SignedIn, x.consent),
		page("POST /consent", edge.Public, x.decide),
	}
}

// consentPage asks whether an application may have what it asks for.
type consentPage struct {
	Frame
	Client, Host string
	// By is the host behind an application that no administrator added; "" of others.
	By string
	// Policy, Terms and Site are pages of the application.
	Policy, Terms, Site string
	ID, Redirect        string
	Scopes              []scopeLine
	// APIs are services elsewhere, with what the application may do there.
	APIs []oidc.AskedAPI
}

// A scopeLine is a scope in plain words, with what it would give.
type scopeLine struct {
	Icon, Title, Text string
}

func (x *Web) consent(w http.ResponseWriter, r *http.Request) error {
	id := r.URL.Query().Get("id")
	target := "/authorize/next?id=" + id
	waiting, err := x.waiting(w, r, inside(target, home))
	if err != nil {
		return err
	}
	if waiting == nil || waiting.Step != "consent" {
		return seeOther(w, inside(target, home))
	}
	p := consentPage{Client: waiting.ClientName, Host: waiting.RedirectHost, By: waiting.ClientHost,
		Policy: waiting.PolicyURI, Terms: waiting.TOSURI, Site: waiting.ClientURI, ID: id, Redirect: waiting.Next, APIs: waiting.APIs}
	if waiting.UILocales != "" {
		p.words = i18n.For(i18n.Match(waiting.UILocales, visitor(r).User.Locale, edge.ReadCookie(r, localeCookie), r.Header.Get("Accept-Language")))
	} else {
		p.words = x.words(r)
	}
	p.Frame.Title, p.Wide, p.Seal = p.words.T("consent.title", "client", waiting.ClientName), true, "apps"
	if p.Scopes, err = x.scopeLines(r, p.words, waiting.Scopes); err != nil {
		return err
	}
	p.Logo = p.Logo.showing(themeOf(r), x.oidc.Logos(r.Context(), waiting))
	p.Look = waiting.Look
	// The answer to the form goes back to the application by way of redirects.
	edge.AllowFormTo(w, waiting.RedirectURI)
	return x.show(w, r, "consent", &p)
}

// scopeLines says what each scope would give this very person.
func (x *Web) scopeLines(r *http.Request, words *i18n.Locale, scopes []string) ([]scopeLine, error) {
	user := visitor(r).User
	var lines []scopeLine
	add := func(icon, scope, text string) {
		lines = append(lines, scopeLine{icon, words.T("consent.scope." + scope), text})
	}
	for _, scope := range scopes {
		switch scope {
		case "openid":
		case "profile":
			text := words.T("consent.profile.text", "name", user.Name(), "username", user.Username)
			if more := toldDetails(words, &user); len(more) > 0 {
				text = words.T("consent.profile.more", "text", text, "details", strings.Join(more, words.T("frame.comma")))
			}
			add("user", scope, text)
		case "email":
			if user.Email == "" {
				add("mail", scope, words.T("consent.email.none"))
				continue
			}
			add("mail", scope, user.Email)
		case "address":
			text := strings.ReplaceAll(user.Standard.Address.Letter(), "\n", words.T("frame.comma"))
			if text == "" {
				text = words.T("consent.address.none")
			}
			add("place", scope, text)
		case "phone":
			text := user.Standard.PhoneNumber
			if text == "" {
				text = words.T("consent.phone.none")
			}
			add("phone", scope, text)
		case "groups":
			groups, err := x.directory.Groups(r.Context(), user.ID)
			if err != nil {
				return nil, err
			}
			names := make([]string, 0, len(groups))
			for _, g := range groups {
				name := g.FriendlyName
				if name == "" {
					name = g.Name
				}
				names = append(names, name)
			}
			text := strings.Join(names, words.T("frame.comma"))
			if len(names) == 0 {
				text = words.T("consent.groups.none")
			}
			add("users", scope, text)
		case "offline_access":
			add("clock", scope, words.T("consent.offline.text"))
		default:
			lines = append(lines, scopeLine{"plug", scope, ""})
		}
	}
	if len(lines) == 0 {
		add("id", "openid", words.T("consent.openid.text"))
	}
	return lines, nil
}

// decide takes the person's answer, to this page or to one before it: everybody can
// say no.
func (x *Web) decide(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	v, known := signin.From(r.Context())
	id, next := form.Get("id"), ""
	if form.Get("decision") == "allow" {
		if !known {
			return seeOther(w, withRedirect("/login", inside("/authorize/next?id="+id, home)))
		}
		next, err = x.oidc.Allow(r.Context(), v, edge.BrowserHash(r), id)
	} else {
		next, err = x.oidc.Deny(r.Context(), v, edge.BrowserHash(r), id)
	}
	if err != nil {
		return err
	}
	return seeOther(w, next)
}
