package moving

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits are what an archive may ask for. A zero is the default.
type Limits struct {
	// Size is how many bytes all members may have together when they are unpacked.
	Size int64
	// Ratio is how many times its packed size a member may have. Those below smallMember
	// are not asked: a page of zeros is small, packed or not.
	Ratio int64
	// Members is how many members there may be.
	Members int
	// Member is how many bytes one member may have, when it is read as a whole.
	Member int64
}

// The default limits: a house of a million entries of the log stays far below them.
const (
	defaultSize    = 8 << 30
	defaultRatio   = 200
	defaultMembers = 50_000
	defaultMember  = 64 << 20
	smallMember    = 1 << 20
	maxMemberName  = 512
	meanName       = 128 // of all members
)

// Default are the limits of an archive that nobody has vouched for.
func Default() Limits { return Limits{}.filled() }

// Unlimited are the limits of an archive that this process has just written.
var Unlimited = Limits{Size: 1 << 62, Ratio: 1 << 20, Members: 1 << 20, Member: 1 << 40}

func (l Limits) filled() Limits {
	if l.Size == 0 {
		l.Size = defaultSize
	}
	if l.Ratio == 0 {
		l.Ratio = defaultRatio
	}
	if l.Members == 0 {
		l.Members = defaultMembers
	}
	if l.Member == 0 {
		l.Member = defaultMember
	}
	return l
}

// A Zip is a zip archive of somebody else, read within limits. Its members have plain
// names that lead nowhere, each once; nothing is ever unpacked to a path.
type Zip struct {
	limits Limits
	files  map[string]*zip.File
	names  []string // in the order of the archive
}

// OpenZip reads the directory of an archive of so many bytes and checks every name and
// size in it. What a member says of its size is checked again while it is read.
func OpenZip(r io.ReaderAt, size int64, l Limits) (*Zip, error) {
	l = l.filled()
	n, err := countMembers(r, size)
	if err != nil {
		return nil, err
	}
	if n > uint64(l.Members) {
		return nil, flawf("Raise the limit by --max-members if you trust the archive", "the archive has %d members, and %d are allowed", n, l.Members)
	}
	m := &metered{r: r, left: int64(n)*(headerSize+meanName) + 4*maxEndComment}
	archive, err := zip.NewReader(m, size)
	m.lifted = true
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, broken("it is no zip archive, or only a part of one: %v", err)
	}
	z := &Zip{limits: l, files: map[string]*zip.File{}}
	folded := map[string]bool{}
	var total uint64
	for _, f := range archive.File {
		if err := checkMember(f, l); err != nil {
			return nil, err
		}
		if f.Mode().IsDir() {
			continue
		}
		key := strings.ToLower(f.Name)
		if folded[key] {
			return nil, broken("it has two members called %q", f.Name)
		}
		folded[key] = true
		z.files[f.Name] = f
		z.names = append(z.names, f.Name)
		if total += f.UncompressedSize64; total > uint64(l.Size) {
			return nil, z.tooLarge()
		}
	}
	return z, nil
}

func (z *Zip) tooLarge() error {
	return flawf("Raise the limit by --max-size if you trust the archive", "the archive has more than %s when it is unpacked", Bytes(z.limits.Size))
}

// checkMember refuses a member whose name leads elsewhere, that is no plain file, or that
// is packed too well.
func checkMember(f *zip.File, l Limits) error {
	name := f.Name
	switch {
	case name == "" || len(name) > maxMemberName || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return broken("it has a member whose name cannot be read")
	case strings.ContainsAny(name, `\:`) || path.IsAbs(name) || path.Clean(name) != strings.TrimSuffix(name, "/") || !filepath.IsLocal(name):
		return broken("the name of its member %q leads out of the archive", name)
	case f.Mode().IsDir() != strings.HasSuffix(name, "/") || f.Mode().IsDir() && f.UncompressedSize64 > 0:
		return broken("its member %q is a directory and a file at once", name)
	case f.Mode()&fs.ModeType&^fs.ModeDir != 0:
		return broken("its member %q is a link or a device, not a file", name)
	case f.Flags&1 != 0:
		return broken("its member %q is encrypted", name)
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return broken("its member %q is packed in a way that is not known here (%d)", name, f.Method)
	case f.UncompressedSize64 > smallMember && f.UncompressedSize64/uint64(l.Ratio) > f.CompressedSize64:
		return flawf("Raise the limit by --max-ratio if you trust the archive", "the member %q of the archive has more than %d times its packed size when it is unpacked, which is how an archive is made to fill a disk", name, l.Ratio)
	}
	return nil
}

