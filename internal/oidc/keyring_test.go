package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/fault"
	"pocketid/internal/jose"
	"pocketid/internal/secret"
)

var testMaster = func() *secret.Master {
	m, err := secret.NewMaster([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		panic(err)
	}
	return m
}()

// rsaKeys are made once for all tests, because RSA is slow to make.
var rsaKeys struct {
	sync.Mutex
	made []*jose.Key
}

// newKeys makes keys for the processes of one test. It gives no key twice.
func newKeys() func(jose.Alg) (*jose.Key, error) {
	var used atomic.Int64
	return func(alg jose.Alg) (*jose.Key, error) {
		if alg != jose.RS256 {
			return jose.Generate(alg)
		}
		n := int(used.Add(1))
		rsaKeys.Lock()
		defer rsaKeys.Unlock()
		for len(rsaKeys.made) < n {
			k, err := jose.Generate(alg)
			if err != nil {
				return nil, err
			}
			rsaKeys.made = append(rsaKeys.made, k)
		}
		return rsaKeys.made[n-1], nil
	}
}

// processes returns n Keyrings over d, each as another process has it.
func processes(t *testing.T, d *db.DB, n int) []*Keyring {
	t.Helper()
	generate := newKeys()
	all := make([]*Keyring, n)
	for i := range all {
		all[i] = NewKeyring(d, testMaster, generate)
	}
	return all
}

// started is one process that has started.
func started(t *testing.T, d *db.DB) *Keyring {
	t.Helper()
	k := processes(t, d, 1)[0]
	must(t, k.Start(t.Context()))
	return k
}

// run lets the keyrings run until the test ends.
func runKeys(t *testing.T, all ...*Keyring) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	for _, k := range all {
		running.Go(func() { k.Run(ctx, func(err error) { t.Error(err) }) })
	}
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

// bubble runs fn on both engines, in a bubble in which time passes by sleeping.
func bubble(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	t.Helper()
	dbtest.Migrated(t, func(t *testing.T, dsn string) {
		synctest.Test(t, func(t *testing.T) { fn(t, dbtest.OpenDSN(t, dsn)) })
	})
}

// rows are the keys as the database has them, by state.
func keyRows(t *testing.T, d *db.DB) map[keyState][]*signingKey {
	t.Helper()
	by := map[keyState][]*signingKey{}
	must(t, d.Read(t.Context(), func(tx *db.Tx) error {
		keys, err := keysIn(tx)
		for _, k := range keys {
			by[k.state] = append(by[k.state], k)
		}
		return err
	}))
	return by
}

func signedBy(t *testing.T, k *Keyring, alg jose.Alg) string {
	t.Helper()
	token, err := k.Sign(t.Context(), alg, "at+jwt", map[string]any{"sub": "ada"})
	must(t, err)
	return token
}

func kidOf(t *testing.T, k *Keyring, token string) string {
	t.Helper()
	h, _, err := k.VerifyHint(t.Context(), token, "at+jwt")
	must(t, err)
	return h.KeyID
}

// published are the ids in the JWKS of a process, in order.
func published(t *testing.T, k *Keyring) []string {
	t.Helper()
	r, err := k.complete(t.Context())
	must(t, err)
	var set struct {
		Keys []struct{ Kid, Alg, Use string }
	}
	must(t, json.Unmarshal(r.jwks.plain.body, &set))
	var ids []string
	for _, key := range set.Keys {
		if key.Use != "sig" || key.Alg == "" {
			t.Errorf("the key %+v does not say what it is for", key)
		}
		ids = append(ids, key.Kid)
	}
	return ids
}

func mustVerify(t *testing.T, k *Keyring, token, when string) {
	t.Helper()
	if _, _, err := k.Verify(t.Context(), token, "at+jwt"); err != nil {
		t.Errorf("%s: %v", when, err)
	}
}

func mustRefuse(t *testing.T, k *Keyring, token, when string) {
	t.Helper()
	if _, _, err := k.Verify(t.Context(), token, "at+jwt"); !errors.Is(err, jose.ErrInvalid) {
		t.Errorf("%s: got %v, want a refusal", when, err)
	}
}

func TestAFirstStartMakesTheCheapKeysAndRSALater(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		k := started(t, d)
		algs := func() (got []string) {
			for _, key := range keyRows(t, d)[keyActive] {
				got = append(got, string(key.alg))
			}
			slices.Sort(got)
			return got
		}
		if got, want := algs(), []string{"ES256", "EdDSA"}; !slices.Equal(got, want) {
			t.Errorf("after Start there are keys for %v, want %v", got, want)
		}
		runKeys(t, k)
		time.Sleep(rsaDelay - time.Millisecond)
		synctest.Wait()
		if n := len(algs()); n != 2 {
			t.Errorf("there are %d keys before %v have passed", n, rsaDelay)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got, want := algs(), []string{"ES256", "EdDSA", "RS256"}; !slices.Equal(got, want) {
			t.Errorf("then there are keys for %v, want %v", got, want)
		}
		again := started(t, d)
		if got, want := published(t, again), published(t, k); !slices.Equal(got, want) {
			t.Errorf("after a restart the keys are %v, want %v", got, want)
		}
		mustVerify(t, again, signedBy(t, k, jose.RS256), "after a restart")
	})
}

