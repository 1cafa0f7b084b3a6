package signin

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/directory"
	"pocketid/internal/secret"
	"pocketid/internal/settings"
)

const publicURL = "https://id.example.org"

// A house is a whole sign-in over a database of its own.
type house struct {
	*SignIn
	t *testing.T
}

// each runs fn on both engines, in a bubble whose time passes by itself.
func each(t *testing.T, fn func(t *testing.T, h *house)) {
	t.Helper()
	eachWith(t, func(*Config) {}, fn)
}

func eachWith(t *testing.T, configure func(*Config), fn func(t *testing.T, h *house)) {
	t.Helper()
	dbtest.Migrated(t, func(t *testing.T, dsn string) {
		synctest.Test(t, func(t *testing.T) {
			fn(t, newHouse(t, dbtest.OpenDSN(t, dsn), configure))
		})
	})
}

func newHouse(t *testing.T, d *db.DB, configure func(*Config)) *house {
	t.Helper()
	master, err := secret.NewMaster([]byte("a master key for tests, 32 bytes"))
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(publicURL)
	c := Config{DB: d, Directory: directory.New(d), Master: master, PublicURL: u}
	configure(&c)
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return &house{SignIn: s, t: t}
}

var root = audit.System("cli")

// user makes an account without a passkey.
func (h *house) user(name string) directory.User {
	h.t.Helper()
	u, err := h.directory.AddUserAs(h.t.Context(), root, directory.NewUser{Username: name, Email: name + "@example.org", FirstName: name})
	if err != nil {
		h.t.Fatal(err)
	}
	return u
}

// settings changes the settings.
func (h *house) settings(change func(*settings.Settings)) {
	h.t.Helper()
	h.write(func(tx *db.Tx) error {
		s, err := settings.Of(tx)
		change(&s)
		settings.Save(tx, s)
		return err
	})
}

func (h *house) write(fn func(*db.Tx) error) {
	h.t.Helper()
	if err := h.db.Write(h.t.Context(), fn); err != nil {
		h.t.Fatal(err)
	}
}

// count is the one number that q yields.
func (h *house) count(q string, args ...any) (n int) {
	h.t.Helper()
	h.write(func(tx *db.Tx) error { return tx.One([]any{&n}, q, args...) })
	return n
}

// events counts the records of an event.
func (h *house) events(name string) int {
	h.t.Helper()
	return h.count(`SELECT count(*) FROM audit WHERE event = $1`, name)
}

// A browser holds a browser cookie, at most one session, and passkeys.
type browser struct {
	h       *house
	cookie  []byte
	seen    Seen
	handle  string
	visitor Visitor
	keys    []*key
}

func (h *house) browser() *browser {
	return &browser{h: h, cookie: secret.Hash(secret.Token()), seen: Seen{"192.0.2.1", "Firefox on Linux"}}
}

// A key is a passkey in an authenticator. What its fields say it does.
type key struct {
	virtualwebauthn.Authenticator
	cred   virtualwebauthn.Credential
	rp     virtualwebauthn.RelyingParty
	change func(p *parts) // of the answer, before it is signed
	spoil  func(p *parts) // of the answer, after it is signed
	counts bool           // has a signature counter
}

func newKey() *key {
	return &key{Authenticator: virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{BackupEligible: true, BackupState: true}),
		cred: newCredential(),
		rp:   virtualwebauthn.RelyingParty{ID: "id.example.org", Origin: publicURL}}
}

// newCredential passes over the keys, one in 128, of which the library writes a
// coordinate too short.
func newCredential() virtualwebauthn.Credential {
	for {
		c := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
		if _, err := webauthncose.ParsePublicKey(c.Key.AttestationData()); err == nil {
			return c
		}
	}
}

// deviceBound is a key that stays where it is and counts.
func deviceBound() *key {
	k := newKey()
	k.Options.BackupEligible, k.Options.BackupState, k.counts = false, false, true
	return k
}

// parts are the members of an assertion.
type parts struct {
	client     map[string]any
	auth       []byte
	signature  []byte
	userHandle []byte
	id         []byte
}

var b64 = base64.RawURLEncoding

// create answers creation options.
func (k *key) create(t testing.TB, options []byte) []byte {
	t.Helper()
	o, err := virtualwebauthn.ParseAttestationOptions(string(options))
	if err != nil {
		t.Fatal(err)
	}
	k.Options.UserHandle = []byte(o.UserID)
	return []byte(virtualwebauthn.CreateAttestationResponse(k.rp, k.Authenticator, k.cred, *o))
}

