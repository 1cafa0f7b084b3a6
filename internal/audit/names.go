package audit

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"pocketid/internal/db"
)

// Names of things outlive the things: whoever reads the log looks for somebody who is
// gone by the name that they had. So the log keeps, beside its entries, the last name of
// each person, group and client that was made or changed, and the words by which each
// of their names is found.

// learn keeps the name of o and the words by which it is found, if it says any. The
// words of former names stay.
func learn(tx *db.Tx, o Object) {
	if len(o.Words) == 0 || o.ID == "" {
		return
	}
	tx.Do(`INSERT INTO audit_names (kind, id, name) VALUES ($1, $2, $3) ON CONFLICT (kind, id) DO UPDATE SET name = excluded.name`,
		o.Kind, o.ID, o.Name)
	args := []any{o.Kind, o.ID}
	var rows strings.Builder
	for i, w := range o.Words {
		if i > 0 {
			rows.WriteString(", ")
		}
		args = append(args, w)
		fmt.Fprintf(&rows, "($%d, $1, $2)", len(args))
	}
	tx.Do(`INSERT INTO audit_words (word, kind, id) VALUES `+rows.String()+` ON CONFLICT (word, kind, id) DO NOTHING`, args...)
}

// part notes that o is gone: its name goes once all entries about it have gone.
func part(tx *db.Tx, o Object) {
	tx.Do(`UPDATE audit_names SET gone_at = $3 WHERE kind = $1 AND id = $2`, o.Kind, o.ID, tx.Now().UnixMicro())
}

// ForgetNames deletes at most limit of the names of what has been gone for longer than
// keep, and returns how many it did. It is a part.
func ForgetNames(tx *db.Tx, keep time.Duration, limit int) (int64, error) {
	type gone struct{ kind, id string }
	list, err := db.All(tx, func(g *gone) []any { return []any{&g.kind, &g.id} },
		`SELECT kind, id FROM audit_names WHERE gone_at < $1 ORDER BY gone_at, kind, id LIMIT $2`,
		tx.Now().Add(-keep).UnixMicro(), limit)
	for _, g := range list {
		tx.Do(`DELETE FROM audit_words WHERE kind = $1 AND id = $2`, g.kind, g.id)
		tx.Do(`DELETE FROM audit_names WHERE kind = $1 AND id = $2`, g.kind, g.id)
	}
	return int64(len(list)), err
}

// maxFound is how many people, groups or clients a search of the log goes through.
const maxFound = 8

// find returns what has a name with a word that begins like this.
func find(tx *db.Tx, beginning string, kinds ...any) ([]Object, error) {
	if beginning == "" {
		return nil, nil
	}
	sql := finding(beginning, kinds)
	return db.All(tx, func(o *Object) []any { return []any{&o.Kind, &o.ID, &o.Name} }, sql.String(), sql.args...)
}

// finding is the statement of find. It goes along the words; SQLite would rather go through
// all words of a kind, were the kind not an expression.
func finding(beginning string, kinds []any) *statement {
	var s statement
	s.add(`SELECT kind, id, name FROM audit_names WHERE (kind, id) IN (
			SELECT kind, id FROM audit_words WHERE word >= ? AND word < ? AND kind || '' IN (?`+strings.Repeat(`, ?`, len(kinds)-1)+`)
			ORDER BY word, kind, id LIMIT `+fmt.Sprint(10*maxFound)+`)
		ORDER BY name NULLS LAST, id LIMIT `+fmt.Sprint(maxFound), append([]any{beginning, afterAll(beginning)}, kinds...)...)
	return &s
}

// afterAll is greater than all texts that begin with s, as bytes are compared.
func afterAll(s string) string { return s + "\U0010FFFF" }

// A named thing is one whose last name is known.
type named struct {
	Object
	gone bool // it is there no more
}

// namesOf are the last known names of these ids, whatever they belong to.
func namesOf(tx *db.Tx, ids []string) (map[string]named, error) {
	names := map[string]named{}
	if len(ids) == 0 {
		return names, nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	list, err := db.All(tx, func(n *named) []any { return []any{&n.Kind, &n.ID, &n.Name, &n.gone} },
		`SELECT kind, id, name, gone_at IS NOT NULL FROM audit_names WHERE kind IN ('api', 'client', 'group', 'user') AND id IN (`+db.Marks(len(args))+`) ORDER BY id`, args...)
	for _, n := range list {
		names[n.ID] = n
	}
	return names, err
}

// Names are the people or the clients whom a beginning of a name may mean, at most eight,
// for administrators. Those who are gone are among them: the log still speaks of them.
func (l *Log) Names(ctx context.Context, by Actor, kind, beginning string) ([]Object, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	if len(beginning) > maxText || !utf8.ValidString(beginning) || strings.ContainsRune(beginning, 0) || kind != "user" && kind != "client" {
		return nil, nil
	}
	var found []Object
	err := l.db.Read(ctx, func(tx *db.Tx) (err error) {
		found, err = find(tx, beginning, kind)
		return err
	})
	return found, err
}

// Learn keeps the name of something that came from elsewhere, which nothing is recorded of
// one by one. It is a part.
func Learn(tx *db.Tx, o Object) { learn(tx, o) }
