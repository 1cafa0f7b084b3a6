package signin

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
	"pocketid/internal/settings"
)

// Passkey managers hide what is not in the list, so it is whole or it is not told.
func TestSignalsAreWholeOrNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.user("eve")
		eve := h.browser()
		eve.byCode("eve")
		none, err := h.Passkeys(t.Context(), eve.visitor)
		must(t, err)
		if got := h.Signals(eve.visitor, none); got.Accepted != nil || got.RPID != "id.example.org" || got.Name != "eve" {
			t.Errorf("without a passkey: %+v", got)
		}

		k := newKey()
		ada := h.person("ada", k)
		want := []string{b64.EncodeToString(k.cred.ID)}
		must(t, ada.stepUp(k, PurposePasskeys))
		for range maxPasskeys - 1 {
			more := newKey()
			_, err := ada.add(more)
			must(t, err)
			want = append(want, b64.EncodeToString(more.cred.ID))
			must(t, ada.stepUp(k, PurposePasskeys))
		}
		signals := func() Signals {
			t.Helper()
			all, err := h.Passkeys(t.Context(), ada.visitor)
			must(t, err)
			return h.Signals(ada.visitor, all)
		}
		got := signals()
		slices.Sort(got.Accepted)
		slices.Sort(want)
		if !slices.Equal(got.Accepted, want) || got.UserID != b64.EncodeToString([]byte(ada.visitor.User.ID)) {
			t.Errorf("of %d passkeys %d are told, of user %s", len(want), len(got.Accepted), got.UserID)
		}
		h.write(func(tx *db.Tx) error { // an import may bring more than can be added
			tx.Do(`INSERT INTO passkeys (id, user_id, credential_id, public_key, name, created_at) VALUES ($1, $2, $3, $3, 'x', 1)`,
				secret.ID(), ada.visitor.User.ID, []byte("one too many"))
			return nil
		})
		if got := signals(); got.Accepted != nil {
			t.Errorf("of more passkeys than are listed %d are told", len(got.Accepted))
		}
	})
}

// threats 48: whoever cannot sign with a passkey hears the same of every credential
// id, also when too many have tried.
func TestWithoutItsKeyAPasskeyIsUnknown(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		good := newKey()
		h.person("ada", good)
		says := func(k *key) fault.Error {
			t.Helper()
			f := *fault.Of(h.browser().signIn(k))
			f.Cause = nil
			return f
		}
		forge := func(bend func(k *key)) *key {
			k := *good
			k.cred.Key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2).Key
			bend(&k)
			return &k
		}
		bends := map[string]func(k *key){
			"nothing else":              func(*key) {},
			"another origin":            func(k *key) { k.change = func(p *parts) { p.client["origin"] = "https://evil.example" } },
			"another user handle":       func(k *key) { k.change = func(p *parts) { p.userHandle = []byte("x") } },
			"no user handle":            func(k *key) { k.change = func(p *parts) { p.userHandle = nil } },
			"no user verification":      func(k *key) { k.Options.UserNotVerified = true },
			"another backup flag":       func(k *key) { k.Options.BackupEligible, k.Options.BackupState = false, false },
			"a signature that is none":  func(k *key) { k.spoil = func(p *parts) { p.signature = nil } },
			"a signature of other data": func(k *key) { k.spoil = func(p *parts) { p.client["extra"] = 1 } },
		}
		compare := func(when string) {
			t.Helper()
			for name, bend := range bends {
				unknown := says(forge(func(k *key) { bend(k); k.cred.ID = []byte("nobody has this credential") }))
				if unknown.Code != ErrPasskeyUnknown.Code {
					t.Errorf("%s, with %s: an unknown credential is %q", when, name, unknown.Code)
				}
				known := says(forge(bend))
				a, _ := json.Marshal(known)
				b, _ := json.Marshal(unknown)
				if string(a) != string(b) {
					t.Errorf("%s, with %s: a known credential is %s, an unknown one %s", when, name, a, b)
				}
			}
		}
		compare("at first")
		must(t, h.browser().signIn(good))
		for range passkeyLimit.Count {
			says(forge(bends["nothing else"]))
		}
		compare("after too many tries")
		wants(t, "the holder after too many tries", h.browser().signIn(good), ErrTooManyAttempts)

		// The holder hears what is wrong.
		time.Sleep(passkeyLimit.Within)
		lazy := *good
		lazy.Options.UserNotVerified = true
		if got := says(&lazy); got.Code != ErrUserVerification.Code {
			t.Errorf("the holder who was not verified hears %q", got.Code)
		}
	})
}

