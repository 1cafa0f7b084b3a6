// Package audit keeps the log of who did what. A record is written in the
// transaction of the deed, so neither exists without the other.
package audit

import (
	"context"

	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
)

// ErrNotAdmin is the answer to a deed that only administrators may do.
var ErrNotAdmin = fault.New(fault.Forbidden, "not_admin")

// ErrScoped is the answer to a deed that a key with scopes may not do, whichever it has.
var ErrScoped = fault.New(fault.Forbidden, "api_key_scoped")

// An Actor is who is acting, and on which way.
type Actor struct {
	UserID string
	Name   string // as it is now: the record keeps it when the user is gone
	Admin  bool
	Via    string // "page", "api", "cli", "ldap", "scim", "job"

	Address   string
	UserAgent string
	RequestID string
	SessionID string
	// KeyID is the API key that the actor came with, instead of a session, and KeyName what
	// it is called now: the record keeps it when the key is gone.
	KeyID, KeyName string
	// Scoped says that the key is for some things alone. Admin then still is whether its
	// owner is one; the address that was asked is one that the key is for.
	Scoped bool
}

// System is the house itself acting: a command, a job, a directory.
func System(via string) Actor { return Actor{Admin: true, Via: via} }

// MustAdmin refuses everybody but administrators.
func (a Actor) MustAdmin() error {
	if !a.Admin {
		return ErrNotAdmin
	}
	return nil
}

// MustBeWhole refuses a key that is for some things alone. It stands before what would
// let such a key gain rights that it lacks, by way of an account that has them.
func (a Actor) MustBeWhole() error {
	if a.Scoped {
		return ErrScoped
	}
	return nil
}

type actorKey struct{}

// With returns a context that knows who is acting.
func With(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// From returns who is acting; nobody, who may do nothing, when With was not
// there.
func From(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}

// An Object is what a deed was done to. Its name is kept as it was.
type Object struct {
	Kind string // "user", "client", "session", "passkey"
	ID   string
	Name string
	// Words are the folded beginnings by which its name is found in the log. Whoever
	// makes, renames or removes a person, a group or a client says them.
	Words []string
}

// An Event is one deed.
type Event struct {
	Name   Name
	Object Object
	// User is the id of the user whom it concerns, if one is.
	User string
	// Client is the id of the client that it concerns, if one is.
	Client string
	// Before and After are what changed, Data what else is to be known. They
	// are stored as JSON, so secrets among them must be of type secret.Text.
	Before, After, Data any
}

// Record notes that by did e. It is a part: nothing is noted unless tx
// commits.
func Record(tx *db.Tx, by Actor, e Event) {
	tx.Tell(e.Name.text)
	tx.Do(`INSERT INTO audit (`+entryColumns+`) VALUES (`+db.Marks(entryColumnCount)+`)`,
		secret.ID(), tx.Now().UnixMicro(), e.Name.text, e.Object.Kind, e.Object.ID, e.Object.Name,
		db.Text(&e.User), db.Text(&e.Client), db.Text(&by.UserID), by.Name, by.Via,
		by.Address, by.UserAgent, by.RequestID, optional(e.Before), optional(e.After), optional(e.Data), db.Text(&by.KeyID), db.Text(&by.KeyName))
	learn(tx, e.Object)
	if e.Name.In(UserDeleted, UserPurged, GroupDeleted, ClientDeleted, ClientDeregistered, ClientExpired, ClientDocumentForbidden, APIDeleted) {
		part(tx, e.Object)
	}
}

// optional is v as JSON, or NULL when there is nothing.
func optional(v any) any {
	if v == nil {
		return nil
	}
	return db.JSON(v)
}
