package web

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// pocketSheet is the style sheet of the sign-in pages: app.css without what only the
// pages inside need, which is the greater part. There is one source, so nothing can
// differ between them but what is left out.
const pocketSheet = "pocket.css"

// The lines of app.css between which only the pages inside are meant.
const (
	insideOnly = "/* inside */\n"
	everywhere = "/* everywhere */\n"
)

// houseModule is the module of every page inside. It has two sources, each small enough to be
// read as one, and is one file for the browser, because a page has few requests.
const houseModule = "house.js"

// sendingSource is the second source of houseModule, and nothing by itself.
const sendingSource = "sending.js"

// assetTree is the tree that is served under the hash: the embedded files, pocketSheet and houseModule.
func assetTree() (fs.FS, error) {
	files, err := fs.Sub(ui, "ui/assets")
	if err != nil {
		return nil, err
	}
	whole, err := fs.ReadFile(files, "app.css")
	if err != nil {
		return nil, err
	}
	sheet, err := outside(whole)
	if err != nil {
		return nil, fmt.Errorf("app.css: %w", err)
	}
	module, err := fs.ReadFile(files, houseModule)
	if err != nil {
		return nil, err
	}
	sending, err := fs.ReadFile(files, sendingSource)
	if err != nil {
		return nil, err
	}
	return tree{files, map[string][]byte{pocketSheet: sheet, houseModule: slices.Concat(module, sending)}}, nil
}

// outside is a sheet without what is for the pages inside.
func outside(sheet []byte) ([]byte, error) {
	var out []byte
	for {
		before, after, found := bytes.Cut(sheet, []byte(insideOnly))
		out = append(out, before...)
		if !found {
			return out, nil
		}
		within, rest, closed := bytes.Cut(after, []byte(everywhere))
		if !closed || bytes.Contains(within, []byte(insideOnly)) {
			return nil, fmt.Errorf("a part that begins with %q does not end before the next", insideOnly)
		}
		sheet = rest
	}
}

// A tree is the embedded files and those that are made of them.
type tree struct {
	fs.FS
	made map[string][]byte
}

// Open opens a file of the tree.
func (t tree) Open(name string) (fs.File, error) {
	if content, ok := t.made[name]; ok {
		return &made{Reader: bytes.NewReader(content), name: name}, nil
	}
	return t.FS.Open(name)
}

// ReadDir lists the tree.
func (t tree) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(t.FS, name)
	if err != nil || name != "." {
		return list, err
	}
	list = slices.DeleteFunc(list, func(e fs.DirEntry) bool { return e.Name() == sendingSource || t.made[e.Name()] != nil })
	for name, content := range t.made {
		list = append(list, fs.FileInfoToDirEntry(&made{Reader: bytes.NewReader(content), name: name}))
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return bytes.Compare([]byte(a.Name()), []byte(b.Name())) })
	return list, nil
}

// made is a file that is not embedded, open or described.
type made struct {
	*bytes.Reader
	name string
}

// Stat describes the file.
func (m *made) Stat() (fs.FileInfo, error) { return m, nil }

// Close does nothing.
func (m *made) Close() error { return nil }

// Name is what it is served as.
func (m *made) Name() string { return m.name }

// Mode says that it is a file to read.
func (m *made) Mode() fs.FileMode { return 0o444 }

// ModTime is not known, as that of embedded files.
func (m *made) ModTime() time.Time { return time.Time{} }

// IsDir says that it is a file.
func (m *made) IsDir() bool { return false }

// Sys is nothing.
func (m *made) Sys() any { return nil }
