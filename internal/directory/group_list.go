package directory

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
)

// A GroupFilter asks for a page of the list of groups.
type GroupFilter struct {
	// Search is the beginning of words of either name; each of them must be there.
	Search string
	Sort   Order
	// After is Next of the page before.
	After string
	// Limit is how many to return: 1 to 100; 0 is 50.
	Limit int
}

// The orders of groups.
const (
	GroupsByFriendlyName Order = "friendly_name"
	GroupsByName         Order = "name"
	GroupsByMembers      Order = "members"
	GroupsByCreation     Order = "created"
)

// GroupOrder is o, or the order of the names that people see when o is none of groups.
func GroupOrder(o Order) Order {
	if _, ok := groupOrders[Order(o.Name())]; ok {
		return o
	}
	return GroupsByFriendlyName
}

// groupOrders are the columns of the orders. Each has an index, with the id behind it.
var groupOrders = map[Order]struct {
	column string
	number bool
	key    func(*GroupRow) string
}{
	GroupsByFriendlyName: {"friendly_key", false, func(g *GroupRow) string { return Fold(g.FriendlyName) }},
	GroupsByName:         {"name_key", false, func(g *GroupRow) string { return Fold(g.Name) }},
	GroupsByMembers:      {"members", true, func(g *GroupRow) string { return strconv.Itoa(g.Members) }},
	GroupsByCreation:     {"created_at", true, func(g *GroupRow) string { return strconv.FormatInt(g.CreatedAt.UnixMicro(), 10) }},
}

// Called is what to call g on a page.
func (g *GroupRow) Called() string { return cmp.Or(g.FriendlyName, g.Name) }

// A GroupRow is a group as a list shows it.
type GroupRow struct {
	ID           string
	Name         string
	FriendlyName string
	LDAPID       string
	Members      int
	CreatedAt    time.Time
}

func (g *GroupRow) fields() []any {
	return []any{&g.ID, &g.Name, &g.FriendlyName, db.Text(&g.LDAPID), &g.Members, db.Time(&g.CreatedAt)}
}

// A GroupPage is a part of the list of groups.
type GroupPage struct {
	Rows []GroupRow
	// Next asks for the page after this one; "" when this is the last.
	Next string
	// Total is how many there are in all, counted up to MaxCount.
	Total int
}

// The bounds of lists and of what is searched in them.
const (
	defaultRows = 50
	maxRows     = 100
	maxSearch   = 100 // characters
	maxTerms    = 5   // words of a search that count
)

// ListGroups lists groups, for administrators.
func (d *Directory) ListGroups(ctx context.Context, by audit.Actor, filter GroupFilter) (GroupPage, error) {
	if err := by.MustAdmin(); err != nil {
		return GroupPage{}, err
	}
	limit := rows(filter.Limit)
	sort := GroupOrder(filter.Sort)
	order, back := groupOrders[Order(sort.Name())], sort.Down()
	where, args := `TRUE`, []any{}
	mark := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	for _, term := range terms(filter.Search) {
		// A name has words too: they end at what clients like to write between them.
		m := mark(likeBeginning(term))
		where += ` AND (' ' || friendly_key LIKE ` + m + ` ESCAPE '!' OR
			' ' || replace(replace(replace(replace(name_key, '_', ' '), '-', ' '), '.', ' '), ':', ' ') LIKE ` + m + ` ESCAPE '!')`
	}
	var page GroupPage
	err := d.db.Read(ctx, func(tx *db.Tx) (err error) {
		page = GroupPage{}
		if err := tx.One([]any{&page.Total}, `SELECT count(*) FROM (SELECT 1 FROM user_groups WHERE `+where+` LIMIT `+strconv.Itoa(MaxCount)+`) AS counted`, args...); err != nil {
			return err
		}
		way, than := ``, `>`
		if back {
			way, than = ` DESC`, `<`
		}
		after := ``
		if id, key, ok := cursor(filter.After); ok {
			var at any = key
			if order.number {
				n, _ := strconv.ParseInt(key, 10, 64)
				at = n
			}
			after = ` AND (` + order.column + `, id) ` + than + ` (` + mark(at) + `, ` + mark(id) + `)`
		}
		page.Rows, err = db.All(tx, (*GroupRow).fields, `SELECT id, name, friendly_name, ldap_id, members, created_at
			FROM user_groups WHERE `+where+after+`
			ORDER BY `+order.column+way+` NULLS LAST, id`+way+` NULLS LAST LIMIT `+strconv.Itoa(limit+1), args...)
		if err == nil && len(page.Rows) > limit {
			last := &page.Rows[limit-1]
			page.Rows, page.Next = page.Rows[:limit], last.ID+" "+order.key(last)
		}
		return err
	})
	return page, err
}

// rows is how many rows a list returns that was asked for n.
func rows(n int) int {
	if n == 0 {
		n = defaultRows
	}
	return min(max(n, 1), maxRows)
}

// terms are the folded words of a search, as many and as long as count.
func terms(search string) []string {
	if r := []rune(search); len(r) > maxSearch {
		search = string(r[:maxSearch])
	}
	words := strings.Fields(strings.ToValidUTF8(strings.ReplaceAll(Fold(search), "\x00", ""), ""))
	return words[:min(len(words), maxTerms)]
}

// likeBeginning is the pattern of texts, with a blank in front, in which a word begins
// with term. Scripts without blanks have a word at each character.
func likeBeginning(term string) string {
	before := "% "
	if !ascii(term) {
		before = "%"
	}
	return before + likeEscape.Replace(term) + "%"
}

// likeEscape takes the meaning from what LIKE reads in a pattern.
var likeEscape = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

// cursor takes Next of a page apart. What is none is the beginning.
func cursor(after string) (id, key string, ok bool) {
	if strings.ToValidUTF8(after, "") != after || strings.Contains(after, "\x00") {
		return "", "", false
	}
	return strings.Cut(after, " ")
}

// GroupOptions are groups to choose from, by the names that people see: those that are
// chosen already and others, up to limit, and whether there are more.
func (d *Directory) GroupOptions(ctx context.Context, by audit.Actor, chosen []string, limit int) (options []GroupRow, more bool, err error) {
	if err := by.MustAdmin(); err != nil {
		return nil, false, err
	}
	args := []any{""} // a group has an id, so the list is never empty and means nobody
	for _, id := range chosen[:min(len(chosen), maxGroups)] {
		args = append(args, id)
	}
	err = d.db.Read(ctx, func(tx *db.Tx) (err error) {
		options, err = db.All(tx, (*GroupRow).fields, `SELECT id, name, friendly_name, ldap_id, members, created_at FROM user_groups
			WHERE id IN (`+db.Marks(len(args))+`) ORDER BY friendly_key NULLS LAST, id NULLS LAST LIMIT `+strconv.Itoa(maxGroups), args...)
		if err != nil {
			return err
		}
		others, err := db.All(tx, (*GroupRow).fields, `SELECT id, name, friendly_name, ldap_id, members, created_at FROM user_groups
			WHERE id NOT IN (`+db.Marks(len(args))+`) ORDER BY friendly_key NULLS LAST, id NULLS LAST LIMIT `+strconv.Itoa(limit+1), args...)
		if more = len(others) > limit; more {
			others = others[:limit]
		}
		options = append(options, others...)
		return err
	})
	slices.SortStableFunc(options, func(a, b GroupRow) int {
		return cmp.Or(strings.Compare(Fold(a.FriendlyName), Fold(b.FriendlyName)), strings.Compare(a.ID, b.ID))
	})
	return options, more, err
}
