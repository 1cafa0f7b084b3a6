//go:build !linux

package db

import (
	"context"
	"os"
)

// seizeLock cannot tell here which process has a file open.
func seizeLock(_ context.Context, path string) (*os.File, error) {
	return nil, &Refusal{"a server uses " + path + ", and on this system it cannot be ended from here", "Stop it first"}
}
