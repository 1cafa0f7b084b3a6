package protocol

import (
	"crypto"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/jose"
	"pocketid/internal/oidc"
)

// A suite plays the relying party of the OpenID Foundation's conformance suite: it sends
// what that sends, and looks at what that looks at in each of its modules. A module is a
// test of its name; docs/conformance.md lists them.
type suite struct {
	t *testing.T
	h *apptest.House
	// mode is the response_mode of the plan: "" is that of Basic, where none is sent.
	mode string
	// client authenticates by client_secret_basic and other is a second one of the kind.
	client, other *apptest.Client
	// admin set the house up, ada is who signs in.
	admin, ada *apptest.Person
}

// The plans whose modules are the same but for the way of the answer.
var plans = map[string]string{"basic": "", "formpost": "form_post"}

// conform runs a module of the plans Basic and Form Post: on each engine, in each
// response mode, each in a house of its own. Settings are lines as in the environment.
func conform(t *testing.T, module func(s *suite), settings ...string) {
	t.Helper()
	for plan, mode := range plans {
		t.Run(plan, func(t *testing.T) {
			apptest.Both(t, func(t *testing.T, h *apptest.House) { module(newSuite(t, h, mode)) }, settings...)
		})
	}
}

// conformOnce runs a module that is the same in each response mode.
func conformOnce(t *testing.T, module func(s *suite), settings ...string) {
	t.Helper()
	apptest.Both(t, func(t *testing.T, h *apptest.House) { module(newSuite(t, h, "")) }, settings...)
}

// newSuite sets a house up for the suite: two clients without PKCE, of which one knows two
// redirect URIs, and somebody with an account.
func newSuite(t *testing.T, h *apptest.House, mode string) *suite {
	t.Helper()
	s := &suite{t: t, h: h, mode: mode, admin: h.SetUp()}
	s.client, s.other = h.Client("suite", plain), h.Client("second", plain)
	s.ada = h.User("ada")
	return s
}

// begin makes a request as the suite does: the scope openid, a state of 128 characters, a
// nonce, no PKCE. Changes are pairs as for apptest.Client.Begin.
func (s *suite) begin(changes ...string) *apptest.Flow { return s.beginAs(s.client, changes...) }

// beginAs is begin for another client.
func (s *suite) beginAs(c *apptest.Client, changes ...string) *apptest.Flow {
	usual := append([]string{"scope", "openid", "state", long, "response_mode", s.mode}, withoutPKCE...)
	return c.Begin(append(usual, changes...)...)
}

// code is the code of an answer, which has to have one: unguessable, and nothing else
// beside state and issuer.
func (s *suite) code(page *apptest.Page, f *apptest.Flow) string {
	s.t.Helper()
	answer := s.answered(page, f)
	code := answer.Get("code")
	if code == "" || answer.Has("error") {
		s.t.Fatalf("got %v, want a code (%s); %s", answer, f.Query.Encode(), page)
	}
	unguessable(s.t, "code", code)
	return code
}

// refused checks that the application hears one of these errors.
func (s *suite) refused(page *apptest.Page, f *apptest.Flow, want ...string) {
	s.t.Helper()
	answer := s.answered(page, f)
	if !slices.Contains(want, answer.Get("error")) || answer.Has("code") {
		s.t.Errorf("got %v, want one of %q (%s)", answer, want, f.Query.Encode())
	}
	if wrong := strings.Trim(answer.Get("error_description"), descriptions); wrong != "" { // RFC 6749 §4.1.2.1
		s.t.Errorf("the description has %q in it", wrong)
	}
}

