package protocol

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/jose"
	"pocketid/internal/oidc"
)

// A walk tries what a discovery document tells, and what it does not tell.
type walk struct {
	t    *testing.T
	h    *apptest.House
	ada  *apptest.Person
	shop *apptest.Client
	// object is what lies at objects.example; claims are those that said has seen.
	object string
	claims map[string]bool
}

// listed are the values of members, each with more that somebody may hope for. try says
// whether a value works: the document has to tell exactly those that do.
var listed = map[string]struct {
	more string
	try  func(w *walk, value string) bool
}{
	"scopes_supported": {"admin openid2 roles", func(w *walk, value string) bool {
		return slices.Contains(strings.Fields(w.tokens(w.shop, "scope", "openid "+value).Scope), value)
	}},
	"response_types_supported": {"token id_token none", func(w *walk, value string) bool {
		return w.answer("response_type", value).Has("code")
	}},
	"response_modes_supported": {"jwt query.jwt web_message", func(w *walk, value string) bool {
		page := w.shop.Begin("response_mode", value).By(w.ada)
		switch {
		case page.Away == nil:
			return false
		case page.Posted != nil:
			return value == "form_post" && page.Posted.Has("code")
		case page.Away.Fragment != "":
			inside, err := url.ParseQuery(page.Away.EscapedFragment())
			return err == nil && value == "fragment" && inside.Has("code") && page.Away.RawQuery == ""
		}
		return value == "query" && page.Away.Query().Has("code")
	}},
	"grant_types_supported": {"password implicit urn:ietf:params:oauth:grant-type:jwt-bearer urn:ietf:params:oauth:grant-type:saml2-bearer urn:openid:params:grant-type:ciba", func(w *walk, value string) bool {
		edit := oidc.NewClientEdit()
		edit.Name, edit.GrantTypes, edit.RedirectURIs = "x", []string{value}, []oidc.URI{{URI: "https://x.example/cb"}}
		_, _, err := w.h.App.OIDC.AddClient(w.t.Context(), audit.System("cli"), edit)
		known := w.shop.Token(url.Values{"grant_type": {value}}).Error != "unsupported_grant_type"
		if value != "refresh_token" && (err == nil) != known { // that one needs another beside it
			w.t.Errorf("a client may have %s: %v; the token endpoint knows it: %v", value, err, known)
		}
		return known
	}},
	"acr_values_supported": {"phrh urn:mace:incommon:iap:silver", func(w *walk, value string) bool {
		for _, p := range []*apptest.Person{w.ada, w.byLink("linus")} { // by a passkey, and by a one-time link
			f, code := w.shop.Authorize(p, "acr_values", value)
			if claims(w.t, f.Exchange(code).IDToken)["acr"] == value {
				return true
			}
		}
		return false
	}},
	"subject_types_supported": {"ephemeral", func(w *walk, value string) bool {
		c, ok := w.client(func(e *oidc.ClientEdit) { e.SubjectType = value })
		return ok && (claims(w.t, w.tokens(c).IDToken)["sub"] == w.ada.ID) == (value == "public")
	}},
	"id_token_signing_alg_values_supported": {"none HS256 RS384 RS512 PS256 PS384 PS512 ES384 ES512", func(w *walk, value string) bool {
		c, ok := w.client(func(e *oidc.ClientEdit) { e.IDTokenAlg = jose.Alg(value) })
		return ok && header(w.t, w.tokens(c).IDToken)["alg"] == value
	}},
	"userinfo_signing_alg_values_supported": {"none HS256 RS384 RS512 PS256 PS384 PS512 ES384 ES512", func(w *walk, value string) bool {
		c, ok := w.client(func(e *oidc.ClientEdit) { e.UserinfoAlg = jose.Alg(value) })
		if !ok {
			return false
		}
		a := w.h.Program().Get(userinfoPath, "Authorization", "Bearer "+w.tokens(c).AccessToken)
		return a.Header.Get("Content-Type") == "application/jwt" && header(w.t, a.Body)["alg"] == value
	}},
	"request_object_signing_alg_values_supported": {"none HS256 RS384 RS512 PS384 PS512 ES384 ES512", func(w *walk, value string) bool {
		if value == "none" || value == "HS256" {
			return w.objectAs(apptest.NewSigner(w.t, jose.ES256, "k"), value)
		}
		return w.objectAs(apptest.NewSigner(w.t, jose.Alg(value), "k"), "")
	}},
	"token_endpoint_auth_methods_supported":                    {methodsElsewhere, func(w *walk, value string) bool { return w.method("/api/oidc/token", value) }},
	"revocation_endpoint_auth_methods_supported":               {methodsElsewhere, func(w *walk, value string) bool { return w.method("/api/oidc/revoke", value) }},
	"introspection_endpoint_auth_methods_supported":            {methodsElsewhere + " none", func(w *walk, value string) bool { return w.method("/api/oidc/introspect", value) }},
	"token_endpoint_auth_signing_alg_values_supported":         {"none HS256", func(w *walk, value string) bool { return w.assertion("/api/oidc/token", value) }},
	"revocation_endpoint_auth_signing_alg_values_supported":    {"none HS256", func(w *walk, value string) bool { return w.assertion("/api/oidc/revoke", value) }},
	"introspection_endpoint_auth_signing_alg_values_supported": {"none HS256", func(w *walk, value string) bool { return w.assertion("/api/oidc/introspect", value) }},
	// Claims are text in the tokens themselves; none comes from elsewhere (OpenID Connect Core §5.6).
	"claim_types_supported": {"aggregated distributed", func(w *walk, value string) bool { return value == "normal" && !w.said()["_claim_names"] }},
	"claims_supported":      {"roles", func(w *walk, value string) bool { return w.said()[value] }},
	"code_challenge_methods_supported": {"plain", func(w *walk, value string) bool {
		return w.answer("code_challenge_method", value).Has("code")
	}},
	// A value that nobody knows is passed over (OpenID Connect Core §3.1.2.1), so one that
	// works is told by what it does.
	"prompt_values_supported": {"create", func(w *walk, value string) bool {
		w.tokens(w.shop)
		page := w.ada.Open(w.shop.Begin("prompt", value).URL())
		return value == "none" && page.Away != nil || page.Away == nil && page.Status == http.StatusOK && page.URL.Path != "/authorize"
	}},
	"display_values_supported": {"popup touch wap", func(w *walk, value string) bool {
		return value == "page" && w.answer("display", value).Has("code")
	}},
	"ui_locales_supported": {"de ja ar zh-TW", func(w *walk, value string) bool {
		page := w.h.Browser().Open(w.shop.Begin("ui_locales", value).URL())
		return strings.Contains(page.Body, `<html lang="`+value+`"`)
	}},
}

