package oidc

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
)

// MaxApps is how many applications one page shows somebody.
const MaxApps = 60

// An AppFilter asks for a page of the applications that somebody may use: first those that
// can be opened from here, then the others, each in the order of their names.
type AppFilter struct {
	// Search is a part of the name.
	Search string
	// After is Next of the page before.
	After string
}

// An App is an application as it is shown to somebody who may use it.
type App struct {
	ID          string
	Name        string
	Description string
	LaunchURL   string // "" when nobody said where it starts
	Logo        Logo
	// Kind is how it came here, ReauthRequired that each sign-in needs the passkey.
	Kind           string
	ReauthRequired bool
	// LastUsedAt is when they last came with this account, to the hour.
	LastUsedAt time.Time
	// Allowed says that there is something to take back: a consent or a living grant.
	Allowed bool
}

// An AppPage is a part of the applications that somebody may use.
type AppPage struct {
	Apps []App
	// Next asks for the page after this one; "" when this is the last.
	Next string
	// Total is how many there are in all, counted up to MaxCount.
	Total int
}

// An appRow is a client with what somebody did there.
type appRow struct {
	Client
	groups  string
	used    time.Time
	allowed bool
}

func (r *appRow) fields() []any {
	return append(r.Client.fields(), db.Text(&r.groups), db.Time(&r.used), &r.allowed)
}

// Apps lists the applications that by may use, as the gate decides of each. What strangers
// registered and nobody gave to a group is listed for those alone who use it.
func (p *Provider) Apps(ctx context.Context, by audit.Actor, filter AppFilter) (AppPage, error) {
	if by.UserID == "" {
		return AppPage{}, directory.ErrNotYours
	}
	var page AppPage
	err := p.db.Read(ctx, func(tx *db.Tx) error {
		page = AppPage{}
		user, err := directory.UserByID(tx, by.UserID)
		if err != nil || user.Service() { // the gate would refuse each of them
			return err
		}
		v := &visitor{user: user}
		groups, err := v.in(tx)
		if err != nil {
			return err
		}
		q := appQuery{user: user.ID, groups: groups, now: tx.Now()}
		q.search = strings.TrimSpace(hint(filter.Search, maxSearch))
		q.after(filter.After)
		rows, err := q.rows(tx)
		if err != nil {
			return err
		}
		if len(rows) > MaxApps {
			rows = rows[:MaxApps]
			page.Next = cursorOf(&rows[MaxApps-1].Client)
		}
		for i := range rows {
			app, open, err := v.app(tx, &rows[i])
			if err != nil {
				return err
			}
			if open {
				page.Apps = append(page.Apps, app)
			}
		}
		if page.Total = len(page.Apps); page.Next != "" || filter.After != "" {
			page.Total, err = q.count(tx)
		}
		return err
	})
	return page, err
}

// app is r as it is shown to v, and whether v may use it: the statement was perhaps too
// generous, the gate is not.
func (v *visitor) app(tx *db.Tx, r *appRow) (App, bool, error) {
	r.setLists("", r.groups)
	_, err := v.mayUse(tx, &r.Client)
	if f := (*fault.Error)(nil); errors.As(err, &f) && (f.Kind == fault.Forbidden || f.Kind == fault.NotFound) {
		return App{}, false, nil
	}
	return App{ID: r.ID, Name: r.Name, Description: r.Description, LaunchURL: r.LaunchURL, Kind: r.Kind, ReauthRequired: r.ReauthRequired,
		Logo: r.Logo, LastUsedAt: r.used, Allowed: r.allowed}, err == nil, err
}

// An appQuery finds clients that a user may perhaps use. It leaves out what the gate would
// refuse, so that a page is full; what it lets through the gate is asked about.
type appQuery struct {
	user   string
	groups []directory.Group
	now    time.Time
	search string

	unknown    int64 // 1 after the last one that can be opened
	key, id    string
	fromBefore bool // there is a page before
}

// cursorOf is where the page after c begins.
func cursorOf(c *Client) string {
	unknown := "0 "
	if c.LaunchURL == "" {
		unknown = "1 "
	}
	return unknown + c.ID + " " + directory.Fold(c.Name)
}

// after reads a cursor; what is none asks for the first page.
func (q *appQuery) after(cursor string) {
	unknown, rest, ok := strings.Cut(cursor, " ")
	if !ok || !isText(cursor) || unknown != "0" && unknown != "1" {
		return
	}
	q.fromBefore = true
	q.unknown, _ = strconv.ParseInt(unknown, 10, 64)
	q.id, q.key, _ = strings.Cut(rest, " ")
}

