package edge

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

// Assets serves the files of a tree under /assets/<hash of the tree>/, where
// they never change. The hash is in the folder, so that modules and style
// sheets name their neighbours without knowing it.
type Assets struct {
	tree  fs.FS
	hash  string
	files map[string]*asset
}

// asset is one file. Only the compressed form is kept in memory; the plain one
// lies in the program already.
type asset struct {
	mediaType string
	tag       string
	once      sync.Once
	packed    []byte // nil when compression does not help
}

// mediaTypes are the sorts of files that a tree may hold. The table of the
// system is not asked: it differs from machine to machine.
var mediaTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".ico": "image/x-icon", ".woff2": "font/woff2",
	".json": "application/json", ".webmanifest": "application/manifest+json", ".txt": "text/plain; charset=utf-8",
}

// NewAssets reads the tree, to know its hash.
func NewAssets(tree fs.FS) (*Assets, error) {
	a := &Assets{tree: tree, files: map[string]*asset{}}
	whole := sha256.New()
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		mediaType, ok := mediaTypes[path.Ext(name)]
		if !ok {
			return fmt.Errorf("%s: there is no media type for %q", name, path.Ext(name))
		}
		f, err := tree.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		one := sha256.New()
		if _, err := io.Copy(one, f); err != nil {
			return err
		}
		sum := one.Sum(nil)
		fmt.Fprintf(whole, "%s\n%x\n", name, sum) // WalkDir goes in lexical order
		a.files[name] = &asset{mediaType: mediaType, tag: hex.EncodeToString(sum[:8])}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the assets: %w", err)
	}
	a.hash = hex.EncodeToString(whole.Sum(nil)[:6])
	return a, nil
}

// URL is the path of a file, for a page to link. A name that the tree does not
// hold is a mistake in the program.
func (a *Assets) URL(name string) string {
	if a.files[name] == nil {
		panic("edge: there is no asset " + name)
	}
	return a.Base() + name
}

// Base is the path that all files of the tree begin with.
func (a *Assets) Base() string { return "/assets/" + a.hash + "/" }

// Route is the one route of the tree.
func (a *Assets) Route() Route {
	return Route{Pattern: "GET /assets/{tree}/{name...}", Access: Open, Surface: Problem, Handler: a.serve}
}

func (a *Assets) serve(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	file := a.files[name]
	if file == nil {
		return ErrNotFound
	}
	if p, ok := w.(*response); ok {
		p.stream()
	}
	h := w.Header()
	// While an update rolls out, a page of one version may ask another replica
	// for its files: those of this version are better than none, once.
	if r.PathValue("tree") == a.hash {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("Content-Type", file.mediaType)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	var packed []byte
	tag := `"` + file.tag + `"`
	if compressible(file.mediaType) {
		h.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			if packed = file.pack(a.tree, name); packed != nil {
				tag = `"` + file.tag + `-gz"`
			}
		}
	}
	h.Set("Etag", tag)
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		h.Del("Content-Type")
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if packed != nil {
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Length", strconv.Itoa(len(packed)))
		if r.Method != http.MethodHead {
			_, err := w.Write(packed)
			return err
		}
		w.WriteHeader(http.StatusOK)
		return nil
	}
	f, err := a.tree.Open(name)
	if err != nil {
		return fmt.Errorf("open asset %s: %w", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open asset %s: %w", name, err)
	}
	h.Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, err = io.Copy(w, f)
	}
	return err
}

// pack is the file in gzip, made on first use, or nil when that is not smaller.
func (f *asset) pack(tree fs.FS, name string) []byte {
	f.once.Do(func() {
		plain, err := fs.ReadFile(tree, name)
		if err != nil {
			return // serving the plain file says the same, with an error
		}
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
		z.Write(plain)
		z.Close()
		if b.Len() < len(plain)*9/10 {
			f.packed = bytes.Clone(b.Bytes())
		}
	})
	return f.packed
}
