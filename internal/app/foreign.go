package app

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/moving"
	"pocketid/internal/outbound"
	"pocketid/internal/secret"
	"pocketid/internal/settings"
)

// Moving in from the other Pocket ID: from an archive or a database of it by a command, or
// from its data directory at the first start.

// A Predecessor is what the environment says about the other Pocket ID whose variables it
// still has.
type Predecessor struct {
	// Backend is FILE_BACKEND, Uploads UPLOAD_PATH.
	Backend, Uploads string
}

// predecessor reads the variables of the other Pocket ID.
func predecessor(env map[string]string) Predecessor {
	return Predecessor{Backend: cmp.Or(env["FILE_BACKEND"], "filesystem"), Uploads: env["UPLOAD_PATH"]}
}

// foreign is what is known of a house of the other Pocket ID beside what is read. oldKey is
// the key that it ran with; nil is that it is the one of this house.
func (c Config) foreign(oldKey []byte) (o moving.ForeignOptions, before func() error, err error) {
	k, err := c.findKey()
	if err != nil {
		return o, nil, err
	}
	before = func() error { return nil }
	ours := k.bytes
	if ours == nil && oldKey != nil && k.from != "" { // this house has no key yet
		text := secret.Token()
		ours, before = []byte(text), func() error { return writeFile(k.from, text) }
	}
	if oldKey == nil {
		oldKey = k.bytes
	}
	if len(oldKey) == 0 {
		return o, nil, &Stop{"The signing key of the other Pocket ID opens with its ENCRYPTION_KEY alone, and none is set. Nothing was changed.",
			"Set ENCRYPTION_KEY, or ENCRYPTION_KEY_FILE, exactly as it was set there."}
	}
	master, err := secret.NewMaster(ours)
	if err != nil {
		return o, nil, err
	}
	room := ""
	if path, err := db.Path(string(c.Database)); err == nil && path != "" {
		room = filepath.Dir(path)
	}
	elsewhere := c.Outbound
	elsewhere.Private = c.PrivateHosts
	return moving.ForeignOptions{Key: oldKey, Room: room, Master: master, Issuer: c.PublicURL.String(), Outbound: outbound.New(elsewhere),
		AllowInsecureCallbacks: c.AllowInsecureCallbacks, Progress: c.Progress}, before, nil
}

// foreignMove is the plan to move a house of the other Pocket ID in.
func (c Config) foreignMove(src *moving.Foreign, o moving.ForeignOptions, before func() error, by audit.Actor) *Move {
	m := &Move{source: src, config: c}
	m.before = func() error { return errors.Join(src.Close(), before()) }
	m.finish = func(tx *db.Tx) error {
		check, err := o.Master.CheckValue()
		if err != nil {
			return err
		}
		settings.SetFact(tx, settings.KeyCheck, check)
		r := src.Report()
		var rows int64
		for _, p := range r.Parts {
			rows += p.Count
		}
		audit.Record(tx, by, audit.Event{Name: audit.HouseImported, Data: map[string]any{"from": r.From, "rows": rows}})
		return nil
	}
	return m
}

// PlanForeignArchive is PlanImport for an archive of the other Pocket ID.
func (c Config) PlanForeignArchive(ctx context.Context, z *moving.Zip, oldKey []byte, by audit.Actor) (*Move, error) {
	o, before, err := c.foreign(oldKey)
	if err != nil {
		return nil, err
	}
	return c.lookForeign(ctx, moving.OpenForeignArchive(ctx, z, o), o, before, by)
}

