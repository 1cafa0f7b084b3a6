package db

import (
	"encoding/json"
	"fmt"
	"time"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

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
		case kindNull: // what a parameter is that nothing was bound to
		case kindInteger, kindBool:
			rc = sqlite3.Xsqlite3_bind_int64(c.tls, s.p, param, v.n)
		case kindFloat:
			rc = sqlite3.Xsqlite3_bind_double(c.tls, s.p, param, v.f)
		case kindText:
			n := copy(libc.GoBytes(at, len(v.text)), v.text)
			rc = sqlite3.Xsqlite3_bind_text(c.tls, s.p, param, at, int32(n), 0)
			at += uintptr(n)
		case kindBytes:
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
