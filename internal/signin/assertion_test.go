package signin

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/settings"
)

// What is wrong with an assertion is refused, leaves a record, and opens no
// session.
func TestAssertionIsRefused(t *testing.T) {
	flip := func(b []byte, i int) { b[(i+len(b))%len(b)] ^= 1 }
	origin := func(o string) func(*key) {
		return func(k *key) { k.change = func(p *parts) { p.client["origin"] = o } }
	}
	tests := []struct {
		name string
		bend func(k *key)
		want error
	}{
		// threats 39: each bit is signed
		{"with a bit of the signature flipped", func(k *key) { k.spoil = func(p *parts) { flip(p.signature, -1) } }, ErrProof},
		{"with a bit of the counter flipped", func(k *key) { k.spoil = func(p *parts) { flip(p.auth, -1) } }, ErrProof},
		{"with the client data changed after signing", func(k *key) { k.spoil = func(p *parts) { p.client["extra"] = 1 } }, ErrProof},
		{"without a signature", func(k *key) { k.spoil = func(p *parts) { p.signature = nil } }, ErrProof},
		{"signed by another key", func(k *key) { k.cred.Key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2).Key }, ErrProof},
		// threats 40
		{"without user verification", func(k *key) { k.Options.UserNotVerified = true }, ErrUserVerification},
		{"without user presence", func(k *key) { k.Options.UserNotPresent = true }, ErrProof},
		// threats 42
		{"with another challenge", func(k *key) {
			k.change = func(p *parts) { p.client["challenge"] = b64.EncodeToString(make([]byte, 32)) }
		}, ErrProof},
		{"with an empty challenge", func(k *key) { k.change = func(p *parts) { p.client["challenge"] = "" } }, ErrProof},
		{"of a registration", func(k *key) { k.change = func(p *parts) { p.client["type"] = "webauthn.create" } }, ErrProof},
		// threats 43
		{"from a host that ends alike", origin("https://badid.example.org"), ErrProof},
		{"from a subdomain", origin("https://x.id.example.org"), ErrProof},
		{"from a parent domain", origin("https://example.org"), ErrProof},
		{"from a host that begins alike", origin("https://id.example.org.evil.example"), ErrProof},
		{"over http", origin("http://id.example.org"), ErrProof},
		{"from another port", origin("https://id.example.org:8443"), ErrProof},
		{"from the default port written out", origin("https://id.example.org:443"), ErrProof},
		{"from capitals", origin("https://ID.example.org"), ErrProof},
		{"from a path", origin("https://id.example.org/"), ErrProof},
		{"from a user in the host", origin("https://id.example.org@evil.example"), ErrProof},
		{"from a punycode neighbour", origin("https://xn--id-exmple-n1a.org"), ErrProof},
		{"from an application", origin("android:apk-key-hash:abc"), ErrProof},
		{"from nowhere", origin("null"), ErrProof},
		{"for another relying party", func(k *key) { k.rp.ID = "example.org" }, ErrProof},
		// threats 31
		{"from a frame of another site", func(k *key) {
			k.change = func(p *parts) { p.client["crossOrigin"], p.client["topOrigin"] = true, "https://evil.example" }
		}, ErrProof},
		{"with crossOrigin alone", func(k *key) { k.change = func(p *parts) { p.client["crossOrigin"] = true } }, ErrProof},
		{"with topOrigin alone", func(k *key) { k.change = func(p *parts) { p.client["topOrigin"] = publicURL } }, ErrProof},
		// threats 44
		{"without a user handle", func(k *key) { k.change = func(p *parts) { p.userHandle = nil } }, ErrProof},
		{"with another user handle", func(k *key) {
			k.change = func(p *parts) { p.userHandle = []byte("00000000-0000-4000-8000-000000000000") }
		}, ErrProof},
		{"with the user handle in capitals", func(k *key) { k.change = func(p *parts) { p.userHandle = bytes.ToUpper(p.userHandle) } }, ErrProof},
		{"of a credential that nobody has", func(k *key) { k.change = func(p *parts) { p.id = []byte("nobody has this credential") } }, ErrPasskeyUnknown},
		// threats 46
		{"that is backed up but cannot be", func(k *key) { k.Options.BackupEligible = false }, ErrProof},
		{"that became unable to be backed up", func(k *key) { k.Options.BackupEligible, k.Options.BackupState = false, false }, ErrProof},
	}
	each(t, func(t *testing.T, h *house) {
		good := newKey()
		b := h.person("ada", good)
		sessions := h.count(`SELECT count(*) FROM sessions`)
		for i, tt := range tests {
			bad := *good
			tt.bend(&bad)
			stranger := h.browser()
			wants(t, tt.name, stranger.signIn(&bad), tt.want)
			if stranger.handle != "" || h.count(`SELECT count(*) FROM sessions`) != sessions {
				t.Fatalf("%s: a session was opened", tt.name)
			}
			if got := h.events("passkey.refused"); got != i+1 {
				t.Errorf("%s: %d refusals are recorded, want %d", tt.name, got, i+1)
			}
			time.Sleep(time.Minute) // not too many attempts at once
		}
		if n := h.count(`SELECT count(*) FROM audit WHERE event = 'passkey.refused' AND user_id = $1`, b.visitor.User.ID); n != len(tests)-1 {
			t.Errorf("%d refusals name the user, want all but that of the unknown credential", n)
		}
		must(t, h.browser().signIn(good))
	})
}

