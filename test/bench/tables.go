package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"pocketid/internal/jose"
)

// tables measures everything and writes it as Markdown.
func (b *bench) tables(ctx context.Context) error {
	binary, err := b.shipped(ctx)
	if err != nil {
		return err
	}
	if b.small > 0 {
		return errors.Join(b.inContainer(ctx, binary), errors.Join(b.failed...))
	}
	b.say("measuring this machine")
	m, err := look()
	if err != nil {
		return err
	}
	engines := []string{""}
	if b.postgres != "" {
		dsn, err := b.schema(ctx)
		if err != nil {
			return err
		}
		engines = append(engines, dsn)
	}
	towns := make([][]*town, len(engines))
	var names []string
	for i, dsn := range engines {
		if towns[i], err = b.settle(ctx, binary, dsn); err != nil {
			return err
		}
		name, err := engine(ctx, towns[i][0].server)
		if err != nil {
			return err
		}
		names = append(names, name)
	}
	b.scale = float64(yardstick) / float64(m.rsa)
	b.print("%s", m.describe(names))
	if b.starts > 0 {
		if err := b.atRest(ctx, binary); err != nil {
			return err
		}
	}
	if b.counted > 0 {
		if err := b.inside(ctx); err != nil {
			return err
		}
	}
	for i, list := range towns {
		if err := b.underLoad(ctx, names[i], list); err != nil {
			return err
		}
		if i == 0 && b.starts > 0 {
			if err := b.limited(ctx, list[0]); err != nil {
				return err
			}
		}
	}
	if b.crowd > 0 {
		for _, list := range towns { // they have no part in this
			for _, t := range list {
				t.leave()
				if err := t.stop(); err != nil {
					return err
				}
			}
		}
		for i := range towns {
			if err := b.pages(ctx, binary, names[i], towns[i][0].dsn); err != nil {
				return err
			}
		}
	}
	return errors.Join(b.failed...)
}

// settle starts the servers of one engine, the first and those to compare it with,
// and fills them with people.
func (b *bench) settle(ctx context.Context, binary, dsn string) ([]*town, error) {
	var towns []*town
	for i, binary := range append([]string{binary}, b.against...) {
		binary, err := filepath.Abs(binary)
		if err != nil {
			return nil, err
		}
		if i > 0 && dsn != "" {
			if dsn, err = b.schema(ctx); err != nil {
				return nil, err
			}
		}
		t, err := b.settleIn(ctx, filepath.Base(binary), binary, dsn)
		if err != nil {
			return nil, err
		}
		towns = append(towns, t)
	}
	return towns, nil
}

func (b *bench) settleIn(ctx context.Context, name, binary, dsn string) (*town, error) {
	s, err := b.server(name, binary, dsn)
	if err != nil {
		return nil, err
	}
	if _, err := s.start(ctx, nil); err != nil {
		return nil, err
	}
	b.say("%d people move in", b.people)
	return settle(ctx, s, b.people)
}

// underLoad measures the rows on one engine.
func (b *bench) underLoad(ctx context.Context, name string, towns []*town) error {
	compared, column, rule := len(towns) > 1, "", ""
	if compared {
		column, rule = " program |", " --- |"
	}
	b.print("### %s\n", name)
	b.print("| operation |%s at once | per s | p50 ms | p95 ms | p99 ms | errors | CPU s per 1,000 | scaled | promised |", column)
	b.print("| --- |%s --: | --: | --: | --: | --: | --: | --: | --: | --: |", rule)
	for _, t := range towns { // connections that rested while others were measured are closed by now
		t.leave()
	}
	for _, r := range wanted(b.rows) {
		for _, n := range b.at {
			results := make([]result, len(towns))
			for range b.rounds {
				for i, t := range towns {
					b.say("%s: %s, %d at once", name, r.name, n)
					one, err := load(ctx, t, r, n, b.long)
					if err != nil {
						return err
					}
					results[i] = results[i].better(one)
				}
			}
			for i, t := range towns {
				if compared {
					column = " " + t.name + " |"
				}
				b.line(r, column, n, &results[i])
			}
		}
	}
	b.print("")
	return nil
}

