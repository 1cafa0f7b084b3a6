package db

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// A Mode says what a process may do to the database beside transactions.
type Mode int

const (
	// Serve is for the server: it takes the lock of an SQLite file, keeps a
	// snapshot of it before a migration, and migrates.
	Serve Mode = iota

	// Beside is for commands: they work while a server holds the file, never
	// migrate, and refuse every schema but the program's own.
	Beside
)

// A Refusal says why the database was not opened, and what to do about it, in
// words for the operator.
type Refusal struct {
	Why, Cure string
}

// Error is both, on one line.
func (r *Refusal) Error() string { return r.Why + ". " + r.Cure }

// dsn is what a connection string means.
type dsn struct {
	postgres bool
	raw      string // of PostgreSQL
	path     string // of SQLite
}

// IsPostgres says whether a connection string means PostgreSQL. Everything
// else means an SQLite file.
func IsPostgres(connection string) bool {
	return strings.HasPrefix(connection, "postgres://") || strings.HasPrefix(connection, "postgresql://")
}

// Path returns the file that a connection string means, or "" when it means
// PostgreSQL.
func Path(connection string) (string, error) {
	d, err := parseDSN(connection)
	return d.path, err
}

// parseDSN understands a path, a file: URI, and a postgres:// URL. Parameters
// of a file that ask for what happens anyway are accepted, because connection
// strings of the incumbent have them; all others are refused.
func parseDSN(connection string) (dsn, error) {
	if IsPostgres(connection) {
		return dsn{postgres: true, raw: connection}, nil
	}
	// A connection string may hold a password, so a refusal repeats no more of
	// it than what is wrong.
	refuse := func(why string) (dsn, error) {
		return dsn{}, &Refusal{"the connection string of the database cannot be used: " + why,
			`Write the path of a file, such as "data/pocket-id.db", or "postgres://user:password@host:5432/database"`}
	}
	if scheme, _, ok := strings.Cut(connection, "://"); ok && scheme != "file" {
		return refuse("it begins with " + scheme + "://, which is neither SQLite nor PostgreSQL")
	}
	path, query, _ := strings.Cut(connection, "?")
	if meansServer.MatchString(path) {
		return refuse("it looks like one of PostgreSQL, and those begin with postgres://")
	}
	if rest, ok := strings.CutPrefix(path, "file:"); ok {
		if host, ok := strings.CutPrefix(rest, "//"); ok { // file:///data/x or file://localhost/data/x
			host, p, slash := strings.Cut(host, "/")
			if !slash || host != "" && host != "localhost" {
				return refuse("a file URI has three slashes before an absolute path")
			}
			rest = "/" + p
		}
		var err error
		if path, err = url.PathUnescape(rest); err != nil {
			return refuse(err.Error())
		}
	}
	if path == "" || strings.HasSuffix(path, "/") {
		return refuse("it names no file")
	}
	if strings.Contains(path, ":memory:") {
		return refuse("a database in memory forgets everybody when the process ends")
	}
	params, err := url.ParseQuery(query)
	if err != nil {
		return refuse("its parameters cannot be read")
	}
	for name, values := range params {
		for _, v := range values {
			if !ours(name, v) {
				pragma, _, _ := strings.Cut(v, "(")
				return refuse(fmt.Sprintf("the parameter %s=%s is not supported; how the file is opened is settled by the program", name, pragma))
			}
		}
	}
	return dsn{path: filepath.Clean(path)}, nil
}

// meansServer is what nobody calls a file.
var meansServer = regexp.MustCompile(`\b(host|dbname|password)=|:[^/]*@`)

// ours says whether a parameter of a connection string asks for what happens
// anyway.
func ours(name, value string) bool {
	v := strings.ToLower(strings.ReplaceAll(value, " ", ""))
	switch name {
	case "_txlock":
		return v == "immediate"
	case "mode":
		return v == "rwc" || v == "rw"
	case "cache":
		return v == "private"
	case "_journal_mode":
		return v == "wal"
	case "_pragma":
		v = strings.NewReplacer("=", "(", ")", "").Replace(v)
		pragma, arg, _ := strings.Cut(v, "(")
		switch pragma {
		case "journal_mode":
			return arg == "wal"
		case "foreign_keys":
			return arg == "1" || arg == "on" || arg == "true"
		case "busy_timeout":
			return true
		case "synchronous":
			return arg == "full" || arg == "2" || arg == "normal" || arg == "1" // we sync at least as much
		}
	}
	return false
}

// Open opens the database that a connection string means. An error that is a
// *Refusal is for the operator; nothing was changed then.
func Open(ctx context.Context, connection string, mode Mode) (*DB, error) {
	c, err := parseDSN(connection)
	if err != nil {
		return nil, err
	}
	if c.postgres {
		return openPostgres(ctx, c.raw, mode)
	}
	return openSQLite(ctx, c.path, mode)
}

// prepareDir makes the directory of the database, for its owner alone.
func prepareDir(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return &Refusal{fmt.Sprintf("the directory %s of the database cannot be made: %v", dir, err),
			"Make it, or let this user write there"}
	}
	return nil
}