// threats 43: pages that the settings name may use the passkeys of the house, exactly
// those, and for as long as they are named.
func TestRelatedOrigins(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		ada := h.person("ada", k)
		at := func(origin string) *key {
			other := *k
			other.rp.Origin = origin
			return &other
		}
		wants(t, "a page that is not named", h.browser().signIn(at("https://id.example.net")), ErrProof)
		h.settings(func(s *settings.Settings) { s.RelatedOrigins = []string{"https://id.example.net"} })
		must(t, h.browser().signIn(at("https://id.example.net")))
		must(t, h.browser().signIn(k))
		for _, origin := range []string{"http://id.example.net", "https://id.example.net:8443", "https://id.example.net:443", "https://ID.example.net",
			"https://x.id.example.net", "https://example.net", "https://id.example.net.evil.example", "https://id.example.net/"} {
			wants(t, origin, h.browser().signIn(at(origin)), ErrProof)
			time.Sleep(time.Minute)
		}
		elsewhere := at("https://id.example.net")
		elsewhere.rp.ID = "id.example.net" // the passkeys of that site are not ours
		wants(t, "a passkey of the related site", h.browser().signIn(elsewhere), ErrProof)
		framed := at("https://id.example.net")
		framed.change = func(p *parts) { p.client["crossOrigin"] = true }
		wants(t, "a frame of the related site", h.browser().signIn(framed), ErrProof)

		must(t, ada.stepUp(at("https://id.example.net"), PurposePasskeys))
		more := newKey()
		more.rp.Origin = "https://id.example.net"
		_, err := ada.add(more)
		must(t, err)

		b := h.browser()
		c, err := h.BeginSignIn(t.Context(), b.cookie, "")
		must(t, err)
		h.settings(func(s *settings.Settings) { s.RelatedOrigins = nil })
		_, err = h.FinishSignIn(t.Context(), b.cookie, b.seen, c.ID, at("https://id.example.net").get(t, c.Options), "")
		must(t, err) // the rules are those of the beginning
		wants(t, "a page that is not named any more", h.browser().signIn(at("https://id.example.net")), ErrProof)
	})
}

// threats 41, 47: a stricter rule is for new passkeys. Those that are there go on
// working, and the administrator learns how many there are.
func TestRulesAreForNewPasskeys(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		admin := audit.System("cli")
		synced := newKey()
		synced.Aaguid = [16]byte{0xba, 0xda, 0x55, 0x66, 0xa7, 0xaa, 0x40, 0x1f, 0xbd, 0x96, 0x45, 0x61, 0x9a, 0x55, 0x12, 0x0d} // 1Password
		ada := h.person("ada", synced)
		h.person("bob", deviceBound())
		h.count(`UPDATE passkeys SET attachment = 'platform' WHERE user_id = $1 RETURNING 1`, ada.visitor.User.ID)
		tests := []struct {
			name string
			set  func(*settings.Settings)
			want Outside
			new  error // of one more like Ada's
		}{
			{"nothing", func(*settings.Settings) {}, Outside{}, nil},
			{"no synced ones", func(s *settings.Settings) { s.WebauthnAllowSyncedPasskeys = false }, Outside{1, 1}, ErrSynced},
			{"security keys only", func(s *settings.Settings) { s.WebauthnAuthenticatorAttachment = "cross-platform" }, Outside{1, 1}, ErrAttachment},
			{"the device only", func(s *settings.Settings) { s.WebauthnAuthenticatorAttachment = "platform" }, Outside{}, ErrAttachment}, // it says nothing
			{"not this model", func(s *settings.Settings) {
				s.WebauthnDeniedAAGUIDs = []string{"00000000-1111-2222-3333-444444444444", "bada5566-a7aa-401f-bd96-45619a55120d"}
			}, Outside{1, 1}, ErrModel},
			{"another model", func(s *settings.Settings) {
				s.WebauthnDeniedAAGUIDs = []string{"00000000-1111-2222-3333-444444444444"}
			}, Outside{}, nil},
		}
		for _, tt := range tests {
			h.settings(func(s *settings.Settings) { *s = settings.Default(); tt.set(s) })
			got, err := h.OutsideRules(t.Context(), admin)
			if err != nil || got != tt.want {
				t.Errorf("%s: %+v and %v are outside, want %+v", tt.name, got, err, tt.want)
			}
			all, err := h.Passkeys(t.Context(), ada.visitor)
			must(t, err)
			h.write(func(tx *db.Tx) error {
				s, err := settings.Of(tx)
				if outside := all[0].Outside(s); outside != (tt.want.Passkeys > 0) {
					t.Errorf("%s: of Ada's it is said that it is outside: %t", tt.name, outside)
				}
				return err
			})
			must(t, h.browser().signIn(synced))
			must(t, ada.stepUp(synced, PurposePasskeys))
			more := newKey()
			more.Aaguid = synced.Aaguid
			p, err := ada.add(more)
			wants(t, tt.name+": one more", err, tt.new)
			if err == nil {
				h.count(`DELETE FROM passkeys WHERE id = $1 RETURNING 1`, p.ID)
			}
		}
		if _, err := h.OutsideRules(t.Context(), audit.Actor{UserID: ada.visitor.User.ID}); err == nil {
			t.Error("anybody may ask how many there are")
		}
	})
}

