package main

import (
	"fmt"
	"io"
	"time"
)

// tellEvery is how often something that takes long says how far it has come: what is over
// before says nothing.
const tellEvery = 5 * time.Second

// A teller says how far something has come, a line each time, for a log as well as for a
// terminal.
type teller struct {
	out   io.Writer // the standard error: the standard output may be an archive
	every time.Duration
	last  time.Time
}

func (t *teller) tell(what string, count int64) {
	now := time.Now()
	if now.Sub(t.last) < t.every {
		return
	}
	t.last = now
	if count == 0 {
		fmt.Fprintf(t.out, "pocket-id: %s\n", what)
		return
	}
	fmt.Fprintf(t.out, "pocket-id: %s: %d so far\n", what, count)
}
