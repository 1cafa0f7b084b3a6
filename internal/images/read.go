package images

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"strconv"
	"strings"

	"pocketid/internal/fault"
)

// What is refused about a file that should become a picture.
var (
	// ErrType is about a file of another sort than the ones in Accept.
	ErrType = fault.New(fault.Unsupported, "file_type_not_supported")
	// ErrTooLarge is about more bytes than MaxFile.
	ErrTooLarge = fault.New(fault.TooLarge, "file_too_large")
	// ErrUnreadable is about a file that breaks off or is none of its sort.
	ErrUnreadable = fault.New(fault.Invalid, "image_unreadable")
	// ErrTooManyPixels is about a picture that would take more memory than there is for it.
	ErrTooManyPixels = fault.New(fault.Invalid, "image_too_many_pixels")
	// ErrEmpty is about a form in which no file was chosen.
	ErrEmpty = fault.New(fault.Invalid, "image_missing")
)

const (
	// MaxFile is how many bytes a file may have, and edge.Route.MaxFile of its form.
	MaxFile = 8 << 20
	// maxDrawing is how many bytes a drawing may have.
	maxDrawing = 512 << 10
	// maxSide is how many pixels a side may have.
	maxSide = 16384
	// maxMemory is how many bytes a picture may take while it is read.
	maxMemory = 72 << 20
)

// A Want says what a picture is for: what may come in, and what comes out.
type Want struct {
	// Width and Height are the most pixels that come out. Nothing is made larger.
	Width, Height int
	// Square keeps the middle, or Crop when there is one; otherwise all of it is kept.
	Square bool
	Crop   Crop
	// Drawings lets SVG in, which comes out as SVG.
	Drawings bool
	// Photo makes a JPEG, on white where there was nothing.
	Photo bool
}

// What pictures are for.
var (
	ForPerson     = Want{Width: 320, Height: 320, Square: true}
	ForLogo       = Want{Width: 256, Height: 256, Drawings: true}
	ForIcon       = Want{Width: 64, Height: 64, Drawings: true}
	ForBackground = Want{Width: 1920, Height: 1080, Drawings: true, Photo: true}
)

// A Crop is the square of a picture that is kept: its corner and its side in pixels of the
// picture as it is shown. The zero value is none.
type Crop struct{ X, Y, Side int }

// ParseCrop reads "x,y,side" as a form sends it. What is none of that is the zero value.
func ParseCrop(s string) Crop {
	var n [3]int
	parts := strings.Split(s, ",")
	if len(parts) != len(n) {
		return Crop{}
	}
	for i, p := range parts {
		v, err := strconv.Atoi(p)
		if err != nil || v < 0 || v > maxSide {
			return Crop{}
		}
		n[i] = v
	}
	return Crop{n[0], n[1], n[2]}
}

// Accept is what a form asks the browser to offer.
func (w Want) Accept() string {
	if w.Drawings {
		return "image/png,image/jpeg,image/webp,image/gif,image/svg+xml,image/x-icon,image/vnd.microsoft.icon,.ico"
	}
	return "image/png,image/jpeg,image/webp,image/gif"
}

// types names what may come in.
func (w Want) types() string {
	if w.Drawings {
		return "PNG, JPEG, WebP, GIF, SVG, ICO"
	}
	return "PNG, JPEG, WebP, GIF"
}

// reading has one place: what is read at the same time would add up.
var reading = make(chan struct{}, 1)

// Read makes a picture of a file. Every error that is about the file is one of the faults
// above; the caller says in which field it was.
func Read(ctx context.Context, file []byte, want Want) (Picture, error) {
	switch {
	case len(file) == 0:
		return Picture{}, ErrEmpty
	case len(file) > MaxFile:
		return Picture{}, ErrTooLarge.With("max", strconv.Itoa(MaxFile>>20))
	}
	select {
	case reading <- struct{}{}:
		defer func() { <-reading }()
	case <-ctx.Done():
		return Picture{}, ctx.Err()
	}
	return read(file, want)
}

// read is Read when it is its turn.
func read(file []byte, want Want) (Picture, error) {
	sort := sortOf(file)
	if sort == drawing && want.Drawings {
		return redraw(file)
	}
	if sort == icon && want.Drawings {
		var err error
		if file, sort, err = largestOf(file); err != nil {
			return Picture{}, ErrUnreadable.Because("%w", err)
		}
	}
	format, ok := formats[sort]
	if !ok {
		return Picture{}, ErrType.With("types", want.types())
	}
	return paint(file, format, want)
}

// The sorts of files, by how they begin.
type sortOfFile string

const (
	pngFile  sortOfFile = "png"
	jpegFile sortOfFile = "jpeg"
	gifFile  sortOfFile = "gif"
	webpFile sortOfFile = "webp"
	icon     sortOfFile = "ico"
	bitmap   sortOfFile = "bmp" // inside of an icon
	drawing  sortOfFile = "svg"
)

// sortOf looks at the first bytes. What a name or a header says does not count.
func sortOf(file []byte) sortOfFile {
	switch {
	case bytes.HasPrefix(file, []byte("\x89PNG\r\n\x1a\n")):
		return pngFile
	case bytes.HasPrefix(file, []byte("\xff\xd8\xff")):
		return jpegFile
	case bytes.HasPrefix(file, []byte("GIF87a")), bytes.HasPrefix(file, []byte("GIF89a")):
		return gifFile
	case len(file) >= 16 && string(file[:4]) == "RIFF" && string(file[8:12]) == "WEBP":
		return webpFile
	case bytes.HasPrefix(file, []byte("\x00\x00\x01\x00")):
		return icon
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(file[:min(len(file), 64<<10)], []byte("\xef\xbb\xbf")), " \t\r\n")
	if bytes.HasPrefix(text, []byte("<")) && bytes.Contains(text, []byte("<svg")) {
		return drawing
	}
	return ""
}

// A format is a sort of file that is made of pixels.
type format struct {
	// measure says what would be unpacked, without unpacking it.
	measure func(file []byte) (measure, error)
	decode  func(file []byte) (image.Image, error)
}

// A measure is what is known of a picture before it is unpacked.
type measure struct {
	width, height int
	memory        int64 // bytes that it takes to unpack it
	turn          turn
}

// paint makes a picture of pixels.
func paint(file []byte, f format, want Want) (p Picture, err error) {
	// The decoders are not ours. One that panics has met a file that is none.
	defer func() {
		if v := recover(); v != nil {
			p, err = Picture{}, ErrUnreadable.Because("panic: %v", v)
		}
	}()
	m, err := f.measure(file)
	if err == nil && (m.width < 1 || m.height < 1) {
		err = errors.New("it has no pixels")
	}
	if err != nil {
		return Picture{}, ErrUnreadable.Because("measure: %w", err)
	}
	if m.width > maxSide || m.height > maxSide || m.memory > maxMemory {
		return Picture{}, ErrTooManyPixels.With("width", strconv.Itoa(m.width)).With("height", strconv.Itoa(m.height)).
			Because("%d by %d, %d bytes", m.width, m.height, m.memory)
	}
	from, err := f.decode(file)
	if err != nil {
		return Picture{}, ErrUnreadable.Because("decode: %w", err)
	}
	if b := from.Bounds(); b.Dx() > m.width || b.Dy() > m.height || b.Empty() {
		return Picture{}, ErrUnreadable.Because("%v is not what was measured", fmt.Sprint(b))
	}
	return encode(fit(from, m.turn, want), want)
}
