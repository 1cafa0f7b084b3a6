package moving

import (
	"archive/zip"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/jose"
	"pocketid/internal/oidc"
	"pocketid/internal/secret"
)

const partsKey = "the key of the other house"

// sealedText is a text as the other program keeps it in a column.
func sealedText(t *testing.T, text string) string {
	t.Helper()
	key, err := foreignKey(partsKey).columnKey()
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := bytes.Repeat([]byte{3}, gcm.NonceSize())
	return base64.StdEncoding.EncodeToString(gcm.Seal(nonce, nonce, []byte(text), []byte("encrypted_string")))
}

func masterOf(t *testing.T, key string) *secret.Master {
	t.Helper()
	m, err := secret.NewMaster([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// What there is of a house beside people and passkeys comes over: tokens for SCIM, which
// live on under the key of this house and its next one; ids of a directory; a signing key
// that lay in a file. Of pictures that cannot be read, as those in S3, each logo is told, and
// the way in which they come.
func TestRarePartsOfAHouse(t *testing.T) {
	const ada, staff = "0b6e1b1c-3a54-4d3b-8f0f-6a6d1c1e0a01", "0b6e1b1c-3a54-4d3b-8f0f-6a6d1c1e0b01"
	legacy, err := jose.Generate(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := legacy.MarshalPrivate()
	if err != nil {
		t.Fatal(err)
	}
	database, err := json.Marshal(map[string]any{"provider": "sqlite", "version": newestSchema, "tables": map[string]any{
		"users":       []any{map[string]any{"id": ada, "created_at": "2026-01-01T00:00:00Z", "username": "ada", "email": "ada@example.test", "first_name": "Ada", "last_name": "L", "display_name": "Ada L", "ldap_id": "cn=ada,ou=people"}},
		"user_groups": []any{map[string]any{"id": staff, "created_at": "2026-01-01T00:00:00Z", "name": "staff", "friendly_name": "Staff", "ldap_id": "cn=staff"}},
		"oidc_clients": []any{map[string]any{"id": "shop", "name": "Shop", "created_at": "2026-01-01T00:00:00Z", "image_type": "png", "dark_image_type": "svg",
			"callback_urls": base64.StdEncoding.EncodeToString([]byte(`["https://shop.example/cb"]`))}},
		"scim_service_providers": []any{
			map[string]any{"id": "0b6e1b1c-3a54-4d3b-8f0f-6a6d1c1e0101", "oidc_client_id": "shop", "endpoint": "https://shop.example/scim", "token": sealedText(t, "canary-of-scim"), "created_at": "2026-01-01T00:00:00Z"},
			map[string]any{"id": "0b6e1b1c-3a54-4d3b-8f0f-6a6d1c1e0102", "oidc_client_id": "shop", "endpoint": "https://other.example/scim", "token": "AAAA", "created_at": "2026-01-01T00:00:00Z"},
			map[string]any{"id": "0b6e1b1c-3a54-4d3b-8f0f-6a6d1c1e0103", "oidc_client_id": "gone", "endpoint": "https://gone.example/scim", "token": "", "created_at": "2026-01-01T00:00:00Z"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	f, err := w.Create(foreignRowsMember)
	if err == nil {
		_, err = f.Write(database)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	ours, next := masterOf(t, "the key of this house"), masterOf(t, "the next key of this house")
	dbtest.Engines(t, func(t *testing.T, dsn string) {
		z, err := OpenZip(bytes.NewReader(archive.Bytes()), int64(archive.Len()), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		src := OpenForeignArchive(t.Context(), z, ForeignOptions{Key: []byte(partsKey), Legacy: plain, Master: ours, Issuer: "https://id.example.test"})
		if _, err := Import(t.Context(), dsn, src, Options{}); err != nil {
			t.Fatal(err)
		}
		r := src.Report()
		for name, want := range map[string]int64{"users": 1, "groups": 1, "clients": 1, "SCIM providers": 1, "signing keys": 1, "pictures": 0} {
			if got := r.Count(name); got != want {
				t.Errorf("%d %s, want %d", got, name, want)
			}
		}
		for _, want := range []string{"pictures oidc-client-images/shop-dark.svg", "pictures oidc-client-images/shop.png", "SCIM providers https://other.example/scim", "SCIM providers https://gone.example/scim"} {
			part, example, _ := strings.Cut(want, " ")
			if part == "SCIM" {
				part, example = "SCIM providers", strings.TrimPrefix(want, "SCIM providers ")
			}
			if !slices.ContainsFunc(r.Left, func(l Left) bool { return l.Name == part && slices.Contains(l.Examples, example) }) {
				t.Errorf("nothing is told of %s: %+v", want, r.Left)
			}
		}
		if !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "S3") && strings.Contains(n, "pocket-id export") }) {
			t.Errorf("how pictures come is not told: %q", r.Notes)
		}
		d := dbtest.OpenDSN(t, dsn)
		// row is the one row that a statement finds.
		row := func(q string, into ...any) {
			t.Helper()
			if err := d.Read(t.Context(), func(tx *db.Tx) error { return tx.One(into, q) }); err != nil {
				t.Errorf("%s: %v", q, err)
			}
		}
		var person, group, kid, state string
		row(`SELECT ldap_id FROM users`, &person)
		row(`SELECT ldap_id FROM user_groups`, &group)
		row(`SELECT kid, state FROM signing_keys`, &kid, &state)
		if person != "cn=ada,ou=people" || group != "cn=staff" || kid != legacy.ID || state != "retiring" {
			t.Errorf("came %q, %q, %q as %q", person, group, kid, state)
		}
		var sealed []byte
		token := func(m *secret.Master) string {
			row(`SELECT token FROM scim_providers`, &sealed)
			text, err := m.Open("scim token", sealed)
			if err != nil {
				t.Errorf("the token: %v", err)
			}
			return string(text)
		}
		if got := token(ours); got != "canary-of-scim" || bytes.Contains(sealed, []byte("canary")) {
			t.Errorf("the token is %q, kept as %q", got, sealed)
		}
		if err := d.Write(t.Context(), func(tx *db.Tx) error { _, err := oidc.Reseal(tx, ours, next); return err }); err != nil {
			t.Fatal(err)
		}
		if got := token(next); got != "canary-of-scim" {
			t.Errorf("after another key the token is %q", got)
		}
	})
}
