package fault

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"
)

var (
	errTaken = New(Conflict, "test_taken").At("username")
	errBusy  = New(Unavailable, "test_busy").After(time.Second).With("what", "the database")
)

func TestCopiesLeaveTheDeclaredFaultAlone(t *testing.T) {
	f := errBusy.Because("read: %w", io.EOF).At("field").After(time.Minute).With("what", "all").With("who", "me").Saying("words")
	if f.Field != "field" || f.RetryAfter != time.Minute || f.Params["what"] != "all" || f.Params["who"] != "me" || f.Description != "words" || f.Kind != Unavailable {
		t.Errorf("got %+v", f)
	}
	if errBusy.Cause != nil || errBusy.Field != "" || errBusy.RetryAfter != time.Second || len(errBusy.Params) != 1 || errBusy.Params["what"] != "the database" || errBusy.Description != "" {
		t.Errorf("the declared fault became %+v", errBusy)
	}
}

func TestFaultsAreTheSameByCode(t *testing.T) {
	wrapped := fmt.Errorf("sign up: %w", errTaken.Because("row %d", 7))
	if !errors.Is(wrapped, errTaken) {
		t.Error("a fault with a cause is not its own any more")
	}
	if errors.Is(wrapped, errBusy) {
		t.Error("a fault is another one")
	}
	if !errors.Is(errBusy.Because("read: %w", io.EOF), io.EOF) {
		t.Error("the cause cannot be found")
	}
}

func TestOf(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
		text string
	}{
		{"finds the fault in a chain", fmt.Errorf("a: %w", fmt.Errorf("b: %w", errTaken)), "test_taken", "test_taken"},
		{"finds a fault among joined errors", errors.Join(io.EOF, errTaken), "test_taken", "test_taken"},
		{"calls all else internal", io.EOF, "internal_error", "internal_error: EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if f := Of(tt.err); f.Code != tt.want || f.Error() != tt.text {
				t.Errorf("got %s (%s), want %s (%s)", f.Code, f, tt.want, tt.text)
			}
		})
	}
	if ErrInternal.Cause != nil {
		t.Error("the declared internal fault got a cause")
	}
}

func TestAllKnowsEachCodeOnce(t *testing.T) {
	New(Conflict, "test_taken") // the same once more
	var codes []string
	for _, f := range All() {
		codes = append(codes, f.Code)
	}
	if want := []string{"internal_error", "test_busy", "test_taken"}; !slices.Equal(codes, want) {
		t.Errorf("got %v, want %v", codes, want)
	}
}

func TestOneCodeHasOneKind(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a code was declared with two kinds")
		}
	}()
	New(Invalid, "test_taken")
}

func TestKindsHaveNames(t *testing.T) {
	names := map[string]bool{}
	for _, k := range Kinds() {
		names[k.String()] = true
	}
	if len(names) != int(Unprocessable)+1 || !names["not_found"] || Kind(99).String() != "internal" {
		t.Errorf("got %v", names)
	}
}
