package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"pocketid/internal/edge"
	"pocketid/internal/fault"
)

// errChanged refuses a change to what is not any more as the program saw it.
var errChanged = fault.New(fault.Precondition, "object_changed")

// A state makes a context in which the next change is made only if check takes the object
// of the request as it is in the transaction of that change. check gets what GET answers.
type state func(ctx context.Context, r *http.Request, check func(v any) error) context.Context

// conditional makes the changes of an operation depend on If-Match (RFC 9110 §13.1.1).
func conditional(o Operation, h edge.Handler) edge.Handler {
	if o.State == nil || o.Method() == http.MethodGet {
		return h
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		header := strings.Join(r.Header.Values("If-Match"), ",")
		if header == "" || strings.TrimSpace(header) == "*" { // that there is one, the change finds out itself
			return h(w, r)
		}
		ctx := o.State(r.Context(), r, func(v any) error {
			tag, _, err := tagged(v)
			if err != nil {
				return err
			}
			for one := range strings.SplitSeq(header, ",") {
				if strings.TrimSpace(one) == tag {
					return nil
				}
			}
			return errChanged
		})
		return h(w, r.WithContext(ctx))
	}
}

// tagged is v as JSON, with a strong validator of that.
func tagged(v any) (tag string, body []byte, err error) {
	body, err = json.Marshal(v)
	if err != nil {
		return "", nil, fmt.Errorf("write JSON: %w", err)
	}
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`, append(body, '\n'), nil
}

// writeObject answers a single object with its validator, so that a program can ask whether
// it is another by now (If-None-Match), and change it only if it is not (If-Match). The
// answer to PUT has none, because a validator would say that what was sent was stored as
// it is (RFC 9110 §9.3.4).
func writeObject(w http.ResponseWriter, r *http.Request, status int, v any) error {
	if r.Method == http.MethodPut || r.Method == http.MethodPatch {
		return edge.WriteJSON(w, status, v)
	}
	tag, body, err := tagged(v)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Etag", tag)
	// Compressed, the tag would be a weak one, which If-Match does not take.
	h.Set("Cache-Control", "private, no-store, no-transform")
	if status == http.StatusOK && edge.Matches(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err = w.Write(body)
	return err
}
