package app

import (
	"context"
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
	draft := ""
	if c.EncryptionKey == "" {
		done.File = c.keyPath()
		draft = done.File + ".new"
		if err := writeFile(draft, string(next)); err != nil {
			return done, &Stop{fmt.Sprintf("The new key cannot be written to %s: %v. Nothing was changed.", draft, err), "Let this user write there."}
		}
	}
	err = a.DB.Write(ctx, func(tx *db.Tx) (err error) {
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
	if err != nil {
		if draft != "" {
			os.Remove(draft)
		}
		return done, err
	}
	if draft != "" {
		err = os.Rename(draft, done.File)
	}
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
