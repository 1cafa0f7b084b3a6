package main

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Media types of the OCI image specification, 1.1.
const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// A descriptor names a blob.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Config        descriptor        `json:"config"`
	Layers        []descriptor      `json:"layers"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

type index struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Manifests     []descriptor      `json:"manifests"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// A config is how a container of the image runs.
type config struct {
	platform
	Created time.Time `json:"created"`
	Config  settings  `json:"config"`
	RootFS  rootFS    `json:"rootfs"`
	History []history `json:"history"`
}

// Settings say the same as the Dockerfile. Healthcheck is what Docker has beyond the
// specification; others leave it aside.
type settings struct {
	User         string
	ExposedPorts map[string]struct{}
	Env          []string
	Entrypoint   []string
	Volumes      map[string]struct{}
	WorkingDir   string
	Labels       map[string]string
	Healthcheck  healthcheck
}

type healthcheck struct {
	Test                           []string
	Interval, Timeout, StartPeriod time.Duration
	Retries                        int
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type history struct {
	Created time.Time `json:"created"`
	By      string    `json:"created_by"`
}

// settingsOf are those of the image of a release.
func settingsOf(r release) settings {
	return settings{
		User:         fmt.Sprintf("%d:%d", user, user),
		ExposedPorts: map[string]struct{}{"1411/tcp": {}},
		Env:          []string{"PATH=/app", "TMPDIR=/app/data"},
		Entrypoint:   []string{"/app/pocket-id"},
		Volumes:      map[string]struct{}{"/app/data": {}},
		WorkingDir:   "/app",
		Labels:       labels(r),
		Healthcheck: healthcheck{Test: []string{"CMD", "/app/pocket-id", "healthcheck"},
			Interval: 30 * time.Second, Timeout: 6 * time.Second, StartPeriod: 30 * time.Second, Retries: 3},
	}
}

// labels are what the image says of itself.
func labels(r release) map[string]string {
	l := map[string]string{
		"org.opencontainers.image.title":       "Pocket ID",
		"org.opencontainers.image.description": "An OpenID Connect provider on which people sign in with passkeys",
		"org.opencontainers.image.licenses":    "BSD-2-Clause",
		"org.opencontainers.image.version":     r.version,
		"org.opencontainers.image.created":     r.created.Format(time.RFC3339),
	}
	if r.revision != "" {
		l["org.opencontainers.image.revision"] = r.revision
	}
	return l
}

// A layout is a set of blobs that lead to one another.
type layout struct {
	blobs      map[string][]byte // by the hex digits of their digest
	compressed int               // bytes of layers
}

func newLayout() *layout { return &layout{blobs: map[string][]byte{}} }

// take adds the blobs of another layout.
func (l *layout) take(other *layout) { maps.Copy(l.blobs, other.blobs) }

// add adds a blob.
func (l *layout) add(kind string, content []byte) descriptor {
	sum := sha256.Sum256(content)
	name := hex.EncodeToString(sum[:])
	l.blobs[name] = content
	return descriptor{MediaType: kind, Digest: "sha256:" + name, Size: len(content)}
}

// addJSON adds a blob of JSON.
func (l *layout) addJSON(kind string, v any) (descriptor, error) {
	text, err := json.Marshal(v)
	return l.add(kind, text), err
}

// image adds the image for one architecture.
func (l *layout) image(arch string, program []byte, r release) (descriptor, error) {
	packed, plain, err := layer(program, r)
	if err != nil {
		return descriptor{}, err
	}
	l.compressed += len(packed)
	data, before := l.add(typeLayer, packed), sha256.Sum256(plain)
	p := platform{Architecture: arch, OS: "linux"}
	c, err := l.addJSON(typeConfig, config{
		platform: p, Created: r.created, Config: settingsOf(r),
		RootFS:  rootFS{"layers", []string{"sha256:" + hex.EncodeToString(before[:])}},
		History: []history{{r.created, "make image"}},
	})
	if err != nil {
		return descriptor{}, err
	}
	d, err := l.addJSON(typeManifest, manifest{SchemaVersion: 2, MediaType: typeManifest, Config: c, Layers: []descriptor{data}, Annotations: labels(r)})
	d.Platform = &p
	return d, err
}

// index adds the index over images.
func (l *layout) index(all []descriptor, r release) descriptor {
	d, err := l.addJSON(typeIndex, index{SchemaVersion: 2, MediaType: typeIndex, Manifests: all, Annotations: labels(r)})
	if err != nil {
		panic("image: an index is texts and numbers: " + err.Error())
	}
	d.Annotations = map[string]string{"org.opencontainers.image.ref.name": r.version}
	return d
}

// entries are the files of the layout whose one entry is d, in order.
func (l *layout) entries(d descriptor) ([]file, error) {
	top, err := json.Marshal(index{SchemaVersion: 2, MediaType: typeIndex, Manifests: []descriptor{d}})
	if err != nil {
		return nil, err
	}
	list := []file{{name: "oci-layout", content: []byte(`{"imageLayoutVersion":"1.0.0"}`)}, {name: "index.json", content: top}}
	for _, name := range slices.Sorted(maps.Keys(l.blobs)) {
		list = append(list, file{name: "blobs/sha256/" + name, content: l.blobs[name]})
	}
	return list, nil
}

// writeDir writes the layout as a directory.
func (l *layout) writeDir(dir string, d descriptor) error {
	list, err := l.entries(d)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "blobs/sha256"), 0o755); err != nil {
		return err
	}
	for _, f := range list {
		if err := os.WriteFile(filepath.Join(dir, f.name), f.content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// writeArchive writes the layout of one image as an archive that is an OCI layout and, by
// its manifest.json, what every "docker load" understands.
func (l *layout) writeArchive(path string, d descriptor, r release) error {
	d.Annotations = map[string]string{"org.opencontainers.image.ref.name": r.version, "io.containerd.image.name": "docker.io/library/pocket-id:" + r.version}
	list, err := l.entries(d)
	if err != nil {
		return err
	}
	var m manifest
	if err := json.Unmarshal(l.blobs[d.Digest[len("sha256:"):]], &m); err != nil {
		return err
	}
	blob := func(d descriptor) string { return "blobs/sha256/" + d.Digest[len("sha256:"):] }
	docker, err := json.Marshal([]any{map[string]any{"Config": blob(m.Config), "Layers": []string{blob(m.Layers[0])}, "RepoTags": []string{"pocket-id:" + r.version}}})
	if err != nil {
		return err
	}
	list = append(list, file{name: "manifest.json", content: docker})
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	w := tar.NewWriter(out)
	for _, f := range list {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, ModTime: r.created, Size: int64(len(f.content)), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if _, err := w.Write(f.content); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return out.Close()
}
