//go:build !unix

package db

import "os"

func takeLock(path string) (*os.File, error) {
	return nil, &Refusal{"this system has no lock that would keep a second server from " + path, "Use PostgreSQL here"}
}
