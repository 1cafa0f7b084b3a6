package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"pocketid/internal/app"
	"pocketid/internal/moving"
)

// limitFlags are how far somebody trusts an archive.
var limitFlags = []option{
	{name: "max-size", value: "SIZE", about: "how large the archive may be when it is unpacked", fallback: "8GiB"},
	{name: "max-ratio", value: "N", about: "how many times its packed size a part of it may have", fallback: "200"},
	{name: "max-members", value: "N", about: "how many parts it may have", fallback: "50000"},
}

var importCommand = command{
	name: "import", about: "replace everything by what an archive holds, of this program or of the other Pocket ID",
	more: "It is all or nothing: an archive that cannot be used changes nothing. No server may run meanwhile. An SQLite file that is replaced is kept beside the new one. Of the other Pocket ID its database can be read too, while it runs; ENCRYPTION_KEY has to be the one that it ran with, or --old-key-file names a file with that.",
	flags: append([]option{
		{name: "path", short: "p", value: "FILE", about: "the archive; - is the standard input, which needs --yes", fallback: "pocket-id-export.zip"},
		{name: "from-database", value: "DATABASE", about: "read the database of the other Pocket ID instead: its SQLite file or its postgres:// URL"},
		{name: "uploads", value: "DIR", about: "the directory of its files, where that is not beside its SQLite file"},
		{name: "old-key-file", value: "FILE", about: "a file with the ENCRYPTION_KEY that it ran with, where that is another one than here"},
		{name: "yes", short: "y", about: "do not ask"},
		{name: "dry-run", about: "read all of it and list what would come over, and change nothing"},
		{name: "json", about: "print what comes over as JSON"},
		{name: "forcefully-acquire-lock", about: "end servers that run on the database"},
	}, limitFlags...),
	examples: []string{"import --dry-run", "import -p pocket-id-export.zip", "import -p - --yes < pocket-id-export.zip"},
	run:      importArchive,
}

var restoreCommand = command{
	name: "restore", args: "<file>", about: "put back what pocket-id backup has written",
	more: "It does what import does, and the log notes it. To try a backup, restore it into another place: DB_CONNECTION_STRING=/tmp/try/pocket-id.db pocket-id restore backup.zip.",
	flags: append([]option{
		{name: "yes", short: "y", about: "do not ask"},
		{name: "dry-run", about: "read all of it and list what would come over, and change nothing"},
		{name: "forcefully-acquire-lock", about: "end servers that run on the database"},
	}, limitFlags...),
	examples: []string{"restore backup.zip --dry-run", "restore backup.zip"},
	run:      restore,
}

func importArchive(ctx context.Context, c *call) error {
	if c.text("from-database") == "" {
		return c.moveIn(ctx, c.text("path"), func(*app.Move) {})
	}
	if c.has("path") {
		return usageError("it reads an archive or a database, not both: leave --path or --from-database out")
	}
	config, err := c.config()
	if err != nil {
		return err
	}
	key, err := c.oldKey()
	if err != nil {
		return err
	}
	m, err := config.PlanForeignDatabase(ctx, c.text("from-database"), c.text("uploads"), key, terminalActor())
	if err != nil {
		return err
	}
	return c.move(ctx, m)
}

func restore(ctx context.Context, c *call) error {
	return c.moveIn(ctx, c.args[0], func(m *app.Move) {
		if made, ok := m.Manifest(); ok {
			m.Recorded(terminalActor(), made)
		}
	})
}

// moveIn reads an archive, says what is in it, asks, and replaces everything by it.
func (c *call) moveIn(ctx context.Context, path string, prepare func(m *app.Move)) error {
	if path == "-" && !c.on("yes") && !c.on("dry-run") {
		return usageError("an archive that comes from the standard input leaves no way to ask: say --yes")
	}
	limits, err := c.limits()
	if err != nil {
		return err
	}
	config, err := c.config()
	if err != nil {
		return err
	}
	f, done, err := c.open(ctx, path, limits)
	if err != nil {
		return err
	}
	defer done()
	about, err := f.Stat()
	if err != nil {
		return err
	}
	z, err := moving.OpenZip(f, about.Size(), limits)
	if err != nil {
		return err
	}
	var m *app.Move
	if z.IsForeign() {
		key, err := c.oldKey()
		if err != nil {
			return err
		}
		m, err = config.PlanForeignArchive(ctx, z, key, terminalActor())
		if err != nil {
			return err
		}
	} else if m, err = config.PlanImport(ctx, z); err != nil {
		return err
	}
	prepare(m)
	return c.move(ctx, m)
}

