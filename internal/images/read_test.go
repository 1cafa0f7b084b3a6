package images

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"strings"
	"testing"

	"pocketid/internal/fault"
)

// quarters is a picture with a colour in each corner: red, green, blue, white from the top
// left on.
func quarters(w, h int) *image.NRGBA {
	p := image.NewNRGBA(image.Rect(0, 0, w, h))
	colours := []color.NRGBA{{220, 20, 20, 255}, {20, 200, 20, 255}, {20, 20, 220, 255}, {250, 250, 250, 255}}
	for y := range h {
		for x := range w {
			p.SetNRGBA(x, y, colours[2*(2*y/h)+2*x/w])
		}
	}
	return p
}

func pngOf(t testing.TB, p image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jpegOf(t testing.TB, p image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, p, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gifOf(t testing.TB, p image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gif.Encode(&b, p, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// exif is what a camera writes: how it was held, and where.
func exif(orientation byte) []byte {
	return []byte("MM\x00*\x00\x00\x00\x08\x00\x02" + "\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string(orientation) + "\x00\x00" +
		"\x88\x25\x00\x04\x00\x00\x00\x01\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "HERE I LIVE")
}

// withSegment puts a segment after the beginning of a JPEG.
func withSegment(file []byte, marker byte, body string) []byte {
	head := binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(body)+2))
	return append(append(append([]byte{}, file[:2]...), append(head, body...)...), file[2:]...)
}

// withChunk puts a chunk after the header of a PNG.
func withChunk(file []byte, name, body string) []byte {
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	chunk = append(append(chunk, name...), body...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
	return append(append(append([]byte{}, file[:33]...), chunk...), file[33:]...)
}

// iconOf puts pictures into an icon.
func iconOf(sides []byte, files ...[]byte) []byte {
	out := append([]byte{0, 0, 1, 0}, byte(len(files)), 0)
	at := 6 + 16*len(files)
	for i, f := range files {
		out = append(out, sides[i], sides[i], 0, 0, 1, 0, 32, 0)
		out = binary.LittleEndian.AppendUint32(out, uint32(len(f)))
		out = binary.LittleEndian.AppendUint32(out, uint32(at))
		at += len(f)
	}
	return append(out, bytes.Join(files, nil)...)
}

// bitmapWith is a bitmap of an icon, side by side: 32 bits when palette is nil.
func bitmapWith(side, bits int, palette []byte, pixels func(x, y int) uint32, hole func(x, y int) bool) []byte {
	out := make([]byte, 40)
	binary.LittleEndian.PutUint32(out, 40)
	binary.LittleEndian.PutUint32(out[4:], uint32(side))
	binary.LittleEndian.PutUint32(out[8:], uint32(2*side))
	out[12], out[14] = 1, byte(bits)
	binary.LittleEndian.PutUint32(out[32:], uint32(len(palette)/4))
	out = append(out, palette...)
	stride, mask := (side*bits+31)/32*4, (side+31)/32*4
	for y := side - 1; y >= 0; y-- {
		row := make([]byte, stride)
		for x := range side {
			v := pixels(x, y)
			switch bits {
			case 32:
				binary.LittleEndian.PutUint32(row[4*x:], v)
			case 24:
				row[3*x], row[3*x+1], row[3*x+2] = byte(v), byte(v>>8), byte(v>>16)
			default:
				row[x*bits/8] |= byte(v) << (8 - bits - x*bits%8)
			}
		}
		out = append(out, row...)
	}
	for y := side - 1; y >= 0; y-- {
		row := make([]byte, mask)
		for x := range side {
			if hole(x, y) {
				row[x/8] |= 1 << (7 - x%8)
			}
		}
		out = append(out, row...)
	}
	return out
}

// webpOf is a file of quarters(64, 32), with loss or without.
func webpOf(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pixelsOf unpacks what Read made.
func pixelsOf(t testing.TB, p Picture) image.Image {
	t.Helper()
	m, format, err := image.Decode(bytes.NewReader(p.Data))
	if err != nil || "image/"+format != p.Type || m.Bounds().Dx() != p.Width || m.Bounds().Dy() != p.Height {
		t.Fatalf("a %s of %d by %d is a %s: %v", p.Type, p.Width, p.Height, format, err)
	}
	return m
}

// looks says in letters which colours are in the corners.
func looks(m image.Image) string {
	b, said := m.Bounds(), ""
	for i := range 4 {
		x, y := b.Min.X+b.Dx()/4+i%2*b.Dx()/2, b.Min.Y+b.Dy()/4+i/2*b.Dy()/2
		r, g, bl, a := m.At(x, y).RGBA()
		switch {
		case a < 0x8000:
			said += "-"
		case r > 0xb000 && g > 0xb000 && bl > 0xb000:
			said += "w"
		case r > g && r > bl:
			said += "r"
		case g > bl:
			said += "g"
		default:
			said += "b"
		}
	}
	return said
}

func TestRead(t *testing.T) {
	hole := quarters(64, 64)
	for i := range 32 {
		for j := range 32 {
			hole.SetNRGBA(i, j, color.NRGBA{})
		}
	}
	argb := func(x, y int) uint32 {
		c := quarters(32, 32).NRGBAAt(x, y)
		return uint32(c.A)<<24 | uint32(c.R)<<16 | uint32(c.G)<<8 | uint32(c.B)
	}
	corner := func(x, y int) bool { return x < 16 && y < 16 }
	nowhere := func(int, int) bool { return false }
	four := []byte{20, 20, 220, 0, 20, 200, 20, 0, 220, 20, 20, 0, 250, 250, 250, 0}
	index := func(x, y int) uint32 { return uint32(2*(y/16) + x/16) }
	for name, c := range map[string]struct {
		file          []byte
		want          Want
		width, height int
		looks         string
	}{
		"a PNG":                             {pngOf(t, quarters(64, 32)), ForLogo, 64, 32, "rgbw"},
		"a PNG that is made smaller":        {pngOf(t, quarters(600, 300)), ForLogo, 256, 128, "rgbw"},
		"one that is high":                  {pngOf(t, quarters(40, 1000)), ForLogo, 10, 256, "rgbw"},
		"the middle of a person":            {pngOf(t, quarters(1000, 400)), ForPerson, 320, 320, "rgbw"},
		"a person who is small":             {pngOf(t, quarters(40, 20)), ForPerson, 20, 20, "rgbw"},
		"the square that was chosen":        {pngOf(t, quarters(1000, 400)), Want{Width: 320, Height: 320, Square: true, Crop: Crop{0, 0, 200}}, 200, 200, "rrrr"},
		"the middle when that is outside":   {pngOf(t, quarters(1000, 400)), Want{Width: 320, Height: 320, Square: true, Crop: Crop{900, 0, 200}}, 320, 320, "rgbw"},
		"what is not there stays away":      {pngOf(t, hole), ForLogo, 64, 64, "-gbw"},
		"but not in a photograph":           {pngOf(t, hole), ForBackground, 64, 64, "wgbw"},
		"a GIF":                             {gifOf(t, quarters(64, 32)), ForLogo, 64, 32, "rgbw"},
		"a JPEG":                            {jpegOf(t, quarters(64, 32)), ForLogo, 64, 32, "rgbw"},
		"a WebP with loss":                  {webpOf(t, "lossy.webp"), ForLogo, 64, 32, "rgbw"},
		"a WebP without":                    {webpOf(t, "lossless.webp"), ForLogo, 64, 32, "rgbw"},
		"the largest of an icon":            {iconOf([]byte{16, 64}, pngOf(t, hole), pngOf(t, quarters(64, 64))), ForIcon, 64, 64, "rgbw"},
		"a bitmap of an icon":               {iconOf([]byte{32}, bitmapWith(32, 32, nil, argb, corner)), ForIcon, 32, 32, "rgbw"},
		"one of 24 bits, with its mask":     {iconOf([]byte{32}, bitmapWith(32, 24, nil, argb, corner)), ForIcon, 32, 32, "-gbw"},
		"one of 4 bits":                     {iconOf([]byte{32}, bitmapWith(32, 4, four, index, nowhere)), ForIcon, 32, 32, "rgbw"},
		"one of 8 bits":                     {iconOf([]byte{32}, bitmapWith(32, 8, four, index, nowhere)), ForIcon, 32, 32, "rgbw"},
		"a camera that was held sideways":   {withSegment(jpegOf(t, quarters(64, 32)), 0xe1, "Exif\x00\x00"+string(exif(6))), ForLogo, 32, 64, "brwg"},
		"upside down":                       {withSegment(jpegOf(t, quarters(64, 32)), 0xe1, "Exif\x00\x00"+string(exif(3))), ForLogo, 64, 32, "wbgr"},
		"the other way":                     {withSegment(jpegOf(t, quarters(64, 32)), 0xe1, "Exif\x00\x00"+string(exif(8))), ForLogo, 32, 64, "gwrb"},
		"before a mirror":                   {withSegment(jpegOf(t, quarters(64, 32)), 0xe1, "Exif\x00\x00"+string(exif(2))), ForLogo, 64, 32, "grwb"},
		"before a mirror, upside down":      {withSegment(jpegOf(t, quarters(64, 32)), 0xe1, "Exif\x00\x00"+string(exif(4))), ForLogo, 64, 32, "bwrg"},
		"before a mirror, sideways":         {withSegment(jpegOf(t, quarters(64, 32)), 0xe1, "Exif\x00\x00"+string(exif(5))), ForLogo, 32, 64, "rbgw"},
		"before a mirror, the other way":    {withSegment(jpegOf(t, quarters(64, 32)), 0xe1, "Exif\x00\x00"+string(exif(7))), ForLogo, 32, 64, "wgbr"},
		"a PNG of such a camera":            {withChunk(pngOf(t, quarters(64, 32)), "eXIf", string(exif(6))), ForLogo, 32, 64, "brwg"},
		"a square of a picture on its side": {withSegment(jpegOf(t, quarters(64, 32)), 0xe1, "Exif\x00\x00"+string(exif(6))), Want{Width: 9, Height: 9, Square: true, Crop: Crop{0, 0, 16}}, 9, 9, "bbbb"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Read(t.Context(), c.file, c.want)
			if err != nil {
				t.Fatal(err)
			}
			if p.Width != c.width || p.Height != c.height {
				t.Errorf("got %d by %d, want %d by %d", p.Width, p.Height, c.width, c.height)
			}
			if got := looks(pixelsOf(t, p)); got != c.looks {
				t.Errorf("it looks like %s, want %s", got, c.looks)
			}
			if c.want.Photo != (p.Type == "image/jpeg") && p.Width > 0 && len(p.Data) < worthJPEG {
				t.Errorf("it is a %s", p.Type)
			}
			if again, err := Read(t.Context(), c.file, c.want); err != nil || again.ETag != p.ETag {
				t.Errorf("the same file is another picture: %v", err)
			}
		})
	}
}

// What a camera or a program writes beside the pixels is gone: where somebody was, what the
// picture showed before it was cut, comments.
func TestNothingButPixelsIsKept(t *testing.T) { // threats 78
	const mark = "HERE I LIVE"
	for name, file := range map[string][]byte{
		"EXIF":      withSegment(jpegOf(t, quarters(64, 32)), 0xe1, "Exif\x00\x00"+string(exif(1))),
		"XMP":       withSegment(jpegOf(t, quarters(64, 32)), 0xe1, "http://ns.adobe.com/xap/1.0/\x00"+mark),
		"a comment": withSegment(jpegOf(t, quarters(64, 32)), 0xfe, mark),
		"text":      withChunk(pngOf(t, quarters(64, 32)), "tEXt", "Comment\x00"+mark),
		"eXIf":      withChunk(pngOf(t, quarters(64, 32)), "eXIf", string(exif(1))),
		"a tail":    append(pngOf(t, quarters(64, 32)), "<script>"+mark...),
	} {
		for _, want := range []Want{ForPerson, ForLogo, ForBackground} {
			if !bytes.Contains(file, []byte(mark)) {
				t.Fatalf("%s: the file does not have it", name)
			}
			p, err := Read(t.Context(), file, want)
			if err != nil || bytes.Contains(p.Data, []byte(mark)) || bytes.Contains(p.Data, []byte("Exif")) {
				t.Errorf("%s: it is still there, or there is nothing: %v", name, err)
			}
		}
	}
}

// refused says with which fault a file is refused.
func refused(t *testing.T, file []byte, want Want) string {
	t.Helper()
	_, err := Read(t.Context(), file, want)
	if err == nil {
		return "nothing"
	}
	return fault.Of(err).Code
}

func TestReadRefuses(t *testing.T) { // threats 78
	good := pngOf(t, quarters(64, 32))
	header := func(w, h uint32, depth, kind, interlaced byte) []byte {
		b := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
		b = append(b, depth, kind, 0, 0, interlaced)
		out := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), b...)
		return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[12:]))
	}
	canvas := func(frame string) []byte {
		body := "WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + frame
		return []byte("RIFF" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(body)))) + body)
	}
	progressive := []byte{0xff, 0xd8, 0xff, 0xc2, 0, 17, 8, 0, 64, 0, 64, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0}
	for range 200 {
		progressive = append(progressive, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0x00)
	}
	moving := canvas("ANIM\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	for name, c := range map[string]struct {
		file []byte
		want Want
		code string
	}{
		"nothing":                                 {nil, ForLogo, "image_missing"},
		"more than its bound":                     {make([]byte, MaxFile+1), ForLogo, "file_too_large"},
		"text":                                    {[]byte("hello"), ForLogo, "file_type_not_supported"},
		"a page":                                  {[]byte("<!doctype html><script>alert(1)</script>"), ForLogo, "file_type_not_supported"},
		"a program":                               {[]byte("\x7fELF\x02\x01\x01"), ForPerson, "file_type_not_supported"},
		"a drawing of a person":                   {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), ForPerson, "file_type_not_supported"},
		"an icon of a person":                     {iconOf([]byte{64}, good), ForPerson, "file_type_not_supported"},
		"a PNG that breaks off":                   {good[:60], ForLogo, "image_unreadable"},
		"a PNG of its name alone":                 {good[:8], ForLogo, "image_unreadable"},
		"a PNG without pixels":                    {header(0, 10, 8, 6, 0), ForLogo, "image_unreadable"},
		"a PNG of 65535 by 65535":                 {header(65535, 65535, 8, 6, 0), ForLogo, "image_too_many_pixels"},
		"a PNG of one long row":                   {header(1<<20, 1, 8, 6, 0), ForLogo, "image_too_many_pixels"},
		"a PNG of many bits":                      {header(4000, 4000, 16, 6, 0), ForLogo, "image_too_many_pixels"},
		"a PNG that is unpacked twice":            {header(4000, 4000, 8, 6, 1), ForLogo, "image_too_many_pixels"},
		"a JPEG that breaks off":                  {jpegOf(t, quarters(64, 32))[:200], ForLogo, "image_unreadable"},
		"a JPEG of 65535 by 65535":                {[]byte{0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, 255, 255, 255, 255, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0, 0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0}, ForLogo, "image_too_many_pixels"},
		"a JPEG that keeps its coefficients":      {[]byte{0xff, 0xd8, 0xff, 0xc2, 0, 17, 8, 16, 0, 16, 0, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0}, ForLogo, "image_too_many_pixels"},
		"a JPEG that goes over it again":          {progressive, ForLogo, "image_unreadable"},
		"a GIF of 65535 by 65535":                 {[]byte("GIF89a\xff\xff\xff\xff\x00\x00\x00"), ForLogo, "image_too_many_pixels"},
		"a WebP whose frame is beyond":            {canvas("VP8 \x0a\x00\x00\x00\x10\x00\x00\x9d\x01\x2a\xff\x3f\xff\x3f"), ForLogo, "image_too_many_pixels"},
		"a WebP without loss whose frame is":      {canvas("VP8L\x05\x00\x00\x00\x2f\xff\xff\xff\x0f\x00"), ForLogo, "image_too_many_pixels"},
		"a WebP that moves":                       {moving, ForLogo, "image_unreadable"},
		"a WebP without anything":                 {canvas(""), ForLogo, "image_unreadable"},
		"an icon of nothing":                      {[]byte{0, 0, 1, 0, 0, 0}, ForIcon, "image_unreadable"},
		"an icon whose picture is elsewhere":      {iconOf([]byte{64}, good)[:30], ForIcon, "image_unreadable"},
		"an icon with a bomb":                     {iconOf([]byte{64}, append(header(65535, 65535, 8, 6, 0), make([]byte, 40)...)), ForIcon, "image_too_many_pixels"},
		"an icon with a bitmap that breaks off":   {iconOf([]byte{64}, bitmapWith(32, 32, nil, func(int, int) uint32 { return 0 }, func(int, int) bool { return false })[:600]), ForIcon, "image_unreadable"},
		"a colour that is not in the palette":     {iconOf([]byte{8}, bitmapWith(8, 8, []byte{1, 2, 3, 0}, func(int, int) uint32 { return 7 }, func(int, int) bool { return false })), ForIcon, "image_unreadable"},
		"a drawing of too many bytes":             {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"><desc>` + strings.Repeat("x", maxDrawing) + `</desc></svg>`), ForLogo, "file_too_large"},
		"a drawing that breaks off":               {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"><g>`), ForLogo, "image_unreadable"},
		"a drawing of 20,000 by 20,000 pixels":    {[]byte(`<svg xmlns="http://www.w3.org/2000/svg" width="20000" height="20000"/>`), ForLogo, "image_too_many_pixels"},
		"a drawing that is a page with a drawing": {[]byte(`<html><body><svg/></body></html>`), ForLogo, "image_unreadable"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := refused(t, c.file, c.want); got != c.code {
				t.Errorf("it is refused with %s, want %s", got, c.code)
			}
		})
	}
}