const methodsElsewhere = "client_secret_jwt tls_client_auth self_signed_tls_client_auth"

// told are members that are no lists: what each of them says has to hold.
var toldOnce = map[string]func(w *walk) bool{
	"issuer":                     func(w *walk) bool { return w.answer().Get("iss") == apptest.URL },
	"claims_parameter_supported": func(w *walk) bool { return w.claim("email") },
	"request_parameter_supported": func(w *walk) bool {
		return w.objectAs(apptest.NewSigner(w.t, jose.ES256, "k"), "")
	},
	"request_uri_parameter_supported": func(w *walk) bool { return w.fetched("https://objects.example/o") },
	// A request object is fetched from where its client said before, and from nowhere else.
	"require_request_uri_registration":               func(w *walk) bool { return !w.fetched("https://objects.example/other") },
	"require_pushed_authorization_requests":          func(w *walk) bool { return !w.answer().Has("code") },
	"authorization_response_iss_parameter_supported": func(w *walk) bool { return w.answer().Has("iss") },
	"backchannel_logout_supported": func(w *walk) bool {
		return w.logout(func(e *oidc.ClientEdit) { e.BackchannelLogout = "https://x.example/b" })
	},
	"backchannel_logout_session_supported": func(w *walk) bool {
		return w.logout(func(e *oidc.ClientEdit) { e.BackchannelLogout, e.BackchannelNeedsSid = "https://x.example/b", true })
	},
	"frontchannel_logout_supported": func(w *walk) bool {
		return w.logout(func(e *oidc.ClientEdit) { e.FrontchannelLogout = "https://x.example/f" })
	},
	"frontchannel_logout_session_supported": func(w *walk) bool {
		return w.logout(func(e *oidc.ClientEdit) { e.FrontchannelLogout, e.FrontchannelNeedsSid = "https://x.example/f", true })
	},
}

