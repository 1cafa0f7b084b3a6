package app

import (
	"errors"
	"strings"

	"pocketid/internal/fault"
	"pocketid/internal/i18n"
)

// Explain says what went wrong in words for somebody at a terminal.
func Explain(err error) string {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err.Error()
	}
	w := i18n.For(i18n.Source).Fault(f.Code, f.Kind.String(), f.Params)
	text := strings.TrimSpace(w.Text + " " + w.Cure)
	if f.Cause != nil {
		text += "\n(" + f.Cause.Error() + ")"
	}
	return text
}
