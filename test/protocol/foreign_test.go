package protocol

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha3"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"hash"
	"image"
	"image/png"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pocketid/internal/app"
	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/dbtest"
	"pocketid/internal/jose"
	"pocketid/internal/moving"
)

// generations are the schemas of the other Pocket ID that differ in what is read.
var generations = []struct {
	name    string
	version int64
}{{"2.0", 20251217141000}, {"2.2", 20260109090200}, {"2.10", 20260708130000}, {"2.12", 20260722120000}, {"2.14", 20260814120000}}

const (
	foreignKey      = "the key of a house for tests" // that of apptest
	foreignInstance = "5f0f3d0e-6a3f-4b7d-9f4e-1f6a3a1f0c11"
	foreignAda      = "0b6e1b1c-3a54-4d3b-8f0f-6a6d1c1e0a01"
	foreignBob      = "0b6e1b1c-3a54-4d3b-8f0f-6a6d1c1e0a02"
	foreignGroup    = "0b6e1b1c-3a54-4d3b-8f0f-6a6d1c1e0b01"
	foreignAPI      = "0b6e1b1c-3a54-4d3b-8f0f-6a6d1c1e0c01"
	foreignScope    = "0b6e1b1c-3a54-4d3b-8f0f-6a6d1c1e0d01"
	shopSecret      = "abcdefghijklmnopqrstuvwxyz012345"
	apiKeyText      = "ABCDEFGHIJKLMNOPQRSTUVWXYZ543210"
	// bcrypt of shopSecret with the least cost
	shopBcrypt = "$2a$04$5/vQlZIx9HsAS/aRKsLSYuDYBP6RVYbP5CYY4Zt0Qgc0vaLPT65Kq"
)

// A movedHouse is a house of the other Pocket ID and what only its people know.
type movedHouse struct {
	foreignHouse
	passkey apptest.Passkey
	key     *jose.Key
	idToken string
	refresh string
}

