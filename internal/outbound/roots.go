package outbound

import (
	"crypto/x509"
	"sync"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// BringRoots lets the roots that Mozilla trusts count, which the program carries, where
// the system has none: an image without an operating system. It is called before the first
// certificate of elsewhere is looked at and not at the start, because reading them takes
// milliseconds and half a megabyte, and most houses never ask anybody.
var BringRoots = sync.OnceFunc(func() {
	if system, err := x509.SystemCertPool(); err == nil && !system.Equal(x509.NewCertPool()) {
		return
	}
	roots := x509.NewCertPool()
	for root := range bundle.Roots() {
		c, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			continue // a later Go may refuse what an authority once did; the others still count
		}
		roots.AddCertWithConstraint(c, root.Constraint)
	}
	x509.SetFallbackRoots(roots)
})
