package apptest

import (
	"embed"
	"fmt"
	"sync/atomic"

	"pocketid/internal/jose"
)

//go:embed testdata/rsa*.json
var madeBefore embed.FS

// keyMaker makes signing keys; the first ones of RSA were made before, because
// making one takes longer than most tests. They are worth nothing: everybody
// has them.
func keyMaker() func(jose.Alg) (*jose.Key, error) {
	var n atomic.Int32
	return func(alg jose.Alg) (*jose.Key, error) {
		if alg == jose.RS256 {
			if b, err := madeBefore.ReadFile(fmt.Sprintf("testdata/rsa%d.json", n.Add(1))); err == nil {
				return jose.ParsePrivate(b)
			}
		}
		return jose.Generate(alg)
	}
}
