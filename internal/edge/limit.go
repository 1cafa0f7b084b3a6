package edge

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"pocketid/internal/fault"
)

var (
	errRateLimited    = fault.New(fault.TooMany, "rate_limited")
	errAddressUnknown = fault.New(fault.Forbidden, "address_unknown")
)

// Classes of routes that share a limit for each network. Every route but those
// of LimitNone counts in the general class as well.
const (
	LimitGeneral   = ""
	LimitNone      = "none" // probes: an orchestrator must always get its answer
	LimitSignIn    = "sign-in"
	LimitStepUp    = "step-up"
	LimitLoginCode = "login-code"
	LimitUserCode  = "user-code"
	LimitToken     = "token"
)

// class is how often one network may ask: burst at once, and one more each interval.
type class struct {
	every time.Duration
	burst int
	// sensitive classes guard guesses: when in doubt they refuse.
	sensitive bool
}

var classes = map[string]class{
	LimitGeneral:   {every: time.Second / 100, burst: 300},
	LimitSignIn:    {every: 5 * time.Second, burst: 10, sensitive: true},
	LimitStepUp:    {every: 10 * time.Second, burst: 5, sensitive: true},
	LimitLoginCode: {every: 10 * time.Second, burst: 5, sensitive: true},
	LimitUserCode:  {every: 5 * time.Second, burst: 10, sensitive: true},
	LimitToken:     {every: time.Second / 50, burst: 200},
}

// wider is how many times as much the IPv6 networks of one /48 may ask
// together in a sensitive class. Whoever rents a /48 holds 65,536 networks of
// /64: one by one they would make the limit void and the memory full.
const wider = 16

// limit counts the request, and refuses it when its network asked too often.
func (s *Server) limit(st *state, name string) error {
	if s.limits == nil || name == LimitNone {
		return nil
	}
	address := st.client.address
	if !address.IsValid() {
		if classes[name].sensitive {
			return errAddressUnknown
		}
		address = st.client.peer // the proxy answers for those it cannot name
	}
	if wait := s.limits.take(LimitGeneral, address, st.start); wait > 0 {
		return errRateLimited.After(wait)
	}
	if name == LimitGeneral {
		return nil
	}
	if wait := s.limits.take(name, address, st.start); wait > 0 {
		return errRateLimited.After(wait)
	}
	return nil
}

// limits are the buckets of all classes, in this process alone: they are
// coarse, and exact counters of guesses are rows of the domain.
type limits struct {
	buckets map[string]*buckets
}

func newLimits() *limits {
	l := &limits{buckets: map[string]*buckets{}}
	for name, c := range classes {
		l.buckets[name] = newBuckets(c)
	}
	return l
}

// take counts one request and says how long to wait, which is nothing when it may pass.
func (l *limits) take(name string, a netip.Addr, at time.Time) time.Duration {
	return l.buckets[name].take(a, at)
}

// network is who shares a bucket: an IPv4 address, or the /64 or /48 of an IPv6 address.
type network struct {
	bits uint64
	kind uint8
}

func networkOf(a netip.Addr) network {
	a = a.Unmap()
	if a.Is4() {
		b := a.As4()
		return network{uint64(binary.BigEndian.Uint32(b[:])), 4}
	}
	b := a.As16()
	return network{binary.BigEndian.Uint64(b[:8]), 64}
}

// site is the /48 of an IPv6 network.
func (n network) site() network { return network{n.bits >> 16, 48} }

// buckets count one class. For each network they hold only the instant at
// which its bucket will be full again (the generic cell rate algorithm), so an
// entry that lies in the past says nothing and can go.
type buckets struct {
	class
	mu    sync.Mutex
	full  map[network]int64 // nanoseconds since begin
	begin time.Time
	swept int64
	// crowd are the buckets that networks share for which there is no room.
	crowd [256]int64
	seed  maphash.Seed
}

func newBuckets(c class) *buckets {
	return &buckets{class: c, full: map[network]int64{}, seed: maphash.MakeSeed()}
}

func (b *buckets) take(a netip.Addr, at time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.begin.IsZero() {
		b.begin = at
	}
	t := at.Sub(b.begin).Nanoseconds()
	b.sweep(t)
	n := networkOf(a)
	if n.kind == 64 && b.sensitive {
		if wait := b.count(n.site(), t, wider); wait > 0 {
			return wait
		}
	}
	return b.count(n, t, 1)
}

// count takes one from the bucket of n, which is times as big as the class says.
func (b *buckets) count(n network, t, times int64) time.Duration {
	full, known := b.full[n]
	var shared *int64
	if !known && len(b.full) >= maxNetworks {
		if b.sensitive {
			return b.every // no room to count guesses in: refuse
		}
		shared = &b.crowd[maphash.Comparable(b.seed, n)%uint64(len(b.crowd))]
		full = *shared
	}
	step := b.every.Nanoseconds() / times
	next := max(full, t) + step
	if over := next - t - step*int64(b.burst)*times; over > 0 {
		return time.Duration(over)
	}
	if shared != nil {
		*shared = next
	} else {
		b.full[n] = next
	}
	return 0
}

// sweep drops the buckets that are full again: every minute, and every second
// while there is no room. Each entry was paid for by a request.
func (b *buckets) sweep(t int64) {
	pause := int64(time.Minute)
	if len(b.full) >= maxNetworks {
		pause = int64(time.Second)
	}
	if t-b.swept < pause {
		return
	}
	b.swept = t
	for n, full := range b.full {
		if full <= t {
			delete(b.full, n)
		}
	}
	if len(b.full) == 0 {
		b.full = map[network]int64{} // maps do not shrink by themselves
	}
}
