package protocol

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/oidc"
	"pocketid/internal/settings"
)

// A described application is one whose client id is the address of a document.
type described struct {
	*apptest.Client
	site *apptest.Site
	// document is what it says, header what goes with it, status is 0 for 200.
	document atomic.Pointer[string]
	header   http.Header
	status   int
}

const descriptionAt = "/mcp/client.json"

// documented opens a site with a document, which is allowed. Changes are pairs of a member
// and its value; nil leaves it out.
func documented(t testing.TB, h *apptest.House, changes ...any) *described {
	t.Helper()
	return documentedAt(t, h, "tool.example", changes...)
}

// documentedAt is the same for another host.
func documentedAt(t testing.TB, h *apptest.House, host string, changes ...any) *described {
	t.Helper()
	d := &described{header: http.Header{"Content-Type": {"application/json"}}}
	d.site = h.Site(host, func(w http.ResponseWriter, r *http.Request) {
		for name, values := range d.header {
			w.Header()[name] = values
		}
		if d.status != 0 {
			w.WriteHeader(d.status)
		}
		fmt.Fprint(w, *d.document.Load())
	})
	d.Client = h.Known(d.site.URL+descriptionAt, "", "https://"+host+"/callback")
	d.say(t, changes...)
	return d
}

// say changes the document.
func (d *described) say(t testing.TB, changes ...any) {
	t.Helper()
	m := members("client_id", d.ID, "client_name", "Tool", "redirect_uris", []any{d.RedirectURI}, "grant_types", []any{"authorization_code", "refresh_token"})
	for name, value := range members(changes...) {
		if m[name] = value; value == nil {
			delete(m, name)
		}
	}
	text := asJSON(t, m)
	d.document.Store(&text)
}

// A document makes a client: signing in works, people see whose word it is, and it is
// fetched once while it counts.
// threats 68
func TestDocumentsAreClients_CIMD(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		registering(t, h, settings.RegistrationDisabled, documents("https://tool.example/mcp/*"))
		if h.Program().Get("/.well-known/openid-configuration").JSON()["client_id_metadata_document_supported"] != true {
			t.Error("documents are not announced")
		}
		tool := documented(t, h)
		f := tool.Begin("scope", "openid profile")
		page := ada.Open(f.URL())
		f.From(ada, page)
		tokens := f.Exchange(f.Answer.Get("code"))
		if status, info := tool.Userinfo(tokens.AccessToken); status != 200 || info["sub"] == nil {
			t.Errorf("userinfo: %d %v", status, info)
		}
		if got := tool.Refresh(tokens.RefreshToken); got.Status != 200 || got.RefreshToken == tokens.RefreshToken {
			t.Errorf("a public client's refresh: %+v", got)
		}
		if page := ada.Open(tool.Begin("scope", "openid email").URL()); page.URL.Path != "/consent" || !strings.Contains(page.Body, "<b>tool.example</b>") {
			t.Errorf("people do not see the host: %s %s", page, page.Body)
		}
		if asked := tool.site.Asked(); asked != 1 {
			t.Errorf("the document was asked for %d times", asked)
		}
		c, err := h.App.OIDC.Client(t.Context(), audit.System("cli"), tool.ID)
		if err != nil || c.Kind != oidc.KindDocument || !c.Public || !c.PKCERequired {
			t.Errorf("got %+v, %v", c, err)
		}
	})
}

