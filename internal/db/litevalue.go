package db

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// A value is an argument as SQLite takes it.
type value struct {
	kind  int // one of SQLite's types of columns
	n     int64
	f     float64
	text  string
	bytes []byte
}

// set makes v of an argument: the same that database/sql takes.
func (v *value) set(arg any) error {
	*v = value{kind: sqlite3.SQLITE_NULL}
	switch a := arg.(type) {
	case nil:
	case string:
		v.kind, v.text = sqlite3.SQLITE_TEXT, a
	case *string:
		if a != nil {
			v.kind, v.text = sqlite3.SQLITE_TEXT, *a
		}
	case textField:
		if *a.s != "" {
			v.kind, v.text = sqlite3.SQLITE_TEXT, *a.s
		}
	case int64:
		v.kind, v.n = sqlite3.SQLITE_INTEGER, a
	case *int64:
		if a != nil {
			v.kind, v.n = sqlite3.SQLITE_INTEGER, *a
		}
	case int:
		v.kind, v.n = sqlite3.SQLITE_INTEGER, int64(a)
	case timeField:
		if !a.t.IsZero() {
			v.kind, v.n = sqlite3.SQLITE_INTEGER, a.t.UnixMicro()
		}
	case bool:
		v.setBool(a)
	case *bool:
		if a != nil {
			v.setBool(*a)
		}
	case []byte:
		v.setBytes(a)
	case *[]byte:
		if a != nil {
			v.setBytes(*a)
		}
	case float64:
		v.kind, v.f = sqlite3.SQLITE_FLOAT, a
	case time.Time:
		return fmt.Errorf("sqlite: a time is written by db.Time")
	default:
		plain, err := driver.DefaultParameterConverter.ConvertValue(arg)
		if err != nil {
			return err
		}
		return v.set(plain) // it has one of the types above
	}
	return nil
}

func (v *value) setBool(b bool) {
	v.kind = sqlite3.SQLITE_INTEGER
	if b {
		v.n = 1
	}
}

func (v *value) setBytes(b []byte) {
	if b != nil {
		v.kind, v.bytes = sqlite3.SQLITE_BLOB, b
	}
}

// bind gives the statement its arguments. Texts and bytes lie in the room of the
// connection until the statement is reset.
func (s *liteStmt) bind(args []any) error {
	c := s.c
	if len(args) != s.want {
		return fmt.Errorf("sqlite: there are %d arguments for %d parameters", len(args), s.want)
	}
	if len(args) == 0 {
		return nil
	}
	for len(c.values) < len(args) {
		c.values = append(c.values, value{})
	}
	values, size := c.values[:len(args)], 1
	defer clear(values) // they refer to what belongs to the caller
	for i, arg := range args {
		if err := values[i].set(arg); err != nil {
			return fmt.Errorf("argument %d: %w", i+1, err)
		}
		size += len(values[i].text) + len(values[i].bytes)
	}
	if err := c.makeRoom(size); err != nil {
		return err
	}
	at := c.room
	for i, arg := range s.args {
		v, param, rc := &values[arg], int32(i+1), int32(sqlite3.SQLITE_OK)
		switch v.kind {
		case sqlite3.SQLITE_NULL: // what a parameter is that nothing was bound to
		case sqlite3.SQLITE_INTEGER:
			rc = sqlite3.Xsqlite3_bind_int64(c.tls, s.p, param, v.n)
		case sqlite3.SQLITE_FLOAT:
			rc = sqlite3.Xsqlite3_bind_double(c.tls, s.p, param, v.f)
		case sqlite3.SQLITE_TEXT:
			n := copy(libc.GoBytes(at, len(v.text)), v.text)
			rc = sqlite3.Xsqlite3_bind_text(c.tls, s.p, param, at, int32(n), 0)
			at += uintptr(n)
		case sqlite3.SQLITE_BLOB:
			n := copy(libc.GoBytes(at, len(v.bytes)), v.bytes)
			rc = sqlite3.Xsqlite3_bind_blob(c.tls, s.p, param, at, int32(n), 0)
			at += uintptr(n)
		}
		if rc != sqlite3.SQLITE_OK {
			return c.fault(rc)
		}
	}
	return nil
}

// keptRoom is how much room a connection keeps between statements.
const keptRoom = 64 << 10

// makeRoom sees to it that there is room for so many bytes.
func (c *liteConn) makeRoom(size int) error {
	if size <= c.roomSize && (c.roomSize <= keptRoom || size > keptRoom) {
		return nil
	}
	sqlite3.Xsqlite3_free(c.tls, c.room)
	c.room, c.roomSize = 0, 0
	room, err := c.allocate(max(size, 1<<10))
	if err == nil {
		c.room, c.roomSize = room, max(size, 1<<10)
	}
	return err
}

// scan reads the row under way into dst: the same that database/sql reads into.
func (s *liteStmt) scan(dst []any) error {
	if len(dst) != s.columns {
		return fmt.Errorf("sqlite: there are %d columns for %d destinations", s.columns, len(dst))
	}
	for i, d := range dst {
		if err := s.column(int32(i), d); err != nil {
			return fmt.Errorf("column %d: %w", i, err)
		}
	}
	return nil
}

