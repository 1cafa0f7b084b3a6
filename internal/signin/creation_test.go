package signin

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/descope/virtualwebauthn"
	"github.com/go-webauthn/webauthn/protocol/webauthncbor"

	"pocketid/internal/settings"
)

// made is a new credential of a key that the virtual authenticator cannot
// make, with attestation none.
type made struct {
	key        map[int]any // COSE
	flags      byte
	attachment string
	extensions string
	transports []string
	id         []byte
	format     string
}

func (m made) answer(t *testing.T, options []byte) []byte {
	t.Helper()
	o, err := virtualwebauthn.ParseAttestationOptions(string(options))
	must(t, err)
	client, _ := json.Marshal(map[string]any{"type": "webauthn.create", "challenge": b64.EncodeToString(o.Challenge), "origin": publicURL, "crossOrigin": false})
	cose, err := webauthncbor.Marshal(m.key)
	must(t, err)
	if m.id == nil {
		m.id = make([]byte, 20)
		rand.Read(m.id)
	}
	if m.format == "" {
		m.format = "none"
	}
	rp := sha256.Sum256([]byte(o.RelyingPartyID))
	auth := append(rp[:], m.flags)
	auth = append(auth, 0, 0, 0, 0)
	auth = append(auth, make([]byte, 16)...)
	auth = binary.BigEndian.AppendUint16(auth, uint16(len(m.id)))
	auth = append(append(auth, m.id...), cose...)
	object, err := webauthncbor.Marshal(map[string]any{"fmt": m.format, "attStmt": map[string]any{}, "authData": auth})
	must(t, err)
	out := map[string]any{"id": b64.EncodeToString(m.id), "rawId": b64.EncodeToString(m.id), "type": "public-key",
		"response": map[string]any{"attestationObject": b64.EncodeToString(object), "clientDataJSON": b64.EncodeToString(client), "transports": m.transports}}
	if m.attachment != "" {
		out["authenticatorAttachment"] = m.attachment
	}
	if m.extensions != "" {
		out["clientExtensionResults"] = json.RawMessage(m.extensions)
	}
	b, err := json.Marshal(out)
	must(t, err)
	return b
}

const (
	flagUP = 1 << 0
	flagUV = 1 << 2
	flagBE = 1 << 3
	flagBS = 1 << 4
	flagAT = 1 << 6
)

func edDSA(t *testing.T) map[int]any {
	pub, _, err := ed25519.GenerateKey(nil)
	must(t, err)
	return map[int]any{1: 1, 3: -8, -1: 6, -2: []byte(pub)}
}

// rs256 is an RSA key by its looks; nothing is signed with it.
func rs256(bits int) map[int]any {
	n := make([]byte, bits/8)
	rand.Read(n)
	n[0], n[len(n)-1] = n[0]|0x80, n[len(n)-1]|1
	return map[int]any{1: 3, 3: -257, -1: n, -2: []byte{1, 0, 1}}
}

func es(t *testing.T, alg int, curve elliptic.Curve, id int) map[int]any {
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	must(t, err)
	point, err := k.PublicKey.Bytes() // 4, x, y
	must(t, err)
	half := len(point) / 2
	return map[int]any{1: 2, 3: alg, -1: id, -2: point[1 : 1+half], -3: point[1+half:]}
}

// adding is somebody who may add a first passkey, again and again.
func (h *house) adding(t *testing.T) func(m made) error {
	name := "ada"
	h.user(name)
	b := h.browser()
	b.byCode(name)
	return func(m made) error {
		t.Helper()
		c, err := h.BeginAdd(t.Context(), b.visitor, b.cookie, "")
		must(t, err)
		_, err = h.FinishAdd(t.Context(), b.visitor, b.cookie, c.ID, m.answer(t, c.Options), b.seen)
		if err == nil {
			h.count(`DELETE FROM passkeys RETURNING 1`)
		}
		return err
	}
}

