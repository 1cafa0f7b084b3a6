package overview

import (
	"context"

	"pocketid/internal/edge"
)

// certificate says how long the server's own certificate lasts, whether browsers take it for
// APP_URL, and whether its newest files are the ones in use.
func (o *Overview) certificate(ctx context.Context, _ edge.Way) (*Check, error) {
	if o.Certificate == nil {
		return nil, nil
	}
	leaf, refused := o.Certificate()
	if leaf == nil {
		return &Check{Finding: "missing", State: Bad}, nil
	}
	now, host := edge.Now(ctx), o.PublicURL.Hostname()
	c := &Check{Finding: "fine", State: OK, Params: []any{"until", leaf.NotAfter, "since", leaf.NotBefore, "host", host}}
	switch {
	case !now.Before(leaf.NotAfter):
		c.Finding, c.State = "ended", Bad
	case now.Before(leaf.NotBefore):
		c.Finding, c.State = "early", Bad
	case refused != nil:
		c.Finding, c.State = "refused", Bad
	case leaf.NotAfter.Sub(now) < certSoon:
		c.Finding, c.State = "soon", Warn
	case !o.Proxies && leaf.VerifyHostname(host) != nil:
		c.Finding, c.State = "name", Bad
	}
	return c, nil
}
