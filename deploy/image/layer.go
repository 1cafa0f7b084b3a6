package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
)

// Whom the program runs as unless the container is told otherwise.
const user = 1000

// The names of that user, for programs that look at a container from outside.
const (
	passwd = "root:x:0:0:root:/:/sbin/nologin\npocket-id:x:1000:1000:Pocket ID:/app/data:/sbin/nologin\n"
	group  = "root:x:0:\npocket-id:x:1000:\n"
)

// A file is an entry of the image. One without content whose name ends in a slash is a
// directory.
type file struct {
	name    string
	mode    int64
	owner   int
	content []byte
}

// files are all that is in the image. The Dockerfile has the same.
func files(program []byte, r release) []file {
	return []file{
		{name: "app/", mode: 0o755},
		{name: "app/LICENSE", mode: 0o644, content: r.license},
		{name: "app/data/", mode: 0o700, owner: user},
		{name: "app/pocket-id", mode: 0o755, content: program},
		{name: "etc/", mode: 0o755},
		{name: "etc/group", mode: 0o644, content: []byte(group)},
		{name: "etc/passwd", mode: 0o644, content: []byte(passwd)},
	}
}

// layer is the one layer of the image, packed and as it was before. It has nothing in it of
// the machine that made it: no names, and the time of the release everywhere.
func layer(program []byte, r release) (packed, plain []byte, err error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files(program, r) {
		h := &tar.Header{Name: f.name, Mode: f.mode, Uid: f.owner, Gid: f.owner, ModTime: r.created, Size: int64(len(f.content)), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
		if f.name[len(f.name)-1] == '/' {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", f.name, err)
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, nil, err
	}
	var p bytes.Buffer
	z, err := gzip.NewWriterLevel(&p, gzip.BestCompression)
	if err != nil {
		return nil, nil, err
	}
	if _, err := z.Write(b.Bytes()); err != nil {
		return nil, nil, err
	}
	if err := z.Close(); err != nil {
		return nil, nil, err
	}
	return p.Bytes(), b.Bytes(), nil
}