func TestAnswerThatIsNone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		b := h.browser()
		for _, answer := range []string{"", "{}", "null", "[]", `{"id":"AA","rawId":"AA","type":"public-key","response":{}}`,
			`{"id":"` + string(bytes.Repeat([]byte("A"), 40000)) + `"}`, "\x00\xff"} {
			c, err := h.BeginSignIn(t.Context(), b.cookie, "")
			must(t, err)
			_, err = h.FinishSignIn(t.Context(), b.cookie, b.seen, c.ID, []byte(answer), "")
			wants(t, "the answer "+answer[:min(len(answer), 40)], err, ErrAnswer)
			_, err = h.FinishSetup(t.Context(), b.cookie, b.seen, c.ID, []byte(answer))
			wants(t, "the new credential "+answer[:min(len(answer), 40)], err, ErrAnswer)
		}
	})
}

// threats 45: a counter that does not grow means two of a key that should be
// one; keys that are synced, or have no counter, are left alone.
func TestSignatureCounter(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		bound := deviceBound()
		ada := h.person("ada", bound)
		must(t, ada.signIn(bound))
		clone := *bound
		clone.cred.Counter = 0 // the next is 1, which was
		wants(t, "a counter that fell", h.browser().signIn(&clone), ErrProof)
		same := *bound
		same.counts = false
		wants(t, "a counter that stood still", h.browser().signIn(&same), ErrProof)
		zero := same
		zero.cred.Counter = 0
		wants(t, "a counter that went to zero", h.browser().signIn(&zero), ErrProof)
		if n := h.count(`SELECT count(*) FROM passkeys WHERE count_fell_at IS NOT NULL`); n != 1 {
			t.Errorf("%d passkeys are marked, want 1", n)
		}
		must(t, ada.signIn(bound))

		without := deviceBound()
		without.counts = false
		bob := h.person("bob", without)
		must(t, bob.signIn(without))
		must(t, bob.signIn(without))

		synced := newKey()
		synced.counts = true
		eve := h.person("eve", synced)
		copied := *synced
		must(t, eve.signIn(synced))
		must(t, eve.signIn(&copied))
		if n := h.count(`SELECT count(*) FROM passkeys WHERE count_fell_at IS NOT NULL`); n != 2 {
			t.Errorf("%d passkeys are marked, want 2", n)
		}
	})
}

