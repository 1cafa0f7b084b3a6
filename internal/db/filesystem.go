package db

import (
	"fmt"
	"log/slog"
	"path/filepath"
)

// A filesystem is what the directory of a database lies on, as far as it
// matters to SQLite.
type filesystem struct {
	name string
	// network: its locks and its shared memory do not hold what the write-ahead
	// log needs, and a database there breaks.
	network bool
	// doubtful: it depends on what is behind it.
	doubtful bool
}

// filesystems are the magic numbers of statfs(2) that matter.
var filesystems = map[uint32]filesystem{
	0x6969:     {name: "NFS", network: true},
	0x517b:     {name: "SMB", network: true},
	0xff534d42: {name: "SMB (cifs)", network: true},
	0xfe534d42: {name: "SMB", network: true},
	0x65735546: {name: "FUSE", doubtful: true},
}

// statfs tells the magic number of the file system of a directory; it is a
// variable for the tests.
var statfs = statfsMagic

// checkFilesystem refuses to put a database where it would break.
func checkFilesystem(path string) error {
	dir := filepath.Dir(path)
	magic, known := statfs(dir)
	if !known {
		return nil
	}
	fs := filesystems[magic]
	switch {
	case fs.network:
		return &Refusal{fmt.Sprintf("%s lies on a network file system (%s), where SQLite loses data: its locks and its shared memory do not work there", dir, fs.name),
			"Put the data directory on a local disk, or use PostgreSQL"}
	case fs.doubtful:
		slog.Warn("the database lies on a FUSE file system: if a network is behind it, data may be lost; a local disk is safe", "directory", dir)
	}
	return nil
}
