package app

import (
	"context"
	"errors"

	"pocketid/internal/audit"
)

// RotateKey makes a new signing key of an algorithm and returns its id.
func (a *App) RotateKey(ctx context.Context, by audit.Actor, alg string) (string, error) {
	return "", errors.New("signing keys are not built yet")
}
