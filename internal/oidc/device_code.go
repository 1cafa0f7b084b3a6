package oidc

import (
	"strings"
	"unicode"

	"pocketid/internal/fault"
	"pocketid/internal/secret"
)

// Why a code that somebody typed leads nowhere. The params are client, its name, and
// launch, its address or "".
var (
	// ErrDeviceCode is for a code that is malformed, or that nobody gave out. One that was
	// given out long ago is gone and looks the same.
	ErrDeviceCode    = fault.New(fault.Invalid, "device_code_unknown").At("user_code")
	ErrDeviceExpired = fault.New(fault.Invalid, "device_code_expired")
	// ErrDeviceUsed is for a code that somebody has answered already.
	ErrDeviceUsed = fault.New(fault.Conflict, "device_code_used")
	// ErrDeviceDenied is for somebody who may not use the client. The device is told.
	ErrDeviceDenied = fault.New(fault.Forbidden, "device_denied")
	// ErrDeviceElsewhere is for a question that was asked in another session.
	ErrDeviceElsewhere = fault.New(fault.Invalid, "device_elsewhere")
	// ErrDeviceProof asks for a fresh proof before a device is let in.
	ErrDeviceProof = fault.New(fault.Unauthenticated, "device_proof_required")
)

// A user code is eight letters: 34 bits, for a quarter of an hour, and few guesses.
const (
	userCodeLen = 8
	// maxUserCode bounds what a person may type for it, in bytes.
	maxUserCode = 64
	// macUserCode is the purpose of the key under which user codes are stored.
	macUserCode = "user code"
)

// parseUserCode is the user code that was meant by what a person typed: case, blanks,
// dashes and the full-width forms of an East Asian keyboard do not matter (RFC 8628
// §6.1). It is pure.
func parseUserCode(typed string) (string, error) {
	if len(typed) > maxUserCode {
		return "", ErrDeviceCode.Because("it has %d bytes", len(typed))
	}
	code := strings.Map(func(r rune) rune {
		if r >= '！' && r <= '～' {
			r -= '！' - '!'
		}
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r == '_', unicode.IsSpace(r), unicode.Is(unicode.Pd, r), r == '−':
			return -1
		}
		return r
	}, typed)
	if len(code) != userCodeLen || !secret.IsLetters(code) {
		return "", ErrDeviceCode.Because("it is not eight letters of the alphabet")
	}
	return code, nil
}

// shownUserCode is a user code as devices and pages show it: WDJB-MJHT.
func shownUserCode(code string) string { return code[:userCodeLen/2] + "-" + code[userCodeLen/2:] }

// ShownUserCode is what a field for a user code holds when typed, or an address, had
// text: the code as devices show it, or nothing when it can be none.
func ShownUserCode(typed string) string {
	code, err := parseUserCode(typed)
	if err != nil {
		return ""
	}
	return shownUserCode(code)
}
