package edge

import "time"

// Bounds of a request. The http.Server of the app takes the first ones.
const (
	// MaxHeaderBytes is the bound of the request line and the header together.
	MaxHeaderBytes = 64 << 10
	// ReadHeaderTimeout is how long a client may take for its header.
	ReadHeaderTimeout = 10 * time.Second
	// ReadTimeout is how long a client may take for the whole request.
	ReadTimeout = 30 * time.Second
	// WriteTimeout is how long an answer may take from the end of the header on.
	WriteTimeout = 60 * time.Second
	// IdleTimeout is how long a connection stays open with nothing asked.
	IdleTimeout = 120 * time.Second
	// RequestTimeout is the deadline of the context of each request. It is
	// shorter than WriteTimeout, so that what took too long can still be said.
	RequestTimeout = 30 * time.Second

	// MaxBody is the bound of a body unless the route says otherwise.
	MaxBody = 64 << 10
	// maxQuery is the bound of a query, but for those of applications, which the
	// protocol bounds: room for a list of a hundred that were picked.
	maxQuery = 16 << 10
	// maxDepth is how deep JSON may nest.
	maxDepth = 64
	// maxHeld is how much of an answer is held back, so that a late error can
	// still become a whole error page, and so that it can be compressed at once.
	maxHeld = 256 << 10
	// minCompressed is the size from which compression is worth its header.
	minCompressed = 1 << 10
	// maxUserAgent is how much of a browser's own name is kept.
	maxUserAgent = 400
	// maxNetworks is how many networks one class of limits remembers.
	maxNetworks = 16 << 10
	// maxHosts is how many wrong hosts are remembered, each to be told once.
	maxHosts = 100
	// maxHost is how much of a wrong host is shown.
	maxHost = 255
)
