package signin

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
)

// A KeyFilter asks for a page of the keys of everybody.
type KeyFilter struct {
	// Search is the beginning of words of the key's name, or of its owner's names.
	Search string
	// Owner is a username, an e-mail address or an id.
	Owner string
	State KeyState
	Sort  directory.Order
	// After is Next of the page before.
	After string
	// Limit is how many to return: 1 to 100; 0 is 50.
	Limit int
}

// A KeyState is where a key stands.
type KeyState string

// What a list of keys may be about, beside "", which is all.
const (
	KeysWorking KeyState = "working"
	KeysEnding  KeyState = "ending" // within keyEndsSoon
	KeysEnded   KeyState = "ended"
	KeysUnused  KeyState = "unused" // not once, or not for keyUnusedFor
)

const (
	keyEndsSoon  = 7 * 24 * time.Hour
	keyUnusedFor = 90 * 24 * time.Hour
)

// EndsSoon reports whether k has run out within a week of the instant now, and not yet.
func (k *Key) EndsSoon(now time.Time) bool { return !k.Ended(now) && k.Ended(now.Add(keyEndsSoon)) }

// keyOrders are the orders that there are: an expression without NULL that has an index.
var keyOrders = map[directory.Order]struct {
	key     string
	numbers bool
}{
	"name":    {key: `name_key`},
	"created": {key: `created_at`, numbers: true},
	"expires": {key: `expires_at`, numbers: true},
	"used":    {key: `COALESCE(last_used_at, 0)`, numbers: true},
}

// KeySorts are the orders as they first stand; the first is that of a list that nobody
// ordered.
var KeySorts = []directory.Order{"name", "expires", "-used", "-created"}

// Known is f without what there is not.
func (f KeyFilter) Known() KeyFilter {
	if _, ok := keyOrders[directory.Order(f.Sort.Name())]; !ok {
		f.Sort = KeySorts[0]
	}
	switch f.State {
	case KeysWorking, KeysEnding, KeysEnded, KeysUnused:
	default:
		f.State = ""
	}
	return f
}

// A KeyRow is a key in the list of an administrator.
type KeyRow struct {
	Key
	// Owner is whose key it is, whatever their state.
	Owner directory.User
}

// A KeyPage is a part of the list of keys.
type KeyPage struct {
	Rows []KeyRow
	// Next asks for the page after this one; "" when this is the last.
	Next string
	// Total is how many there are in all, counted up to directory.MaxCount.
	Total int
}

// The bounds of the list.
const (
	keyRows      = 50
	maxKeyRows   = 100
	maxKeySearch = 100 // characters
	maxKeyTerms  = 5
	maxKeyCursor = 1000
)

// AllKeys lists the keys of everybody, for administrators.
func (s *SignIn) AllKeys(ctx context.Context, by audit.Actor, filter KeyFilter) (KeyPage, error) {
	if err := by.MustAdmin(); err != nil {
		return KeyPage{}, err
	}
	f := filter.Known()
	limit := min(max(cmp.Or(f.Limit, keyRows), 1), maxKeyRows)
	var page KeyPage
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		page = KeyPage{}
		q := keyQuery{order: keyOrders[directory.Order(f.Sort.Name())].key}
		if err := q.meaning(tx, f); err != nil || q.nobody {
			return err
		}
		if err := tx.One([]any{&page.Total}, `SELECT count(*) FROM (SELECT 1 FROM api_keys WHERE `+q.where+
			` LIMIT `+strconv.Itoa(directory.MaxCount)+`) AS counted`, q.args...); err != nil || page.Total == 0 {
			return err
		}
		q.after(f)
		way := ``
		if f.Sort.Down() {
			way = ` DESC`
		}
		type found struct {
			Key
			sorted string
		}
		list, err := db.All(tx, func(r *found) []any { return append(r.fields(), &r.sorted) },
			`SELECT `+keyColumns+`, CAST(`+q.order+` AS TEXT) AS sorted_by FROM api_keys WHERE `+q.where+`
			ORDER BY `+q.order+way+`, id`+way+` LIMIT `+strconv.Itoa(limit+1), q.args...)
		if err != nil {
			return err
		}
		if len(list) > limit {
			list = list[:limit]
			page.Next = list[limit-1].ID + " " + list[limit-1].sorted
		}
		var ids []string
		for i := range list {
			page.Rows = append(page.Rows, KeyRow{Key: list[i].Key})
			ids = append(ids, list[i].UserID)
		}
		owners, err := directory.UsersIn(tx, ids)
		for i := range page.Rows {
			page.Rows[i].Owner = owners[page.Rows[i].UserID]
		}
		return err
	})
	return page, err
}

