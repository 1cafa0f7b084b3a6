package moving_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/moving"
)

// A forger takes an archive apart and puts it together in another way.
type forger struct {
	manifest moving.Manifest
	parts    map[string][]byte // of the tables
	names    []string          // in their order
	more     []*zip.FileHeader // members that do not belong there
	content  []byte            // of each of those
	honest   bool              // the sums of the manifest are those of the parts
}

func (f *forger) rows(table string, lines ...string) {
	f.parts["tables/"+table+".jsonl"] = []byte(strings.Join(lines, ""))
}

// forged is an archive with a change.
func forged(t testing.TB, archive []byte, change func(f *forger)) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	f := &forger{parts: map[string][]byte{}, honest: true}
	for _, member := range r.File {
		rc, err := member.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(rc)
		if err != nil {
			t.Fatal(err)
		}
		if member.Name == moving.ManifestName {
			if err := json.Unmarshal(b, &f.manifest); err != nil {
				t.Fatal(err)
			}
			continue
		}
		f.parts[member.Name], f.names = b, append(f.names, member.Name)
	}
	change(f)
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	put := func(h *zip.FileHeader, b []byte) {
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write(b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range f.names {
		b, there := f.parts[name]
		if !there {
			continue
		}
		put(&zip.FileHeader{Name: name, Method: zip.Deflate}, b)
		for i := range f.manifest.Tables {
			m := &f.manifest.Tables[i]
			if f.honest && name == "tables/"+m.Name+".jsonl" {
				sum := sha256.Sum256(b)
				m.Bytes, m.Rows, m.SHA256 = int64(len(b)), int64(bytes.Count(b, []byte("\n"))), hex.EncodeToString(sum[:])
			}
		}
	}
	for _, h := range f.more {
		put(h, f.content)
	}
	text, err := json.Marshal(f.manifest)
	if err != nil {
		t.Fatal(err)
	}
	put(&zip.FileHeader{Name: moving.ManifestName, Method: zip.Deflate}, text)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// with adds a member.
func with(name string) func(f *forger) {
	return func(f *forger) { f.more = append(f.more, &zip.FileHeader{Name: name, Method: zip.Deflate}) }
}

// An archive that was damaged, or made to do damage, is refused in words, and changes
// nothing, whichever engine is behind.
//
// threats 79
func TestHostileArchives(t *testing.T) {
	house := dbtest.Open(t)
	full(t, house)
	good := archived(t, house)
	link := &zip.FileHeader{Name: "tables/link", Method: zip.Store}
	link.SetMode(fs.ModeSymlink | 0o777)
	tests := []struct {
		name    string
		archive []byte
		want    string
	}{
		{"refuses nothing", nil, "no zip archive"},
		{"refuses another file", bytes.Repeat([]byte("x"), 1000), "no zip archive"},
		{"refuses the beginning of one", good[:len(good)/2], "no zip archive"},
		{"refuses the end of one", good[len(good)/2:], "archive cannot be used"},
		{"refuses a name that goes up", forged(t, good, with("tables/../../evil")), "leads out of the archive"},
		{"refuses a name that goes up at once", forged(t, good, with("../evil")), "leads out of the archive"},
		{"refuses an absolute name", forged(t, good, with("/etc/passwd")), "leads out of the archive"},
		{"refuses the letter of a drive", forged(t, good, with("C:/evil")), "leads out of the archive"},
		{"refuses strokes of the other way", forged(t, good, with(`tables\..\evil`)), "leads out of the archive"},
		{"refuses a point on the way", forged(t, good, with("tables/./users.jsonl")), "leads out of the archive"},
		{"refuses a name with NUL", forged(t, good, with("tables/evil\x00.txt")), "name cannot be read"},
		{"refuses a link", forged(t, good, func(f *forger) { f.more, f.content = append(f.more, link), []byte("/etc/passwd") }), "is a link"},
		{"refuses a name that is there twice", forged(t, good, with("tables/users.jsonl")), `two members called "tables/users.jsonl"`},
		{"refuses a name that only its case tells apart", forged(t, good, with("tables/USERS.jsonl")), "two members called"},
		{"refuses what does not belong there", forged(t, good, with("notes.txt")), "does not belong there"},
		{"refuses a bomb", forged(t, good, func(f *forger) { with("bomb")(f); f.content = make([]byte, 4<<20) }), "--max-ratio"},
		{"refuses a format of the future", forged(t, good, func(f *forger) { f.manifest.Version = 2 }), "a newer one"},
		{"refuses a schema of the future", forged(t, good, func(f *forger) { f.manifest.Schema = db.Newest() + 1 }), fmt.Sprintf("knows schemas up to %d", db.Newest())},
		{"refuses another format", forged(t, good, func(f *forger) { f.manifest.Format = "x" }), "cannot be read"},
		{"refuses a table that is missing", forged(t, good, func(f *forger) { delete(f.parts, "tables/users.jsonl") }), `"tables/users.jsonl" is missing`},
		{"refuses a table that nobody knows", forged(t, good, func(f *forger) {
			f.manifest.Tables = append(f.manifest.Tables, moving.Table{Name: "evil"})
		}), "does not know"},
		{"refuses a column that nobody knows", forged(t, good, func(f *forger) { f.manifest.Tables[0].Columns[0].Name = "evil" }), "has other columns"},
		{"refuses rows that were changed", forged(t, good, func(f *forger) {
			f.honest = false
			f.parts["tables/facts.jsonl"] = bytes.Replace(f.parts["tables/facts.jsonl"], []byte("plain"), []byte("plane"), 1)
		}), "checksum"},
		{"refuses rows that were left out", forged(t, good, func(f *forger) {
			f.honest = false
			f.rows("facts")
		}), "another size"},
		{"refuses half a row", forged(t, good, func(f *forger) { f.rows("facts", `["a","b"]`) }), "in the middle of a row"},
		{"refuses too few values", forged(t, good, func(f *forger) { f.rows("facts", `["a"]`+"\n") }), "1 values for 2 columns"},
		{"refuses nothing where something is needed", forged(t, good, func(f *forger) { f.rows("facts", `["a",null]`+"\n") }), "column value has no value"},
		{"refuses NUL", forged(t, good, func(f *forger) { f.rows("facts", `["a","b\u0000"]`+"\n") }), "has a NUL"},
		{"refuses bytes that are no text", forged(t, good, func(f *forger) { f.rows("facts", "[\"a\",\"\xff\"]\n") }), "not in UTF-8"},
		{"refuses another kind", forged(t, good, func(f *forger) { f.rows("facts", `["a",1]`+"\n") }), "is no text"},
		{"refuses a number that is too large", forged(t, good, func(f *forger) { f.rows("revoked_tokens", `["a",9223372036854775808]`+"\n") }), "no whole number"},
		{"refuses a number with a fraction", forged(t, good, func(f *forger) { f.rows("revoked_tokens", `["a",1.5]`+"\n") }), "no whole number"},
		{"refuses bytes that are none", forged(t, good, func(f *forger) { f.rows("used_assertions", `["!",1]`+"\n") }), "not base64"},
		{"refuses a row in a row", forged(t, good, func(f *forger) { f.rows("facts", `["a",["b"]]`+"\n") }), "is no text"},
		{"refuses a row of rows", forged(t, good, func(f *forger) {
			f.rows("facts", strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+"\n")
		}), "no row of JSON"},
		{"refuses an object", forged(t, good, func(f *forger) { f.rows("facts", `{"name":"a"}`+"\n") }), "is no row"},
		{"refuses the same row twice", forged(t, good, func(f *forger) { f.rows("facts", `["a","b"]`+"\n", `["a","c"]`+"\n") }), "of the table facts do not fit together"},
		{"refuses a name that is taken", forged(t, good, func(f *forger) {
			rows := strings.SplitAfter(string(f.parts["tables/user_groups.jsonl"]), "\n")
			f.rows("user_groups", append(rows, strings.Replace(rows[1], `["`, `["another `, 1))...)
		}), "user_groups do not fit together"},
		{"refuses a row that refers to nothing", forged(t, good, func(f *forger) { f.rows("users") }), "do not fit together"},
		{"refuses a row that a rule forbids", forged(t, good, func(f *forger) { f.rows("settings", `[2,"{}",1]`+"\n") }), "settings do not fit together"},
	}
	dbtest.Migrated(t, func(t *testing.T, dsn string) {
		d := dbtest.OpenDSN(t, dsn)
		full(t, d)
		d.Close()
		before := dbtest.Rows(t, dsn)
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				a, err := open(t, test.archive)
				if err == nil {
					_, err = a.Look(t.Context())
				}
				if err == nil { // only the database knows
					_, err = moving.Import(t.Context(), dsn, a, moving.Options{})
				}
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v", err)
				}
				if _, ok := errors.AsType[*moving.Flaw](err); !ok {
					t.Errorf("%T is not for the operator", err)
				}
			})
		}
		if after := dbtest.Rows(t, dsn); !reflect.DeepEqual(before, after) {
			t.Error("something was changed")
		}
		if !strings.HasPrefix(dsn, "postgres") {
			left, err := filepath.Glob(filepath.Join(filepath.Dir(dsn), "*"))
			if err != nil || len(left) != 2 { // the database and its lock
				t.Errorf("there are %v, %v", left, err)
			}
		}
	})
}

