package directory

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

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
	// claimTexts is how a program wrote some of the claims (ClaimTexts).
	claimTexts string
	LDAPID     string
	// Members is how many there are. Whoever changes the rows of members counts anew.
	Members   int
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Called is what to call g on a page.
func (g *Group) Called() string { return cmp.Or(g.FriendlyName, g.Name) }

const groupColumns = `id, name, name_key, friendly_name, friendly_key, claims, ldap_id, members, created_at, updated_at, claim_texts`

const groupColumnCount = 11

func (g *Group) fields() []any {
	name, friendly := Fold(g.Name), Fold(g.FriendlyName)
	return []any{&g.ID, &g.Name, &name, &g.FriendlyName, &friendly, db.JSON(&g.Claims), db.Text(&g.LDAPID),
		&g.Members, db.Time(&g.CreatedAt), db.Time(&g.UpdatedAt), db.Text(&g.claimTexts)}
}

// maxGroups bounds the groups of one user that are read.
const maxGroups = 1000

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
	// Claims are those that a new group begins with. From then on SetGroupClaims
	// changes them, and EditGroup leaves them alone.
	Claims map[string]any
}

// GroupNameOf makes the name that clients get from the one that people see: its
// letters and digits in lower case, with _ between them.
func GroupNameOf(friendly string) string {
	words := strings.FieldsFunc(norm.NFC.String(friendly), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
	return strings.ToLower(strings.Join(words, "_"))
}

func (e GroupEdit) group() (g Group, err error) {
	if g.FriendlyName, err = parseName("friendly_name", e.FriendlyName, 50); err != nil {
		return Group{}, err
	}
	if utf8.RuneCountInString(g.FriendlyName) < 2 {
		return Group{}, ErrGroupFriendlyName
	}
	if g.Name, err = parseName("name", e.Name, 255); err != nil {
		return Group{}, err
	}
	if utf8.RuneCountInString(g.Name) < 2 {
		return Group{}, ErrGroupName
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
		audit.Record(tx, by, audit.Event{Name: audit.GroupCreated, Object: groupObject(&g), After: g.record()})
		jobs.Publish(tx, "group.changed", g.ID)
		return nil
	})
	if err != nil {
		return Group{}, Explain(err)
	}
	return g, nil
}

// Group reads one group, for administrators.
func (d *Directory) Group(ctx context.Context, by audit.Actor, id string) (g Group, err error) {
	if err := by.MustAdmin(); err != nil {
		return Group{}, err
	}
	err = d.db.Read(ctx, func(tx *db.Tx) (err error) {
		g, err = GroupByID(tx, id)
		return err
	})
	return g, err
}

// EditGroup changes the names of a group. Those of a group that comes from another
// directory are changed there.
func (d *Directory) EditGroup(ctx context.Context, by audit.Actor, id string, edit GroupEdit) (Group, error) {
	return d.editGroup(ctx, by, id, edit, func(*Group) error { return nil })
}

// ReviseGroup is EditGroup for somebody who saw the names as they were, or ErrStale.
func (d *Directory) ReviseGroup(ctx context.Context, by audit.Actor, id string, was, edit GroupEdit) (Group, error) {
	return d.editGroup(ctx, by, id, edit, func(g *Group) error {
		if g.Name != was.Name || g.FriendlyName != was.FriendlyName {
			return ErrStale
		}
		return nil
	})
}

func (d *Directory) editGroup(ctx context.Context, by audit.Actor, id string, edit GroupEdit, check func(*Group) error) (Group, error) {
	if err := by.MustAdmin(); err != nil {
		return Group{}, err
	}
	edit.Claims = nil
	named, err := edit.group()
	if err != nil {
		return Group{}, err
	}
	return d.changeOneGroup(ctx, by, id, audit.GroupEdited, func(g *Group) error {
		if g.LDAPID != "" {
			return ErrGroupManaged
		}
		if err := check(g); err != nil {
			return err
		}
		g.Name, g.FriendlyName = named.Name, named.FriendlyName
		return nil
	})
}

