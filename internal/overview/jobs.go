package overview

import (
	"context"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/jobs"
)

// Resting lists the jobs that failed too often to be tried again by themselves, the newest
// first and jobs.MaxResting at most, for administrators.
func (o *Overview) Resting(ctx context.Context, by audit.Actor) (list []jobs.Job, err error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	err = o.DB.Read(ctx, func(tx *db.Tx) (err error) {
		list, err = jobs.Resting(tx, jobs.MaxResting)
		return err
	})
	return list, err
}

// TryAgain lets a resting job run anew, as often as a new one.
func (o *Overview) TryAgain(ctx context.Context, by audit.Actor, id string) error {
	return o.wake(ctx, by, id, audit.JobRetried, jobs.Again)
}

// Forget drops a resting job for good.
func (o *Overview) Forget(ctx context.Context, by audit.Actor, id string) error {
	return o.wake(ctx, by, id, audit.JobForgotten, jobs.Forget)
}

func (o *Overview) wake(ctx context.Context, by audit.Actor, id string, name audit.Name, do func(*db.Tx, string)) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	return o.DB.Write(ctx, func(tx *db.Tx) error {
		j, err := jobs.RestingByID(tx, id)
		if err != nil {
			return err
		}
		do(tx, j.ID)
		audit.Record(tx, by, audit.Event{Name: name, Object: audit.Object{Kind: "job", ID: j.ID, Name: j.Kind}, Data: map[string]any{"tries": j.Tries}})
		return nil
	})
}
