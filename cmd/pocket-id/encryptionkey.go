package main

import (
	"context"
	"errors"
	"fmt"

	"pocketid/internal/app"
	"pocketid/internal/secret"
)

var encryptionKeyCommand = command{
	name: "encryption-key-rotate", about: "seal everything that is sealed with another encryption key, while the server is stopped",
	more: `Signing keys and secret settings are sealed anew, in one transaction. Nothing stops working: tokens, client secrets,
passkeys, and what applications know people by stay as they are. A key in the file beside the database is replaced
there; otherwise set ENCRYPTION_KEY, or its file, to the new key before the next start. Without a flag a key is made.
Backups from before need the old key.`,
	flags: []option{
		{name: "new-key-file", value: "FILE", about: "a file with the new key, of which all bytes count but a line break at its end; - is the standard input"},
		{name: "new-key", value: "KEY", about: "the new key itself, as scripts for Pocket ID 2.x have it; others of this machine may see it"},
		yes,
	},
	examples: []string{"encryption-key-rotate", "encryption-key-rotate --new-key-file new-key.txt --yes"},
	run:      encryptionKeyRotate,
}

func encryptionKeyRotate(ctx context.Context, c *call) error {
	if c.has("new-key") && c.has("new-key-file") {
		return usageError("--new-key and --new-key-file are both there; keep one of them")
	}
	conf, err := c.config()
	if err != nil {
		return err
	}
	next, made := c.text("new-key"), false
	switch {
	case c.has("new-key-file"):
		if next, err = c.secretFrom("new-key-file"); err != nil {
			return err
		}
	case !c.has("new-key"):
		next, made = secret.Token(), true
	}
	if len(next) < secret.MinKey {
		return usageError(fmt.Sprintf("an encryption key has at least %d bytes", secret.MinKey))
	}
	if conf.EncryptionKey != "" && next == string(conf.EncryptionKey) {
		return usageError("this is the key that is in use")
	}
	question := "Every server of this database has to be stopped, and starts again with the new key alone."
	if err := c.sure(question); err != nil {
		return err
	}
	done, err := app.RotateEncryptionKey(ctx, conf, terminalActor(), []byte(next))
	if errors.Is(err, secret.ErrShortKey) {
		return usageError(fmt.Sprintf("an encryption key has at least %d bytes", secret.MinKey))
	}
	if err != nil {
		return err
	}
	switch {
	case done.File != "":
		return c.say("The new key is in %s. Keep a copy of it; the old one opens nothing here any more but backups from before.", done.File)
	case made:
		return c.say("Everything is sealed with a new key. Set ENCRYPTION_KEY to it before the next start, and keep a copy; it is shown here and nowhere else:\n%s", next)
	}
	return c.say("Everything is sealed with the new key. Set ENCRYPTION_KEY, or its file, to it before the next start.")
}
