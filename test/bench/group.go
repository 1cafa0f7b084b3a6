package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A group is a control group in which processes share a fifth of a processor, as
// in a container with that limit. A nil group is none.
type group struct {
	dir    string
	memory string // where memory has a hierarchy of its own and is limited
}

// The limit of a group: 20 ms of each 100 ms.
const (
	quotaMicros  = 20_000
	periodMicros = 100_000
)

// newGroup makes a control group where this machine lets us: by version 2 below our
// own group or at the root, or by version 1.
func newGroup() (*group, error) {
	var faults []error
	for _, root := range groupRoots() {
		dir := filepath.Join(root, fmt.Sprintf("pocket-id-bench-%d", os.Getpid()))
		if err := os.Mkdir(dir, 0o755); err != nil {
			faults = append(faults, err)
			continue
		}
		g := &group{dir: dir}
		err := g.limit()
		if err == nil {
			return g, nil
		}
		faults = append(faults, err, g.remove())
	}
	return nil, errors.Join(faults...)
}

// groupRoots are the places where a group could be made.
func groupRoots() []string {
	const root = "/sys/fs/cgroup"
	roots := []string{root}
	if b, err := os.ReadFile("/proc/self/cgroup"); err == nil {
		for line := range strings.Lines(string(b)) {
			id, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
			controllers, path, _ := strings.Cut(rest, ":")
			switch {
			case id == "0":
				roots = append(roots, filepath.Join(root, path), filepath.Dir(filepath.Join(root, path)))
			case controllers == "cpu" || strings.HasPrefix(controllers, "cpu,") || strings.HasSuffix(controllers, ",cpu"):
				roots = append(roots, filepath.Join(root, controllers), filepath.Join(root, controllers, path), filepath.Join(root, "cpu"))
			}
		}
	}
	return roots
}

// limit sets the limit, in the words of whichever version this is.
func (g *group) limit() error {
	v2 := g.write("cpu.max", fmt.Sprintf("%d %d", quotaMicros, periodMicros))
	if v2 == nil {
		return nil
	}
	if err := g.write("cpu.cfs_period_us", strconv.Itoa(periodMicros)); err != nil {
		return errors.Join(v2, err)
	}
	return g.write("cpu.cfs_quota_us", strconv.Itoa(quotaMicros))
}

func (g *group) write(name, text string) error {
	f, err := os.OpenFile(filepath.Join(g.dir, name), os.O_WRONLY, 0) // never makes a file: that would be no control group
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// add puts a process into the group.
func (g *group) add(pid int) error {
	if g == nil {
		return nil
	}
	err := g.write("cgroup.procs", strconv.Itoa(pid))
	if g.memory != "" {
		err = errors.Join(err, (&group{dir: g.memory}).add(pid))
	}
	return err
}

// remove takes the group away, once nothing runs in it.
func (g *group) remove() error {
	if g == nil {
		return nil
	}
	err := os.Remove(g.dir)
	if g.memory != "" {
		err = errors.Join(err, os.Remove(g.memory))
	}
	return err
}
