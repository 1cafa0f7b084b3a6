package oidc

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/jose"
)

// events are the names of the events about an object, in order.
func keyEvents(t *testing.T, d *db.DB, kid string) (names []string) {
	t.Helper()
	must(t, d.Read(t.Context(), func(tx *db.Tx) error {
		found, err := db.All(tx, func(s *string) []any { return []any{s} }, `
			SELECT event FROM audit WHERE object_kind = 'signing_key' AND object_id = $1 ORDER BY at, id LIMIT 100`, kid)
		names = found
		return err
	}))
	return names
}

// slowest is the slowest that a process may look for the other ones not to
// notice. Tests in which hours pass use it, because each look takes real time.
const slowest = KeysSpread - 5*time.Second

// The life of a key, from its publication to its end, with one running process.
func TestARotationOverlaps(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		k := started(t, d)
		k.every = slowest
		runKeys(t, k)
		time.Sleep(10 * time.Second)
		before := signedBy(t, k, jose.ES256)
		old := kidOf(t, k, before)
		was := published(t, k)

		got, err := k.Rotate(t.Context(), admin, jose.ES256)
		must(t, err)
		if got.Signs || got.Waiting || got.Before != old || got.Alg != jose.ES256 || time.Until(got.SignsAt).Round(time.Second) != PublishFor {
			t.Errorf("got %+v", got)
		}
		if now := published(t, k); len(now) != len(was)+1 || now[3] != got.KeyID {
			t.Errorf("the new key %s is not published after the others: %v", got.KeyID, now)
		}
		again, err := k.Rotate(t.Context(), admin, jose.ES256)
		must(t, err)
		if !again.Waiting || again.KeyID != got.KeyID || !again.SignsAt.Equal(got.SignsAt) {
			t.Errorf("a second call: got %+v, want what the first began", again)
		}

		time.Sleep(PublishFor - 10*time.Second)
		if kid := kidOf(t, k, signedBy(t, k, jose.ES256)); kid != old {
			t.Error("the new key signs before it was published for long enough")
		}
		last := signedBy(t, k, jose.ES256)
		time.Sleep(10*time.Second + slowest)
		if kid := kidOf(t, k, signedBy(t, k, jose.ES256)); kid != got.KeyID {
			t.Errorf("%s signs, want the new key", kid)
		}
		if now := published(t, k); now[1] != got.KeyID || now[3] != old {
			t.Errorf("published are %v, want the new key among the first and the old one last", now)
		}
		mustVerify(t, k, before, "just rotated")

		time.Sleep(shortestLife)
		mustVerify(t, k, last, "as long as a token lives")
		time.Sleep(RetireMargin + 2*slowest)
		mustRefuse(t, k, last, "when no token of it is valid")
		if _, _, err := k.VerifyHint(t.Context(), before, "at+jwt"); err != nil {
			t.Errorf("a hint of a retired key: %v", err)
		}
		if now := published(t, k); len(now) != 3 || slices.Contains(now, old) {
			t.Errorf("the retired key is still published: %v", now)
		}
		for _, key := range keyRows(t, d)[keyRetired] {
			if len(key.sealed) != 0 || key.id != old {
				t.Errorf("the private half of %s is kept", key.id)
			}
		}
		if got, want := keyEvents(t, d, old), []string{"key.activated", "key.retired"}; !slices.Equal(got, want) {
			t.Errorf("the log of the old key has %v, want %v", got, want)
		}
		if got, want := keyEvents(t, d, got.KeyID), []string{"key.published", "key.activated"}; !slices.Equal(got, want) {
			t.Errorf("the log of the new key has %v, want %v", got, want)
		}
		// A restart sees the same.
		fresh := started(t, d)
		mustRefuse(t, fresh, last, "after a restart")
		if _, _, err := fresh.VerifyHint(t.Context(), before, "at+jwt"); err != nil {
			t.Errorf("a hint after a restart: %v", err)
		}
	})
}