func TestOurTokensVerifyInEachAlgorithm(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		k := started(t, d)
		for _, alg := range KeyAlgs {
			token := signedBy(t, k, alg)
			h, claims, err := k.Verify(t.Context(), token, "at+jwt")
			if err != nil || h.Alg != alg || string(claims) != `{"sub":"ada"}` {
				t.Errorf("%s: got %v, %s, %v", alg, h, claims, err)
			}
			if _, _, err := k.Verify(t.Context(), token, "jwt"); !errors.Is(err, jose.ErrInvalid) { // threats 7
				t.Errorf("%s: an access token passes for another type: %v", alg, err)
			}
		}
		if _, err := k.Sign(t.Context(), "RS512", "JWT", map[string]any{}); err == nil {
			t.Error("signed without a key")
		}
	})
}

func TestRSAIsMadeOnceHoweverManyNeedIt(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		var made atomic.Int64
		generate := newKeys()
		k := NewKeyring(d, testMaster, func(alg jose.Alg) (*jose.Key, error) {
			if alg == jose.RS256 {
				made.Add(1)
				time.Sleep(50 * time.Millisecond)
			}
			return generate(alg)
		})
		must(t, k.Start(t.Context()))
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := k.Sign(t.Context(), jose.RS256, "JWT", map[string]any{}); err != nil {
					t.Error(err)
				}
			})
			all.Go(func() {
				if r, err := k.complete(t.Context()); err != nil || r.active[jose.RS256] == nil {
					t.Errorf("the JWKS has no RS256: %v", err)
				}
			})
		}
		all.Wait()
		if n := made.Load(); n != 1 {
			t.Errorf("%d keys were made", n)
		}
	})
}

func TestNobodyWaitsForeverForAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dbtest.Open(t)
		generate := newKeys()
		k := NewKeyring(d, testMaster, func(alg jose.Alg) (*jose.Key, error) {
			if alg == jose.RS256 {
				time.Sleep(time.Hour)
			}
			return generate(alg)
		})
		must(t, k.Start(t.Context()))
		go k.complete(t.Context())
		synctest.Wait()
		began := time.Now()
		if _, err := k.complete(t.Context()); !errors.Is(err, ErrKeysNotReady) || fault.Of(err).RetryAfter == 0 {
			t.Errorf("got %v", err)
		}
		if waited := time.Since(began); waited != keyWait {
			t.Errorf("waited %v", waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := k.Sign(ctx, jose.RS256, "JWT", map[string]any{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		time.Sleep(2 * time.Hour)
	})
}

func TestAFailureToMakeAKeyDoesNotLast(t *testing.T) {
	d := dbtest.Open(t)
	broken := errors.New("broken")
	generate := newKeys()
	k := NewKeyring(d, testMaster, func(alg jose.Alg) (*jose.Key, error) {
		if broken != nil {
			return nil, broken
		}
		return generate(alg)
	})
	for range 2 {
		if _, err := k.complete(t.Context()); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	}
	broken = nil
	if _, err := k.complete(t.Context()); err != nil {
		t.Error(err)
	}
}

// threats 4: many processes start over one empty database.
func TestProcessesThatStartTogetherAgree(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		all := processes(t, d, 8)
		var starting sync.WaitGroup
		for _, k := range all {
			starting.Go(func() {
				if err := k.Start(t.Context()); err != nil {
					t.Error(err)
				}
				if _, err := k.complete(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		starting.Wait()
		by := keyRows(t, d)
		if len(by) != 1 || len(by[keyActive]) != len(KeyAlgs) {
			t.Errorf("there are keys in states %v", slices.Collect(maps.Keys(by)))
		}
		want := published(t, all[0])
		for i, k := range all {
			if got := published(t, k); !slices.Equal(got, want) {
				t.Errorf("process %d publishes %v, want %v", i, got, want)
			}
			for _, alg := range KeyAlgs {
				mustVerify(t, all[0], signedBy(t, k, alg), fmt.Sprintf("%s of process %d", alg, i))
			}
		}
	})
}

func TestAKeyOfAnotherProcessIsFoundAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		all := processes(t, d, 2)
		must(t, all[0].Start(t.Context()))
		must(t, all[1].Start(t.Context()))
		token := signedBy(t, all[0], jose.RS256) // makes the key; nobody tells the other process
		began := time.Now()
		mustVerify(t, all[1], token, "at once")
		if waited := time.Since(began); waited != 0 {
			t.Errorf("waited %v", waited)
		}
	})
}

// threats 82: tokens of unknown keys make at most one look-up a second.
func TestStrangersCostOneLookUpASecond(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		k := started(t, d)
		mustVerify(t, k, signedBy(t, k, jose.ES256), "before")
		foreign, err := jose.Generate(jose.ES256)
		must(t, err)
		token, err := foreign.Sign("at+jwt", map[string]any{"sub": "eve"})
		must(t, err)
		began, looks := time.Now(), k.seq.Load()
		var asking sync.WaitGroup
		for range 50 {
			asking.Go(func() {
				for range 20 {
					mustRefuse(t, k, token, "a stranger")
				}
			})
		}
		asking.Wait()
		took := time.Since(began)
		if n := k.seq.Load() - looks; n > int64(took/lookPause)+1 {
			t.Errorf("%d look-ups in %v", n, took)
		}
		if took > 22*lookPause {
			t.Errorf("20 rounds of 50 took %v", took)
		}
		looks = k.seq.Load()
		mustRefuse(t, k, token+".", "a broken token")
		if _, _, err := k.Verify(t.Context(), token, "jwt"); err == nil {
			t.Error("a stranger of another type is accepted")
		}
		for range 100 {
			mustVerify(t, k, signedBy(t, k, jose.ES256), "meanwhile")
		}
		if k.seq.Load() != looks {
			t.Error("a token that is broken anyhow, or ours, caused a look-up")
		}
		time.Sleep(lookPause)
	})
}

func TestAnOutageIsNotARefusal(t *testing.T) {
	d, err := db.Open(t.Context(), dbtest.DSN(t, dbtest.SQLite), db.Serve)
	must(t, err)
	k := started(t, d)
	mine := signedBy(t, k, jose.ES256)
	foreign, err := jose.Generate(jose.ES256)
	must(t, err)
	token, err := foreign.Sign("at+jwt", map[string]any{"sub": "eve"})
	must(t, err)
	must(t, d.Close())
	if _, _, err := k.Verify(t.Context(), token, "at+jwt"); err == nil || errors.Is(err, jose.ErrInvalid) {
		t.Errorf("got %v, want an outage", err)
	}
	mustVerify(t, k, mine, "with the database gone")
	if err := NewKeyring(d, testMaster, nil).Start(t.Context()); err == nil {
		t.Error("started without a database")
	}
}

func TestAFailureOfTheLoopIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dbtest.OpenDSN(t, dbtest.DSN(t, dbtest.SQLite))
		k := started(t, d)
		ctx, cancel := context.WithCancel(t.Context())
		var told atomic.Int64
		done := make(chan struct{})
		go func() {
			defer close(done)
			k.Run(ctx, func(error) { told.Add(1) })
		}()
		time.Sleep(10 * time.Second)
		must(t, d.Write(ctx, func(tx *db.Tx) error { tx.Do(`ALTER TABLE signing_keys RENAME TO gone`); return nil }))
		time.Sleep(time.Minute)
		mustVerify(t, k, signedBy(t, k, jose.ES256), "meanwhile")
		must(t, d.Write(ctx, func(tx *db.Tx) error { tx.Do(`ALTER TABLE gone RENAME TO signing_keys`); return nil }))
		time.Sleep(time.Minute)
		must(t, d.Write(ctx, func(tx *db.Tx) error { tx.Do(`ALTER TABLE signing_keys RENAME TO gone`); return nil }))
		time.Sleep(time.Minute)
		cancel()
		<-done
		if told.Load() != 2 {
			t.Errorf("told %d times, want once for each of two failures", told.Load())
		}
	})
}

func TestRowsThatWereTamperedWithAreNotUsed(t *testing.T) {
	for name, damage := range map[string]string{
		"sealed under nothing":    `UPDATE signing_keys SET sealed = $1`,
		"a foreign public key":    `UPDATE signing_keys SET public = (SELECT public FROM signing_keys WHERE alg = 'EdDSA') WHERE alg = 'ES256' AND $1 <> ''`,
		"a foreign private key":   `UPDATE signing_keys SET sealed = (SELECT sealed FROM signing_keys WHERE alg = 'EdDSA') WHERE alg = 'ES256' AND $1 <> ''`,
		"another name":            `UPDATE signing_keys SET kid = 'another' WHERE alg = 'ES256' AND $1 <> ''`,
		"a public key of no kind": `UPDATE signing_keys SET public = '{"kty":"oct","k":"AAAA","alg":"HS256"}' WHERE alg = 'ES256' AND $1 <> ''`,
	} {
		t.Run(name, func(t *testing.T) {
			d := dbtest.Open(t)
			started(t, d)
			must(t, d.Write(t.Context(), func(tx *db.Tx) error { tx.Do(damage, []byte("garbage")); return nil }))
			if err := NewKeyring(d, testMaster, nil).Start(t.Context()); err == nil {
				t.Error("it starts")
			}
		})
	}
	d := dbtest.Open(t)
	started(t, d)
	other, err := secret.NewMaster([]byte("another key, 16 bytes or more"))
	must(t, err)
	if err := NewKeyring(d, other, nil).Start(t.Context()); !errors.Is(err, secret.ErrSealed) {
		t.Errorf("with another master key: %v", err)
	}
}

// threats 84: what is stored shows no private half.
func TestPrivateHalvesAreSealed(t *testing.T) {
	d := dbtest.Open(t)
	k := started(t, d)
	signedBy(t, k, jose.RS256)
	for _, key := range keyRows(t, d)[keyActive] {
		private, err := k.ring.Load().active[key.alg].private.MarshalPrivate()
		must(t, err)
		var raw struct{ D string }
		must(t, json.Unmarshal(private, &raw))
		for _, stored := range []string{key.public, string(key.sealed)} {
			if raw.D == "" || strings.Contains(stored, raw.D) || strings.Contains(stored, `"d"`) {
				t.Errorf("%s: the private half is stored in the clear", key.alg)
			}
		}
	}
}

// A custom claim whose name differs in case alone does not change whom a hint names.
func TestAHintIsReadByExactNames(t *testing.T) {
	k := started(t, dbtest.Open(t))
	p := &Provider{keys: k, issuer: testIssuer}
	for _, aud := range []string{`"shop"`, `["shop"]`} {
		token, err := k.Sign(t.Context(), jose.ES256, "JWT", json.RawMessage(`{"iss":"`+testIssuer+`","sub":"ada","aud":`+aud+`,"Sub":"eve","SID":"x"}`))
		must(t, err)
		if got, err := p.readHint(t.Context(), token); err != nil || got != (hinted{subject: "ada", clientID: "shop"}) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}
