package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"pocketid/internal/app"
	"pocketid/internal/db"
	"pocketid/internal/moving"
)

// movingCommands take everything out of a house, and bring it into one.
var movingCommands = []command{backupCommand, restoreCommand, exportCommand, importCommand}

// withKey is the flag of those who want one file that needs nothing beside it.
var withKey = option{name: "with-key", about: "put the encryption key in as well, if the server made it itself: whoever has the file then has every secret of the house"}

var backupCommand = command{
	name: "backup", about: "write everything into a file, while the server runs, and read it back",
	more: "The file holds all people, passkeys, applications, settings, pictures and the log as they are at one moment. What is sealed in it opens with the encryption key alone, which is kept elsewhere. A copy of the database file is no backup: what was changed last may not be in it yet.",
	flags: []option{
		{name: "path", short: "p", value: "FILE", about: "where it is written; - is the standard output, and without the flag it is a file of this directory that is named after the time"},
		{name: "overwrite", about: "replace a file that is there"},
		withKey,
	},
	examples: []string{"backup", "backup -p /backups/monday.zip --overwrite", "backup -p - > backup.zip"},
	run:      backup,
}

var exportCommand = command{
	name: "export", about: "write everything into a file, to move to another database",
	more: "It writes what backup writes, over a file that is there, and does not read it back. pocket-id import reads it, with SQLite and with PostgreSQL.",
	flags: []option{
		{name: "path", short: "p", value: "FILE", about: "where it is written; - is the standard output", fallback: "pocket-id-export.zip"},
		withKey,
	},
	examples: []string{"export", "export -p - | ssh new-host pocket-id import -p - --yes"},
	run:      export,
}

// export writes an archive over whatever is there.
func export(ctx context.Context, c *call) error {
	return c.beside(ctx, func(a *app.App) error {
		path := c.text("path")
		if path == "-" {
			m, report, err := c.archive(ctx, a, c.out)
			if err != nil {
				return err
			}
			return c.written(ctx, a, m, report, "the standard output")
		}
		draft, m, report, err := c.draft(ctx, a, filepath.Dir(path))
		if err != nil {
			return err
		}
		defer os.Remove(draft)
		if err := os.Rename(draft, path); err != nil {
			return err
		}
		return c.written(ctx, a, m, report, path)
	})
}

// backup writes an archive, reads it back, and only then gives it its name.
func backup(ctx context.Context, c *call) error {
	return c.beside(ctx, func(a *app.App) error {
		path, dir := c.text("path"), "."
		switch {
		case path == "-":
			dir = c.roomFor(ctx)
		case path != "":
			dir = filepath.Dir(path)
			if err := c.mayWrite(path); err != nil {
				return err
			}
		}
		draft, m, report, err := c.draft(ctx, a, dir)
		if err != nil {
			return err
		}
		defer os.Remove(draft)
		if err := verify(ctx, draft, m); err != nil {
			return fmt.Errorf("the backup was written and could not be read back: %w", err)
		}
		if path == "-" {
			if err := copyOut(c.out, draft); err != nil {
				return err
			}
			return c.written(ctx, a, m, report, "the standard output")
		}
		if path == "" {
			path = "pocket-id-backup-" + m.Created.UTC().Format("20060102-150405") + ".zip"
		}
		if err := c.place(draft, path); err != nil {
			return err
		}
		return c.written(ctx, a, m, report, path)
	})
}

// mayWrite refuses a file that is there, unless it may be replaced.
func (c *call) mayWrite(path string) error {
	_, err := os.Lstat(path)
	if err == nil && !c.on("overwrite") {
		return fmt.Errorf("%s is there already; choose another name, or say --overwrite", path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// place gives a file that is whole its name.
func (c *call) place(draft, path string) error {
	if !c.on("overwrite") {
		// A link does not replace what somebody else has put there meanwhile.
		if err := os.Link(draft, path); err == nil {
			return syncDir(path)
		}
		if err := c.mayWrite(path); err != nil {
			return err
		}
	}
	if err := os.Rename(draft, path); err != nil {
		return err
	}
	return syncDir(path)
}

// archive writes an archive of the house.
func (c *call) archive(ctx context.Context, a *app.App, w io.Writer) (moving.Manifest, moving.Report, error) {
	if c.on("with-key") {
		return a.ExportWithKey(ctx, w)
	}
	return a.Export(ctx, w)
}

// draft writes an archive to a file without a name of its own, for its owner alone, and on
// the disk. Whoever kills the process leaves that file and nothing under the final name.
func (c *call) draft(ctx context.Context, a *app.App, dir string) (path string, m moving.Manifest, report moving.Report, err error) {
	f, err := os.CreateTemp(dir, ".pocket-id-*.part") // with the rights 0600
	if err != nil {
		return "", m, report, err
	}
	m, report, err = c.archive(ctx, a, f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(f.Name())
	}
	return f.Name(), m, report, err
}

// verify reads an archive to its end, and compares it with what was written.
func verify(ctx context.Context, path string, want moving.Manifest) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	about, err := f.Stat()
	if err != nil {
		return err
	}
	z, err := moving.OpenZip(f, about.Size(), moving.Unlimited)
	if err != nil {
		return err
	}
	a, err := moving.OpenArchive(ctx, z)
	if err != nil {
		return err
	}
	if _, err := a.Look(ctx); err != nil {
		return err
	}
	if a.Rows() != want.Rows() || !a.Created.Equal(want.Created) {
		return errors.New("it is another archive than the one that was written")
	}
	return nil
}

// written records that everything was copied, and says what else there is to keep. It goes
// to the errors, for the archive may be on the standard output.
func (c *call) written(ctx context.Context, a *app.App, m moving.Manifest, report moving.Report, where string) error {
	if err := a.RecordBackup(ctx, terminalActor(), m); err != nil {
		return fmt.Errorf("the archive is whole, but the log could not note it: %w", err)
	}
	out := c.out
	if c.text("path") == "-" {
		out = c.err
	}
	fmt.Fprintf(out, "Everything is in %s, as it was at %s: %s.\n", where, m.Created.UTC().Format("2006-01-02 15:04:05 MST"), inWords(report))
	for _, note := range report.Notes {
		fmt.Fprintln(out, note)
	}
	if size := m.Bytes(); size > moving.Default().Size {
		fmt.Fprintf(out, "It is larger than import and restore take by themselves: they need --max-size %dGiB.\n", size>>30+1)
	}
	if m.HasKey {
		fmt.Fprintln(out, "The encryption key is in it: keep it as you keep a password.")
		return nil
	}
	fmt.Fprintf(out, "Keep %s as well, in another place: without the key, passkeys work no more than the rest of it.\n", a.KeyPlace())
	return nil
}

// inWords is how much of what there is.
func inWords(r moving.Report) string {
	var parts []string
	var rows int64
	for _, p := range r.Parts {
		rows += p.Count
		switch p.Name {
		case "users", "passkeys", "clients":
			parts = append(parts, fmt.Sprintf("%d %s", p.Count, p.Name))
		}
	}
	return strings.Join(append(parts, fmt.Sprintf("%d rows in all", rows)), ", ")
}

// roomFor is a directory for a file that is needed for a while: beside the database, for a
// container may be able to write nowhere else, or the system's own.
func (c *call) roomFor(context.Context) string {
	config, err := c.config()
	if err != nil {
		return ""
	}
	if path, err := db.Path(string(config.Database)); err == nil && path != "" {
		if _, err := os.Stat(filepath.Dir(path)); err == nil {
			return filepath.Dir(path)
		}
	}
	return ""
}

func copyOut(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// syncDir makes the name of a file last.
func syncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
