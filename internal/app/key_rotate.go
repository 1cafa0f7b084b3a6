package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/oidc"
	"pocketid/internal/secret"
	"pocketid/internal/settings"
)

// A KeyRotation is what became of the encryption key.
type KeyRotation struct {
	// File is the file that the new key was written to; "" when the key comes from elsewhere,
	// and the environment has to say the new one before the next start.
	File string
	// Sealed is how many signing keys were sealed anew.
	Sealed int
}

// RotateEncryptionKey seals everything that is sealed with another master key, in one
// transaction, while no server runs. What was hashed under the old key stays valid: secrets
// that somebody chose, and what applications know people by. Where the key is in the file
// beside the database, the file follows; a process that dies between the two leaves the new
// key in a file beside it, which the next start names.
func RotateEncryptionKey(ctx context.Context, c Config, by audit.Actor, next []byte) (done KeyRotation, err error) {
	if len(next) < secret.MinKey {
		return done, secret.ErrShortKey
	}
	if a, err := Beside(ctx, c, slog.New(slog.DiscardHandler)); err != nil { // it refuses another schema, and a key that does not fit
		return done, err
	} else if err := a.Close(); err != nil {
		return done, err
	}
	a, err := open(ctx, c, slog.New(slog.DiscardHandler), db.Serve) // with the lock of the only server
	if err != nil {
		return done, err
	}
	defer a.Close()
	master, root, err := a.master.Rotated(next)
	if err != nil {
		return done, err
	}
	check, err := master.CheckValue()
	if err != nil {
		return done, err
	}
	if c.EncryptionKey == "" {
		done.File = c.keyPath()
	}
	err = withKeyFile(done.File, next, func() error {
		return a.DB.Write(ctx, func(tx *db.Tx) (err error) {
			if done.Sealed, err = oidc.Reseal(tx, a.master, master); err != nil {
				return err
			}
			if err := settings.Reseal(tx, a.master, master); err != nil {
				return err
			}
			settings.SetFact(tx, settings.KeyCheck, check)
			settings.SetFact(tx, settings.MACRoot, root)
			audit.Record(tx, by, audit.Event{Name: audit.EncryptionKeyRotated, Object: audit.Object{Kind: "settings"}, Data: map[string]any{"signing_keys": done.Sealed}})
			return nil
		})
	})
	return done, err
}

// withKeyFile puts a key into a file, if there is one for it, once fn has done what makes it
// the key. Until then it lies beside it, where the next start finds it should this process
// die between the two.
func withKeyFile(path string, key []byte, fn func() error) error {
	if path == "" {
		return fn()
	}
	draft := path + ".new"
	if err := writeFile(draft, string(key)); err != nil {
		return &Stop{fmt.Sprintf("The new key cannot be written to %s: %v. Nothing was changed.", draft, err), "Let this user write there."}
	}
	if err := fn(); err != nil {
		os.Remove(draft)
		return err
	}
	return os.Rename(draft, path)
}

// A KeyLoss is what went with an encryption key that nobody has any more.
type KeyLoss struct {
	oidc.Loss
	// Settings is how many secret settings have to be given again.
	Settings int
	// File is the file that the new key was written to, Key the new key where it was made and
	// there is no file for it. Both are "" when it is the one at hand.
	File, Key string
}

// ReplaceLostKey puts a new encryption key in the place of one that is lost, while no server
// runs, in one transaction: people, passkeys, applications and their generated secrets,
// grants and the log stay; what was sealed or hashed under the old key is dropped, and told.
// Without next the key at hand, which does not fit, becomes the key, or one is made. It
// refuses when a key at hand fits.
func ReplaceLostKey(ctx context.Context, c Config, by audit.Actor, next []byte) (done KeyLoss, err error) {
	_, err = c.resolveKey(ctx)
	_, near := errors.AsType[nearKey](err)
	_, stopped := errors.AsType[*Stop](err)
	switch {
	case err == nil:
		return done, &Stop{"The encryption key that is at hand fits, or the database has none yet: nothing is lost.", "To seal everything with another key leave --lost out."}
	case near || !stopped:
		return done, err
	}
	have, _ := c.findKey() // one that cannot be read is as lost
	switch {
	case next == nil && len(have.bytes) >= secret.MinKey:
		next = have.bytes
	case next == nil:
		next = []byte(secret.Token())
		fallthrough
	default:
		if c.EncryptionKey == "" && c.keyPath() != "" {
			done.File = c.keyPath()
		} else {
			done.Key = string(next)
		}
	}
	master, err := secret.NewMaster(next)
	if err != nil {
		return done, err
	}
	check, err := master.CheckValue()
	if err != nil {
		return done, err
	}
	d, err := db.Open(ctx, string(c.Database), db.Beside) // it refuses another schema
	if err != nil {
		return done, err
	}
	d.Close()
	if d, err = db.Open(ctx, string(c.Database), db.Serve); err != nil { // with the lock of the only server
		return done, err
	}
	defer d.Close()
	err = withKeyFile(done.File, next, func() error {
		return d.Write(ctx, func(tx *db.Tx) (err error) {
			if done.Loss, err = oidc.Lose(tx); err != nil {
				return err
			}
			if done.Settings, err = settings.Lose(tx); err != nil {
				return err
			}
			settings.SetFact(tx, settings.KeyCheck, check)
			settings.SetFact(tx, settings.MACRoot, "")
			audit.Record(tx, by, audit.Event{Name: audit.EncryptionKeyRotated, Object: audit.Object{Kind: "settings"},
				Data: map[string]any{"lost": true, "signing_keys": done.Keys}})
			return nil
		})
	})
	return done, err
}

// newerKey is the file of a rotation that died before its last step, if it fits.
func (c Config) newerKey(fits func([]byte) bool) string {
	path := c.keyPath()
	if path == "" {
		return ""
	}
	b, err := os.ReadFile(path + ".new")
	if err != nil || !fits(b) {
		return ""
	}
	return path + ".new"
}
