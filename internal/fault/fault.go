// Package fault is the one error type that may be shown to somebody.
//
// A fault has a kind, which decides the status; a code, which is stable and
// public; and a cause, which is for the log alone. Every other error is a
// bug or an outage and is shown as such.
package fault

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Kind says what sort of thing went wrong. The edge has the only table that
// turns a kind into a status.
type Kind int

const (
	Internal        Kind = iota // the zero value: say nothing, log everything
	Invalid                     // what was asked cannot be understood or is not allowed to look so
	Unauthenticated             // nobody knows who is asking
	Forbidden                   // it is known who is asking, and they may not
	NotFound                    // there is no such thing, or none that the asker may see
	Conflict                    // it does not fit what is there
	TooMany                     // asked too often
	TooLarge                    // more bytes than the bound
	Unsupported                 // a form of content that is not spoken here
	Precondition                // something has to happen first
	Unavailable                 // an outage that passes
	Unprocessable               // understood, and what it names is of no use
)

var kindNames = [...]string{
	"internal", "invalid", "unauthenticated", "forbidden", "not_found", "conflict",
	"too_many", "too_large", "unsupported", "precondition", "unavailable", "unprocessable",
}

// String is the name of the kind, as in the keys of the catalogues.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return kindNames[Internal]
	}
	return kindNames[k]
}

// Kinds are all kinds there are.
func Kinds() []Kind {
	all := make([]Kind, len(kindNames))
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

// Error is a fault. Its methods return copies, so a package declares its
// faults once, as variables, and adds to them where they happen.
type Error struct {
	Kind Kind
	// Code is public: "username_taken", "invalid_grant". It is an API, never
	// renamed and never built at run time.
	Code string
	// Field is the form field or JSON member at fault, if one is.
	Field string
	// Description is a sentence in English for the developer of a client. It is
	// public: OAuth endpoints send it as error_description (RFC 6749 §5.2).
	Description string
	// Params are the public values that the message of this code names.
	Params map[string]string
	// RetryAfter is when to ask again, if asking again can help.
	RetryAfter time.Duration
	// Cause is for the log and is never shown.
	Cause error
	// Detail is the fault that this one stands for, where programs know a more general
	// code. Its message is shown.
	Detail *Error
}

// ErrInternal is what everybody is told about an error that is no fault.
var ErrInternal = New(Internal, "internal_error")

var declared = struct {
	sync.Mutex
	codes map[string]*Error
}{codes: map[string]*Error{}}

// New declares a fault. A code has one kind wherever it is declared.
func New(k Kind, code string) *Error {
	e := &Error{Kind: k, Code: code}
	declared.Lock()
	defer declared.Unlock()
	if old, ok := declared.codes[code]; !ok {
		declared.codes[code] = e
	} else if old.Kind != k {
		panic("fault: the code " + code + " is declared as " + old.Kind.String() + " and as " + k.String())
	}
	return e
}

// All are the declared faults by code. A test asks whether each has its words.
func All() []*Error {
	declared.Lock()
	defer declared.Unlock()
	return slices.SortedFunc(maps.Values(declared.codes), func(a, b *Error) int { return cmp.Compare(a.Code, b.Code) })
}

// Error is the code and the chain of causes, for the log.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Code + ": " + e.Cause.Error()
	}
	return e.Code
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is matches by code, so that a package may export its faults as plain variables.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Because returns a copy of e that carries a cause. Secrets do not belong in it.
func (e *Error) Because(format string, args ...any) *Error {
	c := *e
	c.Cause = fmt.Errorf(format, args...)
	return &c
}

// At returns a copy of e that names the field at fault.
func (e *Error) At(field string) *Error {
	c := *e
	c.Field = field
	return &c
}

// After returns a copy of e that says when to ask again.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// For returns a copy of e that stands for detail, at its field.
func (e *Error) For(detail *Error) *Error {
	c := *e
	c.Detail, c.Field, c.Cause = detail, detail.Field, detail
	return &c
}

// Exactly is the fault that e stands for, or e.
func (e *Error) Exactly() *Error {
	if e.Detail != nil {
		return e.Detail
	}
	return e
}

// With returns a copy of e whose message can name value as {name}. The value is public.
func (e *Error) With(name, value string) *Error {
	c := *e
	c.Params = maps.Clone(e.Params)
	if c.Params == nil {
		c.Params = map[string]string{}
	}
	c.Params[name] = value
	return &c
}

// Saying returns a copy of e that tells the developer of a client more.
func (e *Error) Saying(description string) *Error {
	c := *e
	c.Description = description
	return &c
}

// Of returns the fault in err, or ErrInternal because of err.
func Of(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	c := *ErrInternal
	c.Cause = err
	return &c
}
