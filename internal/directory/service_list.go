package directory

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
)

// A ServiceState is where a service account stands.
type ServiceState string

// The states of service accounts; "" asks for all.
const (
	ServiceWorking  ServiceState = "working"
	ServiceDisabled ServiceState = "disabled"
	ServiceExpired  ServiceState = "expired"
	// ServiceOrphaned has an owner who may not come in, so that its keys open nothing.
	ServiceOrphaned ServiceState = "orphaned"
)

// ServiceStates are all of them.
var ServiceStates = []ServiceState{ServiceWorking, ServiceDisabled, ServiceExpired, ServiceOrphaned}

// A ServiceFilter asks for a page of the list of service accounts.
type ServiceFilter struct {
	// Search stands anywhere in a name.
	Search string
	State  ServiceState
	// Owner is the id of a person.
	Owner string
	// After is Next of the page before.
	After string
	// Limit is how many to return: 1 to MaxUsers; 0 is 50.
	Limit int
}

// A ServiceRow is a service account in a list.
type ServiceRow struct {
	User
	// Owner is who answers for it, whatever their state; the zero user is nobody.
	Owner User
}

// State is where r stands at the instant now.
func (r *ServiceRow) State(now time.Time) ServiceState {
	switch err := r.Active(now); {
	case errors.Is(err, ErrExpired):
		return ServiceExpired
	case err != nil:
		return ServiceDisabled
	case r.ID != StaticID && r.Owner.Active(now) != nil:
		return ServiceOrphaned
	}
	return ServiceWorking
}

// A ServicePage is a part of that list, by username.
type ServicePage struct {
	Rows []ServiceRow
	// Next asks for the page after this one; "" when this is the last.
	Next string
	// Total is how many there are in all, counted up to MaxCount.
	Total int
}

const (
	ownerOut = `u.id <> '` + StaticID + `' AND NOT EXISTS (SELECT 1 FROM users o WHERE o.id = u.owner_id
		AND o.disabled_at IS NULL AND o.deleted_at IS NULL AND (o.expires_at IS NULL OR o.expires_at > `
)

// services is which accounts f means, as SQL from FROM on. Search reads all of them, of which
// a house has few beside its people.
func (f ServiceFilter) services(tx *db.Tx) *statement {
	var s statement
	s.WriteString(` FROM users u WHERE u.kind = 'service' AND u.deleted_at IS NULL`)
	if f.Search != "" {
		m := s.mark(contains(f.Search))
		s.WriteString(` AND (u.username_key LIKE ` + m + ` ESCAPE '!' OR u.display_key LIKE ` + m + ` ESCAPE '!')`)
	}
	if f.Owner != "" {
		s.WriteString(` AND u.owner_id = ` + s.mark(f.Owner))
	}
	switch f.State {
	case "":
		return &s
	case ServiceDisabled:
		s.WriteString(` AND u.disabled_at IS NOT NULL`)
		return &s
	}
	now := s.mark(tx.Now().UnixMicro())
	switch f.State {
	case ServiceExpired:
		s.WriteString(` AND u.disabled_at IS NULL AND u.expires_at <= ` + now)
	case ServiceOrphaned:
		s.WriteString(` AND u.disabled_at IS NULL AND (u.expires_at IS NULL OR u.expires_at > ` + now + `) AND ` + ownerOut + now + `))`)
	default:
		s.WriteString(` AND u.disabled_at IS NULL AND (u.expires_at IS NULL OR u.expires_at > ` + now + `) AND NOT (` + ownerOut + now + `)))`)
	}
	return &s
}

// Known is f without what there is not, and without what is no text.
func (f ServiceFilter) Known() ServiceFilter {
	switch f.State {
	case ServiceWorking, ServiceDisabled, ServiceExpired, ServiceOrphaned:
	default:
		f.State = ""
	}
	for _, s := range []*string{&f.Search, &f.Owner, &f.After} {
		if !isText(*s) {
			*s = ""
		}
	}
	if r := []rune(f.Search); len(r) > maxServiceSearch {
		f.Search = string(r[:maxServiceSearch])
	}
	f.Search = strings.TrimSpace(f.Search)
	return f
}

const (
	maxServiceSearch = 100 // characters
	servicesShown    = 50
)

