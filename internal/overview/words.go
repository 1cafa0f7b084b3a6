package overview

import (
	"strconv"
	"strings"
	"time"

	"pocketid/internal/i18n"
)

// A Said is a check in words: what it is called, what was seen, and what to do about it,
// which is "" when all is well.
type Said struct{ Title, Text, Cure string }

// Say says c in words.
func (c *Check) Say(words *i18n.Locale) Said {
	params := make([]any, len(c.Params))
	for i, v := range c.Params {
		switch v := v.(type) {
		case Bytes:
			params[i] = sizeOf(words, int64(v))
		case time.Time:
			params[i] = words.Date(v)
			if i > 0 && params[i-1] == "next" {
				params[i] = words.DateTime(v)
			}
		case []string:
			params[i] = strings.Join(v, words.T("frame.comma"))
		default:
			params[i] = v
		}
	}
	key := "check." + c.Name + "." + c.Finding
	if c.Finding == "unknown" {
		key, params = "check.unknown", []any{"what", words.T("check." + c.Name)}
	}
	said := Said{Title: words.T(key+".title", params...), Text: words.T(key, params...)}
	if c.State != OK {
		said.Cure = words.T(key+".cure", params...)
	}
	return said
}

// sizeOf is a number of bytes as people say it.
func sizeOf(words *i18n.Locale, n int64) string {
	units := []string{"kB", "MB", "GB", "TB"}
	v := float64(n) / 1000
	for len(units) > 1 && v >= 999.5 {
		v, units = v/1000, units[1:]
	}
	if v < 9.95 && units[0] != "kB" {
		return strconv.FormatFloat(v, 'f', 1, 64) + " " + units[0]
	}
	return words.Number(int64(v+0.5)) + " " + units[0]
}
