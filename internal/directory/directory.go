// Package directory owns the people of the house: users, their groups, and
// what is said about them to clients.
//
// It knows nothing of sessions or of clients. What others must hear about is
// news on a topic (jobs.Publish): "user.changed" and "group.changed" carry the
// id, "user.purged" says that what others hold about a user can go.
package directory

import (
	"context"
	"errors"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/jobs"
)

// ErrNotYours refuses somebody who acts on an account that is not theirs, or
// without an account at all.
var ErrNotYours = fault.New(fault.Unauthenticated, "not_signed_in")

// purgeAfter is how long a deleted user stays as a tombstone with everything
// on it, so that logout and provisioning can still be told about it.
const purgeAfter = 7 * 24 * time.Hour

// Directory is the book of users and groups. Its verbs open a transaction of
// their own; its parts, which take a tx, join their caller's.
type Directory struct{ db *db.DB }

// New returns the directory in d.
func New(d *db.DB) *Directory { return &Directory{db: d} }

// Work tells r what the directory does after a commit.
func (d *Directory) Work(r *jobs.Runner) {
	r.Handle("user.purge", func(ctx context.Context, id string) error { return d.Purge(ctx, id) })
	r.Handle("user.expire", func(ctx context.Context, id string) error { return d.expire(ctx, id) })
	r.HandleApart("user.batch", jobs.Lane{AtOnce: 1, Waits: batchWaits}, func(ctx context.Context, id string) error { return d.workBatch(ctx, id) })
	r.Purge("batches of users", purgeBatches)
}

// Explain turns the collision of a name that was taken in the meantime into
// the fault that says so. A verb that calls AddUser returns what its Write
// returned through here.
func Explain(err error) error {
	c, ok := errors.AsType[*db.Conflict](err)
	if !ok {
		return err
	}
	switch c.Column {
	case "users.username_key":
		return ErrUsernameTaken
	case "users.email_key":
		return ErrEmailTaken
	case "users.id":
		return ErrIDTaken
	case "user_groups.name_key":
		return ErrGroupNameTaken
	}
	return err
}

// own is the user that by acts for, when by acts for one.
func own(by audit.Actor) (string, error) {
	if by.UserID == "" {
		return "", ErrNotYours
	}
	return by.UserID, nil
}