// sealedKey is the private half of a signing key as the other program keeps it.
func sealedKey(t *testing.T, key *jose.Key) string {
	t.Helper()
	plain, err := key.MarshalPrivate()
	if err != nil {
		t.Fatal(err)
	}
	kek := hmac.New(func() hash.Hash { return sha3.New256() }, []byte(foreignKey))
	kek.Write([]byte("pocketid/" + foreignInstance + "/jwk-kek"))
	block, err := aes.NewCipher(kek.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := bytes.Repeat([]byte{7}, gcm.NonceSize())
	return base64.StdEncoding.EncodeToString(gcm.Seal(nonce, nonce, plain, nil))
}

// foreign makes a house of a generation. newKey makes signing keys.
func foreign(t *testing.T, version int64, newKey func(jose.Alg) (*jose.Key, error)) *movedHouse {
	t.Helper()
	m := &movedHouse{passkey: apptest.NewPasskey()}
	m.version = version
	made, err := newKey(jose.RS256)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := made.MarshalPrivate()
	if err != nil {
		t.Fatal(err)
	}
	var jwk map[string]any
	if err := json.Unmarshal(plain, &jwk); err != nil {
		t.Fatal(err)
	}
	jwk["kid"] = "oldKid-8b64" // not the thumbprint
	plain, _ = json.Marshal(jwk)
	if m.key, err = jose.ParsePrivate(plain); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	m.idToken, err = m.key.Sign("JWT", map[string]any{"iss": apptest.URL, "sub": foreignAda, "aud": []string{"shop"}, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "type": "id-token", "jti": "x"})
	if err != nil {
		t.Fatal(err)
	}
	m.refresh = "pocket_id_rt_" + base64.RawURLEncoding.EncodeToString(make([]byte, 32)) + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	since := func(v int64) bool { return version >= v }
	with := func(columns string, row []any, more ...any) (string, []any) { // version, column, value
		for i := 0; i < len(more); i += 3 {
			if since(int64(more[i].(int))) {
				columns, row = columns+", "+more[i+1].(string), append(row, more[i+2])
			}
		}
		return columns, row
	}
	var rows [][]any
	var columns string
	for _, u := range []struct {
		id, username, email string
		admin, disabled     bool
	}{{foreignAda, "ada", "ada@example.test", true, false}, {foreignBob, "bob", "BOB@example.test", false, true}, {"0b6e1b1c-3a54-4d3b-8f0f-6a6d1c1e0a03", "_eve_", "bob@example.test", false, false}} {
		var row []any
		columns, row = with("id uuid, created_at time, username citext, email text, first_name text, last_name text, display_name text, is_admin bool, ldap_id text, locale text, disabled bool",
			[]any{u.id, now.Add(-time.Hour), u.username, u.email, "A", "Example", "A Example", u.admin, nil, "pt-BR", u.disabled}, 20260109090200, "email_verified bool", true, 20260103142200, "updated_at time", now)
		rows = append(rows, row)
	}
	m.add("users", columns, rows...)
	m.add("user_groups", "id uuid, created_at time, friendly_name text, name text, ldap_id text", []any{foreignGroup, now, "Staff", "staff", nil})
	m.add("user_groups_users", "user_id uuid, user_group_id uuid", []any{foreignAda, foreignGroup}, []any{"0b6e1b1c-3a54-4d3b-8f0f-6a6d1c1e0aff", foreignGroup})
	m.add("custom_claims", "id uuid, created_at time, key text, value text, user_id uuid, user_group_id uuid",
		[]any{"0b6e1b1c-3a54-4d3b-8f0f-6a6d1c1e0e01", now, "shoe", "42", foreignAda, nil}, []any{"0b6e1b1c-3a54-4d3b-8f0f-6a6d1c1e0e02", now, "aud", "x", foreignAda, nil})
	m.add("webauthn_credentials", "id uuid, created_at time, name text, credential_id blob, public_key blob, attestation_type text, transport json, user_id uuid, backup_eligible bool, backup_state bool",
		[]any{"0b6e1b1c-3a54-4d3b-8f0f-6a6d1c1e0f01", now, "Key", m.passkey.ID(), m.passkey.Public(), "none", `["internal","hybrid"]`, foreignAda, false, false})
	client := []any{"shop", now, "Shop", `["https://shop.example/callback","https://*.shop.example/cb","https://**.bad/cb"]`, `["https://shop.example/"]`, "png", foreignAda, false, false, `{"federatedIdentities":[]}`}
	columns, client = with("id text, created_at time, name text, callback_urls json, logout_callback_urls json, image_type text, created_by_id uuid, is_public bool, pkce_enabled bool, credentials json", client,
		20251219000000, "is_group_restricted bool", true, 20260708120000, "description text", "A shop", 20260728120000, "client_type text", "standard",
		20260802120000, "access_token_duration_minutes int", 10, 20260802120000, "refresh_token_duration_minutes int", 600)
	if since(20260807120000) {
		sum := sha256.Sum256([]byte("another-secret-of-the-shop"))
		client[9] = `{"secrets":[{"id":"a","alg":"bcrypt","hash":"` + shopBcrypt + `","prefix":"","createdAt":"2026-01-01T00:00:00Z"},{"id":"b","alg":"sha256","hash":"` + hex.EncodeToString(sum[:]) + `","prefix":"anot","createdAt":"2026-01-02T00:00:00Z"}]}`
	} else {
		columns, client = columns+", secret text", append(client, shopBcrypt)
	}
	m.add("oidc_clients", columns, client)
	m.add("oidc_clients_allowed_user_groups", "oidc_client_id text, user_group_id uuid", []any{"shop", foreignGroup})
	if since(20260607120000) {
		m.add("user_authorized_oidc_clients", "user_id uuid, client_id text, scope json, last_used_at time", []any{foreignAda, "shop", `["openid","profile","email","groups","offline_access"]`, now})
		m.add("oauth2_sessions", "id uuid, kind text, key text", []any{"0b6e1b1c-3a54-4d3b-8f0f-6a6d1c1e1001", "refresh_token", "x"})
	} else {
		m.add("user_authorized_oidc_clients", "user_id uuid, client_id text, scope text, last_used_at time", []any{foreignAda, "shop", "openid profile email groups offline_access", now})
		m.add("oidc_refresh_tokens", "token text", []any{"x"})
	}
	if since(20260707170000) {
		m.add("apis", "id uuid, created_at time, name text, audience text", []any{foreignAPI, now, "Stock", "https://stock.example"})
		m.add("api_permissions", "id uuid, api_id uuid, key text, name text, description text", []any{foreignScope, foreignAPI, "stock:read", "Read the stock", nil})
		m.add("oidc_clients_allowed_api_permissions", "oidc_client_id text, api_permission_id uuid, subject_type text", []any{"shop", foreignScope, "client"})
	}
	if since(20260814120000) {
		m.add("oidc_clients_allowed_apis", "oidc_client_id text, api_id uuid, subject_type text", []any{"shop", foreignAPI, "client"})
	}
	sum := sha256.Sum256([]byte(apiKeyText))
	m.add("api_keys", "id uuid, name text, key text, description text, expires_at time, last_used_at time, created_at time, user_id uuid",
		[]any{"0b6e1b1c-3a54-4d3b-8f0f-6a6d1c1e1101", "CI", hex.EncodeToString(sum[:]), nil, now.Add(24 * time.Hour), nil, now, foreignAda})
	m.add("audit_logs", "id uuid, created_at time, event text, ip_address inet, user_agent text, data json, user_id uuid, country text, city text",
		[]any{"0b6e1b1c-3a54-4d3b-8f0f-6a6d1c1e1201", now.Add(-time.Minute), "SIGN_IN", "192.0.2.7", "Old browser", `{}`, foreignAda, "Peru", "Lima"},
		[]any{"0b6e1b1c-3a54-4d3b-8f0f-6a6d1c1e1202", now.Add(-time.Minute), "NEW_CLIENT_AUTHORIZATION", nil, "Old browser", `{"clientName":"Shop"}`, foreignAda, nil, nil})
	kv := [][]any{{"jwt_private_key.json", sealedKey(t, m.key)}}
	settings := map[string]string{"appName": "The old house", "sessionDuration": "90", "homePageUrl": "https://elsewhere.example", "smtpPassword": "canary-of-mail"}
	switch {
	case since(20260728120000):
		state := map[string]any{"AppName": "The old house", "SessionDuration": "90", "HomePageUrl": "https://elsewhere.example", "SmtpPassword": "canary-of-mail"}
		m.states = map[string]map[string]any{"AppConfig singleton": state, "SignupToken abc": {"ID": "x"}}
	case since(20260718000000):
		b, _ := json.Marshal(settings)
		kv = append(kv, []any{"config_migrated", string(b)})
	default:
		variables := [][]any{{"instanceId", foreignInstance}}
		for name, value := range settings {
			variables = append(variables, []any{name, value})
		}
		m.add("app_config_variables", "key text, value text", variables...)
	}
	if since(20260708130000) {
		kv = append(kv, []any{"instance_id", foreignInstance})
	}
	m.add("kv", "key text, value text", kv...)
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 40, 40))); err != nil {
		t.Fatal(err)
	}
	m.uploads = map[string][]byte{"profile-pictures/" + foreignAda + ".png": picture.Bytes(), "oidc-client-images/shop.png": picture.Bytes(),
		"application-images/background.png": picture.Bytes(), "application-images/logoLight.webp": []byte("no picture"), "profile-pictures/defaults/AB.png": picture.Bytes()}
	return m
}

