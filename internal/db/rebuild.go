package db

import (
	"context"
	"errors"
)

// A Rebuilding is how a database is made anew.
type Rebuilding struct {
	// Schema is the version whose tables Fill fills. Later migrations run after it, over
	// what it wrote.
	Schema int
	// Fill writes the rows, into tables that are empty. It is called once.
	Fill func(tx *Tx) error
	// Finish, unless it is nil, runs over the schema of the program, before the commit.
	Finish func(tx *Tx) error
	// Force takes the database from a server that runs on it.
	Force bool
}

// Newest is the version of the schema that this program is written for.
func Newest() int { return newest() }

// Rebuild replaces everything that a database holds by what r writes, or changes nothing.
// No server may run on it meanwhile. An SQLite file that held something is kept beside
// the new one; kept is its name.
func Rebuild(ctx context.Context, connection string, r Rebuilding) (kept string, err error) {
	return "", errors.New("not yet")
}