// PlanForeignDatabase is PlanImport for the database of the other Pocket ID, which may go
// on running. Its files are in the directory uploads; when that is "", where the other one
// keeps them unless it is told otherwise, or in the database.
func (c Config) PlanForeignDatabase(ctx context.Context, connection, uploads string, oldKey []byte, by audit.Actor) (*Move, error) {
	o, before, err := c.foreign(oldKey)
	if err != nil {
		return nil, err
	}
	path, err := db.Path(connection)
	if err != nil {
		return nil, err
	}
	beside := path
	if beside == "" { // with PostgreSQL its files are in the directory data all the same
		beside = filepath.Join("data", "pocket-id.db")
	}
	switch o.Uploads = uploads; {
	case uploads != "" || c.Predecessor.Backend == "database":
	case path == "" && c.Predecessor.Uploads != "":
		o.Uploads = c.Predecessor.Uploads
	default:
		o.Uploads = nearby(beside, "uploads")
	}
	if o.Legacy, err = legacyKey(beside); err != nil {
		return nil, err
	}
	src, err := moving.OpenForeignDatabase(ctx, connection, o)
	if err != nil {
		return nil, err
	}
	m, err := c.lookForeign(ctx, src, o, before, by)
	if err != nil {
		src.Close()
	}
	return m, err
}

func (c Config) lookForeign(ctx context.Context, src *moving.Foreign, o moving.ForeignOptions, before func() error, by audit.Actor) (*Move, error) {
	m := c.foreignMove(src, o, before, by)
	var err error
	if m.Report, err = src.Look(ctx); err != nil {
		return nil, err
	}
	m.Report.Notes = append(m.Report.Notes, "Passkeys work for the host "+c.PublicURL.Hostname()+" of APP_URL: it has to be the one that people know.")
	return m, m.lookAround(ctx)
}

// nearby is a directory beside a file, or "" when there is none.
func nearby(file, name string) string {
	dir := filepath.Join(filepath.Dir(file), name)
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return ""
	}
	return dir
}

// legacyKey is the signing key that lies beside a database in the clear, as it did before
// version 2; nil is that there is none.
func legacyKey(database string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(filepath.Dir(database), "keys", "jwt_private_key.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// takeOver moves the house in when the database that the server is to run on is one of the
// other Pocket ID: its file is kept beside ours, so that a change of the image is all that
// it takes, and the way back is the way there. A process that is killed meanwhile leaves
// the file as it was, and the next one starts anew.
func (c Config) takeOver(ctx context.Context, log *slog.Logger) error {
	found, err := db.Peek(ctx, string(c.Database), nil)
	if err != nil || found.State != db.Incumbent {
		return err
	}
	if c.Postgres() {
		return &Stop{"The PostgreSQL database has the tables of another Pocket ID, which have the same names as those of this one. Nothing was changed.",
			"Make a new database for this one and set DB_CONNECTION_STRING to it; then run, once: pocket-id import --from-database 'postgres://…the old database…'"}
	}
	path, err := db.Path(string(c.Database))
	if err != nil {
		return err
	}
	o, before, err := c.foreign(nil)
	if err != nil {
		return err
	}
	switch c.Predecessor.Backend {
	case "s3":
		log.Warn("pictures are not taken over from S3, people and applications are shown without them", "cure", "upload them again, or move in from an archive")
	case "database":
	default:
		o.Uploads = cmp.Or(c.Predecessor.Uploads, nearby(path, "uploads"))
	}
	if o.Legacy, err = legacyKey(path); err != nil {
		return err
	}
	o.Progress = func(what string, count int64) { log.Info("moving in", "what", what, "done", count) }
	log.Info("the database is one of another Pocket ID; moving in from it", "file", path)
	src, err := moving.OpenForeignDatabase(ctx, path, o)
	if err != nil {
		return err
	}
	defer src.Close()
	m := c.foreignMove(src, o, before, audit.System("serve"))
	kept, err := m.do(ctx, moving.Options{Incumbent: true})
	if err != nil {
		return err
	}
	r := src.Report()
	for _, p := range r.Parts {
		log.Info("came over", "what", p.Name, "count", p.Count)
	}
	for _, a := range r.Adjusted {
		log.Warn("came over otherwise than it was", "what", a.Kind, "name", a.Name, "part", a.What, "why", a.Why)
	}
	for _, l := range r.Left {
		log.Warn("did not come over", "what", l.Name, "count", l.Count, "why", l.Why, "examples", l.Examples)
	}
	for _, note := range r.Notes {
		log.Info("to be known: " + note)
	}
	log.Info("moved in; the database as it was is kept", "file", kept)
	return nil
}
