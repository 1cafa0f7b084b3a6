package edge

import (
	"context"
	"strings"
)

// A Way is how a request came here, for those who look after the house.
type Way struct {
	// Scheme and Host are what the browser asked for, as far as the server can know.
	Scheme, Host string
	// Peer is who connected, and Trusted says that it is a proxy whose word counts.
	Peer    string
	Trusted bool
	// Forwarded says that somebody on the way wrote X-Forwarded-For, and Hops how many
	// addresses stand there.
	Forwarded bool
	Hops      int
	// Platform says that the address was taken from the header of the platform in front.
	Platform bool
	// Address is the one that limits and records know; "" when it could not be read.
	Address string
	// Private says that Address is on an inner network.
	Private bool
}

// WayOf is the way of the request of ctx; outside a Server it is empty.
func WayOf(ctx context.Context) Way {
	st := stateOf(ctx)
	if st.request == nil {
		return Way{}
	}
	c := st.client
	w := Way{Trusted: c.trusted}
	w.Scheme, w.Host = c.asked(st.request)
	w.Host = cut(w.Host, maxHost)
	if c.peer.IsValid() {
		w.Peer = c.peer.String()
	}
	if c.address.IsValid() {
		w.Address = c.address.String()
		w.Private = c.address.IsPrivate() || c.address.IsLoopback() || c.address.IsLinkLocalUnicast()
	}
	if list := strings.Join(st.request.Header.Values("X-Forwarded-For"), ","); list != "" {
		w.Forwarded, w.Hops = true, strings.Count(list, ",")+1
	}
	if p := st.server.proxies; p.header != "" && (c.trusted || len(p.nets) == 0) {
		w.Platform = st.request.Header.Get(p.header) != ""
	}
	return w
}