// What the discovery document tells works, value by value, and what works it tells (OpenID
// Connect Discovery §3, RFC 8414 §2). A member that nobody tries fails the test.
func TestDiscoveryTellsWhatWorks_OIDC_Discovery_3(t *testing.T) { // threats 8
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		w := &walk{t: t, h: h, ada: h.User("ada"), shop: h.Client("shop", plain)}
		completed(h, w.ada)
		doc := h.Program().Get("/.well-known/openid-configuration").JSON()
		for _, name := range slices.Sorted(maps.Keys(doc)) {
			values, _ := doc[name].([]any)
			list, isList := listed[name]
			once, isOnce := toldOnce[name]
			switch {
			case strings.HasSuffix(name, "_endpoint") || name == "jwks_uri": // TestDiscoveryDocument_OIDC_Discovery_3 asks them
			case isList:
				var told []string
				for _, v := range values {
					told = append(told, v.(string))
				}
				for _, value := range append(slices.Clone(told), strings.Fields(list.more)...) {
					if works := list.try(w, value); works != slices.Contains(told, value) {
						t.Errorf("%s: %s works: %v; the document tells %v", name, value, works, told)
					}
				}
			case isOnce:
				if is, said := once(w), doc[name] != false; is != said {
					t.Errorf("%s is told as %v, and it is %v", name, doc[name], is)
				}
			default:
				t.Errorf("nobody tries %s", name)
			}
		}
	})
}

// client makes a confidential one; it may be refused, for a reason of its own.
func (w *walk) client(change ...func(*oidc.ClientEdit)) (*apptest.Client, bool) {
	w.t.Helper()
	edit := oidc.NewClientEdit()
	edit.Name, edit.RedirectURIs = "walked", []oidc.URI{{URI: "https://walked.example/callback"}}
	for _, fn := range change {
		fn(&edit)
	}
	made, plain, err := w.h.App.OIDC.AddClient(w.t.Context(), audit.System("cli"), edit)
	if err != nil && fault.Of(err) == nil {
		w.t.Fatal(err)
	}
	if err != nil {
		return nil, false
	}
	return w.h.Known(made.ID, plain, edit.RedirectURIs[0].URI), true
}

// answer is what the application hears of a request with changes; empty where the person
// is told instead.
func (w *walk) answer(changes ...string) url.Values {
	w.t.Helper()
	f := w.shop.Begin(changes...)
	if page := f.By(w.ada); page.Away == nil {
		return url.Values{}
	}
	return f.Answer
}

func (w *walk) tokens(c *apptest.Client, changes ...string) apptest.Tokens {
	w.t.Helper()
	f, code := c.Authorize(w.ada, changes...)
	return f.Redeem(code)
}

// byLink is somebody who is signed in by a one-time link alone.
func (w *walk) byLink(name string) *apptest.Person {
	w.t.Helper()
	p := w.h.User(name + fmt.Sprint(serial()))
	code := w.h.Link(p)
	p.Open("/lc/" + code)
	p.Submit("/lc", url.Values{"code": {code}})
	return p
}

// objectAs says whether a request counts that comes as an object of a signer; with another
// alg than its own if one is given.
func (w *walk) objectAs(s *apptest.Signer, alg string) bool {
	w.t.Helper()
	c, ok := w.client(func(e *oidc.ClientEdit) { e.JWKS = apptest.KeySet(s) })
	if !ok {
		return false
	}
	f := c.Begin()
	var changed map[string]any
	if alg != "" {
		changed = map[string]any{"alg": alg}
	}
	page := f.From(w.ada, w.ada.Open("/authorize?"+url.Values{"client_id": {c.ID}, "response_type": {"code"}, "scope": {"openid"}, "request": {s.Sign(changed, object(f))}}.Encode()))
	return page.Away != nil && f.Answer.Has("code")
}