func TestARotationCanBeHastened(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		k := started(t, d)
		runKeys(t, k)
		time.Sleep(10 * time.Second)
		slow, err := k.Rotate(t.Context(), admin, jose.EdDSA)
		must(t, err)
		time.Sleep(time.Millisecond)
		fast, err := k.RotateNow(t.Context(), admin, jose.EdDSA)
		must(t, err)
		if fast.KeyID != slow.KeyID || fast.Waiting || fast.Signs || time.Until(fast.SignsAt).Round(time.Second) != KeysSpread {
			t.Errorf("got %+v after %+v", fast, slow)
		}
		if again, err := k.Rotate(t.Context(), admin, jose.EdDSA); err != nil || !again.Waiting || !again.SignsAt.Equal(fast.SignsAt) {
			t.Errorf("a slow call slowed it down: %+v, %v", again, err)
		}
		time.Sleep(KeysSpread + 2*ReloadKeys)
		if kid := kidOf(t, k, signedBy(t, k, jose.EdDSA)); kid != fast.KeyID {
			t.Errorf("%s signs, want %s", kid, fast.KeyID)
		}
		// Without anything published it takes the same time.
		next, err := k.RotateNow(t.Context(), admin, jose.EdDSA)
		must(t, err)
		if next.Signs || next.KeyID == fast.KeyID || next.Before != fast.KeyID {
			t.Errorf("got %+v", next)
		}
		if got, want := keyEvents(t, d, fast.KeyID), []string{"key.published", "key.hastened", "key.activated"}; !slices.Equal(got, want) {
			t.Errorf("the log has %v, want %v", got, want)
		}
	})
}

// Without a server there is nobody to promote a key but the command itself.
func TestACommandPromotesWhatWasPublishedForLongEnough(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		k := started(t, d)
		first, err := k.Rotate(t.Context(), admin, jose.ES256)
		must(t, err)
		time.Sleep(PublishFor)
		second, err := k.Rotate(t.Context(), admin, jose.ES256)
		must(t, err)
		if !second.Signs || second.Waiting || second.KeyID != first.KeyID {
			t.Errorf("got %+v", second)
		}
		if kid := kidOf(t, k, signedBy(t, k, jose.ES256)); kid != first.KeyID {
			t.Errorf("%s signs", kid)
		}
		// And with nothing there at all, a key is made that signs at once.
		got, err := k.Rotate(t.Context(), admin, jose.RS256)
		must(t, err)
		if !got.Signs || got.Before != "" || kidOf(t, k, signedBy(t, k, jose.RS256)) != got.KeyID {
			t.Errorf("the first key: got %+v", got)
		}
	})
}

func TestAKeyVerifiesForAsLongAsItsLongestToken(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		setClient := func(access time.Duration) {
			must(t, d.Write(t.Context(), func(tx *db.Tx) error {
				tx.Do(`INSERT INTO clients (id, name, name_key, access_token_seconds, created_at, updated_at) VALUES ('c', 'c', 'c', $1, 0, 0)
					ON CONFLICT (id) DO UPDATE SET access_token_seconds = $1`, int64(access/time.Second))
				return nil
			}))
		}
		k := started(t, d)
		later := func(d time.Duration) { // a loop of 30 days would take its time
			time.Sleep(d)
			must(t, k.tend(t.Context()))
		}
		later(time.Minute)
		setClient(30 * 24 * time.Hour)
		later(ReloadKeys)
		token := signedBy(t, k, jose.ES256)
		setClient(time.Minute) // the token lives on
		later(time.Minute)
		_, err := k.RotateNow(t.Context(), admin, jose.ES256)
		must(t, err)
		later(time.Minute)
		if kidOf(t, k, signedBy(t, k, jose.ES256)) == kidOf(t, k, token) {
			t.Fatal("the key did not change")
		}
		later(29*24*time.Hour + 23*time.Hour + 57*time.Minute)
		mustVerify(t, k, token, "as long as it lives")
		later(2 * time.Hour)
		mustRefuse(t, k, token, "after that")
	})
}

