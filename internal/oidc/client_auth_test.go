package oidc

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
	"pocketid/internal/signin"
)

func basic(id, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+password))
}

// threats 17, 20
func TestCredentialsAreReadInOneWay(t *testing.T) {
	tests := []struct {
		name    string
		headers []string
		form    url.Values
		id      string
		secret  string
		want    *fault.Error
	}{
		{name: "it reads Basic", headers: []string{basic("shop", "s3cret")}, id: "shop", secret: "s3cret"},
		{name: "it minds no case of the scheme", headers: []string{strings.Replace(basic("shop", "s3cret"), "Basic", "bASIC", 1)}, id: "shop", secret: "s3cret"},
		{name: "it decodes colons", headers: []string{basic("a%3Ab", "x%3Ay:z")}, id: "a:b", secret: "x:y:z"},
		{name: "it decodes plus and percent", headers: []string{basic("shop", "a+b%2Bc%25")}, id: "shop", secret: "a b+c%"},
		{name: "it decodes UTF-8", headers: []string{basic("shop", "gr%C3%BC%C3%9Fe%E2%9C%93")}, id: "shop", secret: "grüße✓"},
		{name: "it takes Basic without a secret for none", headers: []string{basic("app", "")}, id: "app"},
		{name: "it takes Basic beside its own client_id", headers: []string{basic("shop", "s")}, form: form("client_id", "shop"), id: "shop", secret: "s"},
		{name: "it reads the body", form: form("client_id", "shop", "client_secret", "a b+c"), id: "shop", secret: "a b+c"},
		{name: "it reads a public client", form: form("client_id", "app"), id: "app"},
		{name: "it takes an empty client_secret for none", form: url.Values{"client_id": {"app"}, "client_secret": {""}}, id: "app"},
		{name: "it refuses two ways", headers: []string{basic("shop", "s")}, form: form("client_secret", "s"), want: errInvalidRequest},
		{name: "it refuses two ways with the same client_id", headers: []string{basic("shop", "s")}, form: form("client_id", "shop", "client_secret", "s"), want: errInvalidRequest},
		{name: "it refuses an assertion beside Basic", headers: []string{basic("shop", "s")}, form: form("client_assertion", "x"), want: errInvalidRequest},
		{name: "it refuses an assertion beside a secret", form: form("client_id", "shop", "client_secret", "s", "client_assertion_type", "x"), want: errInvalidRequest},
		{name: "it refuses an assertion", form: form("client_id", "shop", "client_assertion_type", "x", "client_assertion", "y"), want: errInvalidClient},
		{name: "it refuses two headers", headers: []string{basic("shop", "s"), basic("shop", "s")}, want: errInvalidRequest},
		{name: "it refuses Basic beside another client_id", headers: []string{basic("shop", "s")}, form: form("client_id", "other"), want: errInvalidClient},
		{name: "it refuses another scheme", headers: []string{"Bearer shop"}, want: errInvalidClient},
		{name: "it refuses what is not base64", headers: []string{"Basic shop:s"}, want: errInvalidClient},
		{name: "it refuses Basic without a colon", headers: []string{"Basic " + base64.StdEncoding.EncodeToString([]byte("shop"))}, want: errInvalidClient},
		{name: "it refuses a bad escape", headers: []string{basic("shop", "100%")}, want: errInvalidClient},
		{name: "it refuses Basic without an id", headers: []string{basic("", "s")}, want: errInvalidClient},
		{name: "it refuses nobody", want: errInvalidClient},
		{name: "it refuses an id that is no id", form: form("client_id", "a\x00b"), want: errInvalidClient},
		{name: "it refuses an id without end", form: form("client_id", strings.Repeat("a", 3000)), want: errInvalidClient},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseCredentials(http.Header{"Authorization": test.headers}, test.form)
			if test.want != nil {
				if err == nil || !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
				return
			}
			if err != nil || got.clientID != test.id || string(got.secret) != test.secret {
				t.Errorf("got %q %q %v, want %q %q", got.clientID, string(got.secret), err, test.id, test.secret)
			}
		})
	}
}

// authenticate tries credentials from an address, as the token endpoint does.
func (h *house) authenticate(id, text, address string) error {
	h.t.Helper()
	by := audit.Actor{Via: "api", Address: address}
	return h.d.Write(h.t.Context(), func(tx *db.Tx) error {
		_, err := h.p.authenticate(tx, credentials{clientID: id, secret: secret.Text(text), way: AuthPost}, by)
		return err
	})
}

func (c *testClient) addSecret(edit SecretEdit) string {
	c.h.t.Helper()
	_, text, err := c.h.p.AddSecret(c.h.t.Context(), admin, c.ID, edit)
	must(c.h.t, err)
	return text
}