func (s *liteStmt) column(i int32, dst any) error {
	tls, kind := s.c.tls, sqlite3.Xsqlite3_column_type(s.c.tls, s.p, i)
	switch d := dst.(type) {
	case *string:
		if kind == sqlite3.SQLITE_TEXT {
			*d = string(s.bytes(i))
			return nil
		}
	case textField:
		switch kind {
		case sqlite3.SQLITE_TEXT:
			*d.s = string(s.bytes(i))
			return nil
		case sqlite3.SQLITE_NULL:
			*d.s = ""
			return nil
		}
	case timeField:
		switch kind {
		case sqlite3.SQLITE_INTEGER:
			*d.t = time.UnixMicro(sqlite3.Xsqlite3_column_int64(tls, s.p, i)).UTC()
			return nil
		case sqlite3.SQLITE_NULL:
			*d.t = time.Time{}
			return nil
		}
	case jsonField:
		if kind == sqlite3.SQLITE_TEXT {
			return json.Unmarshal(s.bytes(i), d.p)
		}
	case *int64:
		if kind == sqlite3.SQLITE_INTEGER {
			*d = sqlite3.Xsqlite3_column_int64(tls, s.p, i)
			return nil
		}
	case *int:
		if kind == sqlite3.SQLITE_INTEGER {
			*d = int(sqlite3.Xsqlite3_column_int64(tls, s.p, i))
			return nil
		}
	case *bool:
		if kind == sqlite3.SQLITE_INTEGER {
			*d = sqlite3.Xsqlite3_column_int64(tls, s.p, i) != 0
			return nil
		}
	case *[]byte:
		switch kind {
		case sqlite3.SQLITE_BLOB:
			*d = append([]byte{}, s.bytes(i)...)
			return nil
		case sqlite3.SQLITE_NULL:
			*d = nil
			return nil
		}
	}
	return assign(dst, s.value(i, kind))
}

// bytes are the text or the bytes of a column, in memory of C that the next step of
// the statement takes away.
func (s *liteStmt) bytes(i int32) []byte {
	p := sqlite3.Xsqlite3_column_blob(s.c.tls, s.p, i)
	n := sqlite3.Xsqlite3_column_bytes(s.c.tls, s.p, i)
	if p == 0 || n == 0 {
		return nil
	}
	return libc.GoBytes(p, int(n))
}

// value is a column as drivers of database/sql give it.
func (s *liteStmt) value(i, kind int32) any {
	switch kind {
	case sqlite3.SQLITE_INTEGER:
		return sqlite3.Xsqlite3_column_int64(s.c.tls, s.p, i)
	case sqlite3.SQLITE_FLOAT:
		return sqlite3.Xsqlite3_column_double(s.c.tls, s.p, i)
	case sqlite3.SQLITE_TEXT:
		return string(s.bytes(i))
	case sqlite3.SQLITE_BLOB:
		return append([]byte{}, s.bytes(i)...)
	}
	return nil
}

// assign puts a value into what dst points to, as database/sql would.
func assign(dst, v any) error {
	switch d := dst.(type) {
	case sql.Scanner:
		return d.Scan(v)
	case *any:
		*d = v
		return nil
	}
	to := reflect.ValueOf(dst)
	if to.Kind() != reflect.Pointer || to.IsNil() {
		return fmt.Errorf("%T is no destination", dst)
	}
	to = to.Elem()
	if v == nil {
		if to.Kind() == reflect.Pointer || to.Kind() == reflect.Slice && to.Type().Elem().Kind() == reflect.Uint8 {
			to.SetZero()
			return nil
		}
		return fmt.Errorf("NULL does not fit into %T", dst)
	}
	if to.Kind() == reflect.Pointer {
		to.Set(reflect.New(to.Type().Elem()))
		return assign(to.Interface(), v)
	}
	misfit := fmt.Errorf("%T does not fit into %T", v, dst)
	switch from := v.(type) {
	case int64:
		switch {
		case to.CanInt() && !to.OverflowInt(from):
			to.SetInt(from)
		case to.CanUint() && from >= 0 && !to.OverflowUint(uint64(from)):
			to.SetUint(uint64(from))
		case to.CanFloat():
			to.SetFloat(float64(from))
		case to.Kind() == reflect.Bool && (from == 0 || from == 1):
			to.SetBool(from == 1)
		case to.Kind() == reflect.String:
			to.SetString(strconv.FormatInt(from, 10))
		default:
			return misfit
		}
		return nil
	case float64:
		if to.CanFloat() {
			to.SetFloat(from)
			return nil
		}
		return misfit
	case string:
		return assignText(to, from, misfit)
	case []byte:
		return assignText(to, string(from), misfit)
	}
	return misfit
}

// assignText puts a text into a string, into bytes, or into a number that it names.
func assignText(to reflect.Value, text string, misfit error) error {
	switch {
	case to.Kind() == reflect.String:
		to.SetString(text)
		return nil
	case to.Kind() == reflect.Slice && to.Type().Elem().Kind() == reflect.Uint8:
		to.SetBytes([]byte(text))
		return nil
	case to.CanInt():
		n, err := strconv.ParseInt(text, 10, to.Type().Bits())
		if err == nil {
			to.SetInt(n)
		}
		return err
	}
	return misfit
}
