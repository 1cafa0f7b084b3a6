package moving

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
)

// Names of members.
const (
	// ManifestName is the member by which an archive of ours is known.
	ManifestName = "pocket-id.json"
	// keyName holds the encryption key, in archives that were asked to.
	keyName = "encryption-key"
)

const (
	formatName    = "pocket-id-archive"
	formatVersion = 1
	maxManifest   = 1 << 20
)

// A Manifest says what an archive of ours is.
type Manifest struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	// Schema is the version of the tables, and Program that of the program that wrote it.
	Schema  int    `json:"schema"`
	Program string `json:"program"`
	Engine  string `json:"engine"`
	// Created is the moment that the archive shows.
	Created time.Time `json:"created"`
	// Address is where people reached the house: their passkeys work for its host alone.
	Address string `json:"address"`
	// KeyCheck tells whether a key is the one that sealed what is sealed.
	KeyCheck string `json:"key_check"`
	// HasKey says that the encryption key is in the archive, which is no secret to who has it.
	HasKey bool    `json:"has_key"`
	Tables []Table `json:"tables"`
}

// Rows is how many rows there are in all.
func (m Manifest) Rows() (n int64) {
	for _, t := range m.Tables {
		n += t.Rows
	}
	return n
}

// A Table is what a manifest says about one of the tables.
type Table struct {
	Name    string   `json:"name"`
	Columns []Column `json:"columns"`
	Rows    int64    `json:"rows"`
	Bytes   int64    `json:"bytes"`
	SHA256  string   `json:"sha256"`
}

// A Column is one of a table.
type Column struct {
	Name string  `json:"name"`
	Kind db.Kind `json:"kind"`
}

// Bytes is how many bytes its rows have when they are unpacked.
func (m Manifest) Bytes() (n int64) {
	for _, t := range m.Tables {
		n += t.Bytes
	}
	return n
}

// member is where the rows of a table are.
func member(table string) string { return "tables/" + table + ".jsonl" }

// An Archive is one of ours.
type Archive struct {
	Manifest
	// Progress, unless it is nil, hears how far Look and Fill have come.
	Progress Progress
	zip      *Zip
	tables   []db.Table // that a database of its schema has
}

// OpenArchive reads the manifest of an archive of ours, and checks that the archive has
// the tables of its schema and nothing else. Rows are read by Look and by Fill.
func OpenArchive(ctx context.Context, z *Zip) (*Archive, error) {
	if !z.Has(ManifestName) {
		return nil, broken("it has no member %s", ManifestName)
	}
	if z.Size(ManifestName) > maxManifest {
		return nil, broken("its member %s is too large", ManifestName)
	}
	text, err := z.Read(ManifestName)
	if err != nil {
		return nil, err
	}
	a := &Archive{zip: z}
	if err := json.Unmarshal(text, &a.Manifest); err != nil || a.Format != formatName {
		return nil, broken("its member %s cannot be read", ManifestName)
	}
	if a.Version > formatVersion || a.Manifest.Schema > db.Newest() {
		return nil, flawf("Read it with the version of Pocket ID that made it ("+a.program()+"), or a newer one",
			"the archive has schema %d in format %d, and this program knows schemas up to %d in format %d", a.Manifest.Schema, a.Version, db.Newest(), formatVersion)
	}
	if a.Version < 1 || a.Manifest.Schema < 1 {
		return nil, broken("its member %s has no version", ManifestName)
	}
	if a.tables, err = db.TablesOf(ctx, a.Manifest.Schema); err != nil {
		return nil, err
	}
	if err := a.checkTables(); err != nil {
		return nil, err
	}
	return a, nil
}

// program is the version of the program that wrote the archive, as it may be shown.
func (a *Archive) program() string { return fmt.Sprintf("%.40q", a.Program) }

// checkTables compares what the manifest says with the tables of the schema.
func (a *Archive) checkTables() error {
	known := []string{ManifestName, keyName}
	for _, t := range a.tables {
		known = append(known, member(t.Name))
		i := slices.IndexFunc(a.Tables, func(m Table) bool { return m.Name == t.Name })
		if i < 0 {
			return broken("the table %s is missing", t.Name)
		}
		if !a.zip.Has(member(t.Name)) {
			return broken("its member %q is missing", member(t.Name))
		}
		same := func(m Column, c db.Column) bool { return m.Name == c.Name && m.Kind == c.Kind }
		if !slices.EqualFunc(a.Tables[i].Columns, t.Columns, same) {
			return broken("the table %s has other columns than schema %d", t.Name, a.Manifest.Schema)
		}
		if a.zip.Size(member(t.Name)) != a.Tables[i].Bytes {
			return broken("its member %q has another size than the manifest says", member(t.Name))
		}
	}
	if len(a.Tables) != len(a.tables) {
		return broken("it has a table that schema %d does not know", a.Manifest.Schema)
	}
	if a.zip.Has(keyName) != a.HasKey {
		return broken("its member %s is there without being named, or named without being there", keyName)
	}
	for _, name := range a.zip.Names() {
		if !slices.Contains(known, name) {
			return broken("it has a member %q, which does not belong there", name)
		}
	}
	return nil
}