// line writes one row, and notes its first error.
func (b *bench) line(r row, column string, n int, one *result) {
	promised := ""
	if r.budget > 0 {
		promised = strconv.FormatFloat(r.budget, 'g', -1, 64)
	}
	b.print("| %s |%s %d | %.0f | %.2f | %.2f | %.2f | %d | %.3f | %.3f | %s |", r.name, column, n, one.rate(),
		one.within(0.5), one.within(0.95), one.within(0.99), one.errors, one.per1000(), one.per1000()*b.scale, promised)
	if one.first != nil {
		b.say("%s, %d at once: %v", r.name, n, one.first)
		b.failed = append(b.failed, fmt.Errorf("%s, %d at once: %d errors, the first: %w", r.name, n, one.errors, one.first))
	}
}

// limited measures one row with the rate limits on, for which each request has to
// come from somebody else.
func (b *bench) limited(ctx context.Context, t *town) error {
	if err := t.stop(); err != nil {
		return err
	}
	t.leave()
	t.environ = append(t.environ, "DISABLE_RATE_LIMITING=false", "TRUST_PROXY=127.0.0.0/8")
	if _, err := t.start(ctx, nil); err != nil {
		return err
	}
	n := min(16, b.people)
	var asked atomic.Uint32
	r := row{"userinfo", 0, func(t *town, p *person) error {
		c := asked.Add(1)
		return p.userinfo(t.clients[jose.ES256], fmt.Sprintf("X-Forwarded-For: 10.%d.%d.%d\r\n", c>>16&255, c>>8&255, c&255))
	}}
	b.say("userinfo with limits, %d at once", n)
	one, err := load(ctx, t, r, n, b.long)
	if err != nil {
		return err
	}
	b.print("The rows are measured with `DISABLE_RATE_LIMITING=true`, because all load comes from one address. With limits, and another address for each")
	b.print("request: userinfo, %d at once, %.0f per s, p99 %.2f ms, %d errors, %.3f CPU s per 1,000.\n", n, one.rate(), one.within(0.99), one.errors, one.per1000())
	if one.first != nil {
		b.failed = append(b.failed, one.first)
	}
	return nil
}

// inside counts what operations take inside of the server.
func (b *bench) inside(ctx context.Context) error {
	t, i, err := b.inspectable(ctx)
	if err != nil {
		return err
	}
	b.print("| one operation | statements | allocations | KiB allocated |\n| --- | --: | --: | --: |")
	for _, r := range wanted(b.rows) {
		one, err := i.count(ctx, t, r, b.counted)
		if err != nil {
			return fmt.Errorf("count %s: %w", r.name, err)
		}
		b.print("| %s | %.0f | %.0f | %.1f |", r.name, math.Round(one.statements), one.allocations, one.bytes/1024)
	}
	b.print("")
	return t.stop()
}

// inspectable is a town whose server was built with the tag profile.
func (b *bench) inspectable(ctx context.Context) (*town, *inspected, error) {
	binary, err := b.build(ctx, "profile")
	if err != nil {
		return nil, nil, err
	}
	s, err := b.server("profile", binary, "")
	if err != nil {
		return nil, nil, err
	}
	i := inspect(s)
	if _, err := s.start(ctx, nil); err != nil {
		return nil, nil, err
	}
	b.say("%d people move in", b.people)
	t, err := settle(ctx, s, b.people)
	return t, i, err
}

