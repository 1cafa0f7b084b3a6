// Package jobs runs work that must happen after a commit, at least once. Jobs
// are rows: what was added in a transaction that committed is not lost when
// the process dies, and several replicas share the work without knowing of
// each other.
package jobs

import (
	"errors"
	"strings"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
)

// ErrNotResting answers whoever asks for a resting job that is none, or none any more.
var ErrNotResting = fault.New(fault.NotFound, "job_not_resting")

// MaxResting is how many resting jobs are listed and counted at once.
const MaxResting = 200

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
		secret.ID(), kind, body, db.Time(&at), tx.Now().UnixMicro())
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

// A Job is work to be done.
type Job struct {
	ID   string
	Kind string
	Body string
	// RunAt is the time before which the job is not run.
	RunAt time.Time
	// Tries is how often it was begun.
	Tries int
	// Error is what went wrong the last time.
	Error     string
	CreatedAt time.Time

	// lockedTo is how long the job belongs to who claimed it, and the proof
	// that it does: what is done to a row names it.
	lockedTo int64
	// scheduled says that the row comes back after each run.
	scheduled bool
}

const columns = `id, kind, body, run_at, tries, error, created_at, locked_to, unique_key IS NOT NULL`

func (j *Job) fields() []any {
	return []any{&j.ID, &j.Kind, &j.Body, db.Time(&j.RunAt), &j.Tries, db.Text(&j.Error), db.Time(&j.CreatedAt), &j.lockedTo, &j.scheduled}
}

// Resting returns the jobs that failed too often to be tried again by
// themselves, the newest first.
func Resting(tx *db.Tx, limit int) ([]Job, error) {
	return db.All(tx, (*Job).fields, `SELECT `+columns+` FROM jobs WHERE rests = TRUE ORDER BY run_at DESC NULLS LAST, id LIMIT $1`, limit)
}

// RestingByID reads a resting job, or returns ErrNotResting.
func RestingByID(tx *db.Tx, id string) (Job, error) {
	var j Job
	err := tx.One(j.fields(), `SELECT `+columns+` FROM jobs WHERE id = $1 AND rests = TRUE`, id)
	if errors.Is(err, db.ErrNotFound) {
		return Job{}, ErrNotResting
	}
	return j, err
}

// CountResting counts the jobs that rest, up to MaxResting.
func CountResting(tx *db.Tx) (n int, err error) {
	err = tx.One([]any{&n}, `SELECT count(*) FROM (SELECT 1 FROM jobs WHERE rests = TRUE LIMIT $1) AS counted`, MaxResting)
	return n, err
}

// Forget drops a resting job: it will not be done any more.
func Forget(tx *db.Tx, id string) { tx.Do(`DELETE FROM jobs WHERE id = $1 AND rests = TRUE`, id) }

// Again lets a resting job be tried anew.
func Again(tx *db.Tx, id string) {
	tx.Do(`UPDATE jobs SET rests = FALSE, tries = 0, run_at = $2 WHERE id = $1 AND rests = TRUE`, id, tx.Now().UnixMicro())
	tx.Ring(bell)
}

// due returns when the next job of the kinds may run; ErrNotFound when there
// is none. Jobs that somebody holds do not count.
func due(tx *db.Tx, kinds []any) (time.Time, error) {
	var at time.Time
	err := tx.One([]any{db.Time(&at)}, `SELECT run_at FROM jobs
		WHERE rests = FALSE AND locked_to <= $1 AND kind IN (`+db.MarksFrom(2, len(kinds))+`)
		ORDER BY run_at LIMIT 1`, append([]any{tx.Now().UnixMicro()}, kinds...)...)
	return at, err
}

// claim takes the job of the kinds that has been due longest, or returns
// ErrNotFound. It belongs to the caller until its lockedTo.
func claim(tx *db.Tx, kinds []any) (Job, error) {
	var j Job
	now := tx.Now()
	err := tx.One(j.fields(), `UPDATE jobs SET locked_to = $2, tries = tries + 1
		WHERE locked_to <= $1 AND id = (
			SELECT id FROM jobs
			WHERE rests = FALSE AND run_at <= $1 AND locked_to <= $1 AND kind IN (`+db.MarksFrom(3, len(kinds))+`)
			ORDER BY run_at LIMIT 1)
		RETURNING `+columns, append([]any{now.UnixMicro(), now.Add(lease).UnixMicro()}, kinds...)...)
	return j, err
}

// renew holds on to a job for longer. It returns ErrNotFound when somebody
// else has it by now.
func renew(tx *db.Tx, j *Job) error {
	return tx.One([]any{&j.lockedTo}, `UPDATE jobs SET locked_to = $3 WHERE id = $1 AND locked_to = $2 RETURNING locked_to`,
		j.ID, j.lockedTo, tx.Now().Add(lease).UnixMicro())
}

// done removes a job.
func done(tx *db.Tx, j Job) {
	tx.Do(`DELETE FROM jobs WHERE id = $1 AND locked_to = $2`, j.ID, j.lockedTo)
}

// giveBack leaves a job to whoever comes next, as if it had not been begun.
func giveBack(tx *db.Tx, j Job) {
	tx.Do(`UPDATE jobs SET locked_to = 0, tries = tries - 1 WHERE id = $1 AND locked_to = $2`, j.ID, j.lockedTo)
	tx.Ring(bell)
}

// again puts a job off.
func again(tx *db.Tx, j Job, wait time.Duration, tries int, because error) {
	why := ""
	if because != nil {
		why = because.Error()
		why = strings.ToValidUTF8(why[:min(len(why), 1000)], "")
	}
	tx.Do(`UPDATE jobs SET locked_to = 0, run_at = $3, tries = $4, error = $5 WHERE id = $1 AND locked_to = $2`,
		j.ID, j.lockedTo, tx.Now().Add(wait).UnixMicro(), tries, db.Text(&why))
	tx.Ring(bell)
}

// rest stops trying a job and keeps its error for the administrator.
func rest(tx *db.Tx, j Job, because error) {
	again(tx, j, 0, j.Tries, because)
	tx.Do(`UPDATE jobs SET rests = TRUE WHERE id = $1 AND locked_to = 0`, j.ID)
}

// plant makes sure that the row of a schedule exists and does not lie farther
// ahead than its interval, which may be shorter than it was.
func plant(tx *db.Tx, kind string, interval time.Duration) error {
	var at time.Time
	err := tx.One([]any{db.Time(&at)}, `SELECT run_at FROM jobs WHERE unique_key = $1`, kind)
	now := tx.Now()
	switch {
	case errors.Is(err, db.ErrNotFound):
		tx.Do(`INSERT INTO jobs (id, kind, body, unique_key, run_at, created_at) VALUES ($1, $2, '', $2, $3, $4)`,
			secret.ID(), kind, now.Add(min(interval, firstRun)).UnixMicro(), now.UnixMicro())
	case err != nil:
		return err
	case at.After(now.Add(interval)):
		tx.Do(`UPDATE jobs SET run_at = $2 WHERE unique_key = $1`, kind, now.Add(interval).UnixMicro())
	}
	return nil
}