// A directory that is longer than it says is not read to its end.
//
// threats 79
func TestDirectoryOfAZipIsBounded(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := range 70_000 {
		if _, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("%0100d", i), Method: zip.Store}); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	openIt := func(archive []byte, l moving.Limits) error {
		_, err := moving.OpenZip(bytes.NewReader(archive), int64(len(archive)), l)
		return err
	}
	if err := openIt(b.Bytes(), moving.Limits{Members: 100_000}); err != nil {
		t.Errorf("what is allowed: %v", err)
	}
	if err := openIt(b.Bytes(), moving.Limits{}); err == nil || !strings.Contains(err.Error(), "--max-members") {
		t.Errorf("too many: %v", err)
	}
	// It says that it has few: the end of the directory in 64 bits is taken away, and the
	// short one names 70,000 - 65,536.
	lie := bytes.Clone(b.Bytes())
	if at := bytes.LastIndex(lie, []byte("PK\x06\x07")); at > 0 {
		lie[at] = 'x'
	}
	end := bytes.LastIndex(lie, []byte("PK\x05\x06"))
	n := 70_000 - 65_536
	lie[end+8], lie[end+9], lie[end+10], lie[end+11] = byte(n), byte(n>>8), byte(n), byte(n>>8)
	if err := openIt(lie, moving.Limits{}); err == nil {
		t.Error("a directory of 70,000 members passed for one of 4,464")
	}
}

