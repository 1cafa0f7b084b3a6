package directory

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/jobs"
	"pocketid/internal/secret"
)

// What is refused about groups.
var (
	ErrNoGroup           = fault.New(fault.NotFound, "group_not_found")
	ErrGroupNameTaken    = fault.New(fault.Conflict, "group_name_taken").At("name")
	ErrGroupName         = fault.New(fault.Invalid, "group_name_malformed").At("name")
	ErrGroupFriendlyName = fault.New(fault.Invalid, "group_friendly_name_malformed").At("friendly_name")
	ErrGroupManaged      = fault.New(fault.Forbidden, "ldap_user_group_update")
)

// A Group is a set of users that clients know by its name.
type Group struct {
	ID           string
	Name         string
	FriendlyName string
	Claims       map[string]any
	LDAPID       string
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Called is what to call g on a page.
func (g *Group) Called() string { return cmp.Or(g.FriendlyName, g.Name) }

const groupColumns = `id, name, name_key, friendly_name, friendly_key, claims, ldap_id, created_at, updated_at`

const groupColumnCount = 9

func (g *Group) fields() []any {
	name, friendly := Fold(g.Name), Fold(g.FriendlyName)
	return []any{&g.ID, &g.Name, &name, &g.FriendlyName, &friendly, db.JSON(&g.Claims), db.Text(&g.LDAPID),
		db.Time(&g.CreatedAt), db.Time(&g.UpdatedAt)}
}

// maxGroups bounds the groups of one user that are read, and maxMembers the
// members that one edit sets.
const (
	maxGroups  = 1000
	maxMembers = 20000
)

// groupsOf has its bound written out: SQLite looks at a LIMIT that is a parameter when it
// plans, and so plans anew at each run. This one runs for every token.
var groupsOf = `SELECT ` + groupColumns + ` FROM user_groups
	WHERE id IN (SELECT group_id FROM user_group_members WHERE user_id = $1)
	ORDER BY name_key NULLS LAST, id LIMIT ` + strconv.Itoa(maxGroups)

// GroupsOf reads the groups that a user is in, by name.
func GroupsOf(tx *db.Tx, userID string) ([]Group, error) {
	return db.All(tx, (*Group).fields, groupsOf, userID)
}

// GroupByID reads one group, or ErrNoGroup.
func GroupByID(tx *db.Tx, id string) (Group, error) {
	var g Group
	err := tx.One(g.fields(), `SELECT `+groupColumns+` FROM user_groups WHERE id = $1`, id)
	if errors.Is(err, db.ErrNotFound) {
		return Group{}, ErrNoGroup
	}
	return g, err
}

// GroupEdit is what an administrator may say of a group.
type GroupEdit struct {
	Name         string
	FriendlyName string
	Claims       map[string]any
}

func (e GroupEdit) group() (g Group, err error) {
	if g.Name, err = parseName("name", e.Name, 255); err != nil {
		return Group{}, err
	}
	if utf8.RuneCountInString(g.Name) < 2 {
		return Group{}, ErrGroupName
	}
	if g.FriendlyName, err = parseName("friendly_name", e.FriendlyName, 50); err != nil {
		return Group{}, err
	}
	if utf8.RuneCountInString(g.FriendlyName) < 2 {
		return Group{}, ErrGroupFriendlyName
	}
	if g.Claims = e.Claims; g.Claims == nil {
		g.Claims = map[string]any{}
	}
	return g, CheckClaims(g.Claims)
}

// AddGroup makes a group as an administrator.
func (d *Directory) AddGroup(ctx context.Context, by audit.Actor, edit GroupEdit) (Group, error) {
	if err := by.MustAdmin(); err != nil {
		return Group{}, err
	}
	g, err := edit.group()
	if err != nil {
		return Group{}, err
	}
	g.ID = secret.ID()
	err = d.db.Write(ctx, func(tx *db.Tx) error {
		g.CreatedAt, g.UpdatedAt = tx.Now(), tx.Now()
		tx.Do(`INSERT INTO user_groups (`+groupColumns+`) VALUES (`+db.Marks(groupColumnCount)+`)`, g.fields()...)
		audit.Record(tx, by, audit.Event{Name: audit.GroupCreated, Object: groupObject(&g),
			After: map[string]any{"name": g.Name, "friendly_name": g.FriendlyName, "claims": g.Claims}})
		jobs.Publish(tx, "group.changed", g.ID)
		return nil
	})
	if err != nil {
		return Group{}, Explain(err)
	}
	return g, nil
}

// SetMembers makes exactly these users the members of a group.
func (d *Directory) SetMembers(ctx context.Context, by audit.Actor, groupID string, userIDs []string) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	if len(userIDs) > maxMembers {
		return ErrNoUser
	}
	want := slices.Compact(slices.Sorted(slices.Values(userIDs)))
	return d.db.Write(ctx, func(tx *db.Tx) error {
		g, err := GroupByID(tx, groupID)
		if err != nil {
			return err
		}
		if g.LDAPID != "" {
			return ErrGroupManaged
		}
		have, err := db.All(tx, func(id *string) []any { return []any{id} },
			`SELECT user_id FROM user_group_members WHERE group_id = $1 ORDER BY user_id NULLS LAST LIMIT $2`, groupID, maxMembers)
		if err != nil {
			return err
		}
		slices.Sort(have)
		added, removed := without(want, have), without(have, want)
		for _, id := range added {
			u, err := UserByID(tx, id)
			if err != nil {
				return err
			}
			if !u.DeletedAt.IsZero() {
				return ErrNoUser
			}
			tx.Do(`INSERT INTO user_group_members (group_id, user_id, added_at) VALUES ($1, $2, $3)`,
				groupID, id, tx.Now().UnixMicro())
		}
		for _, id := range removed {
			tx.Do(`DELETE FROM user_group_members WHERE group_id = $1 AND user_id = $2`, groupID, id)
		}
		if len(added)+len(removed) == 0 {
			return nil
		}
		for _, id := range slices.Concat(added, removed) {
			jobs.Publish(tx, "user.changed", id)
		}
		audit.Record(tx, by, audit.Event{Name: audit.GroupMembersEdited, Object: groupObject(&g),
			Before: map[string]any{"removed": removed}, After: map[string]any{"added": added}})
		jobs.Publish(tx, "group.changed", groupID)
		return nil
	})
}

// without are the members of a that are not in b; both are sorted.
func without(a, b []string) []string {
	out := []string{}
	for _, s := range a {
		if _, found := slices.BinarySearchFunc(b, s, strings.Compare); !found {
			out = append(out, s)
		}
	}
	return out
}

func groupObject(g *Group) audit.Object {
	return audit.Object{Kind: "group", ID: g.ID, Name: g.Name, Words: Beginnings(g.Name, g.FriendlyName)}
}

// Groups reads the groups that a user is in, by name.
func (d *Directory) Groups(ctx context.Context, userID string) (groups []Group, err error) {
	err = d.db.Read(ctx, func(tx *db.Tx) (err error) {
		groups, err = GroupsOf(tx, userID)
		return err
	})
	return groups, err
}
