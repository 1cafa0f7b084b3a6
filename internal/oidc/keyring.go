package oidc

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/jose"
	"pocketid/internal/secret"
)

// KeyAlgs are the algorithms that the house signs with. It has a key of each,
// so that a client may choose; RS256 is first because it is what a client gets
// that does not (OpenID Connect Core §3.1.3.7).
var KeyAlgs = []jose.Alg{jose.RS256, jose.ES256, jose.EdDSA}

// The times in the life of a signing key. Together they see to it that no
// token fails to verify because a key changed: a key signs only when everybody
// may know it, and is forgotten only when nothing that it signed is valid.
const (
	// ReloadKeys is how often a process looks for changes of the keys.
	ReloadKeys = 5 * time.Second
	// KeysSpread is by when every process has seen a change, with a margin for
	// look-ups that fail.
	KeysSpread = 30 * time.Second
	// JWKSMaxAge is how long a client may keep the JWKS without asking again.
	JWKSMaxAge = 5 * time.Minute
	// PublishFor is how long a key stands in the JWKS before it signs. It is
	// more than JWKSMaxAge and KeysSpread, because many libraries keep a JWKS
	// for longer than they are told.
	PublishFor = time.Hour
	// RetireMargin is how much longer a key verifies than its last token lives:
	// for processes that had not seen the rotation yet, and for clocks.
	RetireMargin = 5 * time.Minute
	// shortestLife is the lifetime that the tokens of every key are taken to
	// have at least.
	shortestLife = time.Hour

	// rsaDelay keeps the making of the RSA key out of the start.
	rsaDelay = 2 * time.Second
	// keyWait is how long a request waits for a key that is being made.
	keyWait = 20 * time.Second
	// lookPause is the least time between two look-ups that unknown keys in
	// tokens cause, and so the most that such tokens can make us work.
	lookPause = time.Second
)

// ErrKeysNotReady is told while the first key of an algorithm is being made.
var ErrKeysNotReady = fault.New(fault.Unavailable, "keys_not_ready").After(5 * time.Second)

// A keyState is a stage in the life of a signing key. They follow each other
// in this order; compromised comes from any of them.
type keyState string

const (
	keyNext        keyState = "next"        // published, does not sign yet
	keyActive      keyState = "active"      // signs; one per algorithm
	keyRetiring    keyState = "retiring"    // published, verifies what it signed
	keyRetired     keyState = "retired"     // verifies hints alone, is not published
	keyCompromised keyState = "compromised" // verifies nothing any more
)

// purposeKey is what signing keys are sealed for.
const purposeKey = "signing key"

// A signingKey is a row of signing_keys.
type signingKey struct {
	id     string
	alg    jose.Alg
	state  keyState
	sealed []byte // the private JWK; empty once the key can never sign again
	public string // the public JWK
	origin string

	// longest is the longest lifetime of a token that the key may have signed.
	longest    time.Duration
	createdAt  time.Time
	activeAt   time.Time // of a next key: when it will sign
	retiringAt time.Time
	retiredAt  time.Time

	private *jose.Key // of next and active keys
	verify  crypto.PublicKey
	shown   jose.JWK
}

const keyColumns = `kid, alg, state, sealed, public, origin, longest, created_at, active_at, retiring_at, retired_at`

func (k *signingKey) fields() []any {
	return []any{&k.id, &k.alg, &k.state, &k.sealed, &k.public, &k.origin, db.Seconds(&k.longest),
		db.Time(&k.createdAt), db.Time(&k.activeAt), db.Time(&k.retiringAt), db.Time(&k.retiredAt)}
}

// until is when the last token of a retiring key has expired.
func (k *signingKey) until() time.Time { return k.retiringAt.Add(k.longest + RetireMargin) }

// due says whether something is to be done about the key: see Keyring.step.
func (k *signingKey) due(now time.Time, longest time.Duration) bool {
	switch k.state {
	case keyNext:
		return !now.Before(k.activeAt)
	case keyActive:
		return k.longest < longest
	case keyRetiring:
		return !now.Before(k.until())
	}
	return false
}

