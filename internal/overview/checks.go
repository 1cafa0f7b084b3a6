package overview

import (
	"context"
	"io/fs"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/edge"
	"pocketid/internal/jobs"
	"pocketid/internal/oidc"
)

// A State is how urgent what a check found is.
type State string

// The states. What is Bad keeps somebody from signing in, or soon will.
const (
	OK   State = "ok"
	Warn State = "warn"
	Bad  State = "bad"
)

// A Check is what was found about one thing. Its words are check.<Name>.<Finding>.title,
// what was seen check.<Name>.<Finding>, and what to do check.<Name>.<Finding>.cure.
type Check struct {
	Name    string
	Finding string
	State   State
	// Params are pairs of a name in the words and its value: a string, a number, a time.
	Params []any
}

// check is how one thing is looked at: what was found about it. Without an answer there is
// nothing to say about it here.
type check struct {
	name string
	look func(o *Overview, ctx context.Context, way edge.Way) (*Check, error)
}

// checks are all of them, in the order in which they are shown when all is well. Each takes
// one statement at most.
var checks = []check{
	{"address", (*Overview).address},
	{"secure", (*Overview).secure},
	{"certificate", (*Overview).certificate},
	{"proxy", (*Overview).proxy},
	{"key", (*Overview).key},
	{"signing", (*Overview).signing},
	{"jobs", (*Overview).jobs},
	{"database", (*Overview).database},
	{"clock", (*Overview).clock},
	{"disk", (*Overview).disk},
	{"version", (*Overview).version},
}

const (
	// checkFor is how long one check may take.
	checkFor = 2 * time.Second

	clockWarn = time.Second     // a clock that is off so far deserves a look
	clockBad  = 5 * time.Second // and one that is off so far ends readiness

	certSoon = 14 * 24 * time.Hour // a certificate that ends so soon was not renewed by itself

	oldKey = 365 * 24 * time.Hour // a signing key that should be replaced

	diskWarn = 200 << 20 // bytes that should be left, and
	diskPart = 10        // the part of the disk, in percent
	diskBad  = 32 << 20
)

// Checks looks at everything, for administrators: what is wrong first. way is how the
// request came that asks; at a terminal it is empty, and what depends on it is left out.
func (o *Overview) Checks(ctx context.Context, by audit.Actor, way edge.Way) ([]Check, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	var found []Check
	for _, c := range checks {
		bounded, cancel := context.WithTimeout(ctx, checkFor)
		one, err := c.look(o, bounded, way)
		cancel()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			one = &Check{Finding: "unknown", State: Bad}
		}
		if one != nil {
			one.Name = c.name
			found = append(found, *one)
		}
	}
	urgent := []State{Bad, Warn, OK}
	slices.SortStableFunc(found, func(a, b Check) int { return slices.Index(urgent, a.State) - slices.Index(urgent, b.State) })
	return found, nil
}

// address compares APP_URL with what the browser asked for. Only a proxy that is trusted
// knows the scheme, so without one the host alone is compared. The page compares again
// what the browser itself says.
func (o *Overview) address(_ context.Context, way edge.Way) (*Check, error) {
	if way.Host == "" {
		return nil, nil
	}
	scheme := o.PublicURL.Scheme
	if way.Trusted {
		scheme = way.Scheme
	}
	asked := (&url.URL{Scheme: scheme, Host: plainHost(scheme, way.Host)}).String()
	if want := o.PublicURL.String(); asked != want {
		return &Check{Finding: "other", State: Bad, Params: []any{"asked", asked, "app_url", want}}, nil
	}
	return &Check{Finding: "same", State: OK, Params: []any{"app_url", asked}}, nil
}