func TestOtherProcessesNoticeARotation(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		all := processes(t, d, 3) // two servers, and a command that is gone again
		must(t, all[0].Start(t.Context()))
		must(t, all[1].Start(t.Context()))
		all[0].every, all[1].every = slowest, slowest
		runKeys(t, all[:2]...)
		time.Sleep(10 * time.Second)
		got, err := all[2].Rotate(t.Context(), audit.System("cli"), jose.ES256)
		must(t, err)
		time.Sleep(KeysSpread)
		for i, k := range all[:2] {
			if !slices.Contains(published(t, k), got.KeyID) {
				t.Errorf("process %d does not publish the new key after %v", i, KeysSpread)
			}
		}
		time.Sleep(PublishFor)
		for i, k := range all[:2] {
			if kid := kidOf(t, k, signedBy(t, k, jose.ES256)); kid != got.KeyID {
				t.Errorf("process %d signs with %s", i, kid)
			}
		}
		if n := len(keyRows(t, d)[keyActive]); n != 3 {
			t.Errorf("%d keys are active", n)
		}
	})
}

// One process promotes a key a moment before another one looks.
func TestAProcessAcceptsAKeyThatAnotherPromotedJustNow(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		all := processes(t, d, 2)
		must(t, all[0].Start(t.Context()))
		_, err := all[0].Rotate(t.Context(), admin, jose.ES256)
		must(t, err)
		must(t, all[1].Start(t.Context()))
		time.Sleep(PublishFor)
		must(t, all[0].tend(t.Context()))
		looks := all[1].seq.Load()
		mustVerify(t, all[1], signedBy(t, all[0], jose.ES256), "signed by the new key")
		mustVerify(t, all[0], signedBy(t, all[1], jose.ES256), "signed by the old key")
		if all[1].seq.Load() != looks {
			t.Error("it had to look")
		}
	})
}

func TestProcessesThatRotateTogetherBeginOneRotation(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		all := processes(t, d, 6)
		must(t, all[0].Start(t.Context()))
		ids := make([]string, len(all))
		var rotating sync.WaitGroup
		for i, k := range all {
			rotating.Go(func() {
				got, err := k.Rotate(t.Context(), admin, jose.ES256)
				if err != nil {
					t.Error(err)
				}
				ids[i] = got.KeyID
			})
		}
		rotating.Wait()
		if len(slices.Compact(ids)) != 1 || len(keyRows(t, d)[keyNext]) != 1 {
			t.Errorf("got keys %v", ids)
		}
	})
}

func TestACompromisedKeyIsGoneAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		all := processes(t, d, 2)
		k := all[0]
		must(t, k.Start(t.Context()))
		must(t, all[1].Start(t.Context()))
		runKeys(t, all...)
		time.Sleep(10 * time.Second)
		for _, alg := range KeyAlgs {
			token := signedBy(t, k, alg)
			bad := kidOf(t, k, token)
			mustVerify(t, all[1], token, "before")
			must(t, k.Compromise(t.Context(), admin, bad))
			mustRefuse(t, k, token, "at once")
			if _, _, err := k.VerifyHint(t.Context(), token, "at+jwt"); !errors.Is(err, jose.ErrInvalid) {
				t.Errorf("as a hint: %v", err)
			}
			if slices.Contains(published(t, k), bad) {
				t.Error("it is still published")
			}
			after := signedBy(t, k, alg)
			mustVerify(t, k, after, "the successor")
			mustVerify(t, all[1], after, "the successor, elsewhere")
			time.Sleep(KeysSpread)
			mustRefuse(t, all[1], token, "elsewhere")
			if slices.Contains(published(t, all[1]), bad) {
				t.Error("it is still published elsewhere")
			}
			must(t, k.Compromise(t.Context(), admin, bad)) // again, and nothing happens
			if got, want := keyEvents(t, d, bad), []string{"key.activated", "key.compromised"}; !slices.Equal(got, want) {
				t.Errorf("the log has %v, want %v", got, want)
			}
		}
		for _, key := range keyRows(t, d)[keyCompromised] {
			if len(key.sealed) != 0 {
				t.Error("the private half is kept")
			}
		}
		mustRefuse(t, started(t, d), signedBy(t, all[1], jose.ES256)+"A", "sanity")
	})
}

