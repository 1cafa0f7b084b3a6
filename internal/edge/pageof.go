package edge

import (
	"net/http"
	"strings"
)

// PageOf is the path and query of the page that r belongs to: its own where there is a page
// at its address, and for a form that goes elsewhere the nearest page above it, which is the
// one that it stands on. So there is somewhere to come back to from the answer to a form.
func PageOf(r *http.Request) string {
	st := stateOf(r.Context())
	if st.route == nil || r.Method == http.MethodGet || r.Method == http.MethodHead {
		return r.URL.RequestURI()
	}
	pattern, path := st.route.path(), r.URL.EscapedPath()
	for own := true; pattern != ""; own = false {
		if page := st.server.routes["GET "+pattern]; page != nil && page.Surface == Page {
			if own && r.URL.RawQuery != "" {
				path += "?" + r.URL.RawQuery
			}
			return path
		}
		pattern, path = above(pattern), above(path)
	}
	return "/"
}

// above is a path without its last part.
func above(path string) string { return path[:strings.LastIndexByte(path, '/')] }