// Who waits for a turn does not wait longer than they are there.
func TestReadWaitsForItsTurn(t *testing.T) {
	reading <- struct{}{}
	defer func() { <-reading }()
	ctx, cancel := contextOf(t)
	cancel()
	if _, err := Read(ctx, pngOf(t, quarters(4, 4)), ForLogo); !errors.Is(err, ctx.Err()) || ctx.Err() == nil {
		t.Errorf("got %v", err)
	}
}

// A photograph comes out as a JPEG, because a PNG of it would be ten times as large.
func TestPhotographsAreSmall(t *testing.T) {
	noisy := image.NewNRGBA(image.Rect(0, 0, 700, 700))
	state := uint32(1)
	for i := range noisy.Pix {
		state = state*1664525 + 1013904223
		noisy.Pix[i] = byte(i/700/4/3) + byte(state>>29)
		if i%4 == 3 {
			noisy.Pix[i] = 255
		}
	}
	p, err := Read(t.Context(), pngOf(t, noisy), ForPerson)
	if err != nil || p.Type != "image/jpeg" || len(p.Data) > 60<<10 {
		t.Errorf("it is a %s of %d bytes: %v", p.Type, len(p.Data), err)
	}
}

func TestParseCrop(t *testing.T) {
	for s, want := range map[string]Crop{"1,2,3": {1, 2, 3}, "": {}, "1,2": {}, "-1,2,3": {}, "1,2,99999": {}, "a,b,c": {}, "1,2,3,4": {}} {
		if got := ParseCrop(s); got != want {
			t.Errorf("%q is %v, want %v", s, got, want)
		}
	}
}

