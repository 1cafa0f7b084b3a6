package moving

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pocketid/internal/db"
)

// A foreignDatabase is the database of the incumbent, read as it is. Its program may run
// meanwhile: each pass sees one moment of it.
type foreignDatabase struct {
	db *db.ForeignDB
	// uploads is the directory of its files, which are in the table storage otherwise; ""
	// is that there are none to be had.
	uploads string
}

func (d *foreignDatabase) from() string { return "the database" }

func (d *foreignDatabase) rows(ctx context.Context, want map[string]func(foreignRow) error) (schema int64, err error) {
	err = d.db.Read(ctx, func(tx *db.Tx) error {
		if d.db.Tables["schema_migrations"] == nil || d.db.Tables["users"] == nil {
			return &Flaw{"it is no database of another Pocket ID: the tables schema_migrations and users are not there", "Name the right one; of a PostgreSQL database, one whose search_path has the tables"}
		}
		dirty := false
		err := d.db.Each(tx, "schema_migrations", func(row map[string]any) error {
			r := rowReader{row: row}
			schema, dirty = max(schema, r.whole("version", 0)), dirty || r.yes("dirty")
			return r.err
		})
		switch {
		case err != nil:
			return err
		case dirty:
			return &Flaw{"the database was left in the middle of a migration by the program that it belongs to", "Start that program once more, or put back a backup"}
		}
		if err := checkSchema(schema); err != nil { // before a table is read whose columns nobody knows
			return err
		}
		for table, fn := range want {
			if err := d.db.Each(tx, table, func(row map[string]any) error { return fn(row) }); err != nil {
				return err
			}
		}
		return nil
	})
	return schema, err
}

// statesTable is where states are kept beside the tables.
const statesTable = "francis_actor_state"

func (d *foreignDatabase) states(ctx context.Context, fn func(foreignState) error) error {
	return d.db.Read(ctx, func(tx *db.Tx) error {
		return d.db.Each(tx, statesTable, func(row map[string]any) error {
			r := rowReader{row: row}
			s := foreignState{kind: r.must("actor_type"), id: r.text("actor_id"), data: r.bytes("actor_state_data")}
			if at := r.whole("actor_state_expiration_time", 0); at > 1<<36 { // SQLite has milliseconds there
				s.expires = time.UnixMilli(at).UTC()
			} else if at > 0 {
				s.expires = time.Unix(at, 0).UTC()
			}
			if r.err != nil {
				return r.err
			}
			return fn(s)
		})
	})
}

func (d *foreignDatabase) file(ctx context.Context, path string) (data []byte, err error) {
	if d.uploads != "" && filepath.IsLocal(path) {
		// Nothing outside of the directory is read, whatever a link in it says.
		root, err := os.OpenRoot(d.uploads)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, errNoFile
		}
		if err != nil {
			return nil, err
		}
		defer root.Close()
		st, err := root.Stat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !st.Mode().IsRegular() {
			return nil, errNoFile
		}
		if err == nil && st.Size() > maxUpload {
			err = fmt.Errorf("it has more than %s", Bytes(maxUpload))
		}
		if err != nil {
			return nil, err
		}
		return root.ReadFile(path)
	}
	if d.db.Tables["storage"] == nil {
		return nil, errNoFile
	}
	found := false
	err = d.db.Read(ctx, func(tx *db.Tx) error {
		return d.db.Where(tx, "storage", "path", path, func(row map[string]any) error {
			r := rowReader{row: row}
			data, found = r.bytes("data"), true
			return r.err
		})
	})
	if err == nil && !found {
		err = errNoFile
	}
	return data, err
}

func (d *foreignDatabase) files(ctx context.Context) ([]string, error) {
	var list []string
	if d.uploads != "" {
		err := fs.WalkDir(os.DirFS(d.uploads), ".", func(path string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return fs.SkipAll
			}
			if err == nil && e.Type().IsRegular() && !strings.HasSuffix(path, "-tmp") {
				list = append(list, filepath.ToSlash(path))
			}
			return err
		})
		slices.Sort(list)
		return list, err
	}
	if d.db.Tables["storage"] == nil {
		return nil, nil
	}
	err := d.db.Read(ctx, func(tx *db.Tx) error {
		return d.db.Only(tx, "storage", []string{"path"}, func(row map[string]any) error {
			r := rowReader{row: row}
			list = append(list, r.text("path"))
			return r.err
		})
	})
	slices.Sort(list)
	return list, err
}
