package app

import (
	"context"
	"fmt"
	"io"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/moving"
	"pocketid/internal/secret"
)

// Export writes an archive of everything that the database holds at this moment.
func (a *App) Export(ctx context.Context, w io.Writer) (moving.Manifest, moving.Report, error) {
	return moving.Export(ctx, a.DB, w, a.labels())
}

// ExportWithKey is Export with the encryption key in the archive, which then opens
// everything that is sealed in it. Only a key that the server made itself is put in: one
// that was given by ENCRYPTION_KEY is kept elsewhere already.
func (a *App) ExportWithKey(ctx context.Context, w io.Writer) (moving.Manifest, moving.Report, error) {
	k, err := a.config.findKey()
	if err != nil {
		return moving.Manifest{}, moving.Report{}, err
	}
	if k.from != a.config.keyPath() || k.bytes == nil {
		return moving.Manifest{}, moving.Report{}, &Stop{"The encryption key comes from ENCRYPTION_KEY, and is not put into archives.", "Leave --with-key out, and keep ENCRYPTION_KEY where you keep other secrets."}
	}
	l := a.labels()
	l.Key = k.bytes
	return moving.Export(ctx, a.DB, w, l)
}

func (a *App) labels() moving.Labels {
	return moving.Labels{Program: a.config.Version, Address: a.config.PublicURL.String(), Progress: a.config.Progress}
}

// KeyPlace is where the encryption key is that an archive needs beside it, in words.
func (a *App) KeyPlace() string {
	if a.config.EncryptionKey != "" {
		return "the value of ENCRYPTION_KEY"
	}
	return a.config.keyPath()
}

// RecordBackup notes in the log that everything was copied out of the house.
func (a *App) RecordBackup(ctx context.Context, by audit.Actor, m moving.Manifest) error {
	return a.DB.Write(ctx, func(tx *db.Tx) error {
		audit.Record(tx, by, audit.Event{Name: audit.BackupMade, Data: map[string]any{"rows": m.Rows(), "with_key": m.HasKey}})
		return nil
	})
}

// A Move is something that is ready to be moved in: it was read to its end, and what is
// sealed in it can be opened.
type Move struct {
	// Report says what would come over.
	Report moving.Report
	source moving.Source
	config Config
	before func() error
	finish func(tx *db.Tx) error
	// empty says that there is nothing where it would go.
	empty bool
}

// PlanImport reads an archive and says what would come over. Nothing is changed.
func (c Config) PlanImport(ctx context.Context, z *moving.Zip) (*Move, error) {
	if !z.Has(moving.ManifestName) {
		return nil, &Stop{"This is no archive of Pocket ID: there is no " + moving.ManifestName + " in it.", "Take a file that pocket-id export or pocket-id backup has written."}
	}
	a, err := moving.OpenArchive(ctx, z)
	if err != nil {
		return nil, err
	}
	a.Progress = c.Progress
	m := &Move{source: a, config: c}
	if m.before, err = c.keyOf(a); err != nil {
		return nil, err
	}
	if m.Report, err = a.Look(ctx); err != nil {
		return nil, err
	}
	if address := c.PublicURL.String(); a.Address != address {
		m.Report.Notes = append(m.Report.Notes, fmt.Sprintf("People reached the house at %.200q, and here APP_URL is %s: passkeys work for one host name alone, so set APP_URL to the old one, or everybody needs a new passkey.", a.Address, address))
	}
	return m, m.lookAround(ctx)
}

// lookAround finds out what is there already.
func (m *Move) lookAround(ctx context.Context) error {
	found, err := db.Peek(ctx, string(m.config.Database), nil)
	m.empty = found.State == db.Absent
	return err
}

// Replaces says whether there is something that would be replaced.
func (m *Move) Replaces() bool { return !m.empty }

// Where names the database that would be filled.
func (m *Move) Where() string { return m.config.where() }

// Recorded lets the log say who brought the house back to what it was.
func (m *Move) Recorded(by audit.Actor, made moving.Manifest) {
	m.finish = func(tx *db.Tx) error {
		audit.Record(tx, by, audit.Event{Name: audit.BackupRestored, Data: map[string]any{"created_at": made.Created, "rows": made.Rows()}})
		return nil
	}
}

// Manifest is that of an archive of ours.
func (m *Move) Manifest() (moving.Manifest, bool) {
	a, ok := m.source.(*moving.Archive)
	if !ok {
		return moving.Manifest{}, false
	}
	return a.Manifest, true
}

// Do replaces what the database holds, or changes nothing. A server that runs on it is an
// error. Kept is the name under which an SQLite file is kept that was there before.
func (m *Move) Do(ctx context.Context) (kept string, err error) { return m.do(ctx, moving.Options{}) }

// DoByForce is Do, and ends servers that run on the database.
func (m *Move) DoByForce(ctx context.Context) (kept string, err error) {
	return m.do(ctx, moving.Options{Force: true})
}

func (m *Move) do(ctx context.Context, o moving.Options) (string, error) {
	o.Before, o.Finish = m.before, m.finish
	return moving.Import(ctx, string(m.config.Database), m.source, o)
}

// keyOf checks that what is sealed in an archive can be opened here. When the archive
// brings its key and there is none, before puts it in its place.
func (c Config) keyOf(a *moving.Archive) (before func() error, err error) {
	brought, err := a.Key()
	if err != nil {
		return nil, err
	}
	fits := func(b []byte) bool {
		m, err := secret.NewMaster(b)
		return err == nil && a.Check(m) == nil
	}
	if brought != nil && !fits(brought) {
		return nil, &Stop{"The archive brings an encryption key that is not the one it was sealed with. Nothing was changed.", "Take another archive."}
	}
	k, err := c.findKey()
	switch {
	case err != nil:
		return nil, err
	case k.bytes != nil && fits(k.bytes):
		return nil, nil
	case k.bytes == nil && brought != nil && k.from != "":
		return func() error { return writeFile(k.from, string(brought)) }, nil
	case k.bytes == nil && k.from == "":
		return nil, &Stop{"What is sealed in the archive opens with its encryption key alone, and ENCRYPTION_KEY is not set. Nothing was changed.", "Set ENCRYPTION_KEY to the key of the house that the archive is of."}
	case k.bytes == nil:
		return nil, &Stop{fmt.Sprintf("What is sealed in the archive opens with its encryption key alone, and there is none: ENCRYPTION_KEY is not set and %s is not there. Nothing was changed.", k.from),
			fmt.Sprintf("Set ENCRYPTION_KEY to the key of the house that the archive is of, or copy its file encryption-key to %s.", k.from)}
	}
	why := fmt.Sprintf("The encryption key from %s is not the one that sealed the secrets in the archive. Nothing was changed.", k.from)
	if trimmed := strings.TrimSpace(string(k.bytes)); fits([]byte(trimmed)) {
		return nil, &Stop{why, "The key fits without the white space at its ends: take that off."}
	} else if fits([]byte(trimmed + "\n")) {
		return nil, &Stop{why, "The key fits with a line break at its end, as it was read from a file: set ENCRYPTION_KEY_FILE to that file instead."}
	}
	if k.from != "ENCRYPTION_KEY" {
		return nil, &Stop{why, fmt.Sprintf("Move %s away and keep it with the database that it belongs to; then put the key of the archive there, or set ENCRYPTION_KEY to it.", k.from)}
	}
	return nil, &Stop{why, "Set ENCRYPTION_KEY to the key of the house that the archive is of."}
}