// A keyQuery is a filter as SQL.
type keyQuery struct {
	order  string
	where  string
	args   []any
	nobody bool // no key can be meant
}

func (q *keyQuery) mark(v any) string {
	q.args = append(q.args, v)
	return "$" + strconv.Itoa(len(q.args))
}

// meaning adds which keys f means.
func (q *keyQuery) meaning(tx *db.Tx, f KeyFilter) error {
	q.where = `TRUE`
	now := tx.Now()
	switch f.State {
	case KeysWorking:
		q.where += ` AND expires_at > ` + q.mark(now.UnixMicro())
	case KeysEnding:
		q.where += ` AND expires_at > ` + q.mark(now.UnixMicro()) + ` AND expires_at <= ` + q.mark(now.Add(keyEndsSoon).UnixMicro())
	case KeysEnded:
		q.where += ` AND expires_at <= ` + q.mark(now.UnixMicro())
	case KeysUnused:
		q.where += ` AND COALESCE(last_used_at, created_at) <= ` + q.mark(now.Add(-keyUnusedFor).UnixMicro())
	}
	if owner := clipRunes(f.Owner); owner != "" {
		u, err := directory.UserByName(tx, owner)
		if errors.Is(err, directory.ErrNoUser) {
			u, err = directory.UserByID(tx, owner)
		}
		if errors.Is(err, directory.ErrNoUser) {
			q.nobody = true
			return nil
		}
		if err != nil {
			return err
		}
		q.where += ` AND user_id = ` + q.mark(u.ID)
	}
	search := clipRunes(f.Search)
	words := strings.Fields(directory.Fold(search))
	if len(words) == 0 {
		return nil
	}
	named := `TRUE`
	for _, w := range words[:min(len(words), maxKeyTerms)] {
		before := "%" // scripts without blanks have a word at each character
		if w[0] < utf8.RuneSelf {
			before = "% "
		}
		named += ` AND ' ' || replace(replace(name_key, '-', ' '), '_', ' ') LIKE ` + q.mark(before+likeMarks.Replace(w)+"%") + ` ESCAPE '!'`
	}
	owners, err := directory.Found(tx, search)
	if err != nil || len(owners) == 0 {
		q.where += ` AND ` + named
		return err
	}
	marks := make([]string, len(owners))
	for i, id := range owners {
		marks[i] = q.mark(id)
	}
	q.where += ` AND (` + named + ` OR user_id IN (` + strings.Join(marks, ", ") + `))`
	return nil
}

// clipRunes is a search as long as counts, without what is no text.
func clipRunes(s string) string {
	if r := []rune(s); len(r) > maxKeySearch {
		s = string(r[:maxKeySearch])
	}
	return strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), ""))
}

// likeMarks takes the meaning from what LIKE reads in a pattern.
var likeMarks = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

// after adds what comes after the page before. What is no cursor is the beginning.
func (q *keyQuery) after(f KeyFilter) {
	id, key, ok := strings.Cut(f.After, " ")
	if !ok || len(f.After) > maxKeyCursor || strings.ToValidUTF8(f.After, "") != f.After || strings.Contains(f.After, "\x00") {
		return
	}
	var at any = key
	if keyOrders[directory.Order(f.Sort.Name())].numbers {
		n, err := strconv.ParseInt(key, 10, 64)
		if err != nil {
			return
		}
		at = n
	}
	than := ` > `
	if f.Sort.Down() {
		than = ` < `
	}
	q.where += ` AND (` + q.order + `, id)` + than + `(` + q.mark(at) + `, ` + q.mark(id) + `)`
}

// KeyByID reads anybody's key, for an administrator.
func (s *SignIn) KeyByID(ctx context.Context, by audit.Actor, id string) (KeyRow, error) {
	if err := by.MustAdmin(); err != nil {
		return KeyRow{}, err
	}
	var r KeyRow
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		r = KeyRow{}
		err := tx.One(r.fields(), `SELECT `+keyColumns+` FROM api_keys WHERE id = $1`, id)
		if errors.Is(err, db.ErrNotFound) {
			return ErrNoKey
		}
		if err != nil {
			return err
		}
		r.Owner, err = directory.UserByID(tx, r.UserID)
		return err
	})
	return r, err
}
