package oidc

import (
	"syscall"
	"testing"
	"time"

	"pocketid/internal/dbtest"
	"pocketid/internal/jose"
)

// cpu reports the processor time of an operation, which other work on the machine does
// not falsify as it does the time on the wall.
func cpu(b *testing.B, fn func()) {
	spent := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := spent()
	for b.Loop() {
		fn()
	}
	b.ReportMetric(float64((spent()-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

func BenchmarkTokens(b *testing.B) {
	all := []string{"openid", "profile", "email", "groups"}
	for _, alg := range []jose.Alg{jose.RS256, jose.ES256} {
		h := newHouse(b, dbtest.Open(b))
		c := h.relyingParty(ClientEdit{IDTokenAlg: alg})
		l := c.login("ada", all...)
		got := c.redeem(c.code(l, all...)).ok(b)
		b.Run("code/"+string(alg), func(b *testing.B) {
			cpu(b, func() { c.redeem(c.code(l, all...)).ok(b) })
		})
		b.Run("refresh/"+string(alg), func(b *testing.B) {
			cpu(b, func() { c.refresh(got.Refresh).ok(b) })
		})
		if alg == jose.ES256 {
			b.Run("userinfo", func(b *testing.B) {
				cpu(b, func() {
					if status, _ := h.userinfo(got.Access); status != 200 {
						b.Fatal(status)
					}
				})
			})
		}
	}
}