// Each rule of the draft about a document and its address.
// threats 68, 74
func TestDocumentRules_CIMD(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		registering(t, h, settings.RegistrationDisabled, documents("tool.example", "inside.example", "localhost", "169.254.169.254"))
		tool := documented(t, h)
		refused := func(it, id string) {
			t.Helper()
			page := ada.Open("/authorize?" + tool.Begin("client_id", id).Query.Encode())
			if page.Status != http.StatusBadRequest || page.Away != nil {
				t.Errorf("it %s: %s", it, page)
			}
		}
		// Before anybody is asked.
		for it, id := range map[string]string{
			"refuses http":             "http://tool.example/mcp/client.json",
			"refuses no path":          "https://tool.example",
			"refuses a fragment":       tool.ID + "#x",
			"refuses a query":          tool.ID + "?x=1",
			"refuses an empty query":   tool.ID + "?",
			"refuses a user":           "https://eve@tool.example/mcp/client.json",
			"refuses dot segments":     "https://tool.example/mcp/../mcp/client.json",
			"refuses hidden ones":      "https://tool.example/mcp/%2e%2e/mcp/client.json",
			"refuses capitals":         "https://Tool.example/mcp/client.json",
			"refuses a host beside":    "https://tool.example.evil.example/mcp/client.json",
			"refuses a host before":    "https://eviltool.example/mcp/client.json",
			"refuses another port":     "https://tool.example:8443/mcp/client.json",
			"refuses what is too long": "https://tool.example/" + strings.Repeat("x", 512),
		} {
			refused(it, id)
		}
		if asked := tool.site.Asked(); asked != 0 {
			t.Errorf("%d requests were made for addresses that are refused", asked)
		}
		// Inner networks, whatever the allowed documents say.
		refused("refuses this machine", "https://localhost/client.json")
		refused("refuses the cloud's own address", "https://169.254.169.254/client.json")

		// What the document says, and how it comes.
		for _, tt := range []struct {
			it     string
			say    []any
			header http.Header
			status int
		}{
			{"refuses a redirect", nil, http.Header{"Location": {"https://tool.example/other.json"}}, 302},
			{"refuses what is not found", nil, nil, 404},
			{"refuses what is created", nil, nil, 201},
			{"refuses what is not said to be JSON", nil, http.Header{"Content-Type": {"text/html"}}, 0},
			{"refuses another client_id", []any{"client_id", "https://tool.example/other.json"}, nil, 0},
			{"refuses its client_id in other letters", []any{"client_id", "https://TOOL.example" + descriptionAt}, nil, 0},
			{"refuses no client_id", []any{"client_id", nil}, nil, 0},
			{"refuses a secret", []any{"client_secret", "everybody knows"}, nil, 0},
			{"refuses the end of a secret", []any{"client_secret_expires_at", 0}, nil, 0},
			{"refuses a method of secrets", []any{"token_endpoint_auth_method", "client_secret_basic"}, nil, 0},
			{"refuses secrets that sign", []any{"token_endpoint_auth_method", "client_secret_jwt"}, nil, 0},
			{"refuses no redirect URI", []any{"redirect_uris", nil}, nil, 0},
			{"refuses a redirect URI of http", []any{"redirect_uris", []any{"http://tool.example/callback"}}, nil, 0},
			{"refuses a pattern", []any{"redirect_uris", []any{"https://tool.example/*"}}, nil, 0},
			{"refuses machines", []any{"grant_types", []any{"client_credentials"}}, nil, 0},
			{"refuses more than 5 KiB", []any{"software_version", strings.Repeat("x", 90), "of_tomorrow", strings.Repeat("x", 5<<10)}, nil, 0},
		} {
			tool.say(t, tt.say...)
			tool.status, tool.header = tt.status, tt.header
			if tool.header == nil || tool.header["Content-Type"] == nil && tt.status != 302 {
				tool.header = http.Header{"Content-Type": {"application/json"}}
			}
			before := tool.site.Asked()
			refused(tt.it, tool.ID)
			if asked := tool.site.Asked() - before; asked != 1 {
				t.Errorf("it %s with %d requests: nothing of the failure before may be kept", tt.it, asked)
			}
			time.Sleep(11 * time.Second)
		}
		// Exactly the redirect URIs of the document.
		tool.status, tool.header = 0, http.Header{"Content-Type": {"application/json"}}
		tool.say(t)
		page := ada.Open(tool.Begin("redirect_uri", tool.RedirectURI+"/x").URL())
		if page.Status != http.StatusBadRequest || page.Away != nil {
			t.Errorf("an address beside is taken: %s", page)
		}
		if page := tool.Begin(withoutPKCE...).By(ada); page.Answer().Get("error") != "invalid_request" {
			t.Errorf("it may leave PKCE out: %s", page)
		}
		if page := tool.Begin().By(ada); page.Answer().Get("code") == "" {
			t.Errorf("the good one is refused: %s", page)
		}
	})
}

