package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// smallMemory is how much memory the container of the small deployments has, in bytes.
const smallMemory = 256 << 20

// bound adds a limit of memory to a group, by version 2, or by version 1 where that is a
// hierarchy of its own.
func (g *group) bound(bytes int) error {
	v2 := g.write("memory.max", strconv.Itoa(bytes))
	if v2 == nil {
		return nil
	}
	g.memory = filepath.Join("/sys/fs/cgroup/memory", filepath.Base(g.dir))
	if err := os.Mkdir(g.memory, 0o755); err != nil {
		g.memory = ""
		return errors.Join(v2, err)
	}
	f, err := os.OpenFile(filepath.Join(g.memory, "memory.limit_in_bytes"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.Itoa(bytes))
	return errors.Join(err, f.Close())
}

// inContainer measures the server of SQLite in a fifth of a processor and 256 MiB, as small
// deployments run it: starts, memory at rest, and at most while 16 people sign in again and
// again for as long as the plan says.
func (b *bench) inContainer(ctx context.Context, binary string) (err error) {
	g, err := newGroup()
	if err != nil {
		return fmt.Errorf("no control group can be made: %w", err)
	}
	defer func() { err = errors.Join(err, g.remove()) }()
	if err := g.bound(smallMemory); err != nil {
		return err
	}
	b.print("### In 0.2 processors and %d MiB\n", smallMemory>>20)
	b.print("| what | measured | promised |\n| --- | --: | --: |")
	first, again, err := b.startTimes(ctx, binary, g)
	if err != nil {
		return err
	}
	b.print("| start to ready, first | %.1f ms | 500 ms |", first)
	b.print("| start to ready, existing database | %.1f ms | 100 ms |", again)

	s, err := b.server("small", binary, "")
	if err != nil {
		return err
	}
	if _, err := s.start(ctx, nil); err != nil { // people move in without the limit
		return err
	}
	b.people = max(b.people, 16)
	t, err := settle(ctx, s, b.people)
	if err != nil {
		return err
	}
	t.leave()
	if err := s.stop(); err != nil {
		return err
	}
	if _, err := s.start(ctx, g); err != nil {
		return err
	}
	if err := wait(ctx, b.quiet); err != nil {
		return err
	}
	idle, err := s.memory("VmRSS")
	if err != nil {
		return err
	}
	b.print("| resident memory, idle | %.1f MiB | 25 MiB |", idle)
	signIn := rows[slices.IndexFunc(rows, func(r row) bool { return r.name == "passkey sign-in" })]
	b.say("sign-ins in a small container for %v", b.small)
	one, err := load(ctx, t, signIn, 16, b.small)
	if err != nil {
		return err
	}
	peak, err := s.memory("VmHWM")
	if err != nil {
		return err
	}
	b.print("| resident memory, peak, %v of sign-ins by 16 at once | %.1f MiB | 80 MiB |", b.small, peak)
	b.print("| sign-ins in that time | %d, of which %d failed; p50 %d ms, p99 %d ms | none fails |\n", one.count, one.errors,
		int(one.within(0.5)), int(one.within(0.99)))
	if one.first != nil {
		b.failed = append(b.failed, one.first)
	}
	return s.stop()
}

// smallFor reads how long the load in the small container takes.
func smallFor(seconds string) (time.Duration, error) {
	if seconds == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(seconds)
	if err != nil || n < 1 || n > 3600 {
		return 0, fmt.Errorf("%q is no number of seconds", seconds)
	}
	return time.Duration(n) * time.Second, nil
}