// move says what would come over, and moves it in unless that is all that was asked for.
func (c *call) move(ctx context.Context, m *app.Move) error {
	if err := c.report(m.Report); err != nil || c.on("dry-run") {
		return err
	}
	if m.Replaces() {
		if err := c.sure(fmt.Sprintf("Replace everything in %s by this?", m.Where())); err != nil {
			return err
		}
	}
	do := m.Do
	if c.on("forcefully-acquire-lock") {
		do = m.DoByForce
	}
	kept, err := do(ctx)
	if err != nil {
		return err
	}
	if c.on("json") {
		return nil
	}
	fmt.Fprintf(c.out, "All of it is in %s. Start the server.\n", m.Where())
	if kept != "" {
		fmt.Fprintf(c.out, "What was there before is kept in %s; remove it when it is not needed any more.\n", kept)
	}
	return nil
}

// report lists what comes over, what does not, and what is to be known.
func (c *call) report(r moving.Report) error {
	if c.on("json") {
		return c.printJSON(r)
	}
	fmt.Fprintf(c.out, "This is %s. It holds:\n", r.From)
	t := &table{head: []string{"WHAT", "HOW MANY"}}
	for _, p := range r.Parts {
		if p.Count > 0 {
			t.add(p.Name, strconv.FormatInt(p.Count, 10))
		}
	}
	if err := t.print(c.out); err != nil {
		return err
	}
	for _, a := range r.Adjusted {
		fmt.Fprintf(c.out, "Of %s, %s comes over otherwise than it was, %s: %s.\n", a.Kind, plain(a.Name), plain(a.What), a.Why)
	}
	for _, l := range r.Left {
		fmt.Fprintf(c.out, "%s (%d) do not come over: %s.", l.Name, l.Count, plain(l.Why))
		if len(l.Examples) > 0 {
			fmt.Fprintf(c.out, " For example: %s.", plain(strings.Join(l.Examples, ", ")))
		}
		fmt.Fprintln(c.out)
	}
	for _, note := range r.Notes {
		fmt.Fprintln(c.out, note)
	}
	return nil
}

// oldKey is the key that the other Pocket ID ran with, where a file is named that has it:
// every byte of it, as there. nil is that it is the one of this house.
func (c *call) oldKey() ([]byte, error) {
	if !c.has("old-key-file") {
		return nil, nil
	}
	return os.ReadFile(c.text("old-key-file"))
}

// open opens an archive. One that comes from the standard input is kept in a file for as
// long as it is read, for its directory is at its end.
func (c *call) open(ctx context.Context, path string, l moving.Limits) (f *os.File, done func(), err error) {
	if path != "-" {
		f, err = os.Open(path)
		return f, func() { f.Close() }, err
	}
	if f, err = os.CreateTemp(c.roomFor(ctx), ".pocket-id-*.part"); err != nil {
		return nil, nil, err
	}
	done = func() {
		f.Close()
		os.Remove(f.Name())
	}
	n, err := io.Copy(f, io.LimitReader(c.in, l.Size+1))
	if err == nil && n > l.Size {
		err = fmt.Errorf("the archive is larger than %s; say --max-size if you trust it", moving.Bytes(l.Size))
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return f, done, nil
}

// limits are those that the flags name.
func (c *call) limits() (moving.Limits, error) {
	l := moving.Default()
	size, err := parseSize(c.text("max-size"))
	if err != nil {
		return l, usageError("--max-size " + err.Error())
	}
	ratio, err := strconv.ParseInt(c.text("max-ratio"), 10, 64)
	if err != nil || ratio < 1 {
		return l, usageError("--max-ratio is a whole number, like 200")
	}
	members, err := strconv.Atoi(c.text("max-members"))
	if err != nil || members < 1 {
		return l, usageError("--max-members is a whole number, like 50000")
	}
	l.Size, l.Ratio, l.Members = size, ratio, members
	return l, nil
}

// parseSize reads a size like 8GiB.
func parseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "KMGTiBb ")
	n, err := strconv.ParseInt(digits, 10, 64)
	unit := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSpace(s[len(digits):]), "B"), "i")
	shift, known := map[string]uint{"": 0, "K": 10, "M": 20, "G": 30, "T": 40}[unit]
	if err != nil || !known || n < 1 || n > (1<<62)>>shift {
		return 0, errors.New("is a size, like 8GiB")
	}
	return n << shift, nil
}