// keysIn reads all keys, oldest first.
func keysIn(tx *db.Tx) ([]*signingKey, error) {
	rows, err := db.All(tx, (*signingKey).fields, `
		SELECT `+keyColumns+` FROM signing_keys ORDER BY created_at DESC, kid LIMIT 1000`)
	if err != nil {
		return nil, err
	}
	keys := make([]*signingKey, len(rows))
	for i := range rows {
		keys[len(rows)-1-i] = &rows[i]
	}
	return keys, nil
}

// longestLife is the longest lifetime of a token that any client may get now.
func longestLife(tx *db.Tx) (time.Duration, error) {
	var access, id time.Duration
	err := tx.One([]any{db.Seconds(&access), db.Seconds(&id)}, `
		SELECT COALESCE(MAX(access_token_seconds), 0), COALESCE(MAX(id_token_seconds), 0) FROM clients`)
	return max(access, id, shortestLife), err
}

// pick finds the key of alg in a state of which there is one at most.
func pick(keys []*signingKey, alg jose.Alg, s keyState) *signingKey {
	for _, k := range keys {
		if k.alg == alg && k.state == s {
			return k
		}
	}
	return nil
}

// A ring is what a process knows of the keys. It is never changed, only
// replaced as a whole.
type ring struct {
	seq    int64 // the look-up that found it
	keys   map[string]*signingKey
	active map[jose.Alg]*signingKey
	// brought are the algorithms of active that are none of KeyAlgs, between blanks.
	brought string
	jwks    *document
	due     bool // something in the database waits to be done
}

// Keyring holds the signing keys. They live in the database; a process keeps
// what it needs of them and looks every ReloadKeys whether they changed.
type Keyring struct {
	db       *db.DB
	master   *secret.Master
	generate func(jose.Alg) (*jose.Key, error)
	every    time.Duration // ReloadKeys, but for tests in which hours pass

	ring atomic.Pointer[ring]
	seq  atomic.Int64

	mu     sync.Mutex
	making map[jose.Alg]*making // keys that are being made by this process
	look   *making              // the look-up for unknown keys that has not begun yet
	turn   chan struct{}        // holds a token when such a look-up may begin
}

// making is something that several wait for.
type making struct {
	done chan struct{}
	err  error
}

// NewKeyring returns a Keyring over d whose keys are sealed with master. It
// reads nothing yet. generate makes keys; nil is jose.Generate.
func NewKeyring(d *db.DB, master *secret.Master, generate func(jose.Alg) (*jose.Key, error)) *Keyring {
	if generate == nil {
		generate = jose.Generate
	}
	k := &Keyring{db: d, master: master, generate: generate, every: ReloadKeys, making: map[jose.Alg]*making{}, turn: make(chan struct{}, 1)}
	k.turn <- struct{}{}
	return k
}

// Start reads the keys and makes those that cost nothing, so that a process
// that is ready can sign. RSA comes later, by Run or at the first need.
func (k *Keyring) Start(ctx context.Context) error {
	r, err := k.reload(ctx)
	if err != nil {
		return err
	}
	for _, alg := range KeyAlgs {
		if alg != jose.RS256 && r.active[alg] == nil {
			if err := k.first(ctx, alg); err != nil {
				return err
			}
		}
	}
	return nil
}

// Run keeps the keys fresh until ctx ends: it makes what is missing, sees what
// other processes did, and takes the steps of rotations when their time has
// come. report hears of a failure once, not at every try.
func (k *Keyring) Run(ctx context.Context, report func(error)) {
	wait := time.NewTimer(rsaDelay)
	defer wait.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		err := k.tend(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			report(fmt.Errorf("look after the signing keys: %w", err))
		}
		failed = err != nil
		wait.Reset(k.every)
	}
}

// tend is one round of Run.
func (k *Keyring) tend(ctx context.Context) error {
	r, err := k.reload(ctx)
	if err != nil {
		return err
	}
	if r.due {
		if err := k.step(ctx); err != nil {
			return err
		}
		if r, err = k.reload(ctx); err != nil {
			return err
		}
	}
	for _, alg := range KeyAlgs {
		if r.active[alg] == nil {
			err = errors.Join(err, k.first(ctx, alg))
		}
	}
	return err
}

// Sign returns claims as a token of type typ ("JWT", "at+jwt"), signed with
// the active key of alg. The first RS256 token may have to wait for its key.
// It opens a transaction when that key is missing, so it is not for use inside one.
func (k *Keyring) Sign(ctx context.Context, alg jose.Alg, typ string, claims any) (string, error) {
	key, err := k.signer(ctx, alg)
	if err != nil {
		return "", err
	}
	return key.Sign(typ, claims)
}

