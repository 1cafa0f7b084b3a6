package images

import (
	"encoding/binary"
	"errors"
	"image"
	"image/color"
)

// largestOf is the largest picture of an icon: a PNG, or a bitmap without its file header.
func largestOf(file []byte) ([]byte, sortOfFile, error) {
	if len(file) < 6 {
		return nil, "", errShort
	}
	n, best, most := int(binary.LittleEndian.Uint16(file[4:])), []byte(nil), 0
	for i := range n {
		at := 6 + 16*i
		if at+16 > len(file) {
			return nil, "", errShort
		}
		entry := file[at : at+16]
		size, from := uint64(binary.LittleEndian.Uint32(entry[8:])), uint64(binary.LittleEndian.Uint32(entry[12:]))
		if from+size > uint64(len(file)) || size < 40 {
			continue
		}
		side := func(b byte) int { return (int(b)+255)%256 + 1 } // 0 is 256
		if is := side(entry[0])*side(entry[1])*64 + int(entry[6]); is > most {
			best, most = file[from:from+size], is
		}
	}
	if best == nil {
		return nil, "", errors.New("the icon is empty")
	}
	if sortOf(best) == pngFile {
		return best, pngFile, nil
	}
	return best, bitmap, nil
}

// A bitmapHeader is what is read of a BITMAPINFOHEADER.
type bitmapHeader struct {
	width, height int // of the picture without its mask
	bits          int
	palette       []byte // four bytes a colour
	pixels, mask  []byte
	stride, hole  int // bytes of a row of each
}

func bitmapOf(dib []byte) (h bitmapHeader, err error) {
	if len(dib) < 40 {
		return h, errShort
	}
	head := uint64(binary.LittleEndian.Uint32(dib))
	width, height := int32(binary.LittleEndian.Uint32(dib[4:])), int32(binary.LittleEndian.Uint32(dib[8:]))
	h.bits = int(binary.LittleEndian.Uint16(dib[14:]))
	if head < 40 || head > uint64(len(dib)) || width < 1 || width > 256 || height < 2 || height > 512 || binary.LittleEndian.Uint32(dib[16:]) != 0 {
		return h, errors.New("a bitmap of another kind")
	}
	h.width, h.height = int(width), int(height/2)
	colours := 0
	switch h.bits {
	case 1, 4, 8:
		colours = 1 << h.bits
		if used := binary.LittleEndian.Uint32(dib[32:]); used > 0 && used < uint32(colours) {
			colours = int(used)
		}
	case 24, 32:
	default:
		return h, errors.New("a bitmap of another depth")
	}
	h.stride, h.hole = (h.width*h.bits+31)/32*4, (h.width+31)/32*4
	rest := dib[head:]
	if len(rest) < 4*colours+h.stride*h.height {
		return h, errShort
	}
	h.palette, rest = rest[:4*colours], rest[4*colours:]
	h.pixels, rest = rest[:h.stride*h.height], rest[h.stride*h.height:]
	if len(rest) >= h.hole*h.height {
		h.mask = rest
	}
	return h, nil
}

func measureBitmap(dib []byte) (measure, error) {
	h, err := bitmapOf(dib)
	return measure{width: h.width, height: h.height, memory: 4 * int64(h.width) * int64(h.height)}, err
}

// decodeBitmap unpacks a bitmap of an icon: rows from below, then a mask of what is not
// there. Where the pixels themselves say what is not there, the mask says nothing.
func decodeBitmap(dib []byte) (image.Image, error) {
	h, err := bitmapOf(dib)
	if err != nil {
		return nil, err
	}
	p := image.NewNRGBA(image.Rect(0, 0, h.width, h.height))
	alpha := false
	for y := range h.height {
		row := h.pixels[(h.height-1-y)*h.stride:]
		for x := range h.width {
			c := color.NRGBA{A: 255}
			switch h.bits {
			case 32:
				c = color.NRGBA{row[4*x+2], row[4*x+1], row[4*x], row[4*x+3]}
				alpha = alpha || c.A > 0
			case 24:
				c.R, c.G, c.B = row[3*x+2], row[3*x+1], row[3*x]
			default:
				per := 8 / h.bits
				i := int(row[x/per]) >> (8 - h.bits - x%per*h.bits) & (1<<h.bits - 1)
				if 4*i+4 > len(h.palette) {
					return nil, errors.New("a colour that is not in the palette")
				}
				c.R, c.G, c.B = h.palette[4*i+2], h.palette[4*i+1], h.palette[4*i]
			}
			p.SetNRGBA(x, y, c)
		}
	}
	if alpha {
		return p, nil
	}
	for y := range h.height {
		for x := range h.width {
			at := p.PixOffset(x, y) + 3
			p.Pix[at] = 255
			if h.mask != nil && h.mask[(h.height-1-y)*h.hole+x/8]>>(7-x%8)&1 == 1 {
				p.Pix[at] = 0
			}
		}
	}
	return p, nil
}
