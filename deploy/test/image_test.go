package test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// maxImage is what an image may have, compressed.
const maxImage = 12_000_000

func archive(dir string) string {
	return filepath.Join(dir, "pocket-id-linux-"+runtime.GOARCH+".tar")
}

// The same sources give the same bytes, and another reader of images finds them right: the
// layout, the archive for docker load, and what both say.
func TestImage(t *testing.T) {
	first, err := packed()
	if err != nil {
		t.Fatal(err)
	}
	second, err := pack("second")
	if err != nil {
		t.Fatal(err)
	}
	a, b := tree(t, first), tree(t, second)
	if len(a) < 7 || !reflect.DeepEqual(a, b) {
		t.Errorf("the second time it is another image: %d and %d files", len(a), len(b))
	}
	index, err := layout.ImageIndexFromPath(filepath.Join(first, "oci"))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	image, err := tarball.ImageFromPath(archive(first), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(image); err != nil {
		t.Error(err)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers: %v", len(layers), err)
	}
	if size, err := layers[0].Size(); err != nil || size > maxImage {
		t.Errorf("%d bytes compressed, more than %d: %v", size, maxImage, err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.OS != "linux" || config.Architecture != runtime.GOARCH || config.Created.Unix() != 1700000000 {
		t.Errorf("the image is for %s/%s of %v", config.OS, config.Architecture, config.Created)
	}
	labels := config.Config.Labels
	if labels["org.opencontainers.image.version"] != "1.2.3" || labels["org.opencontainers.image.revision"] != "0123abc" || labels["org.opencontainers.image.created"] != "2023-11-14T22:13:20Z" {
		t.Errorf("labels are %v", labels)
	}
	sameAsDockerfile(t, config.Config)
	bill(t, filepath.Join(first, "pocket-id-linux-"+runtime.GOARCH+".cdx.json"))
	if out := run(t, nil, "version"); out != "pocket-id 1.2.3\n" {
		t.Errorf("the program says %q", out)
	}
}

// tree is the content of all files under a directory.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files[strings.TrimPrefix(path, dir)] = read(t, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// sameAsDockerfile compares the settings of the image with the last stage of the Dockerfile.
func sameAsDockerfile(t *testing.T, c v1.Config) {
	t.Helper()
	text := strings.ReplaceAll(read(t, "../../Dockerfile"), "\\\n", " ")
	build, final, ok := strings.Cut(text, "\nFROM scratch\n")
	if !ok || strings.Contains(final, "\nFROM ") {
		t.Fatal("the last stage does not begin at nothing")
	}
	fields := func(quoted string) (list []string) {
		if json.Unmarshal([]byte(quoted), &list) != nil {
			list = strings.Fields(quoted)
		}
		return list
	}
	got := v1.Config{Labels: map[string]string{}}
	for line := range strings.Lines(final) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "LABEL":
			for label := range strings.SplitSeq(strings.ReplaceAll(rest, "$VERSION", "1.2.3"), `" `) {
				key, value, _ := strings.Cut(strings.TrimSpace(label), "=")
				got.Labels[key] = strings.Trim(value, `"`)
			}
		case "ENV":
			got.Env = fields(rest)
		case "WORKDIR":
			got.WorkingDir = rest
		case "USER":
			got.User = rest
		case "VOLUME":
			got.Volumes = map[string]struct{}{rest: {}}
		case "EXPOSE":
			got.ExposedPorts = map[string]struct{}{rest: {}}
		case "ENTRYPOINT":
			got.Entrypoint = fields(rest)
		case "HEALTHCHECK":
			flags, command, _ := strings.Cut(rest, " CMD ")
			got.Healthcheck = &v1.HealthConfig{Test: append([]string{"CMD"}, fields(command)...)}
			for f := range strings.FieldsSeq(flags) {
				key, value, _ := strings.Cut(strings.TrimPrefix(f, "--"), "=")
				d, _ := time.ParseDuration(value)
				switch key {
				case "interval":
					got.Healthcheck.Interval = d
				case "timeout":
					got.Healthcheck.Timeout = d
				case "start-period":
					got.Healthcheck.StartPeriod = d
				case "retries":
					fmt.Sscan(value, &got.Healthcheck.Retries)
				}
			}
		}
	}
	for _, only := range []string{"org.opencontainers.image.revision", "org.opencontainers.image.created"} {
		delete(c.Labels, only) // the builder of the engine adds them
	}
	if !reflect.DeepEqual(got, c) {
		t.Errorf("the Dockerfile says\n%+v\n%+v\nthe image\n%+v\n%+v", got, got.Healthcheck, c, c.Healthcheck)
	}
	for _, name := range []string{"etc/passwd", "etc/group"} {
		content, err := os.ReadFile(filepath.Join(scratch, "root", name))
		if err != nil || !strings.Contains(build, "'"+strings.ReplaceAll(string(content), "\n", `\n`)+"' >/image/"+name) {
			t.Errorf("the Dockerfile makes another %s than %q: %v", name, content, err)
		}
	}
}

// bill checks what the program is said to be made of.
func bill(t *testing.T, path string) {
	t.Helper()
	var b struct {
		Format     string `json:"bomFormat"`
		Spec       string `json:"specVersion"`
		Components []struct{ Name, Version, PURL string }
		Metadata   struct {
			Timestamp string
			Component struct{ Name, Version string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, path)), &b); err != nil {
		t.Fatal(err)
	}
	if b.Format != "CycloneDX" || b.Spec != "1.6" || b.Metadata.Component.Version != "1.2.3" || b.Metadata.Timestamp != "2023-11-14T22:13:20Z" {
		t.Errorf("the bill is %+v", b.Metadata)
	}
	modules := read(t, "../../go.mod")
	for _, want := range []string{"github.com/jackc/pgx/v5", "modernc.org/sqlite", "github.com/go-webauthn/webauthn"} {
		i := slices.IndexFunc(b.Components, func(c struct{ Name, Version, PURL string }) bool { return c.Name == want })
		if i < 0 || !strings.Contains(modules, want+" "+b.Components[i].Version) || b.Components[i].PURL != "pkg:golang/"+want+"@"+b.Components[i].Version {
			t.Errorf("%s is not in the bill as it is in go.mod", want)
		}
	}
	if c := b.Components[0]; c.Name != "std" || !strings.HasPrefix(c.Version, "1.") {
		t.Errorf("the library of Go is %+v", c)
	}
}

// unpack unpacks the file system of an image, with owners where whoever runs the test may.
func unpack(dir, root string) error {
	image, err := tarball.ImageFromPath(archive(dir), nil)
	if err != nil {
		return err
	}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	plain, err := layers[0].Uncompressed()
	if err != nil {
		return err
	}
	defer plain.Close()
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		path := filepath.Join(root, h.Name)
		if h.Typeflag == tar.TypeDir {
			err = os.Mkdir(path, fs.FileMode(h.Mode))
		} else {
			var content bytes.Buffer
			if _, err = content.ReadFrom(r); err == nil {
				err = os.WriteFile(path, content.Bytes(), fs.FileMode(h.Mode))
			}
		}
		if err == nil && os.Getuid() == 0 {
			err = os.Lchown(path, h.Uid, h.Gid)
		}
		if err != nil {
			return err
		}
	}
}
