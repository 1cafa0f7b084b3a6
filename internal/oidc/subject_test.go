package oidc

import (
	"encoding/json"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/jose"
)

func TestSectorOfAClient(t *testing.T) {
	web := func(uris ...string) (list []URI) {
		for _, u := range uris {
			list = append(list, URI{URI: u})
		}
		return list
	}
	for _, test := range []struct {
		name string
		edit ClientEdit
		want string
		err  *fault.Error
	}{
		{"it needs none for public subjects", ClientEdit{}, "", nil},
		{"it keeps one for public subjects", ClientEdit{Sector: " Shop.Example "}, "shop.example", nil},
		{"it is the host of the redirect URI", ClientEdit{SubjectType: SubjectPairwise, RedirectURIs: web("https://shop.example/cb")}, "shop.example", nil},
		{"it has no port", ClientEdit{SubjectType: SubjectPairwise, RedirectURIs: web("https://shop.example:8443/cb", "https://shop.example/cb2")}, "shop.example", nil},
		{"it is what is said", ClientEdit{SubjectType: SubjectPairwise, Sector: "sector.example", RedirectURIs: web("https://a.example/cb", "https://b.example/cb")}, "sector.example", nil},
		{"it takes an address for a host", ClientEdit{SubjectType: SubjectPairwise, RedirectURIs: web("http://[::1]/cb")}, "[::1]", nil},
		{"it is asked for where there are two hosts", ClientEdit{SubjectType: SubjectPairwise, RedirectURIs: web("https://a.example/cb", "https://b.example/cb")}, "", ErrSectorNeeded},
		{"it is asked for where there is none", ClientEdit{SubjectType: SubjectPairwise}, "", ErrSectorNeeded},
		{"it is asked for where an application answers", ClientEdit{SubjectType: SubjectPairwise, RedirectURIs: web("com.example.app:/cb")}, "", ErrSectorNeeded},
		{"it is asked for where any host answers", ClientEdit{SubjectType: SubjectPairwise, RedirectURIs: []URI{{URI: "https://*.shop.example/cb", Pattern: true}}}, "", ErrSectorNeeded},
		{"it is no address", ClientEdit{Sector: "https://shop.example"}, "", ErrSector},
		{"it has no path", ClientEdit{Sector: "shop.example/a"}, "", ErrSector},
		{"it is not too long", ClientEdit{Sector: strings.Repeat("a.", 127) + "a"}, "", ErrSector},
		{"it refuses another type", ClientEdit{SubjectType: "secret"}, "", ErrSubjectType},
	} {
		err := test.edit.checkSubject()
		if test.err == nil && (err != nil || test.edit.Sector != test.want) || test.err != nil && (err == nil || fault.Of(err).Code != test.err.Code) {
			t.Errorf("%s: got %q, %v", test.name, test.edit.Sector, err)
		}
	}
}

// It is stable, tells nobody who it is, is another one in each sector and of each person,
// and no name of anything else.
func TestPairwiseSubjects(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		shop, blog := &Client{}, &Client{}
		shop.SubjectType, shop.Sector = SubjectPairwise, "shop.example"
		blog.SubjectType, blog.Sector = SubjectPairwise, "blog.example"
		ada, bob := h.p.subject(shop, "ada"), h.p.subject(shop, "bob")
		if ada != h.p.subject(shop, "ada") || ada == bob || ada == h.p.subject(blog, "ada") {
			t.Errorf("ada is %s, bob %s, ada elsewhere %s", ada, bob, h.p.subject(blog, "ada"))
		}
		if !regexp.MustCompile(`^p-[0-9a-f]{64}$`).MatchString(ada) {
			t.Errorf("it is %s", ada)
		}
		// The halves cannot be put together otherwise.
		one, other := &Client{}, &Client{}
		one.SubjectType, one.Sector = SubjectPairwise, "a"
		other.SubjectType, other.Sector = SubjectPairwise, "ab"
		if h.p.subject(one, "bc") == h.p.subject(other, "c") {
			t.Error("two sectors have a subject in common")
		}
		if got := h.p.subject(&Client{}, "ada"); got != "ada" {
			t.Errorf("a public subject is %s", got)
		}
	})
}

