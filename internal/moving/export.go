package moving

import (
	"archive/zip"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"pocketid/internal/db"
	"pocketid/internal/settings"
)

// Labels are what an archive says of where it comes from.
type Labels struct {
	Program string // the version of the program
	Address string // where people reach the house
	// Key, unless it is nil, is the encryption key, to be put in with what it seals.
	Key []byte
	// Progress, unless it is nil, hears how far it has come.
	Progress Progress
}

// Export writes an archive of everything that the database holds at one moment, while
// others go on changing it. What is sealed stays sealed.
func Export(ctx context.Context, d *db.DB, w io.Writer, l Labels) (Manifest, Report, error) {
	m := Manifest{Format: formatName, Version: formatVersion, Schema: db.Newest(), Program: l.Program, Address: l.Address, Engine: "SQLite", HasKey: l.Key != nil}
	if d.Postgres {
		m.Engine = "PostgreSQL"
	}
	var report Report
	err := d.Read(ctx, func(tx *db.Tx) (err error) {
		z := zip.NewWriter(w)
		m.Created = tx.Now()
		report.From = m.Engine
		if m.KeyCheck, err = settings.Fact(tx, settings.KeyCheck); err != nil {
			return err
		}
		tables, err := tx.Tables()
		if err != nil {
			return err
		}
		for _, t := range tables {
			done, mended, err := exportTable(tx, z, t, l.Progress)
			if err != nil {
				return fmt.Errorf("write the table %s: %w", t.Name, err)
			}
			m.Tables = append(m.Tables, done)
			report.Parts = append(report.Parts, Part{t.Name, done.Rows})
			if mended > 0 {
				report.Notes = append(report.Notes, fmt.Sprintf("%d texts of the table %s have bytes that are no text; U+FFFD stands for them in the archive.", mended, t.Name))
			}
		}
		if l.Key != nil {
			if err := writeMember(z, keyName, l.Key); err != nil {
				return err
			}
		}
		text, err := json.MarshalIndent(m, "", "  ")
		if err != nil {
			return err
		}
		if err := writeMember(z, ManifestName, append(text, '\n')); err != nil {
			return err
		}
		return z.Close()
	})
	return m, report, err
}

func writeMember(z *zip.Writer, name string, text []byte) error {
	w, err := z.Create(name)
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}

// exportTable writes the rows of a table, and says how many texts it had to mend.
func exportTable(tx *db.Tx, z *zip.Writer, t db.Table, p Progress) (Table, int64, error) {
	done := Table{Name: t.Name}
	for _, c := range t.Columns {
		done.Columns = append(done.Columns, Column{c.Name, c.Kind})
	}
	packed, err := z.Create(member(t.Name))
	if err != nil {
		return done, 0, err
	}
	sum := sha256.New()
	size := &counter{}
	out := bufio.NewWriterSize(io.MultiWriter(packed, sum, size), 64<<10)
	rows := newRowWriter(out)
	err = tx.Each(t, func(values []any) error {
		done.Rows++
		p.row("writing "+t.Name, done.Rows)
		return rows.write(values)
	})
	if err == nil {
		err = out.Flush()
	}
	done.Bytes, done.SHA256 = size.n, hex.EncodeToString(sum.Sum(nil))
	return done, rows.mended, err
}

// A counter counts bytes.
type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
