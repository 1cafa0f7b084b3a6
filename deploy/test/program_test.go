package test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// The directory that the image is packed into, and the time that it says.
const epoch = "1700000000"

// packed is the image of this machine's architecture as make packs it, once.
var packed = sync.OnceValues(func() (string, error) { return pack("first") })

// program is the program in it, for this machine.
var program = sync.OnceValues(func() (string, error) {
	dir, err := packed()
	if err != nil {
		return "", err
	}
	root := filepath.Join(scratch, "root")
	return filepath.Join(root, "app/pocket-id"), unpack(dir, root)
})

// scratch is thrown away after the tests.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "pocket-id-deploy"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Chmod(scratch, 0o755) // somebody else runs what is in it
	code := m.Run()
	os.RemoveAll(scratch)
	os.Exit(code)
}

// pack packs the image into a directory of that name.
func pack(name string) (string, error) {
	dir := filepath.Join(scratch, name)
	cmd := exec.Command("make", "--no-print-directory", "image", "ARCHES="+runtime.GOARCH, "IMAGE="+dir, "VERSION=1.2.3", "REVISION=0123abc")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH="+epoch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make image: %w: %s", err, out)
	}
	return dir, nil
}

// variables are the names that the program knows, as it says itself.
func variables(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for _, name := range regexp.MustCompile("`([A-Z][A-Z0-9_]+)`").FindAllStringSubmatch(strings.Split(run(t, nil, "config", "variables"), "## ")[0], -1) {
		known[name[1]] = true
	}
	if len(known) < 10 {
		t.Fatalf("the program knows %v", known)
	}
	return known
}

// fallback is what the program takes for a variable that is not set, as it says itself.
func fallback(t *testing.T, name string) string {
	t.Helper()
	found := regexp.MustCompile("(?m)^\\| `" + name + "` \\| `([^`]*)` ").FindStringSubmatch(run(t, nil, "config", "variables"))
	if found == nil {
		t.Fatalf("the program does not say what %s is", name)
	}
	return found[1]
}

// takes checks that the program understands the values of variables: the doctor's own
// beginning reads them all, and a status of 2 is a value that cannot be understood.
func takes(t *testing.T, env []string) {
	t.Helper()
	run(t, env, "healthcheck", "--help")
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "config", "list")
	cmd.Env, cmd.Dir = append(env, "DB_CONNECTION_STRING=nowhere/at-all.db"), t.TempDir()
	if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() == 2 || strings.Contains(string(out), "means nothing") {
		t.Errorf("the program does not understand %v: %s", env, out)
	}
}

// run runs a command of the program.
func run(t *testing.T, env []string, args ...string) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Dir = append([]string{}, env...), t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v: %s", args, err, out)
	}
	return string(out)
}
