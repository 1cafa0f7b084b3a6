package protocol

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/settings"
)

const pathRegister = "/api/oidc/register"

// registering lets applications register as the choice says; changes adjust the rest.
func registering(t testing.TB, h *apptest.House, choice string, changes ...func(*settings.Registration)) {
	t.Helper()
	is := settings.Default()
	card := settings.Registration{}.Of(is).(settings.Registration)
	card.ClientRegistration = choice
	for _, change := range changes {
		change(&card)
	}
	if _, err := h.App.Settings.Change(t.Context(), audit.System("cli"), card); err != nil {
		t.Fatal(err)
	}
}

// documents allows metadata documents.
func documents(allowed ...string) func(*settings.Registration) {
	return func(c *settings.Registration) { c.CIMDURLAllowlist = allowed }
}

// members is a JSON object of pairs.
func members(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// register sends a registration; headers are pairs.
func register(t testing.TB, h *apptest.House, metadata map[string]any, headers ...string) *apptest.Answer {
	t.Helper()
	return h.Program().Ask("POST", pathRegister, asJSON(t, metadata), append([]string{"Content-Type", "application/json"}, headers...)...)
}

// A registered client is one that registered itself.
type registered struct {
	*apptest.Client
	h *apptest.House
	t testing.TB
	// Said is what it was told, Token and URI those for looking after itself.
	Said       map[string]any
	Token, URI string
}

// registeredAs registers a client, which has to work, and checks what every answer has.
func registeredAs(t testing.TB, h *apptest.House, pairs ...any) *registered {
	t.Helper()
	metadata := members("redirect_uris", []string{"https://suite.example/callback"}, "client_name", "suite")
	for name, value := range members(pairs...) {
		metadata[name] = value
	}
	a := register(t, h, metadata)
	if a.Status != http.StatusCreated || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") || !strings.Contains(a.Header.Get("Cache-Control"), "no-store") {
		t.Fatalf("got %d %v %s", a.Status, a.Header, a.Body)
	}
	said := a.JSON()
	text := func(name string) string { s, _ := said[name].(string); return s }
	r := &registered{h: h, t: t, Said: said, Token: text("registration_access_token"), URI: text("registration_client_uri")}
	_, expires := said["client_secret_expires_at"]
	if text("client_id") == "" || r.URI != apptest.URL+pathRegister+"/"+text("client_id") || said["client_id_issued_at"] == nil || (text("client_secret") != "") != expires {
		t.Errorf("got %s", a.Body)
	}
	unguessable(t, "registration access token", r.Token)
	redirect := ""
	if uris, _ := said["redirect_uris"].([]any); len(uris) > 0 {
		redirect, _ = uris[0].(string)
	}
	r.Client = h.Known(text("client_id"), text("client_secret"), redirect)
	return r
}

// ask makes a request about the client itself, with the token that is given.
func (r *registered) ask(method, token string, body map[string]any) *apptest.Answer {
	r.t.Helper()
	headers, text := []string{"Authorization", "Bearer " + token}, ""
	if body != nil {
		headers, text = append(headers, "Content-Type", "application/json"), asJSON(r.t, body)
	}
	return r.h.Program().Ask(method, strings.TrimPrefix(r.URI, apptest.URL), text, headers...)
}
