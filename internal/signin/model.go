package signin

import (
	_ "embed"
	"strings"
)

// models names authenticators and passkey managers by AAGUID: one line each,
// sorted, the AAGUID without hyphens, a space, the name. It stays the text
// that it is: it is searched only when a passkey is made or shown, and a map of
// it would be kept in memory for nothing.
//
//go:embed models.txt
var models string

// modelName is the name behind an AAGUID, or "".
func modelName(aaguid string) string {
	key := strings.ReplaceAll(strings.ToLower(aaguid), "-", "")
	if len(key) != 32 {
		return ""
	}
	low, high := 0, len(models)
	for low < high { // both stand at the beginning of a line
		mid := (low + high) / 2
		at := low
		if nl := strings.LastIndexByte(models[low:mid], '\n'); nl >= 0 {
			at = low + nl + 1
		}
		line, _, _ := strings.Cut(models[at:], "\n")
		switch id, name, _ := strings.Cut(line, " "); {
		case id == key:
			return name
		case id < key:
			low = at + len(line) + 1
		default:
			high = at
		}
	}
	return ""
}