// threats 41: what the options ask for is asked of the answer too.
func TestNewPasskeyIsChecked(t *testing.T) {
	const fine = flagUP | flagUV | flagAT
	small, large, good := rs256(1024), rs256(4104), rs256(2048)
	p256 := func() map[int]any { return es(t, -7, elliptic.P256(), 1) }
	tests := []struct {
		name string
		set  func(*settings.Settings)
		made made
		want error
	}{
		{"takes ES256", nil, made{key: p256(), flags: fine}, nil},
		{"takes EdDSA", nil, made{key: edDSA(t), flags: fine}, nil},
		{"takes RS256", nil, made{key: good, flags: fine}, nil},
		{"takes a synced passkey", nil, made{key: p256(), flags: fine | flagBE | flagBS}, nil},
		{"takes transports that it does not know", nil, made{key: p256(), flags: fine, transports: []string{"internal", "telepathy"}}, nil},
		{"takes credProps that say it is discoverable", nil, made{key: p256(), flags: fine, extensions: `{"credProps":{"rk":true}}`}, nil},
		{"refuses ES384", nil, made{key: es(t, -35, elliptic.P384(), 2), flags: fine}, ErrAlgorithm},
		{"refuses ES512", nil, made{key: es(t, -36, elliptic.P521(), 3), flags: fine}, ErrAlgorithm},
		{"refuses PS256", nil, made{key: map[int]any{1: 3, 3: -37, -1: good[-1], -2: good[-2]}, flags: fine}, ErrAlgorithm},
		{"refuses RS1", nil, made{key: map[int]any{1: 3, 3: -65535, -1: good[-1], -2: good[-2]}, flags: fine}, ErrAlgorithm},
		{"refuses a small RSA key", nil, made{key: small, flags: fine}, ErrAlgorithm},
		{"refuses a large RSA key", nil, made{key: large, flags: fine}, ErrAlgorithm},
		{"refuses a point that is not on the curve", nil, made{key: map[int]any{1: 2, 3: -7, -1: 1, -2: make([]byte, 32), -3: make([]byte, 32)}, flags: fine}, ErrAlgorithm},
		{"refuses one without user verification", nil, made{key: p256(), flags: flagUP | flagAT}, ErrUserVerification},
		{"refuses one without user presence", nil, made{key: p256(), flags: flagUV | flagAT}, ErrProof},
		{"refuses a backup of what cannot be backed up", nil, made{key: p256(), flags: fine | flagBS}, ErrProof},
		{"refuses one that is not discoverable", nil, made{key: p256(), flags: fine, extensions: `{"credProps":{"rk":false}}`}, ErrNotDiscoverable},
		{"refuses an attestation that it does not know", nil, made{key: p256(), flags: fine, format: "homemade"}, ErrProof},
		{"refuses a synced passkey where the settings do", func(s *settings.Settings) { s.WebauthnAllowSyncedPasskeys = false },
			made{key: p256(), flags: fine | flagBE}, ErrSynced},
		{"takes a device-bound one there", func(s *settings.Settings) { s.WebauthnAllowSyncedPasskeys = false }, made{key: p256(), flags: fine}, nil},
		{"refuses a security key where the settings want the device", func(s *settings.Settings) { s.WebauthnAuthenticatorAttachment = "platform" },
			made{key: p256(), flags: fine, attachment: "cross-platform"}, ErrAttachment},
		{"refuses one that does not say what it is there", func(s *settings.Settings) { s.WebauthnAuthenticatorAttachment = "platform" },
			made{key: p256(), flags: fine}, ErrAttachment},
		{"takes the device there", func(s *settings.Settings) { s.WebauthnAuthenticatorAttachment = "platform" },
			made{key: p256(), flags: fine, attachment: "platform"}, nil},
		{"takes one without user verification where it is preferred", func(s *settings.Settings) { s.WebauthnUserVerification = "preferred" },
			made{key: p256(), flags: flagUP | flagAT}, nil},
	}
	each(t, func(t *testing.T, h *house) {
		add := h.adding(t)
		for _, tt := range tests {
			h.settings(func(s *settings.Settings) {
				*s = settings.Default()
				if tt.set != nil {
					tt.set(s)
				}
			})
			refused := h.events("passkey.refused")
			wants(t, tt.name, add(tt.made), tt.want)
			if got := h.events("passkey.refused") - refused; (got == 1) != (tt.want != nil) {
				t.Errorf("%s: %d refusals are recorded", tt.name, got)
			}
		}
	})
}

