package app

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Probe asks an address and wants a status of 200 to 299 within five seconds.
func Probe(ctx context.Context, address string) error { return ProbeThrough(ctx, "", address) }

// ProbeThrough is Probe by a Unix socket, when there is a path.
func ProbeThrough(ctx context.Context, path, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	client := http.Client{
		Transport:     Through(path),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("%s answered %s", address, res.Status)
	}
	return nil
}
