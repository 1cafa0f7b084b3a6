package directory

import (
	"context"
	"time"

	"pocketid/internal/audit"
)

// A UserFilter asks for a page of the list of people.
type UserFilter struct {
	// Search is the beginning of words of names and addresses; each of them must be there.
	Search string
	Role   Role
	State  State
	Sort   UserSort
	// After is Next of the page before.
	After string
	// Limit is how many to return: 1 to MaxUsers; 0 is 50.
	Limit int
}

// A Role is a right that a list may be about.
type Role string

// A State is where an account stands.
type State string

// A UserSort is an order of the list of people; a minus in front turns it round.
type UserSort string

// What a list of people may be about, beside "", which is everybody.
const (
	RoleAdmin Role = "admin"
	RoleUser  Role = "user"

	StateActive   State = "active"
	StateDisabled State = "disabled"
	StateExpired  State = "expired"
	StateNew      State = "new"     // has never signed in
	StateDeleted  State = "deleted" // whose names are still reserved
)

// MaxUsers is how many users one page shows and one verb changes at most.
const MaxUsers = 100

// MaxCount is where counting stops.
const MaxCount = 10_000

// A UserRow is a user as a list shows it.
type UserRow struct {
	ID           string
	Username     string
	Email        string
	DisplayName  string
	FirstName    string
	LastName     string
	Admin        bool
	LDAPID       string
	CreatedAt    time.Time
	LastSignInAt time.Time
	ExpiresAt    time.Time
	DisabledAt   time.Time
	DeletedAt    time.Time
	// Groups are the names of the first few groups, GroupCount says how many there are.
	Groups     []string
	GroupCount int
}

// A UserPage is a part of the list of people.
type UserPage struct {
	Rows []UserRow
	// Next asks for the page after this one; "" when this is the last.
	Next string
	// Total is how many there are in all, counted up to MaxCount.
	Total int
}

// Users lists people, for administrators.
func (d *Directory) Users(ctx context.Context, by audit.Actor, filter UserFilter) (UserPage, error) {
	if err := by.MustAdmin(); err != nil {
		return UserPage{}, err
	}
	return UserPage{}, nil
}