// Services lists service accounts, for administrators.
func (d *Directory) Services(ctx context.Context, by audit.Actor, filter ServiceFilter) (ServicePage, error) {
	if err := by.MustAdmin(); err != nil {
		return ServicePage{}, err
	}
	f := filter.Known()
	limit := min(max(cmp.Or(f.Limit, servicesShown), 1), MaxUsers)
	var page ServicePage
	err := d.db.Read(ctx, func(tx *db.Tx) error {
		page = ServicePage{}
		s := f.services(tx)
		if err := tx.One([]any{&page.Total}, `SELECT count(*) FROM (SELECT 1`+s.String()+` LIMIT `+strconv.Itoa(MaxCount)+`) AS counted`, s.args...); err != nil || page.Total == 0 {
			return err
		}
		if f.After != "" {
			s.WriteString(` AND u.username_key > ` + s.mark(Fold(f.After)))
		}
		list, err := db.All(tx, (*User).fields, `SELECT `+userColumns+s.String()+` ORDER BY u.username_key NULLS LAST LIMIT `+strconv.Itoa(limit+1), s.args...)
		if len(list) > limit {
			list = list[:limit]
			page.Next = list[limit-1].Username
		}
		if err == nil {
			page.Rows, err = serviceRows(tx, list)
		}
		return err
	})
	return page, err
}

// serviceRows are service accounts with their owners, who are read in one statement.
func serviceRows(tx *db.Tx, list []User) (rows []ServiceRow, err error) {
	var ids []string
	for i := range list {
		if list[i].OwnerID != "" {
			ids = append(ids, list[i].OwnerID)
		}
	}
	owners, err := UsersIn(tx, ids)
	for _, u := range list {
		rows = append(rows, ServiceRow{u, owners[u.OwnerID]})
	}
	return rows, err
}

var serviceOrders = map[string]string{"username": `username_key`, "displayName": `display_key`, "expiresAt": `expires_at`, "createdAt": `created_at`}

// QueryServices lists service accounts as programs do. Of the filters, ownerId and state are
// heard.
func (d *Directory) QueryServices(ctx context.Context, by audit.Actor, q Query) (rows []ServiceRow, total int, err error) {
	if err := by.MustAdmin(); err != nil {
		return nil, 0, err
	}
	f := ServiceFilter{Search: q.Search}
	if values := q.Filters["ownerId"]; len(values) > 0 {
		f.Owner = values[0]
	}
	if values := q.Filters["state"]; len(values) > 0 {
		f.State = ServiceState(values[0])
	}
	err = d.db.Read(ctx, func(tx *db.Tx) error {
		rows = nil
		s := f.Known().services(tx)
		if f.State != "" && !slices.Contains(ServiceStates, f.State) { // no account is in it
			s.WriteString(` AND 1 = 0`)
		}
		if err := tx.One([]any{&total}, `SELECT count(*)`+s.String(), s.args...); err != nil {
			return err
		}
		page := statement{args: s.args}
		page.WriteString(`SELECT ` + userColumns + s.String())
		q.order(&page, serviceOrders)
		list, err := db.All(tx, (*User).fields, page.String(), page.args...)
		if err == nil {
			rows, err = serviceRows(tx, list)
		}
		return err
	})
	return rows, total, err
}

// Service reads a service account with its owner, for administrators.
func (d *Directory) Service(ctx context.Context, by audit.Actor, id string) (r ServiceRow, err error) {
	if err := by.MustAdmin(); err != nil {
		return ServiceRow{}, err
	}
	err = d.db.Read(ctx, func(tx *db.Tx) error {
		r, err = serviceByID(tx, id)
		return err
	})
	return r, err
}

func serviceByID(tx *db.Tx, id string) (ServiceRow, error) {
	if !isText(id) {
		return ServiceRow{}, ErrNoService
	}
	u, err := UserByID(tx, id)
	if errors.Is(err, ErrNoUser) || err == nil && (!u.DeletedAt.IsZero() || !u.Service()) {
		return ServiceRow{}, ErrNoService
	}
	if err != nil {
		return ServiceRow{}, err
	}
	rows, err := serviceRows(tx, []User{u})
	if err != nil {
		return ServiceRow{}, err
	}
	return rows[0], nil
}

// FindService reads the service account that is meant by an id or a username.
func (d *Directory) FindService(ctx context.Context, by audit.Actor, meant string) (ServiceRow, error) {
	u, err := d.Find(ctx, by, meant)
	if errors.Is(err, ErrNoUser) || err == nil && !u.Service() {
		return ServiceRow{}, ErrNoService
	}
	if err != nil {
		return ServiceRow{}, err
	}
	return d.Service(ctx, by, u.ID)
}