// Every endpoint calls the person by the same name, which is not their id, and takes the
// name back as a hint.
func TestPairwiseClientsHearOneName(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{SubjectType: SubjectPairwise})
		if c.Sector != "shop.example" {
			t.Fatalf("the sector is %q", c.Sector)
		}
		all := []string{"openid", "profile", "email", "groups", "phone", "address"}
		l := c.login("ada", all...)
		h.write(func(tx *db.Tx) { tx.Do(`UPDATE users SET picture_id = 'p1' WHERE id = $1`, l.user.ID) })
		l.user.PictureID = "p1"
		got := c.redeem(c.code(l, all...)).ok(t)
		again := c.refresh(got.Refresh).ok(t)
		want := h.p.pairwise("shop.example", l.user.ID)
		_, told := h.userinfo(again.Access)
		if told["sub"] != want {
			t.Errorf("userinfo says %v, want %s", told["sub"], want)
		}
		for name, token := range map[string]string{"ID token": got.ID, "access token": got.Access, "second ID token": again.ID, "second access token": again.Access} {
			_, claims := claimsOf(t, token)
			if claims["sub"] != want {
				t.Errorf("the %s says %v, want %s", name, claims["sub"], want)
			}
			if b, _ := json.Marshal(claims); strings.Contains(string(b), l.user.ID) {
				t.Errorf("the %s has the id of the user in it: %s", name, b)
			}
		}
		// The hint names ada to this client.
		if wantCode(t, l.browser.authorize(c.Client, "prompt", "none", "id_token_hint", got.ID), c.Client) == "" {
			t.Error("the hint is not taken")
		}
		// Somebody else is signed in.
		bob := c.login("bob", all...)
		wantError(t, bob.browser.authorize(c.Client, "prompt", "none", "id_token_hint", got.ID), c.Client, "login_required")
		// To a client of another sector it names nobody who can be told apart.
		other := h.relyingParty(ClientEdit{Name: "Blog", SubjectType: SubjectPairwise, RedirectURIs: []URI{{URI: "https://blog.example/cb"}}})
		other.loginAs(l, all...)
		wantError(t, l.browser.authorize(other.Client, "prompt", "none", "id_token_hint", got.ID), other.Client, "login_required")
		// What was said before the type changed still names the same person.
		edit := c.Edit()
		edit.SubjectType = SubjectPublic
		_, err := h.p.EditClient(t.Context(), admin, c.ID, edit)
		must(t, err)
		wantCode(t, l.browser.authorize(c.Client, "prompt", "none", "id_token_hint", got.ID), c.Client)
		if _, told := h.userinfo(again.Access); told["sub"] != l.user.ID {
			t.Errorf("after the change userinfo says %v", told["sub"])
		}
	})
}