// Check returns secret.ErrWrongKey unless what is sealed in the archive was sealed with
// this key.
func (a *Archive) Check(master *secret.Master) error { return master.VerifyCheck(a.KeyCheck) }

// Key is the encryption key that was put into the archive, or nil.
func (a *Archive) Key() ([]byte, error) {
	if !a.HasKey {
		return nil, nil
	}
	if a.zip.Size(keyName) > 1<<10 {
		return nil, broken("its member %s is too large", keyName)
	}
	return a.zip.Read(keyName)
}

// Schema is the version of the tables that it holds.
func (a *Archive) Schema() int { return a.Manifest.Schema }

// Look reads all of it and says what would come over.
func (a *Archive) Look(ctx context.Context) (Report, error) {
	report := Report{From: fmt.Sprintf("an archive of this program: version %s, schema %d, %s, made %s", a.program(), a.Manifest.Schema, a.Engine, a.Created.UTC().Format(time.RFC3339))}
	for _, t := range a.tables {
		n, err := a.rows(ctx, t, "reading ", func([]any) error { return nil })
		if err != nil {
			return Report{}, err
		}
		report.Parts = append(report.Parts, Part{t.Name, n})
	}
	if a.Manifest.Schema < db.Newest() {
		report.Notes = append(report.Notes, fmt.Sprintf("The archive has schema %d; it is brought up to schema %d on the way.", a.Manifest.Schema, db.Newest()))
	}
	return report, nil
}

// Fill writes its rows.
func (a *Archive) Fill(tx *db.Tx) error {
	for _, t := range a.tables {
		var values []any
		var first, size int64 = 1, 0
		flush := func() error {
			n := int64(len(values) / len(t.Columns))
			if err := tx.Insert(t, values); err != nil {
				return a.refused(t, first, first+n-1, err)
			}
			first, size, values = first+n, 0, values[:0]
			return nil
		}
		// Insert notices when the context of the transaction ends.
		_, err := a.rows(context.Background(), t, "filling ", func(row []any) error {
			for _, v := range row {
				switch v := v.(type) {
				case string:
					size += int64(len(v))
				case []byte:
					size += int64(len(v))
				}
			}
			if values = append(values, row...); len(values) == len(t.Columns)*db.MaxInsert || size > 1<<20 {
				return flush()
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := flush(); err != nil {
			return err
		}
	}
	return nil
}

// refused says why a database did not take rows.
func (a *Archive) refused(t db.Table, first, last int64, err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok || errors.Is(err, context.Canceled) {
		return err
	}
	return misfit{broken("the rows %d to %d of the table %s do not fit together: %v", first, last, t.Name, err), err}
}

// A misfit is a flaw that the database found: its own words go along, because a
// transaction ends with those of its first failed statement.
type misfit struct{ flaw, cause error }

// Error is the flaw.
func (m misfit) Error() string { return m.flaw.Error() }

// Unwrap is both.
func (m misfit) Unwrap() []error { return []error{m.flaw, m.cause} }

// rows reads the rows of a table, and compares their number and their sum with the
// manifest. The values are valid until row returns. doing is what Progress hears.
func (a *Archive) rows(ctx context.Context, t db.Table, doing string, row func(values []any) error) (int64, error) {
	want := a.Tables[slices.IndexFunc(a.Tables, func(m Table) bool { return m.Name == t.Name })]
	r, err := a.zip.Open(member(t.Name))
	if err != nil {
		return 0, err
	}
	defer r.Close()
	sum := sha256.New()
	lines := bufio.NewScanner(io.TeeReader(r, sum))
	lines.Buffer(nil, maxRow)
	lines.Split(wholeLines)
	var n int64
	var values []any
	for lines.Scan() {
		if n++; n%1000 == 0 {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
		}
		if values, err = parseRow(values[:0], lines.Bytes(), t.Columns); err != nil {
			return 0, broken("the row %d of the table %s: %v", n, t.Name, err)
		}
		if err := row(values); err != nil {
			return 0, err
		}
		a.Progress.row(doing+t.Name, n)
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return 0, broken("the row %d of the table %s is longer than %s", n+1, t.Name, Bytes(maxRow))
	case err != nil:
		return 0, err
	}
	if n != want.Rows || hex.EncodeToString(sum.Sum(nil)) != want.SHA256 {
		return 0, broken("the table %s is not as it was written: its checksum or its number of rows is another", t.Name)
	}
	return n, nil
}

// wholeLines splits at line feeds, and takes no line without one.
func wholeLines(data []byte, end bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if end && len(data) > 0 {
		return 0, nil, broken("one of its tables ends in the middle of a row")
	}
	return 0, nil, nil
}