// profiles takes a profile of each row and measures nothing else.
func (b *bench) profiles(ctx context.Context) error {
	if err := os.MkdirAll(b.profile, 0o755); err != nil {
		return err
	}
	t, i, err := b.inspectable(ctx)
	if err != nil {
		return err
	}
	n := min(16, b.people)
	for _, r := range wanted(b.rows) {
		b.say("profile of %s, %d at once", r.name, n)
		err := i.profile(ctx, b.profile, r.name, func() error {
			one, err := load(ctx, t, r, n, b.long)
			if err != nil {
				return err
			}
			return one.first
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// atRest measures size, starts and memory.
func (b *bench) atRest(ctx context.Context, binary string) error {
	b.print("| start, size, memory | measured | promised |\n| --- | --: | --: |")
	file, err := os.Stat(binary)
	if err != nil {
		return err
	}
	b.print("| binary, stripped | %.1f MB | 25 MB |", float64(file.Size())/1e6)
	g, refused := newGroup()
	defer g.remove()
	for _, part := range []struct {
		name  string
		group *group
		first string
		again string
	}{{"", nil, "100 ms", "20 ms"}, {", at 0.2 processors", g, "500 ms", "100 ms"}} {
		if part.name != "" && g == nil {
			b.print("| start to ready%s | not measured: %v | %s, %s |", part.name, oneLine(refused), part.first, part.again)
			continue
		}
		first, again, err := b.startTimes(ctx, binary, part.group)
		if err != nil {
			return err
		}
		b.print("| start to ready, first%s | %.1f ms | %s |", part.name, first, part.first)
		b.print("| start to ready, existing database%s | %.1f ms | %s |", part.name, again, part.again)
	}
	return b.memory(ctx, binary)
}

// startTimes are the medians of first starts and later ones, in milliseconds.
func (b *bench) startTimes(ctx context.Context, binary string, g *group) (first, again float64, err error) {
	b.say("starting %d times", 2*b.starts)
	var firsts, agains []float64
	for range b.starts {
		s, err := b.server("start", binary, "")
		if err != nil {
			return 0, 0, err
		}
		for _, list := range []*[]float64{&firsts, &agains} {
			if g != nil { // what came before is still being paid for
				time.Sleep(5 * periodMicros * time.Microsecond)
			}
			took, err := s.start(ctx, g)
			if err != nil {
				return 0, 0, err
			}
			*list = append(*list, float64(took.Microseconds())/1000)
			if err := s.stop(); err != nil {
				return 0, 0, err
			}
		}
	}
	slices.Sort(firsts)
	slices.Sort(agains)
	return firsts[len(firsts)/2], agains[len(agains)/2], nil
}

// memory measures what is resident: idle with one account, and at most under a load
// of sign-ins.
func (b *bench) memory(ctx context.Context, binary string) error {
	s, err := b.server("memory", binary, "")
	if err != nil {
		return err
	}
	if _, err := s.start(ctx, nil); err != nil {
		return err
	}
	t, err := settle(ctx, s, 1)
	if err != nil {
		return err
	}
	t.leave()
	if err := s.stop(); err != nil {
		return err
	}
	if _, err := s.start(ctx, nil); err != nil {
		return err
	}
	b.say("waiting until memory has settled")
	if err := wait(ctx, b.quiet); err != nil {
		return err
	}
	idle, err := s.memory("VmRSS")
	if err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	b.print("| resident memory, idle, one account | %.1f MiB | 25 MiB |", idle)

	n := min(16, b.people)
	busy, err := b.settleIn(ctx, "memory", binary, "")
	if err != nil {
		return err
	}
	signIn := rows[slices.IndexFunc(rows, func(r row) bool { return r.name == "passkey sign-in" })]
	b.say("sign-ins, %d at once", n)
	one, err := load(ctx, busy, signIn, n, 2*b.long)
	if err != nil {
		return err
	}
	if one.first != nil {
		return one.first
	}
	peak, err := busy.server.memory("VmHWM")
	if err != nil {
		return err
	}
	now, err := busy.server.memory("VmRSS")
	if err != nil {
		return err
	}
	b.print("| resident memory, peak, sign-in load of %d at once | %.1f MiB | 80 MiB |", n, peak)
	b.print("| resident memory, right after that load | %.1f MiB | |", now)
	if err := wait(ctx, 2*b.quiet); err != nil {
		return err
	}
	if now, err = busy.server.memory("VmRSS"); err != nil {
		return err
	}
	b.print("| resident memory, %v later | %.1f MiB | |\n", 2*b.quiet, now)
	busy.leave()
	return busy.server.stop()
}

// wait waits, or not to the end.
func wait(ctx context.Context, long time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(long):
		return nil
	}
}

// oneLine is an error for a cell of a table.
func oneLine(err error) string {
	if err == nil {
		return ""
	}
	text := []rune(err.Error())
	for i, r := range text {
		if r == '\n' || r == '|' {
			text[i] = ';'
		}
	}
	return string(text[:min(len(text), 160)])
}