func (k *Keyring) signer(ctx context.Context, alg jose.Alg) (*jose.Key, error) {
	r, err := k.current(ctx)
	if err != nil {
		return nil, err
	}
	if r.active[alg] == nil && slices.Contains(KeyAlgs, alg) {
		if err := k.first(ctx, alg); err != nil {
			return nil, err
		}
		r = k.ring.Load()
	}
	if r.active[alg] == nil {
		return nil, fmt.Errorf("there is no key that signs %s", alg)
	}
	return r.active[alg].private, nil
}

// Verify checks a token of ours: an access token, say, whose type is "at+jwt".
// Types are in lower case. Nothing about time, audience or issuer is checked.
//
// An error that is no jose.ErrInvalid is an outage and says nothing about the
// token. Like every verb it opens its own transactions: it is not for use
// inside one.
func (k *Keyring) Verify(ctx context.Context, token string, typs ...string) (jose.Header, json.RawMessage, error) {
	return k.verify(ctx, token, typs, keyNext, keyActive, keyRetiring)
}

// VerifyHint is Verify for an id_token_hint: keys that are retired verify
// still, because a hint may have expired long ago (RP-Initiated Logout §4).
// It proves who was signed in once and grants nothing.
func (k *Keyring) VerifyHint(ctx context.Context, token string, typs ...string) (jose.Header, json.RawMessage, error) {
	return k.verify(ctx, token, typs, keyNext, keyActive, keyRetiring, keyRetired)
}

func (k *Keyring) verify(ctx context.Context, token string, typs []string, states ...keyState) (jose.Header, json.RawMessage, error) {
	r, err := k.current(ctx)
	if err != nil {
		return jose.Header{}, nil, err
	}
	stranger := false
	want := jose.Want{Algs: ownAlgs, Typs: typs, Keys: func(kid string, alg jose.Alg) crypto.PublicKey {
		key := r.keys[kid]
		if stranger = key == nil; stranger || key.alg != alg || !slices.Contains(states, key.state) {
			return nil
		}
		return key.verify
	}}
	header, claims, err := jose.Verify(token, want)
	if err == nil || !stranger {
		return header, claims, err
	}
	// Another process may have signed with a key that this one has not seen.
	if err := k.lookAgain(ctx); err != nil {
		return jose.Header{}, nil, err
	}
	r = k.ring.Load()
	return jose.Verify(token, want)
}

// current is the ring as it is known, read at the first need.
func (k *Keyring) current(ctx context.Context) (*ring, error) {
	if r := k.ring.Load(); r != nil {
		return r, nil
	}
	return k.reload(ctx)
}

// complete is a ring with a key of every algorithm. It waits for the first
// ones, because a client that read a JWKS without RS256 would keep it.
func (k *Keyring) complete(ctx context.Context) (*ring, error) {
	r, err := k.current(ctx)
	if err != nil {
		return nil, err
	}
	for _, alg := range KeyAlgs {
		if r.active[alg] == nil {
			if err := k.first(ctx, alg); err != nil {
				return nil, err
			}
			r = k.ring.Load()
		}
	}
	return r, nil
}