// A document counts as long as its headers say, within bounds; what changed about who is
// asked for is asked again, and what an administrator set stays.
// threats 67, 68
func TestDocumentsAreReadAgain_CIMD(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		registering(t, h, settings.RegistrationDisabled, documents("tool.example"))
		tool := documented(t, h)
		tool.header.Set("Cache-Control", "public, max-age=1800")
		tool.Begin("scope", "openid").By(ada)
		straight := func() bool { return ada.Open(tool.Begin("scope", "openid").URL()).Away != nil }
		c, err := h.App.OIDC.Client(t.Context(), audit.System("cli"), tool.ID)
		if err != nil {
			t.Fatal(err)
		}
		edit := c.Edit()
		edit.AccessTokenFor, edit.Name, edit.RedirectURIs = 7*time.Minute, "Mine", []oidc.URI{{URI: "https://evil.example/"}}
		if _, err := h.App.OIDC.EditClient(t.Context(), audit.System("cli"), tool.ID, edit); err != nil {
			t.Fatal(err)
		}
		look := func() oidc.Client {
			t.Helper()
			c, err := h.App.OIDC.Client(t.Context(), audit.System("cli"), tool.ID)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		if c := look(); c.Name != "Tool" || c.RedirectURIs[0].URI != tool.RedirectURI || c.AccessTokenFor != 7*time.Minute {
			t.Errorf("an administrator changes what the document says: %+v", c.ClientEdit)
		}
		time.Sleep(29 * time.Minute)
		if !straight() || tool.site.Asked() != 1 {
			t.Errorf("asked %d times while it counts", tool.site.Asked())
		}
		tool.say(t, "policy_uri", "https://tool.example/privacy")
		time.Sleep(2 * time.Minute)
		if !straight() || tool.site.Asked() != 2 || look().PolicyURI == "" {
			t.Errorf("a small change is asked about, or not seen: %d requests", tool.site.Asked())
		}
		tool.say(t, "redirect_uris", []any{tool.RedirectURI, "https://evil.example/"})
		time.Sleep(31 * time.Minute)
		if straight() {
			t.Error("the consent outlives a new redirect URI")
		}
		if c := look(); len(c.RedirectURIs) != 2 || c.AccessTokenFor != 7*time.Minute {
			t.Errorf("got %+v", c.ClientEdit)
		}
		// What can no longer be read is no client.
		tool.status = 500
		time.Sleep(31 * time.Minute)
		if page := ada.Open(tool.Begin().URL()); page.Status != http.StatusBadRequest || page.Away != nil {
			t.Errorf("got %s", page)
		}
		// An administrator reads it at once.
		tool.status = 0
		time.Sleep(time.Minute)
		if _, err := h.App.OIDC.RefreshDocument(t.Context(), audit.System("cli"), tool.ID); err != nil {
			t.Error(err)
		}
	})
}

// What is allowed no more is gone at once with all that it had, and does not come back
// with its address.
// threats 67
func TestDocumentsThatAreForbiddenAreGone_CIMD(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		registering(t, h, settings.RegistrationDisabled, documents("tool.example"))
		tool := documented(t, h)
		f := tool.Begin("scope", "openid")
		f.By(ada)
		tokens := f.Exchange(f.Answer.Get("code"))
		registering(t, h, settings.RegistrationDisabled, documents("other.example"))
		if status, _ := tool.Userinfo(tokens.AccessToken); status != 401 {
			t.Errorf("its access token lives on: %d", status)
		}
		if page := ada.Open(tool.Begin().URL()); page.Status != 400 || page.Away != nil {
			t.Errorf("got %s", page)
		}
		time.Sleep(time.Minute)
		registering(t, h, settings.RegistrationDisabled, documents("tool.example"))
		if page := ada.Open(tool.Begin("scope", "openid").URL()); page.URL.Path != "/consent" {
			t.Errorf("the consent of before comes back: %s", page)
		}
		if got := tool.Refresh(tokens.RefreshToken); got.Status < 400 {
			t.Errorf("a refresh token comes back: %+v", got)
		}
	})
}

// What clients that are read from a document may do at an API is set once for all of them,
// on the page of the API, and taken from all of them at once.
// threats 13, 68
func TestDocumentsAtAPIs_CIMD(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		ada := h.User("ada")
		registering(t, h, settings.RegistrationDisabled, documents("https://tool.example/mcp/*"))
		tool := documented(t, h)
		api := h.API(weather, "read", "write", "admin")
		path := "/settings/admin/apis/" + api.ID
		open := func(pairs ...string) *apptest.Page {
			t.Helper()
			form := form(pairs...)
			for _, f := range apptest.Forms(admin.Open(path).Body) {
				if f.Action == path+"/documents" {
					form.Set("was", f.Values().Get("was"))
				}
			}
			return admin.Submit(path+"/documents", form)
		}
		ask := func() (*apptest.Flow, *apptest.Page) {
			f := tool.Begin("scope", "openid read write offline_access", "resource", weather)
			return f, f.By(ada)
		}
		f, page := ask()
		refused(t, page, f, "invalid_target") // nobody opened it
		if page := open("for_documents", "1", "document_permissions", "gone"); page.Status != http.StatusUnprocessableEntity {
			t.Errorf("a permission that there is not: %s", page)
		}
		if page := open("for_documents", "1", "document_permissions", "read"); page.URL.Path != path {
			t.Fatalf("opening it: %s", page)
		}
		f, page = ask()
		tokens := f.Exchange(granted(t, page, f))
		wantScope(t, tokens, "openid offline_access read")
		wantAudience(t, tokens.AccessToken, weather, apptest.URL)
		open("for_documents", "1")
		if got := tool.Token(form("grant_type", "refresh_token", "refresh_token", tokens.RefreshToken, "resource", weather)); strings.Contains(got.Scope, "read") {
			t.Errorf("after the permission was taken away a refresh gives %q", got.Scope)
		}
		open()
		f, page = ask()
		refused(t, page, f, "invalid_target")
	})
}
