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
Backups from before need the old key.

With --lost a new key takes the place of one that nobody has any more. People, passkeys, applications, secrets that were
made here, sign-ins and the log stay. Signing keys are made anew, and what was signed before verifies as long as it
would have. Secret settings, secrets of applications that somebody chose, and the pairwise subjects of those
that have them, are lost: the command names them, before and after.`,
	flags: []option{
		{name: "new-key-file", value: "FILE", about: "a file with the new key, of which all bytes count but a line break at its end; - is the standard input"},
		{name: "new-key", value: "KEY", about: "the new key itself, as scripts for Pocket ID 2.x have it; others of this machine may see it"},
		{name: "lost", about: "the old key is lost: drop what was sealed with it"},
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
	if c.has("lost") {
		return loseKey(ctx, c, conf)
	}
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

// loseKey goes on without the old key: with the one of a flag, with the one that is set
// although it does not fit, or with one that it makes.
func loseKey(ctx context.Context, c *call, conf app.Config) error {
	var next []byte
	if text := c.text("new-key"); text != "" {
		next = []byte(text)
	} else if c.has("new-key-file") {
		text, err := c.secretFrom("new-key-file")
		if err != nil {
			return err
		}
		next = []byte(text)
	}
	if next != nil && len(next) < secret.MinKey {
		return usageError(fmt.Sprintf("an encryption key has at least %d bytes", secret.MinKey))
	}
	if err := c.sure("What was sealed with the old key is dropped and does not come back, also when the key is found again. Make a copy of the database first, and stop every server of it."); err != nil {
		return err
	}
	done, err := app.ReplaceLostKey(ctx, conf, terminalActor(), next)
	if err != nil {
		return err
	}
	switch {
	case done.File != "":
		err = c.say("The new key is in %s. Keep a copy of it.", done.File)
	case done.Key != "" && next == nil:
		err = c.say("Set ENCRYPTION_KEY to the new key before the next start, and keep a copy; it is shown here and nowhere else:\n%s", done.Key)
	case done.Key != "":
		err = c.say("Set ENCRYPTION_KEY, or its file, to the new key before the next start.")
	default:
		err = c.say("The key that is set is the key from now on. Keep a copy of it.")
	}
	if err != nil {
		return err
	}
	if err := c.say("Signing keys that sign no more: %d. New ones are made by the next start; what was signed before verifies as long as it would have.", done.Keys); err != nil {
		return err
	}
	if done.Settings > 0 {
		if err := c.say("Secret settings to give again: %d.", done.Settings); err != nil {
			return err
		}
	}
	for _, lost := range []struct {
		what  string
		names []string
	}{
		{"Applications whose secret was chosen by somebody and has to be set again:", done.Secrets},
		{"Applications that know everybody by another subject from now on:", done.Subjects},
		{"Applications that had a signing key of another house and use RS256 and ES256 now:", done.Algs},
	} {
		if len(lost.names) == 0 {
			continue
		}
		if err := c.say("%s", lost.what); err != nil {
			return err
		}
		for _, name := range lost.names {
			if err := c.say("  %s", name); err != nil {
				return err
			}
		}
	}
	return nil
}
