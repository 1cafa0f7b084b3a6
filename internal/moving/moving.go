// Package moving takes the house from one database to another: it writes everything that a
// database holds into an archive, and reads archives, those of the incumbent too, into a
// database, all or nothing.
//
// It is the one package beside the migrations that knows the tables of everybody: it
// copies rows and decides nothing about them.
package moving

import (
	"context"

	"pocketid/internal/db"
)

// A Progress hears, while something long is done, what that is and how many rows of it are done.
type Progress func(what string, rows int64)

// progressEvery is after how many rows it is told.
const progressEvery = 1000

// row tells of every so many rows.
func (p Progress) row(what string, rows int64) {
	if p != nil && rows%progressEvery == 0 {
		p(what, rows)
	}
}

// A Flaw says why an archive cannot be used and what to do about it, in words for the
// operator. Nothing was changed.
type Flaw struct {
	Why, Cure string
}

// Error is both, on one line.
func (f *Flaw) Error() string {
	if f.Cure == "" {
		return f.Why
	}
	return f.Why + ". " + f.Cure
}

// A Report says what comes over, what does not and why, and what an operator should know.
type Report struct {
	// From says what is read, in a few words.
	From string `json:"from"`
	// Parts are what comes over, in the order in which it is shown.
	Parts []Part `json:"parts"`
	// Left is what does not come over.
	Left []Left `json:"left"`
	// Adjusted is what comes over otherwise than it was.
	Adjusted []Adjusted `json:"adjusted"`
	// Notes are sentences about what is different afterwards.
	Notes []string `json:"notes"`
}

// A Part is things of one kind that come over.
type Part struct {
	Name  string `json:"name"` // "users"
	Count int64  `json:"count"`
}

// A Left is things of one kind that do not come over.
type Left struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
	Why   string `json:"why"` // a sentence without a full stop
	// Examples name some of them.
	Examples []string `json:"examples,omitempty"`
}

// An Adjusted is a thing that comes over otherwise than it was, because a rule of this
// house does not let it be so.
type Adjusted struct {
	Kind string `json:"kind"` // "users"
	Name string `json:"name"` // which one
	What string `json:"what"` // the field, or the part of it that is left out
	Why  string `json:"why"`  // a sentence without a full stop
}

// Count is how many things of one kind come over.
func (r Report) Count(name string) int64 {
	for _, p := range r.Parts {
		if p.Name == name {
			return p.Count
		}
	}
	return 0
}

// A Source is what can be moved in: an archive of ours, one of the incumbent, or its database.
type Source interface {
	// Look reads all of it, touches nothing, and says what would come over.
	Look(ctx context.Context) (Report, error)
	// Schema is the version of our tables that Fill fills. Migrations that came later are
	// done on what was filled in.
	Schema() int
	// Fill writes the rows, into tables that are empty. It may be called once.
	Fill(tx *db.Tx) error
}

// Options are how something is moved in.
type Options struct {
	// Force takes the database from a server that runs on it.
	Force bool
	// Incumbent says that what is replaced may be a database of the other Pocket ID.
	Incumbent bool
	// Finish, unless it is nil, runs when everything is there and before it counts.
	Finish func(tx *db.Tx) error
	// Before, unless it is nil, is the last thing before the new database counts.
	Before func() error
}

// Import replaces everything that a database holds by what comes from src, or changes
// nothing. An SQLite file that was replaced is kept beside the new one; kept is its name.
func Import(ctx context.Context, connection string, src Source, o Options) (kept string, err error) {
	return db.Rebuild(ctx, connection, db.Rebuilding{Schema: src.Schema(), Fill: src.Fill, Finish: o.Finish, Force: o.Force, Incumbent: o.Incumbent, Before: o.Before})
}
