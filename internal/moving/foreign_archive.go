package moving

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Members of an archive of the incumbent.
const (
	foreignRowsMember   = "database.json"
	foreignStatesMember = "francis.bin"
	foreignUploads      = "uploads/"
)

// maxForeignRow bounds the bytes of one row of an archive.
const maxForeignRow = 4 << 20

// IsForeign says whether a zip archive looks like one of the incumbent.
func (z *Zip) IsForeign() bool { return z.Has(foreignRowsMember) }

// A foreignArchive is an archive of the incumbent.
type foreignArchive struct{ zip *Zip }

func (a *foreignArchive) from() string { return "an archive" }

// rows reads database.json as it comes: no more than one row of it is in memory.
func (a *foreignArchive) rows(ctx context.Context, want map[string]func(foreignRow) error) (schema int64, err error) {
	f, err := a.zip.Open(foreignRowsMember)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	d := &rowDecoder{in: &rationed{r: f}}
	d.json = json.NewDecoder(d.in)
	d.json.UseNumber()
	known := map[string]bool{}
	err = d.object(func(name string) error {
		if known[name] {
			return fmt.Errorf("%q stands twice", name)
		}
		known[name] = true
		switch name {
		case "version":
			return d.decode(&schema)
		case "provider":
			var provider string
			if err := d.decode(&provider); err != nil || provider != "sqlite" && provider != "postgres" {
				return errors.Join(err, errors.New("provider is neither sqlite nor postgres"))
			}
			return nil
		case "tables":
			return d.tables(ctx, want)
		}
		var other json.RawMessage
		return d.decode(&other)
	})
	if err == nil && !known["tables"] {
		err = errors.New("it has no tables")
	}
	if err == nil {
		if _, more := d.json.Token(); more != io.EOF {
			err = errors.New("something follows its end")
		}
	}
	if flaw, ok := errors.AsType[*Flaw](err); ok {
		return 0, flaw
	}
	if err != nil && ctx.Err() == nil {
		return 0, broken("its member %s cannot be read: %v", foreignRowsMember, err)
	}
	return schema, err
}

// A rowDecoder reads JSON part by part.
type rowDecoder struct {
	in   *rationed
	json *json.Decoder
}

// rationed lets through so many bytes until it is filled up again.
type rationed struct {
	r    io.Reader
	left int
}

var errRowTooLarge = fmt.Errorf("a row has more than %s", Bytes(maxForeignRow))

// Read reads what is still allowed.
func (m *rationed) Read(b []byte) (int, error) {
	if m.left <= 0 {
		return 0, errRowTooLarge
	}
	n, err := m.r.Read(b[:min(len(b), m.left)])
	m.left -= n
	return n, err
}

// token reads the next token, which is no longer than a row.
func (d *rowDecoder) token() (json.Token, error) {
	d.in.left = maxForeignRow
	t, err := d.json.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return t, err
}

// more says whether the list or object goes on.
func (d *rowDecoder) more() bool {
	d.in.left = maxForeignRow
	return d.json.More()
}

// decode reads the next value whole.
func (d *rowDecoder) decode(dst any) error {
	d.in.left = maxForeignRow
	err := d.json.Decode(dst)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// object calls fn for each member of an object; fn reads its value.
func (d *rowDecoder) object(fn func(name string) error) error {
	if t, err := d.token(); err != nil || t != json.Delim('{') {
		return errors.Join(err, errors.New("there is no object where one has to be"))
	}
	for d.more() {
		t, err := d.token()
		if err != nil {
			return err
		}
		if err := fn(t.(string)); err != nil {
			return err
		}
	}
	_, err := d.token()
	return err
}

// tables reads the rows of all tables.
func (d *rowDecoder) tables(ctx context.Context, want map[string]func(foreignRow) error) error {
	seen := map[string]bool{}
	return d.object(func(table string) error {
		if seen[table] {
			return fmt.Errorf("the table %s stands twice", table)
		}
		seen[table] = true
		fn := want[table]
		t, err := d.token()
		if t == nil && err == nil { // null is a table without rows
			return nil
		}
		if err != nil || t != json.Delim('[') {
			return errors.Join(err, fmt.Errorf("the table %s is no list", table))
		}
		for n := 1; d.more(); n++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			if fn == nil {
				var skipped json.RawMessage
				if err := d.decode(&skipped); err != nil {
					return err
				}
				continue
			}
			var row foreignRow
			if err := d.decode(&row); err != nil {
				return fmt.Errorf("row %d of the table %s: %w", n, table, err)
			}
			if err := fn(row); err != nil {
				return err
			}
		}
		_, err = d.token()
		return err
	})
}

// states reads francis.bin, if there is one.
func (a *foreignArchive) states(ctx context.Context, fn func(foreignState) error) error {
	if !a.zip.Has(foreignStatesMember) {
		return nil
	}
	f, err := a.zip.Open(foreignStatesMember)
	if err != nil {
		return err
	}
	defer f.Close()
	bad := func(err error) error { return broken("its member %s cannot be read: %v", foreignStatesMember, err) }
	p := packReader{r: f}
	first, err := p.value()
	if err != nil {
		return bad(err)
	}
	header, ok := first.(map[string]any)
	if !ok || header["format"] != "francis-backup" {
		return bad(errors.New("it does not begin as such a file does"))
	}
	if header["version"] != int64(1) {
		return flawf("Use a newer version of this program", "the member %s has a format that this program does not know (version %v)", foreignStatesMember, header["version"])
	}
	for {
		v, err := p.value()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return bad(err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		record, ok := v.(map[string]any)
		if !ok {
			return bad(errors.New("a record is no map"))
		}
		if record["type"] != "state" {
			continue
		}
		state, _ := record["state"].(map[string]any)
		kind, _ := state["actorType"].(string)
		id, _ := state["actorId"].(string)
		data, _ := state["data"].([]byte)
		if kind == "" || data == nil {
			return bad(errors.New("a state lacks its kind or its data"))
		}
		expires, _ := state["expiration"].(time.Time)
		if err := fn(foreignState{kind, id, data, expires}); err != nil {
			return err
		}
	}
}

func (a *foreignArchive) file(_ context.Context, path string) ([]byte, error) {
	name := foreignUploads + path
	if !a.zip.Has(name) {
		return nil, errNoFile
	}
	if a.zip.Size(name) > maxUpload {
		return nil, fmt.Errorf("it has more than %s", Bytes(maxUpload))
	}
	return a.zip.Read(name)
}

func (a *foreignArchive) files(context.Context) ([]string, error) {
	var list []string
	for _, name := range a.zip.Names() {
		if path, ok := strings.CutPrefix(name, foreignUploads); ok {
			list = append(list, path)
		}
	}
	slices.Sort(list)
	return list, nil
}
