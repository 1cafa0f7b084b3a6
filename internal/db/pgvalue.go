package db

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// The types of PostgreSQL that are sent and read as bytes. All others are texts.
const (
	pgBool   = 16
	pgBytes  = 17
	pgName   = 19
	pgInt8   = 20
	pgInt2   = 21
	pgInt4   = 23
	pgText   = 25
	pgFloat4 = 700
	pgFloat8 = 701
	pgChars  = 1043 // varchar
)

// Formats of values.
const (
	asText   = 0
	asBinary = 1
)

// formatsOf says for each column how it is to be sent.
func formatsOf(fields []pgconn.FieldDescription) []int16 {
	formats := make([]int16, len(fields))
	for i, f := range fields {
		switch f.DataTypeOID {
		case pgBool, pgBytes, pgInt8, pgInt2, pgInt4, pgFloat4, pgFloat8:
			formats[i] = asBinary
		}
	}
	return formats
}

// bind writes the arguments of s down as its parameters. They lie in the room of the
// connection until unbind.
func (c *pgConn) bind(s *pgStmt, args []any) error {
	if len(args) != len(s.ParamOIDs) {
		return fmt.Errorf("postgres: there are %d arguments for %d parameters", len(args), len(s.ParamOIDs))
	}
	for i, arg := range args {
		var v value
		if err := v.set(arg); err != nil {
			c.unbind()
			return fmt.Errorf("argument %d: %w", i+1, err)
		}
		if err := c.bindOne(&v, s.ParamOIDs[i]); err != nil {
			c.unbind()
			return fmt.Errorf("argument %d: %w", i+1, err)
		}
	}
	return nil
}

// bindOne adds a parameter. A value has to be of the type that the statement declares:
// what only SQLite would take is found here. A text is read by the server.
func (c *pgConn) bindOne(v *value, oid uint32) error {
	if c.texts == nil {
		c.texts = make([]byte, 0, 256) // a part of nothing would be NULL, and not an empty text
	}
	at, format := len(c.texts), int16(asBinary)
	switch {
	case v.kind == kindNull:
		c.params, c.formats = append(c.params, nil), append(c.formats, asText)
		return nil
	case v.kind == kindBytes && oid == pgBytes:
		c.params, c.formats = append(c.params, v.bytes), append(c.formats, asBinary)
		return nil
	case v.kind == kindText && oid != pgBytes:
		c.texts, format = append(c.texts, v.text...), asText
	case v.kind == kindInteger && oid == pgInt8:
		c.texts = binary.BigEndian.AppendUint64(c.texts, uint64(v.n))
	case v.kind == kindInteger && oid == pgInt4 && v.n == int64(int32(v.n)):
		c.texts = binary.BigEndian.AppendUint32(c.texts, uint32(v.n))
	case v.kind == kindInteger && oid == pgInt2 && v.n == int64(int16(v.n)):
		c.texts = binary.BigEndian.AppendUint16(c.texts, uint16(v.n))
	case v.kind == kindInteger && oid == pgFloat8:
		c.texts = binary.BigEndian.AppendUint64(c.texts, math.Float64bits(float64(v.n)))
	case v.kind == kindFloat && oid == pgFloat8:
		c.texts = binary.BigEndian.AppendUint64(c.texts, math.Float64bits(v.f))
	case v.kind == kindBool && oid == pgBool:
		c.texts = append(c.texts, byte(v.n))
	default:
		return fmt.Errorf("postgres: %s does not fit into type %d", kindNames[v.kind], oid)
	}
	c.params, c.formats = append(c.params, c.texts[at:len(c.texts):len(c.texts)]), append(c.formats, format)
	return nil
}

// unbind forgets the arguments, which belong to the caller.
func (c *pgConn) unbind() {
	clear(c.params)
	c.params, c.formats, c.texts = c.params[:0], c.formats[:0], c.texts[:0]
	if cap(c.texts) > keptRoom {
		c.texts = nil
	}
}

// A pgRow is the row that a statement has come to.
type pgRow struct {
	s      *pgStmt
	values [][]byte // memory that the next row takes away
}

// scan reads the row into dst.
func (r pgRow) scan(dst []any) error {
	if len(dst) != len(r.values) || len(dst) != len(r.s.Fields) {
		return fmt.Errorf("postgres: there are %d columns for %d destinations", len(r.values), len(dst))
	}
	for i, d := range dst {
		if err := r.column(i, d); err != nil {
			return fmt.Errorf("column %d: %w", i, err)
		}
	}
	return nil
}

// column reads what columns mostly are read into without a detour, and leaves the rest to
// assign.
func (r pgRow) column(i int, dst any) error {
	b, oid := r.values[i], r.s.Fields[i].DataTypeOID
	switch d := dst.(type) {
	case *string:
		if b != nil && isText(oid) {
			*d = string(b)
			return nil
		}
	case textField:
		if isText(oid) {
			*d.s = string(b) // NULL is empty
			return nil
		}
	case jsonField:
		if b != nil && isText(oid) {
			return json.Unmarshal(b, d.p)
		}
	case timeField:
		if oid == pgInt8 && len(b) == 8 {
			*d.t = time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC()
			return nil
		}
	case *int64:
		if oid == pgInt8 && len(b) == 8 {
			*d = int64(binary.BigEndian.Uint64(b))
			return nil
		}
	case *int:
		if oid == pgInt8 && len(b) == 8 {
			if n := int64(binary.BigEndian.Uint64(b)); n == int64(int(n)) {
				*d = int(n)
				return nil
			}
		}
	case *bool:
		if oid == pgBool && len(b) == 1 {
			*d = b[0] != 0
			return nil
		}
	case *[]byte:
		if oid == pgBytes {
			*d = nil
			if b != nil {
				*d = append([]byte{}, b...)
			}
			return nil
		}
	}
	v, err := plain(b, oid)
	if err != nil {
		return err
	}
	return assign(dst, v)
}

func isText(oid uint32) bool { return oid == pgText || oid == pgChars || oid == pgName }

// plain is a column as assign takes it.
func plain(b []byte, oid uint32) (any, error) {
	if b == nil {
		return nil, nil
	}
	want := map[uint32]int{pgBool: 1, pgInt2: 2, pgInt4: 4, pgFloat4: 4, pgInt8: 8, pgFloat8: 8}[oid]
	if want != 0 && len(b) != want {
		return nil, fmt.Errorf("postgres: type %d has %d bytes", oid, len(b))
	}
	switch oid {
	case pgBool:
		return b[0] != 0, nil
	case pgBytes:
		return append([]byte{}, b...), nil
	case pgInt2:
		return int64(int16(binary.BigEndian.Uint16(b))), nil
	case pgInt4:
		return int64(int32(binary.BigEndian.Uint32(b))), nil
	case pgInt8:
		return int64(binary.BigEndian.Uint64(b)), nil
	case pgFloat4:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(b))), nil
	case pgFloat8:
		return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
	}
	return string(b), nil
}
