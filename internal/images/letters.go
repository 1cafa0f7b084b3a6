package images

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
)

// hues are the grounds of letters and the letters on them, as the pages have them
// (.avatar[data-hue] of app.css, on light ground).
var hues = [...]struct{ ground, ink color.RGBA }{
	{color.RGBA{0xfb, 0xd8, 0xd2, 0xff}, color.RGBA{0x66, 0x30, 0x28, 0xff}},
	{color.RGBA{0xf1, 0xde, 0xc5, 0xff}, color.RGBA{0x5b, 0x3b, 0x00, 0xff}},
	{color.RGBA{0xcd, 0xea, 0xd6, 0xff}, color.RGBA{0x15, 0x4f, 0x2f, 0xff}},
	{color.RGBA{0xc4, 0xe9, 0xf2, 0xff}, color.RGBA{0x00, 0x4c, 0x5d, 0xff}},
	{color.RGBA{0xe9, 0xda, 0xf6, 0xff}, color.RGBA{0x4f, 0x35, 0x62, 0xff}},
}

// Letters is what stands for somebody without a picture: the first letters of their name
// for whoever takes drawings, and the outline of a person for the others, who are
// programs that want pixels. accept is their Accept header; hue is 1 to 5.
func Letters(letters string, hue int, accept string) Picture {
	h := hues[max(0, hue-1)%len(hues)]
	if letters == "" || !strings.Contains(accept, "image/svg+xml") {
		return outline(h.ground, h.ink)
	}
	var text bytes.Buffer
	xml.EscapeText(&text, []byte(letters))
	hex := func(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }
	return made("image/svg+xml", 320, 320, fmt.Appendf(nil, `<svg xmlns="%s" width="320" height="320" viewBox="0 0 36 36"><path fill="%s" d="M0 0h36v36H0z"/>`+
		`<text x="18" y="18" dy=".36em" text-anchor="middle" font-family="system-ui,sans-serif" font-size="13" font-weight="600" fill="%s">%s</text></svg>`,
		svgSpace, hex(h.ground), hex(h.ink), text.String()))
}

// outline draws a head and shoulders.
func outline(ground, ink color.RGBA) Picture {
	const side = 160
	p := image.NewPaletted(image.Rect(0, 0, side, side), shades(ground, ink))
	for y := range side {
		for x := range side {
			fx, fy := float64(x)+.5, float64(y)+.5
			head := 30 - math.Hypot(fx-80, fy-62)
			body := 54 - math.Hypot(fx-80, (fy-158)*.98)
			p.SetColorIndex(x, y, uint8(math.Round(min(max(max(head, body)+.5, 0), 1)*15)))
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, p); err != nil {
		panic("images: what we draw can be written")
	}
	return made("image/png", side, side, out.Bytes())
}

// shades are sixteen steps from one colour to another.
func shades(from, to color.RGBA) (p color.Palette) {
	for i := range 16 {
		mix := func(a, b uint8) uint8 { return uint8((int(a)*(15-i) + int(b)*i) / 15) }
		p = append(p, color.RGBA{mix(from.R, to.R), mix(from.G, to.G), mix(from.B, to.B), 255})
	}
	return p
}
