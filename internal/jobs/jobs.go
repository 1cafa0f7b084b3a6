// Package jobs runs work that must happen after a commit, at least once. Jobs
// are rows: what was added in a transaction that committed is not lost when
// the process dies, and several replicas share the work without knowing of
// each other.
package jobs

import (
	"crypto/rand"
	"strings"
	"time"

	"pocketid/internal/db"
)

// bell wakes the Runner of this process after a commit.
const bell = "jobs"

// publication is the kind of a job that stands for news of a topic. The Runner
// replaces it by one job for each subscriber, so who publishes need not know
// them, and a command may publish although it runs no jobs.
const publication = "published"

// Add queues a job in tx: it runs if, and only if, tx commits. It may run more
// than once.
func Add(tx *db.Tx, kind, body string) { AddAt(tx, kind, body, tx.Now()) }

// AddAt queues a job in tx that is not run before the given time.
func AddAt(tx *db.Tx, kind, body string, at time.Time) {
	tx.Do(`INSERT INTO jobs (id, kind, body, run_at, created_at) VALUES ($1, $2, $3, $4, $5)`,
		rand.Text(), kind, body, at.UnixMicro(), tx.Now().UnixMicro())
	tx.Ring(bell)
}

// Publish tells every subscriber of topic about the thing named id, after tx
// commits.
func Publish(tx *db.Tx, topic, id string) { Add(tx, publication, topic+" "+id) }

// published is what the body of a publication says.
func published(body string) (topic, id string) {
	topic, id, _ = strings.Cut(body, " ")
	return topic, id
}