// The sizes in an archive are not believed: what is read is counted.
//
// threats 79
func TestSizesAreCounted(t *testing.T) {
	house := dbtest.Open(t)
	good := archived(t, house)
	z, err := moving.OpenZip(bytes.NewReader(good), int64(len(good)), moving.Limits{Size: 100})
	if err == nil || !strings.Contains(err.Error(), "--max-size") {
		t.Errorf("got %v, %v", z, err)
	}
	// The size of a member in the directory is made smaller than it is.
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, _ := w.Create("a")
	f.Write(bytes.Repeat([]byte("abc"), 1000))
	w.Close()
	lie := b.Bytes()
	at := bytes.LastIndex(lie, []byte("PK\x01\x02"))
	lie[at+24], lie[at+25] = 10, 0
	z, err = moving.OpenZip(bytes.NewReader(lie), int64(len(lie)), moving.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := z.Read("a"); err == nil || len(got) > 10 {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

// FuzzArchive, whose seeds lie in testdata: whatever a file holds, reading it ends in rows or in a flaw for the operator.
//
// threats 79
func FuzzArchive(f *testing.F) {
	f.Fuzz(func(t *testing.T, archive []byte) {
		z, err := moving.OpenZip(bytes.NewReader(archive), int64(len(archive)), moving.Limits{Size: 1 << 20})
		var a *moving.Archive
		if err == nil {
			if a, err = moving.OpenArchive(t.Context(), z); err == nil {
				_, err = a.Look(t.Context())
			}
		}
		if err != nil {
			if _, ok := errors.AsType[*moving.Flaw](err); !ok {
				t.Errorf("%T: %v", err, err)
			}
		}
	})
}