// plainHost is a host without the port that its scheme implies.
func plainHost(scheme, host string) string {
	host = strings.ToLower(host)
	if scheme == "https" {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}

// secure says whether browsers offer passkeys at the address at all.
func (o *Overview) secure(context.Context, edge.Way) (*Check, error) {
	host := o.PublicURL.Hostname()
	switch {
	case o.PublicURL.Scheme == "https":
		return &Check{Finding: "https", State: OK, Params: []any{"app_url", o.PublicURL.String()}}, nil
	case host == "localhost" || strings.HasSuffix(host, ".localhost"):
		return &Check{Finding: "local", State: OK, Params: []any{"app_url", o.PublicURL.String()}}, nil
	}
	return &Check{Finding: "http", State: Bad, Params: []any{"app_url", o.PublicURL.String(), "better", "https://" + o.PublicURL.Host}}, nil
}

// proxy says whether the addresses that limits and records go by are those of people.
func (o *Overview) proxy(_ context.Context, way edge.Way) (*Check, error) {
	params := []any{"peer", way.Peer, "address", way.Address, "n", way.Hops}
	switch {
	case o.NoLimits:
		return &Check{Finding: "unlimited", State: Warn}, nil
	case way.Peer == "":
		return nil, nil
	case way.Platform && way.Address != "":
		return &Check{Finding: "platform", State: OK, Params: params}, nil
	case way.Address == "":
		return &Check{Finding: "unreadable", State: Warn, Params: params}, nil
	case way.Forwarded && !way.Trusted && o.Proxies:
		return &Check{Finding: "stranger", State: Warn, Params: params}, nil
	case way.Forwarded && !way.Trusted:
		return &Check{Finding: "ignored", State: Warn, Params: params}, nil
	case way.Forwarded && o.EveryProxy && way.Hops > 1 && way.Private:
		return &Check{Finding: "inner", State: Warn, Params: params}, nil
	case way.Forwarded:
		return &Check{Finding: "trusted", State: OK, Params: params}, nil
	}
	return &Check{Finding: "direct", State: OK, Params: params}, nil
}

// key says where the encryption key lies, and who else may read it.
func (o *Overview) key(context.Context, edge.Way) (*Check, error) {
	if o.KeyFile == "" {
		return &Check{Finding: "environment", State: OK}, nil
	}
	about, err := os.Stat(o.KeyFile)
	if err != nil {
		return &Check{Finding: "gone", State: Bad, Params: []any{"file", o.KeyFile}}, nil
	}
	mode := about.Mode().Perm()
	params := []any{"file", o.KeyFile, "mode", "0" + strconv.FormatUint(uint64(mode), 8)}
	// What a platform lays into a container is often readable to all in it, and it alone
	// decides that; what lies beside the database is ours.
	var open fs.FileMode = 0o077
	if o.KeyNamed {
		open = 0o022
	}
	if mode&open != 0 && runtime.GOOS != "windows" {
		return &Check{Finding: "open", State: Warn, Params: params}, nil
	}
	return &Check{Finding: "file", State: OK, Params: params}, nil
}

// signing says how old the signing keys are, and when the next one takes over.
func (o *Overview) signing(ctx context.Context, _ edge.Way) (*Check, error) {
	var ages []oidc.KeyAge
	var now time.Time
	err := o.DB.Read(ctx, func(tx *db.Tx) (err error) {
		now = tx.Now()
		ages, err = oidc.KeyAges(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	var names []string
	var oldest oidc.KeyAge
	var next time.Time
	for _, a := range ages {
		if a.Since.IsZero() {
			return &Check{Finding: "missing", State: Warn, Params: []any{"alg", string(a.Alg)}}, nil
		}
		names = append(names, string(a.Alg))
		if oldest.Since.IsZero() || a.Since.Before(oldest.Since) {
			oldest = a
		}
		if !a.NextAt.IsZero() && (next.IsZero() || a.NextAt.Before(next)) {
			next = a.NextAt
		}
	}
	c := &Check{Finding: "fine", State: OK, Params: []any{"algs", names, "since", oldest.Since, "alg", string(oldest.Alg), "next", next}}
	switch {
	case !next.IsZero():
		c.Finding = "turning"
	case now.Sub(oldest.Since) > oldKey:
		c.Finding, c.State = "old", Warn
	}
	return c, nil
}

// jobs says whether work was given up.
func (o *Overview) jobs(ctx context.Context, _ edge.Way) (*Check, error) {
	var n int
	err := o.DB.Read(ctx, func(tx *db.Tx) (err error) {
		n, err = jobs.CountResting(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	if n > 0 {
		return &Check{Finding: "resting", State: Warn, Params: []any{"n", n}}, nil
	}
	return &Check{Finding: "none", State: OK}, nil
}

// database says what it is, and how large.
func (o *Overview) database(ctx context.Context, _ edge.Way) (*Check, error) {
	about, err := o.DB.About(ctx)
	if err != nil {
		return nil, err
	}
	return &Check{Finding: "answers", State: OK, Params: []any{"engine", about.Engine, "version", about.Version, "size", Bytes(about.Size)}}, nil
}

// Bytes is a size, which people read in larger units.
type Bytes int64

// clock compares the clock of the process with that of the database.
func (o *Overview) clock(ctx context.Context, _ edge.Way) (*Check, error) {
	if !o.DB.Postgres {
		return nil, nil // it has none of its own
	}
	off, err := o.DB.ClockOff(ctx)
	if err != nil {
		return nil, err
	}
	c := &Check{Finding: "same", State: OK, Params: []any{"off", off.Abs().Round(time.Millisecond).String()}}
	switch {
	case off.Abs() > clockBad:
		c.Finding, c.State = "off", Bad
	case off.Abs() > clockWarn:
		c.Finding, c.State = "off", Warn
	}
	return c, nil
}

// disk says how much room is left under the SQLite file.
func (o *Overview) disk(context.Context, edge.Way) (*Check, error) {
	s, known := o.DB.Space()
	if !known {
		return nil, nil
	}
	return room(s), nil
}

func room(s db.Space) *Check {
	c := &Check{Finding: "enough", State: OK, Params: []any{"dir", s.Dir, "free", Bytes(s.Free), "total", Bytes(s.Total)}}
	switch {
	case s.Free < diskBad:
		c.Finding, c.State = "little", Bad
	case s.Free < diskWarn && s.Free < s.Total/100*diskPart:
		c.Finding, c.State = "little", Warn
	}
	return c
}

// version says what runs.
func (o *Overview) version(context.Context, edge.Way) (*Check, error) {
	return &Check{Finding: "runs", State: OK, Params: []any{"version", o.Version, "go", strings.TrimPrefix(runtime.Version(), "go"), "system", runtime.GOOS + "/" + runtime.GOARCH}}, nil
}