// threats 44: a credential belongs to one account, whoever comes with it.
func TestCredentialBelongsToOneAccount(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		ada := h.person("ada", k)
		h.user("bob")
		bob := h.browser()
		bob.byCode("bob")
		stolen := *k
		_, err := bob.add(&stolen)
		wants(t, "adding a credential of another account", err, ErrPasskeyExists)
		must(t, ada.stepUp(k, PurposePasskeys))
		_, err = ada.add(&stolen)
		wants(t, "adding a credential again", err, ErrPasskeyExists)
		must(t, h.browser().signIn(k))
	})
}

func TestOptionsOfANewPasskey(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.settings(func(s *settings.Settings) { s.AppName, s.WebauthnAuthenticatorAttachment = "Fjordlab", "platform" })
		h.user("ada")
		ada := h.browser()
		ada.byCode("ada")
		c, err := h.BeginAdd(t.Context(), ada.visitor, ada.cookie, "")
		must(t, err)
		var o map[string]any
		must(t, json.Unmarshal(c.Options, &o))
		got, _ := json.Marshal([]any{o["rp"], o["pubKeyCredParams"], o["authenticatorSelection"], o["attestation"], o["extensions"], o["timeout"], o["excludeCredentials"]})
		want := `[{"id":"id.example.org","name":"Fjordlab"},` +
			`[{"alg":-7,"type":"public-key"},{"alg":-8,"type":"public-key"},{"alg":-257,"type":"public-key"}],` +
			`{"authenticatorAttachment":"platform","requireResidentKey":true,"residentKey":"required","userVerification":"required"},` +
			`"none",{"credProps":true},300000,null]`
		if string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		user, _ := o["user"].(map[string]any)
		if id, _ := b64.DecodeString(user["id"].(string)); string(id) != ada.visitor.User.ID || user["name"] != "ada" || user["displayName"] != "ada" {
			t.Errorf("the user is %v", user)
		}

		h.settings(func(s *settings.Settings) { *s = settings.Default() })
		k := deviceBound()
		bob := h.person("bob", k)
		must(t, bob.stepUp(k, PurposePasskeys))
		c, err = h.BeginAdd(t.Context(), bob.visitor, bob.cookie, "")
		must(t, err)
		if !strings.Contains(string(c.Options), `"excludeCredentials":[{"type":"public-key","id":"`+b64.EncodeToString(k.cred.ID)+`"`) {
			t.Errorf("the options do not exclude what is there: %s", c.Options)
		}
	})
}

func TestPasskeyNames(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var icloud [16]byte
		copy(icloud[:], "\xfb\xfc\x30\x07\x15\x4e\x4e\xcc\x8c\x0b\x6e\x02\x05\x57\xd7\xbd")
		k := newKey()
		k.Aaguid = icloud
		ada := h.person("ada", k)
		must(t, ada.stepUp(k, PurposePasskeys))
		for range 2 {
			k := newKey()
			k.Aaguid = icloud
			_, err := ada.add(k)
			must(t, err)
		}
		zero := newKey()
		zero.Aaguid = [16]byte{}
		_, err := ada.add(zero)
		must(t, err)
		list, err := h.Passkeys(t.Context(), ada.visitor)
		must(t, err)
		var names []string
		for _, p := range list {
			names = append(names, p.Name)
		}
		if want := []string{"Apple Passwords", "Apple Passwords 2", "Apple Passwords 3", "Passkey"}; !slices.Equal(names, want) {
			t.Errorf("the names are %q, want %q", names, want)
		}
		if list[0].AAGUID != "fbfc3007-154e-4ecc-8c0b-6e020557d7bd" || list[0].Model() != "Apple Passwords" || list[3].AAGUID != "" {
			t.Errorf("the first is %+v", list[0])
		}
		p, err := h.RenamePasskey(t.Context(), ada.visitor, list[1].ID, "  My phone ")
		if err != nil || p.Name != "My phone" {
			t.Errorf("renaming gives %q, %v", p.Name, err)
		}
		for _, bad := range []string{"", "   ", strings.Repeat("a", 51), "a\nb", "\xff"} {
			_, err := h.RenamePasskey(t.Context(), ada.visitor, list[1].ID, bad)
			wants(t, "the name "+bad, err, ErrPasskeyName)
		}
		bob := h.person("bob", newKey())
		_, err = h.RenamePasskey(t.Context(), bob.visitor, list[1].ID, "mine")
		wants(t, "renaming another's passkey", err, ErrNoPasskey)
	})
}