// Names are the members, in the order of the archive.
func (z *Zip) Names() []string { return slices.Clone(z.names) }

// Has says whether there is a member with this name.
func (z *Zip) Has(name string) bool { return z.files[name] != nil }

// Size is how many bytes a member says it has.
func (z *Zip) Size(name string) int64 {
	if f := z.files[name]; f != nil {
		return int64(f.UncompressedSize64)
	}
	return 0
}

// Open reads a member from its beginning. Reading fails at its end when its checksum is
// wrong, and where it turns out larger than it said.
func (z *Zip) Open(name string) (io.ReadCloser, error) {
	f := z.files[name]
	if f == nil {
		return nil, broken("its member %q is missing", name)
	}
	r, err := f.Open()
	if err != nil {
		return nil, broken("its member %q cannot be read: %v", name, err)
	}
	return &memberReader{name: name, r: r, left: int64(f.UncompressedSize64)}, nil
}

// Read reads a member as a whole, if it is not too large for that.
func (z *Zip) Read(name string) ([]byte, error) {
	if n := z.Size(name); n > z.limits.Member {
		return nil, broken("its member %q has %s, and %s are allowed", name, Bytes(n), Bytes(z.limits.Member))
	}
	r, err := z.Open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(r)
	return b.Bytes(), err
}

// A memberReader reads within the size that the directory says.
type memberReader struct {
	name string
	r    io.ReadCloser
	left int64
}

func (m *memberReader) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if m.left -= int64(n); m.left < 0 {
		return 0, broken("its member %q is larger than it says", m.name)
	}
	if err != nil && err != io.EOF {
		err = broken("its member %q is damaged: %v", m.name, err)
	}
	return n, err
}

func (m *memberReader) Close() error { return m.r.Close() }

// Where the directory of a zip archive is told (APPNOTE 4.3.14 to 4.3.16).
const (
	endSize       = 22
	endSignature  = "PK\x05\x06"
	locatorSize   = 20
	locatorSign   = "PK\x06\x07"
	end64Size     = 56
	end64Sign     = "PK\x06\x06"
	maxEndComment = 1<<16 - 1
	headerSize    = 46 // of one member in the directory, without its name
)

// countMembers says how many members an archive claims to have.
func countMembers(r io.ReaderAt, size int64) (uint64, error) {
	torn := broken("it is no zip archive, or only the beginning of one")
	tail := make([]byte, min(size, endSize+maxEndComment))
	if len(tail) < endSize {
		return 0, torn
	}
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return 0, fmt.Errorf("read the archive: %w", err)
	}
	at := bytes.LastIndex(tail, []byte(endSignature))
	if at < 0 || at+endSize > len(tail) {
		return 0, torn
	}
	n := uint64(binary.LittleEndian.Uint16(tail[at+10:]))
	if n == 1<<16-1 {
		var locator [locatorSize]byte
		where := size - int64(len(tail)) + int64(at) - locatorSize
		if where >= 0 {
			if _, err := r.ReadAt(locator[:], where); err != nil {
				return 0, fmt.Errorf("read the archive: %w", err)
			}
		}
		if string(locator[:4]) == locatorSign {
			var end [end64Size]byte
			where := binary.LittleEndian.Uint64(locator[8:])
			if where > uint64(size-end64Size) {
				return 0, torn
			}
			if _, err := r.ReadAt(end[:], int64(where)); err != nil || string(end[:4]) != end64Sign {
				return 0, torn
			}
			n = binary.LittleEndian.Uint64(end[32:])
		}
	}
	return n, nil
}

// metered lets only so many bytes be read, until it is lifted: the directory of an archive
// is read to its end whatever it says of its length, and each entry takes memory.
type metered struct {
	r      io.ReaderAt
	left   int64
	lifted bool
}

var errMetered = errors.New("its directory is longer than it says")

func (m *metered) ReadAt(p []byte, at int64) (int, error) {
	if m.lifted {
		return m.r.ReadAt(p, at)
	}
	n, err := m.r.ReadAt(p, at)
	if m.left -= int64(n); m.left < 0 {
		return 0, errMetered
	}
	return n, err
}

// broken is the flaw of an archive that is damaged, or was made to do damage.
func broken(format string, args ...any) error {
	return &Flaw{Why: "the archive cannot be used: " + fmt.Sprintf(format, args...), Cure: "Take another one, or make it again"}
}

func flawf(cure, format string, args ...any) error {
	return &Flaw{Why: fmt.Sprintf(format, args...), Cure: cure}
}

// Bytes is a size in words.
func Bytes(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.size {
			return fmt.Sprintf("%.4g %s", float64(n)/float64(u.size), u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