// OpenID Connect Core §5.3.2. It passes for no other token (threats 7).
func TestUserinfoIsSignedForClientsThatWantIt(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, alg := range []jose.Alg{jose.ES256, jose.RS256, jose.EdDSA} {
			c := h.relyingParty(ClientEdit{UserinfoAlg: alg, ClaimsAtUserinfo: true})
			l := c.loginAs(testLogin{user: h.user("ada" + strings.ToLower(string(alg))), browser: h.browser()}, "openid", "email")
			got := c.redeem(c.code(l, "openid", "email")).ok(t)
			r := httptest.NewRequest("GET", "/api/oidc/userinfo", nil)
			r.Header.Set("Authorization", "Bearer "+got.Access)
			resp := h.do(r)
			text := body(resp)
			if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/jwt" || resp.Header.Get("Cache-Control") != "no-store" {
				t.Fatalf("got %d %v %s", resp.StatusCode, resp.Header, text)
			}
			header, claims := claimsOf(t, text)
			_, id := claimsOf(t, got.ID)
			if header["alg"] != string(alg) || header["kid"] == "" || header["typ"] != nil {
				t.Errorf("the header is %v", header)
			}
			if claims["iss"] != testIssuer || claims["aud"] != c.ID || claims["sub"] != id["sub"] || claims["email"] != l.user.Email || claims["email_verified"] != false {
				t.Errorf("the claims are %v", claims)
			}
			if claims["nonce"] != nil || claims["exp"] != nil || len(claims) != 5 {
				t.Errorf("there is more in it: %v", claims)
			}
			if _, _, err := h.p.keys.Verify(t.Context(), text, ""); err != nil {
				t.Errorf("the signature: %v", err)
			}
			// It is nothing else: no access token, no hint (threats 7).
			r.Header.Set("Authorization", "Bearer "+text)
			if resp := h.do(r); resp.StatusCode != 401 {
				t.Errorf("as an access token it is answered %d", resp.StatusCode)
			}
			if _, err := h.p.readHint(t.Context(), text); err == nil {
				t.Error("it is a hint")
			}
		}
	})
}

// Single claims come with the scope that the person allowed, wherever they were asked for.
func TestClaimsThatAreAskedSingly(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		g, err := h.dir.AddGroup(t.Context(), admin, directory.GroupEdit{Name: "staff", FriendlyName: "Staff", Claims: map[string]any{"team": "blue"}})
		must(t, err)
		c := h.relyingParty(ClientEdit{ClaimsAtUserinfo: true})
		ask := func(l testLogin, asked string) (tokens, map[string]any, map[string]any) {
			t.Helper()
			code := c.code(l, "openid")
			h.write(func(tx *db.Tx) { tx.Do(`UPDATE grants SET claims = $1 WHERE user_id = $2`, asked, l.user.ID) })
			got := c.redeem(code).ok(t)
			_, id := claimsOf(t, got.ID)
			_, told := h.userinfo(got.Access)
			return got, id, told
		}
		const asked = `{"userinfo":{"name":{"essential":true},"email":null,"team":null,"phone_number":null,"nobody_knows":null,"sub":null,"iss":null},"id_token":{"groups":null,"given_name":null,"aud":{"value":"other"}}}`
		l := c.login("ada", "openid", "profile", "email", "phone", "groups")
		must(t, h.dir.SetMembers(t.Context(), admin, g.ID, []string{l.user.ID}))
		_, id, told := ask(l, asked)
		if told["name"] != "ada" || told["email"] != "ada@example.test" || told["team"] != "blue" || told["sub"] != l.user.ID || len(told) != 4 {
			t.Errorf("userinfo says %v", told)
		}
		if groups, _ := json.Marshal(id["groups"]); string(groups) != `["staff"]` || id["given_name"] != "ada" || id["aud"] != c.ID || id["name"] != nil || id["email"] != nil {
			t.Errorf("the ID token says %v", id)
		}
		// What nobody allowed is not said: the grant of such a request gives nothing.
		bob := c.login("bob", "openid", "email")
		code := c.code(bob, "openid")
		h.write(func(tx *db.Tx) { tx.Do(`UPDATE grants SET claims = $1 WHERE user_id = $2`, asked, bob.user.ID) })
		c.redeem(code).fails(t, 400, "invalid_grant")
		for _, none := range []string{`{}`, `{"id_token":{"auth_time":{"essential":true},"acr":{"values":["phr"]},"sub":null,"sid":null},"userinfo":{"sub":{"value":"ada"}}}`} {
			var r claimsRequest
			must(t, json.Unmarshal([]byte(none), &r))
			if got := r.scopes(); len(got) != 0 {
				t.Errorf("%s needs %v", none, got)
			}
		}
		var r claimsRequest
		must(t, json.Unmarshal([]byte(asked), &r))
		if got := strings.Join(r.scopes(), " "); got != "profile email phone groups" {
			t.Errorf("the scopes are %q", got)
		}
	})
}
