package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/signin"
)

// idempotencyKey is the header by which a program names a creation, so that it can ask
// again after a broken connection without making it twice.
const idempotencyKey = "Idempotency-Key"

// replayed is the header of an answer that comes again.
const replayed = "Idempotency-Replayed"

// repeatable reports whether Idempotency-Key is heard: by what makes something, where keys
// are taken. What needs a fresh proof by passkey is not told again without one.
func (o *Operation) repeatable() bool {
	return o.Method() == http.MethodPost && o.status() == http.StatusCreated && o.Key != "" && o.MaxFile == 0
}

// once makes an operation that makes something do it once for each Idempotency-Key.
func (a *API) once(o Operation, h edge.Handler) edge.Handler {
	if !o.repeatable() {
		return h
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		key := r.Header.Get(idempotencyKey)
		if key == "" {
			return h(w, r)
		}
		if len(r.Header.Values(idempotencyKey)) > 1 {
			return signin.ErrReplyKey
		}
		body, err := edge.ReadBody(r)
		if err != nil {
			return err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		asked := append([]byte(r.Method+" "+r.URL.RequestURI()+"\n"), body...)
		ctx, deed, reply, err := a.signin.Once(r.Context(), actor(r), key, asked)
		if err != nil {
			return err
		}
		if reply != nil {
			w.Header().Set(replayed, "true")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(reply.Status)
			_, err := w.Write(reply.Body)
			return err
		}
		told := &listener{ResponseWriter: w, status: http.StatusOK}
		// A program that is gone by now asks again, so what is written down is written.
		after := context.WithoutCancel(r.Context())
		if err := h(told, r.WithContext(ctx)); err != nil {
			if kind := fault.Of(err).Kind; kind != fault.Internal && kind != fault.Unavailable {
				if err := a.signin.Refused(after, deed); err != nil {
					return fmt.Errorf("forget a refused creation: %w", err)
				}
			}
			return err
		}
		answer := signin.Reply{Status: told.status, Body: told.body.Bytes()}
		if o.Secret {
			answer.Body = nil
		}
		return a.signin.Answered(after, deed, answer)
	}
}

// A listener keeps a copy of an answer.
type listener struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader keeps the status.
func (l *listener) WriteHeader(status int) { l.status = status; l.ResponseWriter.WriteHeader(status) }

// Write keeps the body.
func (l *listener) Write(b []byte) (int, error) { l.body.Write(b); return l.ResponseWriter.Write(b) }

// Unwrap is for http.ResponseController.
func (l *listener) Unwrap() http.ResponseWriter { return l.ResponseWriter }