// answered checks what all answers have in common.
func (s *suite) answered(page *apptest.Page, f *apptest.Flow) url.Values {
	s.t.Helper()
	uri, posted := f.Query.Get("redirect_uri"), f.Query.Get("response_mode") == "form_post"
	if page.Away == nil || !strings.HasPrefix(page.Away.String(), uri) {
		s.t.Fatalf("the application hears nothing: %s", page)
	}
	if posted != (page.Posted != nil) {
		s.t.Errorf("the answer does not come by %q: %s", f.Query.Get("response_mode"), page)
	}
	if posted && page.Away.String() != uri {
		s.t.Errorf("there are parameters in the address of a form: %s", page.Away)
	}
	if got := page.Header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		s.t.Errorf("the answer may be kept: Cache-Control %q", got)
	}
	answer := url.Values{}
	registered, err := url.Parse(uri)
	if err != nil {
		s.t.Fatal(err)
	}
	for name, values := range page.Answer() {
		if own := registered.Query()[name]; own != nil && !posted { // of the redirect URI itself
			values = values[len(own):]
		}
		if len(values) > 0 {
			answer[name] = values
		}
	}
	allowed := []string{"code", "state", "iss", "session_state"}
	if answer.Has("error") {
		allowed = []string{"error", "error_description", "error_uri", "state", "iss", "session_state"}
	}
	for name, values := range answer {
		if !slices.Contains(allowed, name) || len(values) != 1 {
			s.t.Errorf("the answer has %s %q", name, values)
		}
	}
	if answer.Get("state") != f.Query.Get("state") || answer.Has("state") != f.Query.Has("state") {
		s.t.Errorf("the state is %q, want %q", answer.Get("state"), f.Query.Get("state"))
	}
	if answer.Get("iss") != apptest.URL {
		s.t.Errorf("the issuer is %q", answer.Get("iss"))
	}
	return answer
}

// A said is what the endpoints said at the end of a flow.
type said struct {
	// Token is the answer of the token endpoint, ID the claims of the ID token and Info those
	// of userinfo.
	Token, ID, Info map[string]any
	// IDToken, Access and Refresh are the tokens; Refresh is "" when there is none.
	IDToken, Access, Refresh string
}

// flow goes through a whole flow and checks all of it.
func (s *suite) flow(changes ...string) said {
	s.t.Helper()
	f := s.begin(changes...)
	return s.finish(f, f.By(s.ada))
}

// finish redeems the code that page brings for f and checks all that comes of it.
func (s *suite) finish(f *apptest.Flow, page *apptest.Page) said {
	s.t.Helper()
	return s.redeemed(f, s.client, s.h.Program().Post("/api/oidc/token", f.Form(s.code(page, f)), basic(s.client)...))
}

// redeemed checks an answer of the token endpoint to c for a code of f, and userinfo.
func (s *suite) redeemed(f *apptest.Flow, c *apptest.Client, a *apptest.Answer) said {
	s.t.Helper()
	got := s.tokens(c, a)
	scopes, asked := strings.Fields(f.Query.Get("scope")), f.Query.Get("claims")
	if nonce, sent := got.ID["nonce"]; sent != f.Query.Has("nonce") || sent && nonce != f.Query.Get("nonce") {
		s.t.Errorf("the nonce is %v, want %q", nonce, f.Query.Get("nonce"))
	}
	allowed := strings.Fields("iss sub aud exp iat auth_time nonce acr amr azp at_hash c_hash s_hash nbf jti sid txn")
	for name := range got.ID {
		if !slices.Contains(allowed, name) && !wants(asked, "id_token", name) {
			s.t.Errorf("the ID token says %s, which nobody asked for", name)
		}
	}
	got.Info = s.userinfo(got.Access)
	if got.Info["sub"] != got.ID["sub"] {
		s.t.Errorf("userinfo is about %v, the ID token about %v", got.Info["sub"], got.ID["sub"])
	}
	for name := range got.Info {
		if !slices.Contains(claimsOf(scopes), name) && !wants(asked, "userinfo", name) {
			s.t.Errorf("userinfo says %s, which nobody asked for", name)
		}
	}
	return got
}

