package protocol

import (
	"testing"
)

// The modules of oidcc-basic-certification-test-plan, and of
// oidcc-formpost-basic-certification-test-plan with the same names.

func Test_oidcc_server(t *testing.T) {
	conform(t, func(s *suite) { s.flow() })
}