func TestTheNextKeyStandsInForACompromisedOne(t *testing.T) {
	bubble(t, func(t *testing.T, d *db.DB) {
		k := started(t, d)
		next, err := k.Rotate(t.Context(), admin, jose.ES256)
		must(t, err)
		must(t, k.Compromise(t.Context(), admin, next.Before))
		if kid := kidOf(t, k, signedBy(t, k, jose.ES256)); kid != next.KeyID {
			t.Errorf("%s signs, want the key that was published", kid)
		}
		// A key that does not sign goes without a successor.
		waiting, err := k.Rotate(t.Context(), admin, jose.ES256)
		must(t, err)
		must(t, k.Compromise(t.Context(), admin, waiting.KeyID))
		if by := keyRows(t, d); len(by[keyNext]) != 0 || kidOf(t, k, signedBy(t, k, jose.ES256)) != next.KeyID {
			t.Error("the key that signs changed too")
		}
		time.Sleep(2 * PublishFor)
		must(t, k.tend(t.Context()))
		if kid := kidOf(t, k, signedBy(t, k, jose.ES256)); kid != next.KeyID {
			t.Error("a compromised key was promoted")
		}
	})
}

func TestVerbsAboutKeysRefuse(t *testing.T) {
	d := dbtest.Open(t)
	k := started(t, d)
	user := audit.Actor{UserID: "u", Via: "page"}
	_, err := k.Rotate(t.Context(), user, jose.ES256)
	wantFault(t, err, audit.ErrNotAdmin, "")
	_, err = k.RotateNow(t.Context(), audit.Actor{}, jose.ES256)
	wantFault(t, err, audit.ErrNotAdmin, "")
	wantFault(t, k.Compromise(t.Context(), user, "x"), audit.ErrNotAdmin, "")
	wantFault(t, k.Compromise(t.Context(), admin, "x"), ErrKeyUnknown, "")
	for _, alg := range []jose.Alg{"", "none", "HS256", "RS512", "es256"} {
		_, err = k.Rotate(t.Context(), admin, alg)
		wantFault(t, err, ErrKeyAlg, "alg")
	}
	if by := keyRows(t, d); len(by) != 1 || len(by[keyActive]) != 2 {
		t.Error("a refusal changed something")
	}
}

// The constants must keep their order, whoever changes one of them.
func TestAKeyIsKnownToEverybodyBeforeItSigns(t *testing.T) {
	if PublishFor < JWKSMaxAge+KeysSpread || KeysSpread < 2*ReloadKeys || JWKSMaxAge > time.Hour || metadataMaxAge > time.Hour || RetireMargin < 2*KeysSpread {
		t.Error("a key may sign before everybody knows it, or go before everybody stopped to use it")
	}
}

// A relyingParty keeps a JWKS, from whichever process it gets it.
type relyingParty struct {
	from  []*Keyring
	keys  map[string]crypto.PublicKey
	until time.Time
}

func (rp *relyingParty) fetch(ctx context.Context, maxAge time.Duration) error {
	r, err := rp.from[rand.IntN(len(rp.from))].complete(ctx)
	if err != nil {
		return err
	}
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(r.jwks.plain.body, &set); err != nil {
		return err
	}
	rp.keys, rp.until = map[string]crypto.PublicKey{}, time.Now().Add(maxAge)
	for _, raw := range set.Keys {
		key, err := jose.ParseJWK(raw)
		if err != nil {
			return err
		}
		rp.keys[key.ID()] = key.Key()
	}
	return nil
}

