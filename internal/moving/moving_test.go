package moving_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/moving"
)

// archived is an archive of what d holds.
func archived(t *testing.T, d *db.DB) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, _, err := moving.Export(t.Context(), d, &b, moving.Labels{Program: "v0", Address: "https://id.example.test"}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// open opens an archive of ours.
func open(t *testing.T, archive []byte) (*moving.Archive, error) {
	t.Helper()
	z, err := moving.OpenZip(bytes.NewReader(archive), int64(len(archive)), moving.Limits{})
	if err != nil {
		return nil, err
	}
	return moving.OpenArchive(t.Context(), z)
}

// moved imports an archive into a database of the engine and opens that.
func moved(t *testing.T, archive []byte, dsn string) *db.DB {
	t.Helper()
	a, err := open(t, archive)
	if err == nil {
		_, err = a.Look(t.Context())
	}
	if err == nil {
		_, err = moving.Import(t.Context(), dsn, a, moving.Options{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return dbtest.OpenDSN(t, dsn)
}

// A progress hears how many rows were done when the memory in use was measured, and how
// much it grew.
type progress struct {
	rows        map[string]int64
	least, most uint64
}

func (p *progress) hear(what string, rows int64) {
	if p.rows == nil {
		p.rows = map[string]int64{}
	}
	p.rows[what] = rows
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if p.least == 0 {
		p.least = m.HeapAlloc
	}
	p.most = max(p.most, m.HeapAlloc)
}

// A house of any size comes out of an archive through the same few pages of memory, and
// tells on the way how far it has come.
func TestImportTakesTheSameMemoryForAnyLength(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		random := rand.NewChaCha8([32]byte{2})
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			data := make([]byte, 3000)
			for n := range 5000 {
				random.Read(data)
				tx.Do(`INSERT INTO facts (name, value) VALUES ($1, $2)`, strconv.Itoa(n), base64.StdEncoding.EncodeToString(data))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		out := &progress{}
		path := filepath.Join(t.TempDir(), "a.zip") // as people have it: on the disk
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, _, err := moving.Export(t.Context(), d, f, moving.Labels{Progress: out.hear}); err != nil {
			t.Fatal(err)
		}
		size, err := f.Seek(0, io.SeekCurrent)
		if err != nil || out.rows["writing facts"] != 5000 {
			t.Fatalf("told %v, %v", out.rows, err)
		}
		z, err := moving.OpenZip(f, size, moving.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		a, err := moving.OpenArchive(t.Context(), z)
		if err != nil {
			t.Fatal(err)
		}
		engine := dbtest.SQLite
		if d.Postgres {
			engine = dbtest.Postgres
		}
		in := &progress{}
		a.Progress = in.hear
		if _, err := a.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := moving.Import(t.Context(), dbtest.DSN(t, engine), a, moving.Options{}); err != nil {
			t.Fatal(err)
		}
		if in.rows["reading facts"] != 5000 || in.rows["filling facts"] != 5000 {
			t.Errorf("told %v", in.rows)
		}
		for _, p := range []*progress{out, in} {
			if p.most > p.least+6<<20 { // of 20 MB
				t.Errorf("it grew from %d to %d bytes: %v", p.least, p.most, p.rows)
			}
		}
	})
}
