package images

import "encoding/binary"

// A turn says how a camera was held: what has to be done to a picture so that it stands
// upright. It is all that is read of what a camera writes beside the pixels, which is
// then dropped: where somebody was and when is nobody's business.
type turn struct {
	flip    bool // left and right change places, first
	quarter int  // then it is turned clockwise so many times
}

// turns are the values of the tag Orientation (EXIF 2.32 §4.6.4).
var turns = map[uint16]turn{
	2: {true, 0}, 3: {false, 2}, 4: {true, 2}, 5: {true, 3}, 6: {false, 1}, 7: {true, 1}, 8: {false, 3},
}

// turnOf reads the orientation of a block of EXIF. What cannot be read turns nothing.
func turnOf(block []byte) turn {
	if len(block) < 8 {
		return turn{}
	}
	var order binary.ByteOrder
	switch string(block[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return turn{}
	}
	at := uint64(order.Uint32(block[4:]))
	if at+2 > uint64(len(block)) {
		return turn{}
	}
	n := int(order.Uint16(block[at:]))
	for entry := block[at+2:]; n > 0 && len(entry) >= 12; entry, n = entry[12:], n-1 {
		if order.Uint16(entry) == 0x0112 && order.Uint16(entry[2:]) == 3 {
			return turns[order.Uint16(entry[8:])]
		}
	}
	return turn{}
}