// tokens checks the form of an answer of the token endpoint, and the ID token in it.
func (s *suite) tokens(c *apptest.Client, a *apptest.Answer) said {
	s.t.Helper()
	got := said{Token: a.JSON()}
	if a.Status != http.StatusOK || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
		s.t.Fatalf("the token endpoint answers %d %s", a.Status, a.Body)
	}
	if !strings.Contains(a.Header.Get("Cache-Control"), "no-store") {
		s.t.Errorf("tokens may be kept: %v", a.Header)
	}
	if kind, _ := got.Token["token_type"].(string); !strings.EqualFold(kind, "Bearer") {
		s.t.Errorf("token_type is %v", got.Token["token_type"])
	}
	if n, _ := got.Token["expires_in"].(float64); n < 1 || n > 31536000 || n != math.Trunc(n) {
		s.t.Errorf("expires_in is %v", got.Token["expires_in"])
	}
	got.Access, _ = got.Token["access_token"].(string)
	unguessable(s.t, "access_token", got.Access)
	if got.Token["refresh_token"] != nil {
		got.Refresh, _ = got.Token["refresh_token"].(string)
		unguessable(s.t, "refresh_token", got.Refresh)
	}
	got.IDToken, _ = got.Token["id_token"].(string)
	got.ID = s.idToken(c, got.IDToken)
	return got
}

// idToken checks an ID token for c as the suite does and returns its claims.
func (s *suite) idToken(c *apptest.Client, token string) map[string]any {
	s.t.Helper()
	header, payload, err := jose.Verify(token, jose.Want{Algs: oidc.KeyAlgs, Typs: []string{"jwt", ""}, Keys: s.key})
	if err != nil {
		s.t.Fatalf("the ID token %q: %v", token, err)
	}
	id := map[string]any{}
	if err := json.Unmarshal(payload, &id); err != nil {
		s.t.Fatal(err)
	}
	if header.Alg != jose.RS256 {
		s.t.Errorf("the ID token of a client that asked for no algorithm is signed with %s", header.Alg)
	}
	if id["iss"] != apptest.URL {
		s.t.Errorf("iss is %v", id["iss"])
	}
	switch aud := id["aud"].(type) {
	case string:
		if aud != c.ID {
			s.t.Errorf("aud is %v", aud)
		}
	case []any:
		if !slices.Contains(aud, any(c.ID)) {
			s.t.Errorf("aud is %v", aud)
		}
	default:
		s.t.Errorf("aud is %v", aud)
	}
	if azp, has := id["azp"]; has && azp != c.ID {
		s.t.Errorf("azp is %v", azp)
	}
	now := float64(time.Now().Unix())
	if exp, _ := id["exp"].(float64); exp <= now {
		s.t.Errorf("exp is %v", id["exp"])
	}
	if iat, _ := id["iat"].(float64); math.Abs(iat-now) > 300 {
		s.t.Errorf("iat is %v", id["iat"])
	}
	if sub, _ := id["sub"].(string); !regexp.MustCompile(`^[ -~]{1,255}$`).MatchString(sub) {
		s.t.Errorf("sub is %v", id["sub"])
	}
	if acr, has := id["acr"]; has && (acr == "" || !isString(acr)) {
		s.t.Errorf("acr is %v", acr)
	}
	if amr, has := id["amr"]; has {
		if list, ok := amr.([]any); !ok || slices.ContainsFunc(list, func(v any) bool { return !isString(v) }) {
			s.t.Errorf("amr is %v", amr)
		}
	}
	if at, has := id["auth_time"]; has {
		if n, ok := at.(float64); !ok || n > now || n < now-366*24*3600 {
			s.t.Errorf("auth_time is %v", at)
		}
	}
	return id
}

// key is a key of the house by its kid, after the checks of the whole set.
func (s *suite) key(kid string, alg jose.Alg) (found crypto.PublicKey) {
	var set struct{ Keys []json.RawMessage }
	a := s.h.Program().Get("/.well-known/jwks.json")
	if err := json.Unmarshal([]byte(a.Body), &set); err != nil || a.Status != http.StatusOK {
		s.t.Fatalf("the keys: %d %v %s", a.Status, err, a.Body)
	}
	seen := map[string]bool{}
	for _, raw := range set.Keys {
		k, err := jose.ParseJWK(raw) // public, and of the algorithm that it names
		if err != nil || k.ID() == "" || seen[k.ID()] {
			s.t.Errorf("the key %s: %v", raw, err)
			continue
		}
		seen[k.ID()] = true
		if k.ID() == kid && k.Alg() == alg {
			found = k.Key()
		}
	}
	return found
}

