package web

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// A qrCode is a square of dark and light modules, as a path of SVG.
type qrCode struct {
	Side int // of the square, with the light border that scanners need
	Path string
}

// qrBorder is how many light modules surround a code (ISO/IEC 18004 §5.3.8).
const qrBorder = 4

// qrOf is the code that says text. It is drawn into the page itself: a link that opens an
// account must not be in the address of a picture.
func qrOf(text string) (qrCode, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return qrCode{}, fmt.Errorf("draw a QR code: %w", err)
	}
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			from := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if n := x - from; n > 0 {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from+qrBorder, y+qrBorder, n, n)
			}
		}
	}
	return qrCode{code.Size + 2*qrBorder, path.String()}, nil
}