// reload looks at the database and returns the newest ring that is known.
func (k *Keyring) reload(ctx context.Context) (*ring, error) {
	seq := k.seq.Add(1) // before the snapshot is taken: a higher one never shows an older state
	var keys []*signingKey
	var longest time.Duration
	var now time.Time
	err := k.db.Read(ctx, func(tx *db.Tx) (err error) {
		now = tx.Now()
		if keys, err = keysIn(tx); err != nil {
			return err
		}
		longest, err = longestLife(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	r, err := k.ringOf(keys)
	if err != nil {
		return nil, err
	}
	r.seq = seq
	r.due = slices.ContainsFunc(keys, func(key *signingKey) bool { return key.due(now, longest) })
	k.mu.Lock()
	defer k.mu.Unlock()
	if old := k.ring.Load(); old == nil || old.seq < seq {
		k.ring.Store(r)
	}
	return k.ring.Load(), nil
}

// ringOf makes a ring of rows. What was parsed before is taken over.
func (k *Keyring) ringOf(rows []*signingKey) (*ring, error) {
	r := &ring{keys: make(map[string]*signingKey, len(rows)), active: map[jose.Alg]*signingKey{}}
	known := map[string]*signingKey{}
	if old := k.ring.Load(); old != nil {
		known = old.keys
	}
	for _, key := range rows {
		r.keys[key.id] = key
		if err := k.parse(key, known[key.id]); err != nil {
			return nil, fmt.Errorf("signing key %s: %w", key.id, err)
		}
		if key.state == keyActive {
			r.active[key.alg] = key
		}
	}
	for _, alg := range r.algs()[len(KeyAlgs):] {
		r.brought += string(alg) + " "
	}
	jwks, err := jwksOf(rows)
	if err != nil {
		return nil, err
	}
	r.jwks = jwks
	return r, nil
}

// parse fills in the parts of key that are not columns. Private halves are
// opened only of keys that may have to sign.
func (k *Keyring) parse(key, known *signingKey) error {
	if known != nil && known.public == key.public {
		key.shown, key.verify, key.private = known.shown, known.verify, known.private
	} else {
		jwk, err := jose.ParseJWK([]byte(key.public))
		if err != nil {
			return err
		}
		if jwk.ID() != key.id || jwk.Alg() != key.alg {
			return errors.New("the row holds another key")
		}
		key.shown, key.verify = jwk, jwk.Key()
	}
	if key.state != keyNext && key.state != keyActive {
		key.private = nil
		return nil
	}
	if key.private != nil {
		return nil
	}
	plain, err := k.master.Open(purposeKey, key.sealed)
	if err != nil {
		return err
	}
	if key.private, err = jose.ParsePrivate(plain); err != nil {
		return err
	}
	if key.private.ID != key.id || key.private.Alg != key.alg {
		return errors.New("the private half is that of another key")
	}
	return nil
}

// make makes a key and seals it. Its state and times are the caller's to set.
func (k *Keyring) make(alg jose.Alg) (*signingKey, error) {
	private, err := k.generate(alg)
	if err != nil {
		return nil, err
	}
	plain, err := private.MarshalPrivate()
	if err != nil {
		return nil, err
	}
	public, err := private.Public().MarshalJSON()
	if err != nil {
		return nil, err
	}
	sealed, err := k.master.Seal(purposeKey, plain)
	if err != nil {
		return nil, err
	}
	return &signingKey{id: private.ID, alg: alg, sealed: sealed, public: string(public), origin: "own", longest: shortestLife}, nil
}

// first sees to it that there is an active key of alg. Whoever comes first
// makes it; the others wait, but not forever.
func (k *Keyring) first(ctx context.Context, alg jose.Alg) error {
	k.mu.Lock()
	if m := k.making[alg]; m != nil {
		k.mu.Unlock()
		return m.wait(ctx)
	}
	m := &making{done: make(chan struct{}), err: ErrKeysNotReady}
	k.making[alg] = m
	k.mu.Unlock()
	defer close(m.done)
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.making, alg)
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keyWait) // it is not for this request alone
	defer cancel()
	m.err = k.makeFirst(ctx, alg)
	return m.err
}

// lookAgain reads the keys once more, for a token of an unknown one. However
// many such tokens come, there is one look-up in lookPause; each of them waits
// for one that began after it came.
func (k *Keyring) lookAgain(ctx context.Context) error {
	k.mu.Lock()
	if l := k.look; l != nil {
		k.mu.Unlock()
		return l.wait(ctx)
	}
	l := &making{done: make(chan struct{}), err: ErrKeysNotReady}
	k.look = l
	k.mu.Unlock()
	defer close(l.done)
	<-k.turn
	defer func() { time.AfterFunc(lookPause, func() { k.turn <- struct{}{} }) }()
	k.mu.Lock()
	k.look = nil
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keyWait)
	defer cancel()
	_, l.err = k.reload(ctx)
	return l.err
}

func (m *making) wait(ctx context.Context) error {
	patience := time.NewTimer(keyWait)
	defer patience.Stop()
	select {
	case <-m.done:
		return m.err
	case <-ctx.Done():
		return ctx.Err()
	case <-patience.C:
		return ErrKeysNotReady
	}
}
