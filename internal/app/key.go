package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"pocketid/internal/db"
	"pocketid/internal/secret"
	"pocketid/internal/settings"
)

// A Stop is a reason not to start, in words for the operator: what is the
// matter, and what to do about it. Nothing was changed.
type Stop struct {
	Why, Cure string
}

// Error is both, on lines of their own.
func (s *Stop) Error() string { return s.Why + "\n" + s.Cure }

// A nearKey is a Stop for a key that does not fit, where another one at hand does.
type nearKey struct{ *Stop }

// Unwrap is the Stop.
func (n nearKey) Unwrap() error { return n.Stop }

// key is what the master key is made from, and where it came from.
type key struct {
	bytes []byte
	from  string // "ENCRYPTION_KEY" or the path of the file
}

// keyPath is the file that holds the key when the environment does not:
// beside the SQLite file. With PostgreSQL there is none.
func (c Config) keyPath() string {
	path, err := db.Path(string(c.Database))
	if err != nil || path == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(path), "encryption-key")
}

// findKey returns the key of the environment or of the file; its bytes are nil
// when there is neither.
func (c Config) findKey() (key, error) {
	if c.EncryptionKey != "" {
		return key{[]byte(c.EncryptionKey), "ENCRYPTION_KEY"}, nil
	}
	path := c.keyPath()
	b, err := os.ReadFile(path)
	switch {
	case path == "" || errors.Is(err, fs.ErrNotExist):
		return key{from: path}, nil
	case err != nil:
		return key{}, &Stop{fmt.Sprintf("The encryption key in %s cannot be read: %v.", path, err), "Let this user read the file, or set ENCRYPTION_KEY."}
	case len(b) < secret.MinKey:
		return key{}, &Stop{fmt.Sprintf("The encryption key in %s is shorter than %d bytes, so the file is damaged.", path, secret.MinKey), "Put the file back from a backup, or set ENCRYPTION_KEY to the first key."}
	}
	return key{b, path}, nil
}

// resolveKey finds the master key and checks that it belongs to the database,
// without changing a byte of either. The key is nil when there is none yet and
// none is needed to read the database.
func (c Config) resolveKey(ctx context.Context) (*secret.Master, error) {
	var check string
	found, err := db.Peek(ctx, string(c.Database), func(tx *db.Tx) (err error) {
		check, err = settings.Fact(tx, settings.KeyCheck)
		return err
	})
	if err != nil {
		return nil, err
	}
	k, err := c.findKey()
	if err != nil {
		return nil, err
	}
	if k.bytes == nil {
		if found.State == db.Ours && check != "" {
			return nil, c.noKey(k)
		}
		return nil, nil
	}
	master, err := secret.NewMaster(k.bytes)
	if err != nil {
		return nil, err
	}
	if check != "" && master.VerifyCheck(check) != nil {
		return nil, c.wrongKey(k, check)
	}
	return master, nil
}

// noKey explains that a database has lost its key.
func (c Config) noKey(k key) error {
	return &Stop{
		fmt.Sprintf("The secrets in %s are sealed with an encryption key, and there is none: ENCRYPTION_KEY is not set and %s is not there. Nothing was changed.", c.where(), k.from),
		fmt.Sprintf("Put the file %s back, or set ENCRYPTION_KEY to the key of the first start. If nobody has it any more: pocket-id encryption-key-rotate --lost goes on without it and says what is lost.", k.from)}
}

// wrongKey explains that the key is not the one of the database. When another
// key at hand fits, it says so.
func (c Config) wrongKey(k key, check string) error {
	fits := func(b []byte) bool {
		m, err := secret.NewMaster(b)
		return err == nil && m.VerifyCheck(check) == nil
	}
	why := fmt.Sprintf("The encryption key from %s is not the one that sealed the secrets in %s: the key was changed after the first start. Nothing was changed.", k.from, c.where())
	trimmed := []byte(strings.TrimSpace(string(k.bytes)))
	switch {
	case fits(trimmed):
		return nearKey{&Stop{why, "The key fits without the white space at its ends: take that off."}}
	case fits(append(trimmed, '\n')):
		return nearKey{&Stop{why, "The key fits with a line break at its end, as it was read from a file: set ENCRYPTION_KEY_FILE to that file instead."}}
	}
	if path := c.newerKey(fits); path != "" {
		return nearKey{&Stop{why, "The key in " + path + " fits, which a rotation left that was cut off: put it in the place of " + c.keyPath() + "."}}
	}
	if path := c.keyPath(); path != "" && k.from != path {
		if b, err := os.ReadFile(path); err == nil && fits(b) {
			return nearKey{&Stop{why, "The key in " + path + " fits: unset ENCRYPTION_KEY."}}
		}
	}
	return &Stop{why, "Put the first key back and start again. If nobody has it any more: pocket-id encryption-key-rotate --lost goes on without it and says what is lost."}
}

// where names the database without its password.
func (c Config) where() string {
	if path, err := db.Path(string(c.Database)); err == nil && path != "" {
		return path
	}
	return "the PostgreSQL database"
}

// makeKey writes a random key beside the SQLite file, for its owner alone, and
// flushes it to the disk before anything is sealed with it. The caller holds
// the lock of the file, so nobody else does this now.
func (c Config) makeKey() (*secret.Master, error) {
	path, text := c.keyPath(), secret.Token()
	if err := writeFile(path, text); err != nil {
		return nil, &Stop{fmt.Sprintf("An encryption key cannot be written to %s: %v.", path, err), "Let this user write there, or set ENCRYPTION_KEY to the output of: openssl rand -base64 32"}
	}
	return secret.NewMaster([]byte(text))
}

// writeFile makes a file that is there whole or not at all, and on the disk.
func writeFile(path, text string) error {
	draft, err := os.CreateTemp(filepath.Dir(path), ".new-*") // with the rights 0600
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name())
	if _, err = draft.WriteString(text); err == nil {
		err = draft.Sync()
	}
	if err := errors.Join(err, draft.Close()); err != nil {
		return err
	}
	if err := os.Rename(draft.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// sealCheck stores the check value of the key, unless there is one, which then
// must fit: another replica may have started with another key at this instant.
func sealCheck(ctx context.Context, d *db.DB, master *secret.Master) error {
	var known, root string
	read := func(tx *db.Tx) (err error) {
		if known, err = settings.Fact(tx, settings.KeyCheck); err == nil {
			root, err = settings.Fact(tx, settings.MACRoot)
		}
		return err
	}
	if err := d.Read(ctx, read); err != nil {
		return err
	}
	if known == "" {
		value, err := master.CheckValue()
		if err != nil {
			return err
		}
		err = d.Write(ctx, func(tx *db.Tx) error {
			if err := read(tx); err != nil || known != "" {
				return err
			}
			settings.SetFact(tx, settings.KeyCheck, value)
			if id, err := settings.Fact(tx, settings.InstanceID); err != nil || id != "" {
				return err
			}
			settings.SetFact(tx, settings.InstanceID, secret.ID())
			return nil
		})
		if err != nil || known == "" {
			return err
		}
	}
	if err := master.VerifyCheck(known); err != nil {
		return &Stop{"The encryption key is not the one of the database, which another process has just set up.", "Give all replicas the same ENCRYPTION_KEY."}
	}
	if root != "" {
		return master.Root(root)
	}
	return nil
}
