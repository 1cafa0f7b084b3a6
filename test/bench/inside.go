package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// inspected is a server built with the tag profile, which tells what goes on inside
// of it by signals and files. Its times are not for the table.
type inspected struct{ *server }

// inspect makes one of s before it is started.
func inspect(s *server) *inspected {
	s.environ = append(s.environ, "PROFILE_DIR="+s.dir)
	return &inspected{s}
}

// signal sends a signal and, when it has a name, waits for the file that it makes.
func (i *inspected) signal(ctx context.Context, sig syscall.Signal, name string) ([]byte, error) {
	path := filepath.Join(i.dir, name)
	if name != "" {
		if err := os.RemoveAll(path); err != nil {
			return nil, err
		}
	}
	if err := i.cmd.Process.Signal(sig); err != nil || name == "" {
		return nil, err
	}
	for end := time.Now().Add(patience); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
		if b, err := os.ReadFile(path); err == nil {
			return b, nil
		}
	}
	return nil, fmt.Errorf("the server wrote no %s", name)
}

// counts are what the server has done since its start, by name.
func (i *inspected) counts(ctx context.Context) (map[string]int64, error) {
	b, err := i.signal(ctx, syscall.SIGUSR2, "counts")
	if err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for line := range strings.Lines(string(b)) {
		var name string
		var n int64
		if _, err := fmt.Sscan(line, &name, &n); err != nil {
			return nil, err
		}
		counts[name] = n
	}
	return counts, nil
}

// An inner is what one operation takes inside of the server.
type inner struct{ statements, allocations, bytes float64 }

// count runs an operation n times, one after the other, and says what each took.
func (i *inspected) count(ctx context.Context, t *town, r row, n int) (inner, error) {
	for range 3 { // what is done once an hour or for the first time
		if err := r.do(t, t.people[0]); err != nil {
			return inner{}, err
		}
	}
	before, err := i.counts(ctx)
	if err != nil {
		return inner{}, err
	}
	for range n {
		if err := r.do(t, t.people[0]); err != nil {
			return inner{}, err
		}
	}
	after, err := i.counts(ctx)
	each := func(name string) float64 { return float64(after[name]-before[name]) / float64(n) }
	return inner{each("statements"), each("allocations"), each("bytes")}, err
}

// profile takes profiles of the server while fn runs, into dir.
func (i *inspected) profile(ctx context.Context, dir, name string, fn func() error) error {
	if _, err := i.signal(ctx, syscall.SIGUSR1, ""); err != nil {
		return err
	}
	if err := fn(); err != nil {
		return err
	}
	cpu, err := i.signal(ctx, syscall.SIGUSR1, "cpu.pprof")
	if err != nil {
		return err
	}
	name = strings.NewReplacer(" ", "-", ",", "").Replace(name)
	if err := os.WriteFile(filepath.Join(dir, name+".cpu.pprof"), cpu, 0o600); err != nil {
		return err
	}
	allocs, err := os.ReadFile(filepath.Join(i.dir, "allocs.pprof"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".allocs.pprof"), allocs, 0o600)
}
