package moving_test

import (
	"bytes"
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