// fetched says whether a request object counts that lies at an address; the client has
// registered https://objects.example/o.
func (w *walk) fetched(uri string) bool {
	w.t.Helper()
	s := apptest.NewSigner(w.t, jose.ES256, "k")
	c, ok := w.client(func(e *oidc.ClientEdit) {
		e.JWKS, e.RequestURIs = apptest.KeySet(s), []string{"https://objects.example/o"}
	})
	if !ok {
		return false
	}
	f := c.Begin()
	if w.object == "" {
		w.h.Site("objects.example", func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "application/oauth-authz-req+jwt")
			fmt.Fprint(rw, w.object)
		})
	}
	w.object = s.Sign(nil, object(f))
	page := f.From(w.ada, w.ada.Open("/authorize?"+url.Values{"client_id": {c.ID}, "response_type": {"code"}, "scope": {"openid"}, "request_uri": {uri}}.Encode()))
	return page.Away != nil && f.Answer.Has("code")
}

// method says whether a client may prove itself in a way at an endpoint: it is another
// error than invalid_client that it hears for a token that is none.
func (w *walk) method(path, method string) bool {
	w.t.Helper()
	if method == "private_key_jwt" {
		return w.assertion(path, "ES256")
	}
	c, ok := w.client(func(e *oidc.ClientEdit) { e.AuthMethod, e.Public = method, method == "none" })
	if !ok {
		return false
	}
	body := form("token", "x", "grant_type", "authorization_code", "code", "x")
	var headers []string
	switch method {
	case "client_secret_basic":
		headers = basic(c)
	case "client_secret_post":
		body.Set("client_id", c.ID)
		body.Set("client_secret", c.Secret)
	case "none":
		body.Set("client_id", c.ID)
	}
	return w.heard(w.h.Program().Post(path, body, headers...))
}

// heard says whether an answer is one to a client that is known.
func (w *walk) heard(a *apptest.Answer) bool {
	w.t.Helper()
	if a.Status == http.StatusOK {
		return true
	}
	switch a.Error() {
	case "invalid_client", "unauthorized_client":
		return false
	case "invalid_grant":
		return true
	}
	w.t.Errorf("got %d %s", a.Status, a.Body)
	return false
}

// assertion says whether an endpoint takes an assertion of an algorithm.
func (w *walk) assertion(path, alg string) bool {
	w.t.Helper()
	key, changed := apptest.NewSigner(w.t, jose.ES256, "k"), map[string]any{"alg": alg}
	if alg != "none" && alg != "HS256" {
		key, changed = apptest.NewSigner(w.t, jose.Alg(alg), "k"), nil
	}
	c, ok := w.client(own(key))
	if !ok {
		return false
	}
	body := form("token", "x", "grant_type", "authorization_code", "code", "x")
	maps.Copy(body, apptest.AssertionForm(key.Sign(changed, claimsFor(c.ID, nil))))
	return w.heard(w.h.Program().Post(path, body))
}

// claim says whether a claim that is asked for alone comes in the ID token.
func (w *walk) claim(name string) bool {
	w.t.Helper()
	got := claims(w.t, w.tokens(w.shop, "scope", "openid", "claims", `{"id_token":{"`+name+`":null}}`).IDToken)
	return got[name] != nil
}

// said are the claims that come with all scopes, in the ID token or at userinfo.
func (w *walk) said() map[string]bool {
	w.t.Helper()
	if w.claims != nil {
		return w.claims
	}
	w.h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
		g, err := d.AddGroup(ctx, by, directory.GroupEdit{Name: "walkers", FriendlyName: "Walkers"})
		if err == nil {
			err = d.AddMembers(ctx, by, g.ID, []string{w.ada.ID})
		}
		return err
	})
	tokens := w.tokens(w.shop, "scope", "openid profile email address phone groups")
	all := map[string]bool{}
	_, info := w.shop.Userinfo(tokens.AccessToken)
	for name := range info {
		all[name] = true
	}
	for name := range claims(w.t, tokens.IDToken) {
		all[name] = true
	}
	w.claims = all
	return all
}

// logout says whether a client may ask to be told of sign-outs in a way.
func (w *walk) logout(change func(*oidc.ClientEdit)) bool {
	w.t.Helper()
	_, ok := w.client(func(e *oidc.ClientEdit) { e.RedirectURIs = []oidc.URI{{URI: "https://x.example/cb"}} }, change)
	return ok
}
