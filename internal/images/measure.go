package images

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/webp"
)

// formats are the sorts of files that are made of pixels.
var formats = map[sortOfFile]format{
	pngFile:  {measurePNG, func(file []byte) (image.Image, error) { return png.Decode(bytes.NewReader(file)) }},
	jpegFile: {measureJPEG, func(file []byte) (image.Image, error) { return jpeg.Decode(bytes.NewReader(file)) }},
	gifFile:  {measureGIF, func(file []byte) (image.Image, error) { return gif.Decode(bytes.NewReader(file)) }},
	webpFile: {measureWebP, func(file []byte) (image.Image, error) { return webp.Decode(bytes.NewReader(file)) }},
	bitmap:   {measureBitmap, decodeBitmap},
}

var errShort = errors.New("it breaks off")

// measurePNG looks at the header. An interlaced picture is unpacked beside its parts.
func measurePNG(file []byte) (measure, error) {
	c, err := png.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return measure{}, err
	}
	pixel := int64(4)
	switch c.ColorModel {
	case color.RGBA64Model, color.NRGBA64Model:
		pixel = 8
	case color.Gray16Model:
		pixel = 2
	}
	if len(file) > 28 && file[28] != 0 { // the last byte of IHDR
		pixel *= 2
	}
	m := measure{width: c.Width, height: c.Height, memory: pixel * int64(c.Width) * int64(c.Height)}
	for rest := file[8:]; len(rest) >= 12; {
		size := uint64(binary.BigEndian.Uint32(rest))
		if size > uint64(len(rest)-12) {
			break
		}
		if string(rest[4:8]) == "eXIf" {
			m.turn = turnOf(rest[8 : 8+size])
			break
		}
		rest = rest[12+size:]
	}
	return m, nil
}

// measureGIF looks at the header; only the first frame is unpacked, and none is larger.
func measureGIF(file []byte) (measure, error) {
	c, err := gif.DecodeConfig(bytes.NewReader(file))
	return measure{width: c.Width, height: c.Height, memory: 2 * int64(c.Width) * int64(c.Height)}, err
}

// maxScans is how many times a JPEG may go over its pixels. Each pass costs as much as the
// first, and can be written in a few bytes.
const maxScans = 32

// measureJPEG walks over the segments: how large it is, how it is sampled, whether its
// coefficients are kept until the end, how often it goes over them, and how it is turned.
func measureJPEG(file []byte) (m measure, err error) {
	c, err := jpeg.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return m, err
	}
	m.width, m.height = c.Width, c.Height
	sample, scans := int64(4), 0
	for at := 2; at+4 <= len(file); {
		if file[at] != 0xff {
			at++ // the coded pixels between segments
			continue
		}
		marker := file[at+1]
		if marker == 0xff {
			at++
			continue
		}
		if marker < 0xc0 || marker >= 0xd0 && marker <= 0xd8 {
			at += 2
			continue
		}
		if marker == 0xd9 {
			break
		}
		size := int(binary.BigEndian.Uint16(file[at+2:]))
		if size < 2 || at+2+size > len(file) {
			break
		}
		segment := file[at+4 : at+2+size]
		switch {
		case marker == 0xda:
			scans++
		case marker >= 0xc0 && marker <= 0xc2 && len(segment) >= 6:
			sample = samples(segment)
			if marker == 0xc2 {
				sample *= 5 // each with its coefficient, of four bytes
			}
		case marker == 0xe1 && bytes.HasPrefix(segment, []byte("Exif\x00\x00")):
			m.turn = turnOf(segment[6:])
		}
		at += 2 + size
	}
	if scans > maxScans {
		return m, errors.New("it goes over its pixels too often")
	}
	m.memory = sample * int64((m.width+31)&^31) * int64((m.height+31)&^31) / 4
	return m, nil
}

// samples is how many samples there are for four pixels, from the header of a frame.
func samples(frame []byte) int64 {
	n := int(frame[5])
	if len(frame) < 6+3*n || n == 0 {
		return 16
	}
	var most, all int64 = 1, 0
	for i := range n {
		h, v := int64(frame[7+3*i]>>4), int64(frame[7+3*i]&15)
		most, all = max(most, h*v), all+h*v
	}
	if n == 1 {
		return 4
	}
	return (4*all + most - 1) / most
}

// measureWebP looks at the frame itself: what the file says about its canvas binds no
// decoder. Animations are not taken.
func measureWebP(file []byte) (m measure, err error) {
	for rest := file[12:]; len(rest) >= 8; {
		size := uint64(binary.LittleEndian.Uint32(rest[4:]))
		name, body := string(rest[:4]), rest[8:]
		if size > uint64(len(body)) {
			size = uint64(len(body))
		}
		rest = body[size:]
		if size%2 == 1 && len(rest) > 0 {
			rest = rest[1:]
		}
		body = body[:size]
		switch name {
		case "VP8 ":
			if len(body) < 10 {
				return m, errShort
			}
			m.cover(int(binary.LittleEndian.Uint16(body[6:])&0x3fff), int(binary.LittleEndian.Uint16(body[8:])&0x3fff), 2)
		case "VP8L":
			if len(body) < 5 {
				return m, errShort
			}
			bits := binary.LittleEndian.Uint32(body[1:])
			m.cover(int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1, 9)
		case "VP8X":
			if len(body) < 10 {
				return m, errShort
			}
			// The canvas is how large the transparency is, which is unpacked too.
			m.cover(int(body[4])|int(body[5])<<8|int(body[6])<<16+1, int(body[7])|int(body[8])<<8|int(body[9])<<16+1, 9)
		case "ANIM", "ANMF":
			return m, errors.New("it moves")
		case "EXIF":
			m.turn = turnOf(bytes.TrimPrefix(body, []byte("Exif\x00\x00")))
		}
	}
	if m.width == 0 {
		return m, errShort
	}
	return m, nil
}

// cover makes m as large as a part of the file says.
func (m *measure) cover(width, height int, pixel int64) {
	m.width, m.height = max(m.width, width), max(m.height, height)
	m.memory += pixel * int64(width) * int64(height)
}
