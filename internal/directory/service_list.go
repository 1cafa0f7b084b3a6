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
	// Sort is one of ServiceSorts, or one of them turned round; another is the first of them.
	Sort Order
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

// ServiceSorts are the orders of that list, as they first stand. Each has an index of its own.
var ServiceSorts = []Order{"name", "username", "-created"}

// A ServicePage is a part of that list.
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

// rows reads a page of the accounts that f means, with what they are ordered by.
func (f ServiceFilter) rows(tx *db.Tx, limit int) *statement {
	s, q := f.services(tx), UserFilter{Sort: f.Sort, After: f.After}.query(tx.Now())
	read := &statement{args: s.args}
	read.WriteString(`SELECT ` + userColumns + `, CAST(u.` + q.key + ` AS TEXT)` + s.String())
	q.page(read, `u.`+q.key, `u.id`, limit)
	return read
}

// An orderedUser is a user with the key of an order.
type orderedUser struct {
	User
	key string
}

func (o *orderedUser) fields() []any { return append(o.User.fields(), &o.key) }

// Known is f without what there is not, and without what is no text.
func (f ServiceFilter) Known() ServiceFilter {
	switch f.State {
	case ServiceWorking, ServiceDisabled, ServiceExpired, ServiceOrphaned:
	default:
		f.State = ""
	}
	if !slices.ContainsFunc(ServiceSorts, func(o Order) bool { return o.Name() == f.Sort.Name() }) {
		f.Sort = ServiceSorts[0]
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
		read := f.rows(tx, limit+1)
		list, err := db.All(tx, (*orderedUser).fields, read.String(), read.args...)
		if len(list) > limit {
			list = list[:limit]
			page.Next = list[limit-1].ID + " " + list[limit-1].key
		}
		users := make([]User, len(list))
		for i := range list {
			users[i] = list[i].User
		}
		if err == nil {
			page.Rows, err = serviceRows(tx, users)
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