// livesOn checks that everybody and everything that knew the old house knows the new one.
func (m *movedHouse) livesOn(t *testing.T, h *apptest.House) {
	t.Helper()
	ada := h.Brought("ada", foreignAda, m.passkey)
	ada.SignIn()

	shop := h.BroughtClient("shop", shopSecret, "https://shop.example/callback")
	answer := shop.Tell("/api/oidc/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {m.refresh}})
	if answer.Status != 400 || answer.Error() != "invalid_grant" {
		t.Errorf("an old refresh token: %d %s", answer.Status, answer.Body)
	}
	for table, rows := range h.Rows() {
		for _, row := range rows {
			if table == "client_secrets" && strings.Contains(row, "bcrypt") {
				t.Errorf("a secret that proved right is still kept as it was: %s", row)
			}
			if strings.Contains(row, "canary-of-mail") {
				t.Errorf("a secret lies in the clear in %s", table)
			}
		}
	}
	again := shop.Tell("/api/oidc/token", url.Values{"grant_type": {"authorization_code"}, "code": {"x"}, "redirect_uri": {shop.RedirectURI}, "code_verifier": {strings.Repeat("x", 43)}})
	if again.Error() != "invalid_grant" {
		t.Errorf("the secret a second time: %s", again.Body)
	}
	wrong := h.BroughtClient("shop", shopSecret+"x", shop.RedirectURI).Tell("/api/oidc/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {m.refresh}})
	if wrong.Error() != "invalid_client" {
		t.Errorf("a wrong secret: %s", wrong.Body)
	}
	if m.version >= 20260807120000 {
		other := h.BroughtClient("shop", "another-secret-of-the-shop", shop.RedirectURI).Tell("/api/oidc/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {m.refresh}})
		if other.Error() != "invalid_grant" {
			t.Errorf("the newer secret: %s", other.Body)
		}
	}

	jwks := h.Program().Get("/.well-known/jwks.json")
	keys, err := jose.ParseKeys([]byte(jwks.Body))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := jose.Verify(m.idToken, jose.Want{Algs: []jose.Alg{jose.RS256}, Typs: []string{"jwt"}, Keys: keys.Find}); err != nil {
		t.Errorf("an old ID token does not verify: %v", err)
	}
	// The consent came too, so nobody is asked anything.
	flow := shop.Begin("prompt", "none", "id_token_hint", m.idToken)
	ada.Open(flow.URL())
	page := flow.By(ada)
	if page.Away == nil || page.Answer().Get("code") == "" {
		t.Fatalf("ada does not come into the shop: %s", page)
	}
	tokens := shop.Token(url.Values{"grant_type": {"authorization_code"}, "code": {page.Answer().Get("code")}, "redirect_uri": {shop.RedirectURI}, "code_verifier": {flow.Verifier}})
	if got := header(t, tokens.IDToken); got["alg"] != "RS256" || got["kid"] == "oldKid-8b64" {
		t.Errorf("the new ID token has the header %v", got)
	}
	if got := header(t, tokens.AccessToken); got["alg"] != "RS256" {
		t.Errorf("the new access token has the header %v", got)
	}
	got := claims(t, tokens.IDToken)
	if got["sub"] != foreignAda || got["shoe"] != 42.0 || got["preferred_username"] != "ada" || got["email_verified"] != (m.version >= 20260109090200) {
		t.Errorf("the new ID token says %v", got)
	}
	if groups, _ := got["groups"].([]any); len(groups) != 1 || groups[0] != "staff" {
		t.Errorf("the groups are %v", got["groups"])
	}
	if m.version >= 20260707170000 {
		if machine := shop.Machine("resource", "https://stock.example", "scope", "stock:read"); machine.Scope != "stock:read" {
			t.Errorf("the shop at the API: %+v", machine)
		}
	}

	me := h.Program().Get("/api/users/me", "X-API-Key", apiKeyText)
	if me.Status != 200 || me.JSON()["username"] != "ada" {
		t.Errorf("an old API key: %d %s", me.Status, me.Body)
	}
	if p := h.Program().Get("/api/users/" + foreignAda + "/profile-picture.png"); p.Status != 200 || !strings.HasPrefix(p.Header.Get("Content-Type"), "image/png") {
		t.Errorf("the picture of ada: %d %s", p.Status, p.Header.Get("Content-Type"))
	}
	if p := h.Program().Get("/api/oidc/clients/shop/logo"); p.Status != 200 {
		t.Errorf("the logo of the shop: %d", p.Status)
	}
	if list, err := h.App.Audit.List(t.Context(), audit.System("cli"), audit.Filter{Person: foreignAda, Client: "shop", Events: []audit.Name{audit.NewClientAuthorization}}); err != nil || len(list.Entries) != 1 {
		t.Errorf("the old log: %d entries, %v", len(list.Entries), err)
	}
	if list, err := h.App.Audit.List(t.Context(), audit.System("cli"), audit.Filter{Events: []audit.Name{audit.HouseImported}}); err != nil || len(list.Entries) != 1 {
		t.Errorf("the move is told %d times, %v", len(list.Entries), err)
	}
	if html := h.Browser().Open("/login"); !strings.Contains(html.Body, "The old house") {
		t.Errorf("the name of the instance did not come: %s", html)
	}
}

// inBubble runs a story on each engine over an empty database.
func inBubble(t *testing.T, fn func(t *testing.T, dsn string)) {
	t.Helper()
	dbtest.Engines(t, func(t *testing.T, dsn string) {
		synctest.Test(t, func(t *testing.T) { fn(t, dsn) })
	})
}

// Archives of every generation come over, and everybody goes on as before.
func TestArchivesOfTheOtherPocketID(t *testing.T) { // threats 79
	for _, g := range generations {
		t.Run(g.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, dsn string) {
				c := apptest.Config(t, dsn)
				m := foreign(t, g.version, c.NewKey)
				data := m.archive(t)
				z, err := moving.OpenZip(bytes.NewReader(data), int64(len(data)), moving.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				plan, err := c.PlanForeignArchive(t.Context(), z, nil, audit.System("cli"))
				if err != nil {
					t.Fatal(err)
				}
				r := plan.Report
				for name, want := range map[string]int64{"users": 3, "passkeys": 1, "groups": 1, "memberships": 1, "claims": 1, "clients": 1, "consents": 1, "API keys": 1, "signing keys": 1, "pictures": 3, "audit log entries": 2, "settings": 3} {
					if got := r.Count(name); got != want {
						t.Errorf("%d %s, want %d", got, name, want)
					}
				}
				for _, want := range []string{"username", "email", "claims.aud", "value"} {
					if !slices.ContainsFunc(r.Adjusted, func(a moving.Adjusted) bool { return a.What == want }) {
						t.Errorf("nothing is told of %s: %+v", want, r.Adjusted)
					}
				}
				for _, want := range []string{"memberships", "pictures"} {
					if !slices.ContainsFunc(r.Left, func(l moving.Left) bool { return l.Name == want && l.Count == 1 }) {
						t.Errorf("nothing is told of %s that stay behind: %+v", want, r.Left)
					}
				}
				if _, err := plan.Do(t.Context()); err != nil {
					t.Fatal(err)
				}
				m.livesOn(t, apptest.Open(t, dsn))
			})
		})
	}
}

// The database of the other program is read while it stays as it is.
func TestDatabasesOfTheOtherPocketID(t *testing.T) {
	for _, g := range []int{1, 4} {
		t.Run(generations[g].name, func(t *testing.T) {
			dbtest.Engines(t, func(t *testing.T, dsn string) {
				engine, driver := dbtest.SQLite, "sqlite"
				if strings.HasPrefix(dsn, "postgres") {
					engine, driver = dbtest.Postgres, "pgx"
				}
				old := dbtest.DSN(t, engine)
				synctest.Test(t, func(t *testing.T) {
					c := apptest.Config(t, dsn)
					m := foreign(t, generations[g].version, c.NewKey)
					m.add("storage", "path text, data blob", storageRows(m.uploads)...)
					m.write(t, driver, old)
					plan, err := c.PlanForeignDatabase(t.Context(), old, "", nil, audit.System("cli"))
					if err != nil {
						t.Fatal(err)
					}
					if _, err := plan.Do(t.Context()); err != nil {
						t.Fatal(err)
					}
					m.livesOn(t, apptest.Open(t, dsn))
				})
			})
		})
	}
}

// Files that lie in the working directory come along with a database of PostgreSQL, as the
// other program keeps them there.
func TestFilesBesideADatabaseOfPostgreSQL(t *testing.T) {
	t.Run(dbtest.Postgres, func(t *testing.T) {
		dsn, old := dbtest.DSN(t, dbtest.Postgres), dbtest.DSN(t, dbtest.Postgres)
		t.Chdir(t.TempDir())
		synctest.Test(t, func(t *testing.T) {
			c := apptest.Config(t, dsn)
			m := foreign(t, generations[1].version, c.NewKey)
			m.write(t, "pgx", old)
			m.lay(t, "data")
			plan, err := c.PlanForeignDatabase(t.Context(), old, "", nil, audit.System("cli"))
			if err != nil {
				t.Fatal(err)
			}
			if n := plan.Report.Count("pictures"); n != 3 {
				t.Errorf("%d pictures come along: %+v", n, plan.Report.Left)
			}
		})
	})
}

// lay puts the uploaded files into a directory.
func (m *movedHouse) lay(t *testing.T, dir string) {
	t.Helper()
	for path, data := range m.uploads {
		file := filepath.Join(dir, "uploads", path)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func storageRows(uploads map[string][]byte) (rows [][]any) {
	for path, data := range uploads {
		rows = append(rows, []any{path, data})
	}
	return rows
}

// A server that is started where the other one ran moves in by itself, and keeps what was.
func TestAChangeOfTheImage(t *testing.T) {
	dir := t.TempDir()
	dsn := filepath.Join(dir, "pocket-id.db")
	synctest.Test(t, func(t *testing.T) {
		c := apptest.Config(t, dsn)
		m := foreign(t, generations[1].version, c.NewKey)
		m.write(t, "sqlite", dsn)
		m.lay(t, dir)
		// Somebody was killed while they did the same.
		if err := os.WriteFile(dsn+".new", []byte("half of it"), 0o600); err != nil {
			t.Fatal(err)
		}
		before, err := os.ReadFile(dsn)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop() // as if the process ended in the middle
		if _, err := app.New(ctx, c, slog.New(slog.DiscardHandler)); err == nil {
			t.Error("a move that was stopped went well")
		}
		if after, _ := os.ReadFile(dsn); !bytes.Equal(before, after) {
			t.Error("a move that was stopped changed the old database")
		}
		m.livesOn(t, apptest.Open(t, dsn))
		kept, err := filepath.Glob(filepath.Join(dir, "pocket-id.before-import-*.db"))
		if err != nil || len(kept) != 1 {
			t.Fatalf("kept are %v, %v", kept, err)
		}
		if after, _ := os.ReadFile(kept[0]); !bytes.Equal(before, after) {
			t.Error("the old database is not kept as it was")
		}
	})
}

// What cannot be used is refused with a reason, and nothing is changed.
func TestArchivesThatAreRefused(t *testing.T) { // threats 79
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := apptest.Config(t, filepath.Join(dir, "pocket-id.db"))
		good := foreign(t, generations[4].version, c.NewKey)
		newer, older := *good, *good
		newer.version, older.version = 20270101000000, 20250101000000
		damaged := zipped(t, map[string][]byte{"database.json": []byte(`{"provider":"sqlite","version":20260814120000,"tables":{"users":[{"id":`)})
		wide := zipped(t, map[string][]byte{"database.json": []byte(`{"provider":"sqlite","version":20260814120000,"tables":{"users":[{"id":"` + strings.Repeat("x", 5<<20) + `"}]}}`)})
		states := zipped(t, map[string][]byte{"database.json": []byte(`{"provider":"sqlite","version":20260814120000,"tables":{}}`), "francis.bin": {0xdd, 0xff, 0xff, 0xff, 0xff}})
		slip := zipped(t, map[string][]byte{"database.json": []byte(`{}`), "uploads/../../x": nil})
		for name, test := range map[string]struct {
			data []byte
			key  string
			want string
		}{
			"of another key":   {good.archive(t), "another key of 16 bytes", "encryption key"},
			"newer":            {newer.archive(t), "", "newer than what this program knows"},
			"older":            {older.archive(t), "", "before 2.0"},
			"cut off":          {good.archive(t)[:900], "", "cannot be used"},
			"of torn JSON":     {damaged, "", "cannot be read"},
			"of a large row":   {wide, "", "more than 4 MiB"},
			"of torn states":   {states, "", "francis.bin"},
			"that leads out":   {slip, "", "leads out"},
			"of nothing known": {zipped(t, map[string][]byte{"database.json": []byte(`[]`)}), "", "no object"},
		} {
			var key []byte
			if test.key != "" {
				key = []byte(test.key)
			}
			z, err := moving.OpenZip(bytes.NewReader(test.data), int64(len(test.data)), moving.Limits{Ratio: 1 << 20})
			if err == nil {
				_, err = c.PlanForeignArchive(t.Context(), z, key, audit.System("cli"))
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("an archive %s: %v", name, err)
			}
		}
		if found, _ := filepath.Glob(filepath.Join(dir, "*")); len(found) > 0 {
			t.Errorf("something was made: %v", found)
		}
	})
}
