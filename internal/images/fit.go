package images

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
)

// fit is the picture in the size that is wanted, upright.
func fit(from image.Image, t turn, want Want) *image.RGBA {
	b := from.Bounds()
	// The part that is kept and its size are those of the upright picture.
	w, h := b.Dx(), b.Dy()
	if t.quarter%2 == 1 {
		w, h = h, w
	}
	part := image.Rect(0, 0, w, h)
	if want.Square {
		part = square(part, want.Crop)
	}
	dw, dh := part.Dx(), part.Dy()
	if dw > want.Width || dh > want.Height {
		if dw*want.Height > dh*want.Width {
			dw, dh = want.Width, max(1, (dh*want.Width+dw/2)/dw)
		} else {
			dw, dh = max(1, (dw*want.Height+dh/2)/dh), want.Height
		}
	}
	// As the file has it, so that it is scaled before it is turned.
	lying := lay(part, w, h, t).Add(b.Min)
	if t.quarter%2 == 1 {
		dw, dh = dh, dw
	}
	return upright(shrink(from, lying, dw, dh), t)
}

// square is the part of a picture that crop asks for, or its middle.
func square(all image.Rectangle, crop Crop) image.Rectangle {
	asked := image.Rect(crop.X, crop.Y, crop.X+crop.Side, crop.Y+crop.Side)
	if crop.Side > 0 && asked.In(all) {
		return asked
	}
	side := min(all.Dx(), all.Dy())
	x, y := (all.Dx()-side)/2, (all.Dy()-side)/2
	return image.Rect(x, y, x+side, y+side)
}

// lay is a part of the upright picture, w by h, in the picture as the file has it.
func lay(part image.Rectangle, w, h int, t turn) image.Rectangle {
	for range t.quarter { // backwards, a quarter at a time
		part = image.Rect(part.Min.Y, w-part.Max.X, part.Max.Y, w-part.Min.X)
		w, h = h, w
	}
	if t.flip {
		part = image.Rect(w-part.Max.X, part.Min.Y, w-part.Min.X, part.Max.Y)
	}
	return part
}

// upright turns a picture.
func upright(from *image.RGBA, t turn) *image.RGBA {
	if t == (turn{}) {
		return from
	}
	w, h := from.Rect.Dx(), from.Rect.Dy()
	dw, dh := w, h
	if t.quarter%2 == 1 {
		dw, dh = h, w
	}
	to := image.NewRGBA(image.Rect(0, 0, dw, dh))
	for y := range h {
		for x := range w {
			tx, ty := x, y
			if t.flip {
				tx = w - 1 - x
			}
			cw, ch := w, h
			for range t.quarter {
				tx, ty = ch-1-ty, tx
				cw, ch = ch, cw
			}
			to.SetRGBA(tx, ty, from.RGBAAt(x, y))
		}
	}
	return to
}

// shrink makes a part of a picture w by h pixels, each the mean of the area that it stands
// for. It goes over the picture once and row by row, so that it takes no memory worth
// counting beside it. It never makes anything larger.
func shrink(from image.Image, part image.Rectangle, w, h int) *image.RGBA {
	to := image.NewRGBA(image.Rect(0, 0, w, h))
	sw, sh := part.Dx(), part.Dy()
	row := image.NewRGBA(image.Rect(0, 0, sw, 1))
	across := make([]float32, 4*w) // one row, narrowed
	sum := make([]float32, 4*w)    // of the rows that make one
	area := float32(sw) / float32(w) * float32(sh) / float32(h)
	y, filled := 0, 0 // the row that is being made, and how much of it in parts of h
	for sy := range sh {
		draw.Draw(row, row.Rect, from, image.Pt(part.Min.X, part.Min.Y+sy), draw.Src)
		narrow(across, row.Pix, sw, w)
		for left := h; left > 0 && y < h; { // a row of the picture is h parts, one of ours sh
			n := min(left, sh-filled)
			share := float32(n) / float32(h)
			for i, v := range across {
				sum[i] += v * share
			}
			left, filled = left-n, filled+n
			if filled == sh {
				for i, v := range sum {
					to.Pix[y*to.Stride+i] = uint8(min(max(v/area+.5, 0), 255))
				}
				clear(sum)
				y, filled = y+1, 0
			}
		}
	}
	return to
}

// narrow adds up the pixels of a row of sw into w, each with the share that lies in it.
func narrow(to []float32, row []uint8, sw, w int) {
	clear(to)
	x, filled := 0, 0
	for sx := range sw {
		p := row[4*sx : 4*sx+4 : 4*sx+4]
		for left := w; left > 0; {
			n := min(left, sw-filled)
			share := float32(n) / float32(w)
			t := to[4*x : 4*x+4 : 4*x+4]
			for i := range t {
				t[i] += float32(p[i]) * share
			}
			left, filled = left-n, filled+n
			if filled == sw {
				x, filled = x+1, 0
			}
		}
	}
}

const (
	quality = 86
	// worthJPEG is from which size on a picture without holes is tried as a JPEG.
	worthJPEG = 24 << 10
)

// encode writes a picture: as a PNG, but photographs as a JPEG, which takes a tenth.
func encode(p *image.RGBA, want Want) (Picture, error) {
	var out bytes.Buffer
	if !want.Photo {
		e := png.Encoder{CompressionLevel: png.BestCompression}
		if err := e.Encode(&out, p); err != nil {
			return Picture{}, err
		}
		if out.Len() < worthJPEG || !p.Opaque() {
			return made("image/png", p.Rect.Dx(), p.Rect.Dy(), out.Bytes()), nil
		}
	}
	if !p.Opaque() {
		white := image.NewRGBA(p.Rect)
		draw.Draw(white, white.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
		draw.Draw(white, white.Rect, p, image.Point{}, draw.Over)
		p = white
	}
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, p, &jpeg.Options{Quality: quality}); err != nil {
		return Picture{}, err
	}
	if !want.Photo && out.Len() <= photo.Len() {
		return made("image/png", p.Rect.Dx(), p.Rect.Dy(), out.Bytes()), nil
	}
	return made("image/jpeg", p.Rect.Dx(), p.Rect.Dy(), photo.Bytes()), nil
}
