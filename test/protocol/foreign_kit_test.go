package protocol

import (
	"archive/zip"
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// A foreignTable is a table of the other Pocket ID. A column is "name kind": text, uuid,
// citext, inet, bool, time, json, blob, int.
type foreignTable struct {
	name    string
	columns []string
	rows    [][]any
}

// A foreignHouse is all that one has: what an archive of it has in it.
type foreignHouse struct {
	version int64
	tables  []foreignTable
	states  map[string]map[string]any // by kind and id, with a blank between
	uploads map[string][]byte
}

// add adds a table.
func (h *foreignHouse) add(name, columns string, rows ...[]any) {
	h.tables = append(h.tables, foreignTable{name, strings.Split(columns, ", "), rows})
}

// archive is the house as that program exports it.
func (h *foreignHouse) archive(t *testing.T) []byte {
	t.Helper()
	tables := map[string][]map[string]any{}
	for _, table := range h.tables {
		for _, row := range table.rows {
			m := map[string]any{}
			for i, c := range table.columns {
				name, kind, _ := strings.Cut(c, " ")
				m[name] = exported(kind, row[i])
			}
			tables[table.name] = append(tables[table.name], m)
		}
	}
	body, err := json.Marshal(map[string]any{"provider": "sqlite", "version": h.version, "tableOrder": []string{"users", "user_groups"}, "tables": tables})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"database.json": body}
	if h.states != nil {
		stream := packed(map[string]any{"format": "francis-backup", "version": 1, "createdAt": time.Now()})
		for _, name := range slices.Sorted(maps.Keys(h.states)) {
			kind, id, _ := strings.Cut(name, " ")
			stream = append(stream, packed(map[string]any{"type": "state", "state": map[string]any{"actorType": kind, "actorId": id, "data": packed(h.states[name])}})...)
			stream = append(stream, packed(map[string]any{"type": "alarm", "alarm": map[string]any{"id": "x", "dueTime": time.Now()}})...)
		}
		files["francis.bin"] = stream
	}
	for path, data := range h.uploads {
		files["uploads/"+path] = data
	}
	return zipped(t, files)
}

// zipped is a zip archive.
func zipped(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write(files[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// exported is a value as an archive has it.
func exported(kind string, v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	case string:
		if kind == "json" || kind == "blob" {
			return base64.StdEncoding.EncodeToString([]byte(v))
		}
	}
	return v
}

// types are the kinds of columns as both engines declare them.
var types = map[string][2]string{"text": {"TEXT", "TEXT"}, "uuid": {"TEXT", "UUID"}, "citext": {"TEXT COLLATE NOCASE", "VARCHAR(255)"}, "inet": {"TEXT", "INET"},
	"bool": {"BOOLEAN", "BOOLEAN"}, "time": {"DATETIME", "TIMESTAMPTZ"}, "json": {"BLOB", "JSONB"}, "blob": {"BLOB", "BYTEA"}, "int": {"INTEGER", "INTEGER"}}

// write makes the database of the house.
func (h *foreignHouse) write(t *testing.T, driver, dsn string) {
	t.Helper()
	d, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	do := func(q string, args ...any) {
		t.Helper()
		if _, err := d.Exec(q, args...); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	all := append(slices.Clone(h.tables), foreignTable{"schema_migrations", []string{"version int8", "dirty bool"}, [][]any{{h.version, false}}})
	if h.states != nil {
		states := foreignTable{name: "francis_actor_state", columns: []string{"actor_type text", "actor_id text", "actor_state_data blob", "actor_state_expiration_time int8"}}
		for name, state := range h.states {
			kind, id, _ := strings.Cut(name, " ")
			states.rows = append(states.rows, []any{kind, id, packed(state), nil})
		}
		all = append(all, states)
	}
	engine := 0
	if driver == "pgx" {
		engine = 1
	}
	for _, table := range all {
		var columns, marks []string
		for i, c := range table.columns {
			name, kind, _ := strings.Cut(c, " ")
			declared := [2]string{"BIGINT", "BIGINT"}
			if kind != "int8" {
				declared = types[kind]
			}
			columns, marks = append(columns, `"`+name+`" `+declared[engine]), append(marks, fmt.Sprintf("$%d", i+1))
		}
		do(`CREATE TABLE "` + table.name + `" (` + strings.Join(columns, ", ") + `)`)
		for _, row := range table.rows {
			args := make([]any, len(row))
			for i, v := range row {
				_, kind, _ := strings.Cut(table.columns[i], " ")
				args[i] = v
				switch v := v.(type) {
				case time.Time:
					if engine == 0 {
						args[i] = v.Unix()
					}
				case string:
					if kind == "json" && engine == 0 {
						args[i] = []byte(v)
					}
				}
			}
			do(`INSERT INTO "`+table.name+`" VALUES (`+strings.Join(marks, ", ")+`)`, args...)
		}
	}
}

// packed is a value in MessagePack.
func packed(v any) []byte {
	long := func(short, wide byte, n int) []byte {
		if n < 1<<8 {
			return []byte{short, byte(n)}
		}
		return binary.BigEndian.AppendUint32([]byte{wide}, uint32(n))
	}
	switch v := v.(type) {
	case nil:
		return []byte{0xc0}
	case bool:
		if v {
			return []byte{0xc3}
		}
		return []byte{0xc2}
	case int:
		return binary.BigEndian.AppendUint64([]byte{0xd3}, uint64(v))
	case string:
		return append(long(0xd9, 0xdb, len(v)), v...)
	case []byte:
		return append(long(0xc4, 0xc6, len(v)), v...)
	case time.Time:
		b := binary.BigEndian.AppendUint32([]byte{0xc7, 12, 0xff}, uint32(v.Nanosecond()))
		return binary.BigEndian.AppendUint64(b, uint64(v.Unix()))
	case map[string]any:
		b := binary.BigEndian.AppendUint16([]byte{0xde}, uint16(len(v)))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			b = append(append(b, packed(name)...), packed(v[name])...)
		}
		return b
	}
	panic(fmt.Sprintf("%T has no form here", v))
}