// threats 12, 20
func TestAClientProvesWhoItIs(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		shop, app := h.relyingParty(ClientEdit{}), h.relyingParty(ClientEdit{Public: true})
		second := shop.addSecret(SecretEdit{})
		short := shop.addSecret(SecretEdit{ExpiresAt: time.Now().Add(time.Hour)})
		chosen := shop.addSecret(SecretEdit{Text: "correct-horse-battery"})
		removed, gone, err := h.p.AddSecret(t.Context(), admin, shop.ID, SecretEdit{})
		must(t, err)
		must(t, h.p.RemoveSecret(t.Context(), admin, shop.ID, removed.ID))
		deleted, disabled := h.relyingParty(ClientEdit{}), h.relyingParty(ClientEdit{})
		old := h.relyingParty(ClientEdit{Public: true})
		must(t, h.p.DeleteClient(t.Context(), admin, deleted.ID))
		must(t, h.p.DeleteClient(t.Context(), admin, old.ID))
		h.write(func(tx *db.Tx) {
			tx.Do(`UPDATE clients SET disabled_at = $2 WHERE id = $1`, disabled.ID, tx.Now().UnixMicro())
		})
		time.Sleep(time.Minute)
		for _, test := range []struct {
			name, id, secret string
			ok               bool
		}{
			{"it takes the first secret", shop.ID, shop.secret, true},
			{"it takes the second", shop.ID, second, true},
			{"it takes one that has not expired yet", shop.ID, short, true},
			{"it takes one that somebody chose", shop.ID, chosen, true},
			{"it takes a public client at its word", app.ID, "", true},
			{"it knows a disabled client, which the gate refuses", disabled.ID, disabled.secret, true},
			{"it refuses a wrong secret", shop.ID, shop.secret + "x", false},
			{"it refuses no secret", shop.ID, "", false},
			{"it refuses one that was removed", shop.ID, gone, false},
			{"it refuses the secret of another client", shop.ID, deleted.secret, false},
			{"it refuses the stored hash", shop.ID, string(secret.Hash(shop.secret)), false},
			{"it refuses a secret of a public client", app.ID, "anything", false},
			{"it refuses a client that was deleted", deleted.ID, deleted.secret, false},
			{"it refuses a public client that was deleted", old.ID, "", false},
			{"it refuses a client that never was", "nobody", shop.secret, false},
		} {
			err := h.authenticate(test.id, test.secret, "192.0.2.1")
			if test.ok && err != nil || !test.ok && !errors.Is(err, errInvalidClient) {
				t.Errorf("%s: got %v", test.name, err)
			}
		}
		if n := h.count(`SELECT count FROM attempts WHERE key = $1`, "client-secret "+shop.ID); n != 4 {
			t.Errorf("%d wrong secrets are counted, want 4: none at all is none", n)
		}
		time.Sleep(time.Hour)
		if err := h.authenticate(shop.ID, short, "192.0.2.1"); !errors.Is(err, errInvalidClient) {
			t.Errorf("an expired secret: got %v, want invalid_client", err)
		}
		must(t, h.authenticate(shop.ID, second, "192.0.2.1"))
		if n := h.count(`SELECT count(*) FROM client_secrets WHERE client_id = $1 AND last_used_at IS NOT NULL`, shop.ID); n != 4 {
			t.Errorf("%d secrets are known to have been used, want 4", n)
		}
	})
}

// threats 20
func TestWrongSecretsAreCounted(t *testing.T) {
	const here, there = "192.0.2.1", "198.51.100.1"
	each(t, func(t *testing.T, h *house) {
		c, other := h.relyingParty(ClientEdit{}), h.relyingParty(ClientEdit{})
		chosen := c.addSecret(SecretEdit{Text: "correct-horse-battery"})
		want := func(name string, err error, want error) {
			t.Helper()
			if want == nil && err != nil || want != nil && !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", name, err, want)
			}
		}
		for range guessesPerNetwork.Count {
			want("a guess", h.authenticate(c.ID, "wrong", here), errInvalidClient)
		}
		want("one too many", h.authenticate(c.ID, "wrong", here), signin.ErrTooManyAttempts)
		want("the right one among them", h.authenticate(c.ID, chosen, here), signin.ErrTooManyAttempts)
		want("a generated secret, which nobody guesses", h.authenticate(c.ID, c.secret, here), nil)
		want("the right one from elsewhere", h.authenticate(c.ID, chosen, there), nil)
		want("another client", h.authenticate(other.ID, other.secret, here), nil)
		want("a guess at another client", h.authenticate(other.ID, "wrong", here), errInvalidClient)

		// Going on does not prolong the lock.
		for range 9 {
			time.Sleep(time.Minute)
			want("going on", h.authenticate(c.ID, "wrong", here), signin.ErrTooManyAttempts)
		}
		time.Sleep(61 * time.Second)
		want("the right one after the lock", h.authenticate(c.ID, chosen, here), nil)
	})
}

// TestManyNetworksCannotLockAClientOut holds that guesses from everywhere make each
// network dear, and leave open the one that never guessed.
func TestManyNetworksCannotLockAClientOut(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{})
		chosen := c.addSecret(SecretEdit{Text: "correct-horse-battery"})
		address := netip.MustParseAddr("203.0.113.0")
		for range guessesInAll.Count {
			if err := h.authenticate(c.ID, "wrong", address.String()); !errors.Is(err, errInvalidClient) {
				t.Fatalf("from %s: %v", address, err)
			}
			address = address.Next()
		}
		fresh := "198.51.100.7"
		if err := h.authenticate(c.ID, chosen, "203.0.113.0"); !errors.Is(err, signin.ErrTooManyAttempts) {
			t.Errorf("from where a guess came: got %v, want a lock", err)
		}
		if err := h.authenticate(c.ID, chosen, fresh); err != nil {
			t.Errorf("from where no guess came: %v", err)
		}
		if err := h.authenticate(c.ID, "wrong", fresh); !errors.Is(err, errInvalidClient) {
			t.Errorf("the one guess of a new network: got %v", err)
		}
		if err := h.authenticate(c.ID, chosen, fresh); !errors.Is(err, signin.ErrTooManyAttempts) {
			t.Errorf("after its one guess: got %v, want a lock", err)
		}
		time.Sleep(time.Hour)
		if err := h.authenticate(c.ID, chosen, fresh); err != nil {
			t.Errorf("an hour later: %v", err)
		}
	})
}