// What stands for somebody without a picture is a drawing for browsers and pixels for
// programs; the letters of a name are text in it and nothing else.
func TestLetters(t *testing.T) { // threats 29
	const browser = "image/avif,image/webp,image/svg+xml,image/*;q=0.8"
	p := Letters("王", 2, browser)
	if p.Type != "image/svg+xml" || !strings.Contains(string(p.Data), ">王</text>") {
		t.Errorf("got %s: %s", p.Type, p.Data)
	}
	if s := string(Letters("<>", 1, browser).Data); !strings.Contains(s, ">&lt;&gt;</text>") {
		t.Errorf("got %s", s)
	}
	for _, accept := range []string{"", "*/*", "image/png"} {
		p := Letters("MW", 3, accept)
		if p.Type != "image/png" {
			t.Errorf("for %q it is a %s", accept, p.Type)
		}
		pixelsOf(t, p)
	}
	if Letters("A", 1, browser).ETag == Letters("B", 1, browser).ETag || Letters("", 1, "").ETag == Letters("", 2, "").ETag {
		t.Error("two people have the same validator")
	}
}

// FuzzPicture reads any file as a picture: it never panics, never makes one that is larger
// than wanted, and what it made it can read again.
func FuzzPicture(f *testing.F) { // threats 78
	for _, seed := range [][]byte{pngOf(f, quarters(8, 4)), jpegOf(f, quarters(8, 4)), gifOf(f, quarters(8, 4)), webpOf(f, "lossy.webp"), webpOf(f, "lossless.webp"),
		withSegment(jpegOf(f, quarters(8, 4)), 0xe1, "Exif\x00\x00"+string(exif(6))), withChunk(pngOf(f, quarters(8, 4)), "eXIf", string(exif(6))),
		iconOf([]byte{8}, bitmapWith(8, 32, nil, func(x, y int) uint32 { return uint32(x * y) }, func(x, y int) bool { return x > y })),
		iconOf([]byte{8}, pngOf(f, quarters(8, 8)))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		want := Want{Width: 16, Height: 16, Drawings: true}
		p, err := Read(t.Context(), file, want)
		if err != nil {
			if k := fault.Of(err).Kind; k == fault.Internal {
				t.Fatalf("it is refused with %v", err)
			}
			return
		}
		if p.Type == "image/svg+xml" {
			return
		}
		if m := pixelsOf(t, p); m.Bounds().Dx() > 16 || m.Bounds().Dy() > 16 {
			t.Fatalf("it is %v", m.Bounds())
		}
		if _, err := Read(t.Context(), p.Data, want); err != nil {
			t.Fatalf("what was made cannot be read: %v", err)
		}
	})
}