// SetGroupClaims replaces what is said to clients about the members of a group. It
// does so for groups of another directory too, which knows nothing of claims.
func (d *Directory) SetGroupClaims(ctx context.Context, by audit.Actor, id string, claims map[string]any) (Group, error) {
	return d.setGroupClaims(ctx, by, id, claims, func(*Group) error { return nil })
}

// ReplaceGroupClaims is SetGroupClaims for somebody who saw the claims as they were, or
// ErrStale.
func (d *Directory) ReplaceGroupClaims(ctx context.Context, by audit.Actor, id string, was, claims map[string]any) (Group, error) {
	return d.setGroupClaims(ctx, by, id, claims, func(g *Group) error {
		if len(g.Claims)+len(was) > 0 && !reflect.DeepEqual(g.Claims, was) {
			return ErrStale
		}
		return nil
	})
}

func (d *Directory) setGroupClaims(ctx context.Context, by audit.Actor, id string, claims map[string]any, check func(*Group) error) (Group, error) {
	if err := by.MustAdmin(); err != nil {
		return Group{}, err
	}
	if err := CheckClaims(claims); err != nil {
		return Group{}, err
	}
	return d.changeOneGroup(ctx, by, id, audit.GroupClaimsEdited, func(g *Group) error {
		if err := check(g); err != nil {
			return err
		}
		if g.Claims = claims; claims == nil {
			g.Claims = map[string]any{}
		}
		return nil
	})
}

// changeOneGroup is changeGroup in a transaction of its own.
func (d *Directory) changeOneGroup(ctx context.Context, by audit.Actor, id string, event audit.Name, fn func(*Group) error) (Group, error) {
	var g Group
	err := d.db.Write(ctx, func(tx *db.Tx) (err error) {
		g, err = changeGroup(tx, by, id, event, fn)
		return err
	})
	if err != nil {
		return Group{}, Explain(err)
	}
	return g, nil
}

// changeGroup loads a group, lets fn change it, and saves what differs with its record
// and its news. Nothing happens when nothing differs.
func changeGroup(tx *db.Tx, by audit.Actor, id string, event audit.Name, fn func(*Group) error) (Group, error) {
	g, err := GroupByID(tx, id)
	if err != nil {
		return Group{}, err
	}
	before := g.record()
	if err := fn(&g); err != nil {
		return Group{}, err
	}
	was, is := differences(before, g.record())
	if len(was) == 0 && len(is) == 0 {
		return g, nil
	}
	g.UpdatedAt = tx.Now()
	tx.Do(`UPDATE user_groups SET (`+groupColumns+`) = (`+db.Marks(groupColumnCount)+`) WHERE id = $1`, g.fields()...)
	audit.Record(tx, by, audit.Event{Name: event, Object: groupObject(&g), Before: was, After: is})
	jobs.Publish(tx, "group.changed", g.ID)
	return g, nil
}

// RemoveGroup takes a group away in tx: its members are in it no more, its claims are
// said no more, and whatever refers to it goes with it. It is a part of the verb of
// oidc, which records what clients lose by it.
func RemoveGroup(tx *db.Tx, by audit.Actor, id string) (Group, error) {
	if err := by.MustAdmin(); err != nil {
		return Group{}, err
	}
	g, err := GroupByID(tx, id)
	if err != nil {
		return Group{}, err
	}
	if g.LDAPID != "" {
		return Group{}, ErrGroupManaged
	}
	names, err := memberNames(tx, g.ID)
	if err != nil {
		return Group{}, err
	}
	before := g.record()
	before["members"], before["names"] = g.Members, names
	tx.Do(`DELETE FROM user_group_members WHERE group_id = $1`, id)
	tx.Do(`DELETE FROM user_groups WHERE id = $1`, id)
	audit.Record(tx, by, audit.Event{Name: audit.GroupDeleted, Object: groupObject(&g), Before: before})
	jobs.Publish(tx, "group.changed", id)
	return g, nil
}

// record is what the log keeps of a group.
func (g *Group) record() map[string]any {
	m := map[string]any{"name": g.Name, "friendly_name": g.FriendlyName}
	if len(g.Claims) > 0 {
		m["claims"] = g.Claims
	}
	return m
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
