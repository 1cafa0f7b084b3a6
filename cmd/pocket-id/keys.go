package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pocketid/internal/app"
	"pocketid/internal/jose"
	"pocketid/internal/oidc"
)

var keyRotateCommand = command{
	name: "key-rotate", about: "make a new signing key; the old one goes on verifying",
	flags: []option{
		{name: "alg", short: "a", value: "ALG", about: "the algorithm of the key", fallback: string(jose.RS256)},
		{name: "now", about: "let it sign after half a minute instead of an hour"},
		{name: "compromised", value: "KEY", about: "end the key of this id, which somebody else may have: what it signed no longer verifies"},
		{name: "crv", short: "c", value: "CURVE", about: "the curve", hidden: true},
		{name: "yes", short: "y", about: "as scripts for Pocket ID 2.x have it", hidden: true},
	},
	examples: []string{"key-rotate", "key-rotate -a ES256 --now"},
	run:      keyRotate,
}

// keyRotate makes a new signing key of one algorithm. What the old one signed
// goes on to verify, so nothing needs to be confirmed.
func keyRotate(ctx context.Context, p *call) error {
	alg, curve, leaked := p.text("alg"), p.text("crv"), p.text("compromised")
	chosen, known := oidc.KnownAlg(alg)
	switch {
	case !known:
		return usageError(fmt.Sprintf("there are keys of %v, and none of %s", oidc.KeyAlgs, alg))
	case curve != "" && (chosen != jose.EdDSA || curve != "Ed25519"):
		return usageError("the curve of EdDSA is Ed25519, and the other algorithms have none to choose")
	}
	return p.beside(ctx, func(a *app.App) error {
		keys, by := a.OIDC.Keys(), terminalActor()
		if leaked != "" {
			if err := keys.Compromise(ctx, by, leaked); err != nil {
				return err
			}
			_, err := fmt.Fprintf(p.out, "Nothing that the key %s signed verifies any more. Running servers know it within seconds.\n", leaked)
			return err
		}
		rotate := keys.Rotate
		if p.on("now") {
			rotate = keys.RotateNow
		}
		done, err := rotate(ctx, by, chosen)
		if errors.Is(err, oidc.ErrKeyAlg) {
			return usageError(fmt.Sprintf("there are keys of %v, and none of %s", oidc.KeyAlgs, alg))
		}
		if err != nil {
			return err
		}
		when := "signs from now on"
		if !done.Signs {
			when = "is published, and signs from " + done.SignsAt.Local().Format(time.DateTime+" MST") + " on, when applications know it"
		}
		_, err = fmt.Fprintf(p.out, "The %s key %s %s. What the old key signed goes on to verify; nothing needs a restart.\n", done.Alg, done.KeyID, when)
		return err
	})
}