// userinfo asks who an access token is about and checks the form of what it says.
func (s *suite) userinfo(access string) map[string]any {
	s.t.Helper()
	return s.info(s.h.Program().Get("/api/oidc/userinfo", "Authorization", "Bearer "+access))
}

// info checks an answer of userinfo.
func (s *suite) info(a *apptest.Answer) map[string]any {
	s.t.Helper()
	if a.Status != http.StatusOK || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
		s.t.Fatalf("userinfo: %d %s %s", a.Status, a.Header.Get("Content-Type"), a.Body)
	}
	info := a.JSON()
	for name, value := range info {
		if why := wrongClaim(name, value); why != "" {
			s.t.Errorf("userinfo: %s is %v: %s", name, value, why)
		}
	}
	return info
}

// discovered is a member of the discovery document.
func (s *suite) discovered(name string) any {
	s.t.Helper()
	return s.h.Program().Get("/.well-known/openid-configuration").JSON()[name]
}

// listed says whether a list of the discovery document has a value.
func (s *suite) listed(name, value string) bool {
	s.t.Helper()
	list, _ := s.discovered(name).([]any)
	return slices.Contains(list, any(value))
}

// wrongClaim says what is wrong with a claim about a person (OpenID Connect Core §5.1).
func wrongClaim(name string, value any) string {
	if value == nil || value == "" || value == "null" {
		return "it says nothing"
	}
	matches := func(pattern string) string {
		if s, ok := value.(string); !ok || !regexp.MustCompile(pattern).MatchString(s) {
			return "it has not the form " + pattern
		}
		return ""
	}
	switch name {
	case "email_verified", "phone_number_verified":
		if _, ok := value.(bool); !ok {
			return "it is no truth value"
		}
	case "updated_at":
		if n, ok := value.(float64); !ok || n < 631152000 || n > float64(time.Now().Unix()) {
			return "it is no time between 1990 and now"
		}
	case "birthdate":
		return matches(`^(\d{4}|0000-\d\d-\d\d|\d{4}-\d\d-\d\d)$`)
	case "picture", "profile", "website":
		return matches(`^https?://[^ ]+$`)
	case "address":
		if _, ok := value.(map[string]any); !ok {
			return "it is no object"
		}
	case "sub", "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "email", "gender", "zoneinfo", "locale", "phone_number":
		return matches(`.`)
	}
	return ""
}

// claimsOf are the claims that scopes ask for (OpenID Connect Core §5.4), with those that
// the house adds.
func claimsOf(scopes []string) []string {
	list := []string{"sub", "iss", "aud"}
	for _, scope := range scopes {
		list = append(list, map[string][]string{
			"profile": append(slices.Clone(profileNames), "display_name"),
			"email":   {"email", "email_verified"},
			"address": {"address"},
			"phone":   {"phone_number", "phone_number_verified"},
			"groups":  {"groups"},
		}[scope]...)
	}
	return list
}

// profileNames are the claims of the scope profile.
var profileNames = strings.Fields("name given_name family_name middle_name nickname profile picture website gender birthdate zoneinfo locale updated_at preferred_username")

// wants says whether the parameter claims asks for a claim at a place.
func wants(parameter, place, name string) bool {
	var asked map[string]map[string]any
	if json.Unmarshal([]byte(parameter), &asked) != nil {
		return false
	}
	_, has := asked[place][name]
	return has
}

func isString(v any) bool { _, ok := v.(string); return ok }

// unguessable checks that a code or token has 128 bits, and more than 96 of entropy.
func unguessable(t testing.TB, name, text string) {
	t.Helper()
	counts := map[rune]float64{}
	for _, r := range text {
		counts[r]++
	}
	bits := 0.0
	for _, n := range counts {
		bits -= n * math.Log2(n/float64(len(text)))
	}
	if len(text)*8 < 128 || bits <= 96 {
		t.Errorf("the %s %s has %.0f bits of entropy", name, fmt.Sprintf("of %d characters", len(text)), bits)
	}
	if !regexp.MustCompile(`^[ -~]+$`).MatchString(text) {
		t.Errorf("the %s is %q", name, text)
	}
}