// threats 46: eligibility never changes, the state may, and a passkey that was
// imported without flags takes them over at its first use.
func TestBackupFlags(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		ada := h.person("ada", k)
		k.Options.BackupState = false
		must(t, ada.signIn(k))
		if n := h.count(`SELECT count(*) FROM passkeys WHERE backup_state`); n != 0 {
			t.Error("the state of the backup was not taken over")
		}
		bound := *k
		bound.Options.BackupEligible = false
		wants(t, "eligibility that went", h.browser().signIn(&bound), ErrProof)

		h.write(func(tx *db.Tx) error {
			tx.Do(`UPDATE passkeys SET backup_known = $1, backup_eligible = $2`, false, true)
			return nil
		})
		must(t, h.browser().signIn(&bound))
		wants(t, "eligibility that came after it was known", h.browser().signIn(k), ErrProof)
		must(t, h.browser().signIn(&bound))
	})
}

// The user handle is the text of the user's id, so that passkeys of an
// imported house go on working, also those of an algorithm that is not known.
func TestImportedPasskey(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		ada := h.person("ada", k)
		if string(k.Options.UserHandle) != ada.visitor.User.ID || len(k.Options.UserHandle) != 36 {
			t.Errorf("the user handle is %q", k.Options.UserHandle)
		}
		h.write(func(tx *db.Tx) error {
			tx.Do(`UPDATE passkeys SET algorithm = 0, aaguid = '', backup_known = $1, sign_count = 0, transports = '[]'`, false)
			return nil
		})
		must(t, h.browser().signIn(k))
	})
}

// "Last used" is written once an hour, unless something else has changed.
func TestLastUsedIsWrittenOnceAnHour(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		ada := h.person("ada", k)
		at := func() time.Time {
			list, err := h.Passkeys(t.Context(), ada.visitor)
			must(t, err)
			return list[0].LastUsedAt
		}
		first := at()
		time.Sleep(59 * time.Minute)
		must(t, ada.signIn(k))
		if !at().Equal(first) {
			t.Error("it was written again within the hour")
		}
		time.Sleep(time.Minute)
		must(t, ada.signIn(k))
		if !at().After(first) {
			t.Error("it was not written after the hour")
		}
	})
}

// threats 50: a passkey that is answered with wrongly again and again is
// closed for a while, also to the right answer.
func TestWrongAnswersAreCounted(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		h.person("ada", k)
		bad := *k
		bad.spoil = func(p *parts) { p.signature[8] ^= 1 }
		for range passkeyLimit.Count {
			wants(t, "a wrong answer", h.browser().signIn(&bad), ErrProof)
		}
		wants(t, "the right answer after too many", h.browser().signIn(k), ErrTooManyAttempts)
		time.Sleep(passkeyLimit.Within)
		must(t, h.browser().signIn(k))
	})
}

func TestDisabledUserDoesNotSignIn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		ada := h.person("ada", k)
		id := ada.visitor.User.ID
		must(t, h.directory.Disable(t.Context(), root, id))
		wants(t, "signing in while disabled", h.browser().signIn(k), directory.ErrDisabled)
		if h.events("passkey.refused") != 1 {
			t.Error("the refusal is not recorded")
		}
		must(t, h.directory.Enable(t.Context(), root, id))
		must(t, h.browser().signIn(k))
		must(t, h.directory.Delete(t.Context(), root, id))
		wants(t, "signing in when deleted", h.browser().signIn(k), ErrPasskeyUnknown)
	})
}

func TestPreferredUserVerification(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		h.person("ada", k)
		h.settings(func(s *settings.Settings) { s.WebauthnUserVerification = "preferred" })
		b := h.browser()
		c, err := h.BeginSignIn(t.Context(), b.cookie, "")
		must(t, err)
		var o struct{ UserVerification string }
		must(t, json.Unmarshal(c.Options, &o))
		if o.UserVerification != "preferred" {
			t.Errorf("asked for %q", o.UserVerification)
		}
		k.Options.UserNotVerified = true
		must(t, b.signIn(k))
		h.settings(func(s *settings.Settings) { s.WebauthnUserVerification = "discouraged" })
		wants(t, "a setting that is not known", h.browser().signIn(k), ErrUserVerification)
	})
}