// get answers request options.
func (k *key) get(t testing.TB, options []byte) []byte {
	t.Helper()
	o, err := virtualwebauthn.ParseAssertionOptions(string(options))
	if err != nil {
		t.Fatal(err)
	}
	if k.counts {
		k.cred.Counter++
	}
	answer := virtualwebauthn.CreateAssertionResponse(k.rp, k.Authenticator, k.cred, *o)
	if k.change == nil && k.spoil == nil {
		return []byte(answer)
	}
	var m struct {
		ID       string `json:"id"`
		Response map[string]string
	}
	if err := json.Unmarshal([]byte(answer), &m); err != nil {
		t.Fatal(err)
	}
	p := parts{userHandle: k.Options.UserHandle, id: k.cred.ID}
	p.auth, _ = b64.DecodeString(m.Response["authenticatorData"])
	clientData, _ := b64.DecodeString(m.Response["clientDataJSON"])
	if err := json.Unmarshal(clientData, &p.client); err != nil {
		t.Fatal(err)
	}
	if k.change != nil {
		k.change(&p)
	}
	clientData, _ = json.Marshal(p.client)
	hash := sha256.Sum256(clientData)
	digest := sha256.Sum256(append(append([]byte{}, p.auth...), hash[:]...))
	p.signature, err = k.cred.Key.Sign(digest[:])
	if err != nil {
		t.Fatal(err)
	}
	if k.spoil != nil {
		k.spoil(&p)
		clientData, _ = json.Marshal(p.client)
	}
	id := b64.EncodeToString(p.id)
	out, err := json.Marshal(map[string]any{"id": id, "rawId": id, "type": "public-key", "response": map[string]any{
		"authenticatorData": b64.EncodeToString(p.auth), "clientDataJSON": b64.EncodeToString(clientData),
		"signature": b64.EncodeToString(p.signature), "userHandle": b64.EncodeToString(p.userHandle)}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func ctxOf(b *browser) context.Context { return b.h.t.Context() }

// holds takes over what a sign-in gave.
func (b *browser) holds(l Login, err error) error {
	if err == nil {
		b.handle, b.visitor = l.Handle, l.Visitor
	}
	return err
}

// setUp makes the first administrator in this browser.
func (b *browser) setUp(username string) error {
	b.h.t.Helper()
	c, err := b.h.BeginSetup(ctxOf(b), b.cookie, "", Profile{Username: username, Email: username + "@example.org", FirstName: "Ada"})
	if err != nil {
		return err
	}
	k := newKey()
	if err := b.holds(b.h.FinishSetup(ctxOf(b), b.cookie, b.seen, c.ID, k.create(b.h.t, c.Options))); err != nil {
		return err
	}
	b.keys = append(b.keys, k)
	return nil
}

// signIn signs in with k.
func (b *browser) signIn(k *key) error {
	b.h.t.Helper()
	c, err := b.h.BeginSignIn(ctxOf(b), b.cookie, "")
	if err != nil {
		return err
	}
	return b.holds(b.h.FinishSignIn(ctxOf(b), b.cookie, b.seen, c.ID, k.get(b.h.t, c.Options), b.handle))
}

// byCode signs the user in by a one-time code.
func (b *browser) byCode(username string) {
	b.h.t.Helper()
	code, _, err := b.h.MakeLoginLink(ctxOf(b), root, username, 0)
	if err == nil {
		err = b.holds(b.h.RedeemLogin(ctxOf(b), b.cookie, b.seen, code, b.handle))
	}
	if err != nil {
		b.h.t.Fatal(err)
	}
}

// stepUp proves the visitor anew with k.
func (b *browser) stepUp(k *key, purpose string) error {
	b.h.t.Helper()
	c, err := b.h.BeginStepUp(ctxOf(b), b.visitor, b.cookie, purpose, "")
	if err != nil {
		return err
	}
	return b.holds(b.h.FinishStepUp(ctxOf(b), b.visitor, b.cookie, c.ID, k.get(b.h.t, c.Options)))
}

// add adds k to the visitor's account.
func (b *browser) add(k *key) (Passkey, error) {
	b.h.t.Helper()
	time.Sleep(time.Second)
	c, err := b.h.BeginAdd(ctxOf(b), b.visitor, b.cookie, "")
	if err != nil {
		return Passkey{}, err
	}
	p, err := b.h.FinishAdd(ctxOf(b), b.visitor, b.cookie, c.ID, k.create(b.h.t, c.Options), b.seen)
	if err == nil {
		b.keys = append(b.keys, k)
	}
	return p, err
}

// visit asks who holds the handle of this browser.
func (b *browser) visit() error {
	v, err := b.h.Visit(ctxOf(b), b.handle, b.seen)
	if err == nil {
		b.visitor = v
	}
	return err
}

// person is a user with one passkey, signed in with it in a browser.
func (h *house) person(name string, k *key) *browser {
	h.t.Helper()
	h.user(name)
	b := h.browser()
	b.byCode(name)
	if _, err := b.add(k); err != nil {
		h.t.Fatal(err)
	}
	if err := b.signIn(k); err != nil {
		h.t.Fatal(err)
	}
	return b
}

// wants fails unless err is want, which may be nil.
func wants(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open opens set-up, as a start does.
func (h *house) openSetup() {
	h.t.Helper()
	_, err := h.OpenSetup(h.t.Context(), root)
	must(h.t, err)
}