// What a page hints at, browsers are told in both ways; the rule of the settings comes first.
func TestHintsOfANewPasskey(t *testing.T) {
	tests := []struct{ rule, hint, hints, attachment string }{
		{"any", "", "null", ""},
		{"any", "telepathy", "null", ""},
		{"any", "client-device", `["client-device"]`, "platform"},
		{"any", "hybrid", `["hybrid","security-key"]`, "cross-platform"},
		{"any", "security-key", `["security-key","hybrid"]`, "cross-platform"},
		{"platform", "hybrid", `["client-device"]`, "platform"},
		{"platform", "", `["client-device"]`, "platform"},
		{"cross-platform", "client-device", `["security-key","hybrid"]`, "cross-platform"},
		{"cross-platform", "hybrid", `["hybrid","security-key"]`, "cross-platform"},
	}
	each(t, func(t *testing.T, h *house) {
		h.user("ada")
		ada := h.browser()
		ada.byCode("ada")
		for _, tt := range tests {
			h.settings(func(s *settings.Settings) { s.WebauthnAuthenticatorAttachment = tt.rule })
			c, err := h.BeginAdd(t.Context(), ada.visitor, ada.cookie, tt.hint)
			must(t, err)
			var o struct {
				Hints     []string
				Selection struct {
					Attachment string `json:"authenticatorAttachment"`
				} `json:"authenticatorSelection"`
			}
			must(t, json.Unmarshal(c.Options, &o))
			if hints, _ := json.Marshal(o.Hints); string(hints) != tt.hints || o.Selection.Attachment != tt.attachment {
				t.Errorf("%s where the rule is %s: hints %s and attachment %q", tt.hint, tt.rule, hints, o.Selection.Attachment)
			}
		}
	})
}

// Whether the passkey came from another device is what the browser says.
func TestSignInWithAnotherDevice(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		h.person("ada", k)
		for attachment, want := range map[string]bool{"cross-platform": true, "platform": false, "": false, "moon": false} {
			b := h.browser()
			c, err := h.BeginSignIn(t.Context(), b.cookie, "")
			must(t, err)
			var answer map[string]any
			must(t, json.Unmarshal(k.get(t, c.Options), &answer))
			if answer["authenticatorAttachment"] = attachment; attachment == "" {
				delete(answer, "authenticatorAttachment")
			}
			raw, _ := json.Marshal(answer)
			l, err := h.FinishSignIn(t.Context(), b.cookie, b.seen, c.ID, raw, "")
			if err != nil || l.CrossDevice != want {
				t.Errorf("%q: %t and %v", attachment, l.CrossDevice, err)
			}
		}
	})
}