// openable is 0 of clients that can be opened from here and 1 of others.
const openable = `CASE WHEN launch_url = '' THEN 1 ELSE 0 END`

// where writes the conditions.
func (q *appQuery) where(args *[]any) string {
	mark := func(v any) string {
		*args = append(*args, v)
		return "$" + strconv.Itoa(len(*args))
	}
	user := mark(q.user)
	ours := ` OR group_restricted`
	if len(q.groups) == 0 {
		ours = ``
	}
	where := ` WHERE deleted_at IS NULL AND disabled_at IS NULL
		AND (grant_types = '[]' OR grant_types LIKE '%"` + grantTypeCode + `"%' OR grant_types LIKE '%"` + grantTypeDevice + `"%')
		AND (kind = '` + KindStandard + `'` + ours + ` OR EXISTS (SELECT 1 FROM consents k WHERE k.user_id = ` + user + ` AND k.client_id = clients.id))`
	if len(q.groups) == 0 {
		where += ` AND NOT group_restricted`
	} else {
		marks := make([]string, len(q.groups))
		for i := range q.groups {
			marks[i] = mark(q.groups[i].ID)
		}
		where += ` AND (NOT group_restricted OR EXISTS (SELECT 1 FROM client_groups g WHERE g.client_id = clients.id AND g.group_id IN (` + strings.Join(marks, ", ") + `)))`
	}
	if q.search != "" {
		where += ` AND name_key LIKE ` + mark("%"+likeEscape.Replace(directory.Fold(q.search))+"%") + ` ESCAPE '!'`
	}
	return where
}

// rows reads the rows of the page and one more.
func (q *appQuery) rows(tx *db.Tx) ([]appRow, error) {
	var args []any
	where := q.where(&args)
	order := ` ORDER BY ` + openable + `, name_key NULLS LAST, id NULLS LAST`
	n := len(args)
	if q.fromBefore {
		where += ` AND (` + openable + `, name_key, id) > ($` + strconv.Itoa(n+1) + `, $` + strconv.Itoa(n+2) + `, $` + strconv.Itoa(n+3) + `)`
		args, n = append(args, q.unknown, q.key, q.id), n+3
	}
	args = append(args, q.now.UnixMicro())
	return db.All(tx, (*appRow).fields, `
		SELECT `+q.columns(n+1)+`
		FROM clients WHERE id IN (SELECT id FROM clients`+where+order+` LIMIT `+strconv.Itoa(MaxApps+1)+`)`+order, args...)
}

// columns are what appRow reads; now is the number of the argument with the time.
func (q *appQuery) columns(now int) string {
	return clientColumns + `, ` + clientGroups + `,
			(SELECT max(used) FROM (
				SELECT k.last_used_at AS used FROM consents k WHERE k.user_id = $1 AND k.client_id = clients.id
				UNION ALL
				SELECT COALESCE(g.last_used_at, g.created_at) FROM grants g WHERE g.user_id = $1 AND g.client_id = clients.id) AS uses) AS last_came,
			EXISTS (SELECT 1 FROM consents k WHERE k.user_id = $1 AND k.client_id = clients.id)
				OR EXISTS (SELECT 1 FROM grants g WHERE g.user_id = $1 AND g.client_id = clients.id AND g.revoked_at IS NULL AND g.expires_at > $` + strconv.Itoa(now) + `)`
}

// numbered reads the rows of a page by its number.
func (q *appQuery) numbered(tx *db.Tx, asked directory.Query) ([]appRow, error) {
	page := query{}
	where := q.where(&page.args)
	page.args = append(page.args, q.now.UnixMicro())
	page.WriteString(`SELECT ` + q.columns(len(page.args)) + ` FROM clients` + where)
	if asked.Sort == "" {
		asked.Sort = "name"
	}
	page.part(asked, map[string]string{"name": `name_key`, "createdAt": `created_at`, "lastUsedAt": `last_came`})
	return db.All(tx, (*appRow).fields, page.String(), page.args...)
}

func (q *appQuery) count(tx *db.Tx) (n int, err error) {
	var args []any
	where := q.where(&args)
	err = tx.One([]any{&n}, `SELECT count(*) FROM (SELECT 1 FROM clients`+where+` LIMIT `+strconv.Itoa(MaxCount)+`) AS counted`, args...)
	return n, err
}
