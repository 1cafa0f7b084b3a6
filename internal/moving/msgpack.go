package moving

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// Bounds of a value in MessagePack.
const (
	packDepth  = 16      // of lists and maps in each other
	packValues = 100_000 // that a value has in all
	packBytes  = 8 << 20 // of one text or run of bytes
)

// errPack is said of what is no MessagePack, or more of it than anybody writes.
var errPack = errors.New("it is not MessagePack that can be read")

// A packReader reads values in MessagePack (https://msgpack.org), one after the other. It
// knows what is needed of an archive: nothing, booleans, whole numbers, floats, texts, bytes,
// lists, maps whose names are texts, and the extension for instants. A number that says how
// much is to come is never believed before it came.
type packReader struct {
	r    io.Reader
	left int // values that may still come
}

// unpack reads one value that is all of data.
func unpack(data []byte) (any, error) {
	rest := &shrinking{data}
	p := packReader{r: rest}
	v, err := p.value()
	if err == nil && len(rest.data) > 0 {
		err = fmt.Errorf("%w: something follows the value", errPack)
	}
	return v, err
}

// shrinking is data that gets shorter as it is read.
type shrinking struct{ data []byte }

// Read takes the beginning away.
func (s *shrinking) Read(b []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.data)
	s.data = s.data[n:]
	return n, nil
}

// value reads the next value: nil, bool, int64, uint64 beyond that, float64, string,
// []byte, []any, map[string]any or time.Time. io.EOF says that there is none.
func (p *packReader) value() (any, error) {
	p.left = packValues
	var b [1]byte
	if _, err := io.ReadFull(p.r, b[:]); err != nil {
		return nil, err
	}
	v, err := p.of(b[0], packDepth)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w: it breaks off", errPack)
	}
	return v, err
}

// of reads the value that begins with the byte b.
func (p *packReader) of(b byte, depth int) (any, error) {
	if p.left--; p.left < 0 {
		return nil, fmt.Errorf("%w: a value has more than %d parts", errPack, packValues)
	}
	switch {
	case b <= 0x7f:
		return int64(b), nil
	case b >= 0xe0:
		return int64(int8(b)), nil
	case b <= 0x8f:
		return p.names(uint64(b&0x0f), depth)
	case b <= 0x9f:
		return p.list(uint64(b&0x0f), depth)
	case b <= 0xbf:
		text, err := p.run(uint64(b & 0x1f))
		return string(text), err
	}
	switch b {
	case 0xc0:
		return nil, nil
	case 0xc2, 0xc3:
		return b == 0xc3, nil
	case 0xc4, 0xc5, 0xc6:
		n, err := p.number(1 << (b - 0xc4))
		if err != nil {
			return nil, err
		}
		return p.run(n)
	case 0xc7, 0xc8, 0xc9:
		n, err := p.number(1 << (b - 0xc7))
		if err != nil {
			return nil, err
		}
		return p.extension(n)
	case 0xca:
		n, err := p.number(4)
		return float64(math.Float32frombits(uint32(n))), err
	case 0xcb:
		n, err := p.number(8)
		return math.Float64frombits(n), err
	case 0xcc, 0xcd, 0xce, 0xcf:
		n, err := p.number(1 << (b - 0xcc))
		if n > math.MaxInt64 {
			return n, err
		}
		return int64(n), err
	case 0xd0, 0xd1, 0xd2, 0xd3:
		size := 1 << (b - 0xd0)
		n, err := p.number(size)
		shift := 64 - 8*size
		return int64(n<<shift) >> shift, err
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8:
		return p.extension(1 << (b - 0xd4))
	case 0xd9, 0xda, 0xdb:
		n, err := p.number(1 << (b - 0xd9))
		if err != nil {
			return nil, err
		}
		text, err := p.run(n)
		return string(text), err
	case 0xdc, 0xdd:
		n, err := p.number(2 << (b - 0xdc))
		if err != nil {
			return nil, err
		}
		return p.list(n, depth)
	case 0xde, 0xdf:
		n, err := p.number(2 << (b - 0xde))
		if err != nil {
			return nil, err
		}
		return p.names(n, depth)
	}
	return nil, fmt.Errorf("%w: no value begins with 0x%02x", errPack, b)
}

// number reads a number of so many bytes, the greatest first.
func (p *packReader) number(size int) (uint64, error) {
	var b [8]byte
	_, err := io.ReadFull(p.r, b[8-size:])
	return binary.BigEndian.Uint64(b[:]), err
}

// run reads so many bytes. Memory is taken as they come.
func (p *packReader) run(n uint64) ([]byte, error) {
	if n > packBytes {
		return nil, fmt.Errorf("%w: a value of %d bytes", errPack, n)
	}
	var b []byte
	for room := 4 << 10; uint64(len(b)) < n; room *= 2 {
		at := len(b)
		b = append(b, make([]byte, min(uint64(room), n-uint64(at)))...)
		if _, err := io.ReadFull(p.r, b[at:]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// inner reads a value within another one.
func (p *packReader) inner(depth int) (any, error) {
	if depth == 0 {
		return nil, fmt.Errorf("%w: values lie too deep in each other", errPack)
	}
	b, err := p.number(1)
	if err != nil {
		return nil, err
	}
	return p.of(byte(b), depth-1)
}

func (p *packReader) list(n uint64, depth int) (any, error) {
	list := []any{}
	for range n {
		v, err := p.inner(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func (p *packReader) names(n uint64, depth int) (any, error) {
	m := map[string]any{}
	for range n {
		name, err := p.inner(depth)
		if err != nil {
			return nil, err
		}
		text, ok := name.(string)
		if !ok {
			return nil, fmt.Errorf("%w: a name is no text", errPack)
		}
		if m[text], err = p.inner(depth); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// extension reads a value of a type of somebody's own. Only instants, which the
// specification itself has, mean something; others are nothing.
func (p *packReader) extension(n uint64) (any, error) {
	kind, err := p.number(1)
	if err != nil {
		return nil, err
	}
	b, err := p.run(n)
	if err != nil || int8(kind) != -1 {
		return nil, err
	}
	var seconds, nanos int64
	switch len(b) {
	case 4:
		seconds = int64(binary.BigEndian.Uint32(b))
	case 8:
		both := binary.BigEndian.Uint64(b)
		nanos, seconds = int64(both>>34), int64(both&(1<<34-1))
	case 12:
		nanos, seconds = int64(binary.BigEndian.Uint32(b)), int64(binary.BigEndian.Uint64(b[4:]))
	default:
		return nil, fmt.Errorf("%w: an instant of %d bytes", errPack, len(b))
	}
	if nanos >= int64(time.Second) || seconds < minSeconds || seconds > maxSeconds {
		return nil, fmt.Errorf("%w: an instant that is none", errPack)
	}
	return time.Unix(seconds, nanos).UTC(), nil
}

// Instants that a calendar has: from the year 1 to 9999.
const (
	minSeconds = -62135596800
	maxSeconds = 253402300799
)