func TestRemovePasskey(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first, second := newKey(), deviceBound()
		here := h.person("ada", first)
		remove := func(i int) error {
			list, err := h.Passkeys(t.Context(), here.visitor)
			must(t, err)
			return h.RemovePasskey(t.Context(), here.visitor, list[i].ID)
		}
		wants(t, "removing without a step-up", remove(0), ErrStepUp)
		must(t, here.stepUp(first, PurposePasskeys))
		wants(t, "removing the last one", remove(0), ErrLastPasskey)
		_, err := here.add(second)
		must(t, err)

		there, elsewhere := h.browser(), h.browser()
		must(t, there.signIn(first))
		must(t, elsewhere.signIn(second))
		must(t, remove(1))
		must(t, here.visit())
		must(t, there.visit())
		wants(t, "a session of a removed passkey", elsewhere.visit(), ErrNoSession)
		wants(t, "signing in with a removed passkey", elsewhere.signIn(second), ErrPasskeyUnknown)
		wants(t, "removing the last one", remove(0), ErrLastPasskey)
		wants(t, "removing what is not there", h.RemovePasskey(t.Context(), here.visitor, "x"), ErrNoPasskey)
		if h.events("PASSKEY_REMOVED") != 1 {
			t.Error("the removal is not recorded")
		}

		// Removing the passkey of this very session leaves the one that asks.
		must(t, here.signIn(first))
		must(t, here.stepUp(first, PurposePasskeys))
		_, err = here.add(second)
		must(t, err)
		must(t, there.signIn(first))
		must(t, remove(0))
		must(t, here.visit())
		wants(t, "another session of that passkey", there.visit(), ErrNoSession)

		// threats 54: nobody removes what is not theirs
		bob := h.person("bob", newKey())
		_, err = bob.add(newKey())
		wants(t, "adding without a step-up", err, ErrStepUp)
		must(t, bob.stepUp(bob.keys[0], PurposePasskeys))
		_, err = bob.add(newKey())
		must(t, err)
		list, err := h.Passkeys(t.Context(), here.visitor)
		must(t, err)
		wants(t, "removing another's passkey", h.RemovePasskey(t.Context(), bob.visitor, list[0].ID), ErrNoPasskey)
	})
}

func TestPasskeysAreBounded(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		ada := h.person("ada", k)
		must(t, ada.stepUp(k, PurposePasskeys))
		for i := range maxPasskeys - 1 {
			if i%20 == 0 {
				must(t, ada.stepUp(k, PurposePasskeys))
			}
			_, err := ada.add(newKey())
			must(t, err)
		}
		_, err := ada.add(newKey())
		wants(t, "one too many", err, ErrTooManyPasskeys)
	})
}

// The list is searched as it is; every line of it must be found.
func TestModelNames(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(models, "\n"), "\n")
	if len(lines) < 300 || !slices.IsSorted(lines) {
		t.Fatalf("the list has %d lines, sorted: %t", len(lines), slices.IsSorted(lines))
	}
	for _, line := range lines {
		id, name, _ := strings.Cut(line, " ")
		if got := modelName(id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]); got != name || name == "" {
			t.Errorf("%s is %q, want %q", id, got, name)
		}
	}
	for _, none := range []string{"", "x", "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"} {
		if got := modelName(none); got != "" {
			t.Errorf("%q is %q", none, got)
		}
	}
	if n := testing.AllocsPerRun(100, func() { modelName("fbfc3007-154e-4ecc-8c0b-6e020557d7bd") }); n > 2 {
		t.Errorf("a search allocates %f times", n)
	}
}