func (rp *relyingParty) verify(token string) error {
	_, _, err := jose.Verify(token, jose.Want{Algs: KeyAlgs, Typs: []string{"at+jwt"},
		Keys: func(kid string, _ jose.Alg) crypto.PublicKey {
			if key, ok := rp.keys[kid]; ok {
				return key
			}
			return nil
		}})
	return err
}

// threats 83: servers sign and verify for hours while keys are rotated again
// and again. No token fails, neither at a server that looks every few seconds,
// nor at a relying party that keeps its JWKS for as long as it may.
func TestNoTokenFailsWhileKeysAreRotated(t *testing.T) {
	for _, mode := range []struct {
		name    string
		rotate  func(*Keyring, context.Context, audit.Actor, jose.Alg) (Rotation, error)
		pause   time.Duration
		refetch bool // whether the relying party asks again for an unknown key
	}{
		{"by the clock", (*Keyring).Rotate, 75 * time.Minute, false},
		{"in a hurry", (*Keyring).RotateNow, 2 * time.Minute, true},
	} {
		t.Run(mode.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, d *db.DB) {
				all := processes(t, d, 3)
				for _, k := range all[:2] {
					must(t, k.Start(t.Context()))
					k.every = slowest
				}
				runKeys(t, all[:2]...)
				time.Sleep(3 * time.Second)
				servers := all[:2]
				const rotations = 3
				end := time.Now().Add(rotations * mode.pause)
				var checked, failed atomic.Int64
				fail := func(format string, args ...any) {
					if failed.Add(1) < 5 {
						t.Errorf(format, args...)
					}
				}
				var load sync.WaitGroup
				for i := range 6 {
					alg := KeyAlgs[i%3]
					load.Go(func() {
						rp := &relyingParty{from: servers}
						type issued struct {
							token string
							at    time.Time
						}
						var held []issued
						for time.Now().Before(end) {
							token, err := servers[rand.IntN(2)].Sign(t.Context(), alg, "at+jwt", map[string]any{"n": rand.Int()})
							if err != nil {
								fail("sign: %v", err)
								return
							}
							held = append(held, issued{token, time.Now()})
							for time.Since(held[0].at) >= shortestLife {
								held = held[1:]
							}
							// A new token, and one that may be about to expire.
							for _, h := range []issued{held[len(held)-1], held[0]} {
								checked.Add(1)
								if _, _, err := servers[rand.IntN(2)].Verify(t.Context(), h.token, "at+jwt"); err != nil {
									fail("%s after %v, at a server: %v", alg, time.Since(h.at), err)
								}
								if !time.Now().Before(rp.until) {
									if err := rp.fetch(t.Context(), JWKSMaxAge); err != nil {
										fail("fetch: %v", err)
									}
								}
								err := rp.verify(h.token)
								if errors.Is(err, jose.ErrUnknownKey) && mode.refetch {
									must(t, rp.fetch(t.Context(), JWKSMaxAge))
									err = rp.verify(h.token)
								}
								if err != nil {
									fail("%s after %v, at a relying party: %v", alg, time.Since(h.at), err)
								}
							}
							time.Sleep(time.Duration(1+rand.IntN(int(mode.pause/time.Second/20))) * time.Second)
						}
					})
				}
				signed := map[string]bool{}
				for range rotations {
					for _, alg := range []jose.Alg{jose.ES256, jose.EdDSA} {
						got, err := mode.rotate(all[2], t.Context(), audit.System("cli"), alg)
						must(t, err)
						signed[got.KeyID] = true
					}
					time.Sleep(mode.pause)
				}
				load.Wait()
				if failed.Load() > 0 || checked.Load() < 300 {
					t.Errorf("%d of %d verifications failed", failed.Load(), checked.Load())
				}
				if len(signed) != 2*rotations {
					t.Errorf("only %d keys took part", len(signed))
				}
				synctest.Wait()
			})
		})
	}
}
