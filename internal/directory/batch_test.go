package directory

import (
	"strconv"
	"strings"
	"testing"

	"pocketid/internal/audit"
	"pocketid/internal/db"
)

// crowd makes n people and returns their ids.
func (b *book) crowd(n int) (ids []string) {
	b.t.Helper()
	for i := range n {
		ids = append(ids, b.user("crowd"+strconv.Itoa(i)).ID)
	}
	return ids
}

// finish runs the job of a batch until it is done.
func (b *book) finish(id string) Batch {
	b.t.Helper()
	for range 10 {
		must(b.t, b.workBatch(b.t.Context(), id))
		if w := b.batch(id); !w.EndedAt.IsZero() {
			return w
		}
	}
	b.t.Fatal("the batch does not end")
	return Batch{}
}

func (b *book) batch(id string) Batch {
	b.t.Helper()
	w, err := b.Batch(b.t.Context(), root, id)
	must(b.t, err)
	return w
}

// threats 63: who is spared in a batch is said with the reason, everybody else has their
// turn, each with a record, and what was changed can be taken back.
func TestBatchSaysWhomItSpared(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		boss, other, ada, gone := b.admin("boss"), b.admin("other"), b.user("ada"), b.user("gone")
		must(t, b.Delete(t.Context(), root, gone.ID))
		must(t, b.Disable(t.Context(), root, other.ID))
		w, err := b.StartBatch(t.Context(), as(boss), BatchOrder{Deed: DeedDisable, IDs: []string{boss.ID, other.ID, ada.ID, gone.ID, "nobody", ada.ID}})
		must(t, err)
		if w.Total != 5 || w.Changed != 1 || w.Unchanged != 1 || w.Refused != 3 || w.EndedAt.IsZero() || w.Undo() != DeedEnable {
			t.Errorf("got %+v", w)
		}
		refused, err := b.Refusals(t.Context(), as(boss), w.ID, 10)
		must(t, err)
		why := map[string]string{}
		for _, r := range refused {
			why[r.ID] = r.Code
		}
		if len(why) != 3 || why[boss.ID] != "last_admin" || why[gone.ID] != "user_not_found" || why["nobody"] != "user_not_found" {
			t.Errorf("refused are %+v", refused)
		}
		if len(b.records("user.disabled")) != 2 || len(b.records("users.batch_started")) != 1 {
			t.Errorf("recorded %+v", b.records("user.disabled"))
		}
		undo, err := b.UndoBatch(t.Context(), as(boss), w.ID)
		must(t, err)
		if u, _ := b.User(t.Context(), ada.ID); undo.Changed != 1 || undo.Deed != DeedEnable || undo.Undoes != w.ID || !u.DisabledAt.IsZero() {
			t.Errorf("taking it back: %+v, %+v", undo, u)
		}
		if u, _ := b.User(t.Context(), other.ID); u.DisabledAt.IsZero() {
			t.Error("who was disabled before is enabled by taking it back")
		}
		_, err = b.UndoBatch(t.Context(), as(boss), w.ID)
		wants(t, "taking it back twice", err, ErrBatchDone)
		w, err = b.StartBatch(t.Context(), as(boss), BatchOrder{Deed: DeedDelete, IDs: []string{ada.ID}})
		if err != nil || w.Changed != 1 || w.Undo() != "" {
			t.Errorf("deleting: %+v, %v", w, err)
		}
		_, err = b.UndoBatch(t.Context(), as(boss), w.ID)
		wants(t, "taking a deletion back", err, ErrBatchDone)
	})
}

// A batch about everybody whom a filter means is about those who were counted, goes on
// from where it was, and ends with what it has done.
func TestBatchOfAFilterGoesOn(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		boss, ids := b.admin("boss"), b.crowd(2*batchStep+7)
		b.user("else")
		g, err := b.AddGroup(t.Context(), root, GroupEdit{Name: "crew", FriendlyName: "Crew"})
		must(t, err)
		must(t, b.AddMembers(t.Context(), root, g.ID, ids[:3]))
		order := BatchOrder{Deed: DeedJoin, GroupID: g.ID, Filter: UserFilter{Search: "crowd"}, Seen: len(ids) - 1}
		_, err = b.StartBatch(t.Context(), as(boss), order)
		wants(t, "a number that is not so any more", err, ErrOthersMatch)
		if b.count(`SELECT count(*) FROM user_batch_rows`)+b.count(`SELECT count(*) FROM user_batches`) != 0 {
			t.Error("what was refused is left behind")
		}
		order.Seen = len(ids)
		w, err := b.StartBatch(t.Context(), as(boss), order)
		must(t, err)
		if w.Total != len(ids) || w.Done() != 0 || !w.EndedAt.IsZero() {
			t.Fatalf("at first: %+v", w)
		}
		open, err := b.OpenBatches(t.Context(), root)
		if err != nil || len(open) != 1 {
			t.Errorf("under way are %+v, %v", open, err)
		}
		w = b.finish(w.ID)
		if w.Changed != len(ids)-3 || w.Unchanged != 3 || w.Refused != 0 || w.Stopped != "" {
			t.Errorf("at the end: %+v", w)
		}
		if n := b.size(g.ID); n != len(ids) {
			t.Errorf("%d members", n)
		}
		must(t, b.workBatch(t.Context(), w.ID)) // a job may run twice
		if got := b.batch(w.ID); got.Done() != len(ids) {
			t.Errorf("run again: %+v", got)
		}
		back, err := b.UndoBatch(t.Context(), as(boss), w.ID)
		must(t, err)
		if back = b.finish(back.ID); back.Changed != len(ids)-3 || b.size(g.ID) != 3 {
			t.Errorf("taken back: %+v, %d members", back, b.size(g.ID))
		}
		members := BatchOrder{Deed: DeedLeave, GroupID: g.ID, Filter: UserFilter{Group: g.ID}, Seen: 3}
		if w, err := b.StartBatch(t.Context(), as(boss), members); err != nil || w.Changed != 3 || b.size(g.ID) != 0 {
			t.Errorf("all members leave: %+v, %v", w, err)
		}
		members.Seen = 1
		_, err = b.StartBatch(t.Context(), as(boss), members)
		wants(t, "a batch about nobody", err, ErrNobodyPicked)
	})
}

// threats 63: a batch has the rights that whoever began it has now, not those of then.
func TestBatchStops(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		b.admin("root")
		boss, ids := b.admin("boss"), b.crowd(batchStep+10)
		g, err := b.AddGroup(t.Context(), root, GroupEdit{Name: "crew", FriendlyName: "Crew"})
		must(t, err)
		start := func() string {
			w, err := b.StartBatch(t.Context(), as(boss), BatchOrder{Deed: DeedJoin, GroupID: g.ID, Filter: UserFilter{Search: "crowd"}, Seen: len(ids)})
			must(t, err)
			return w.ID
		}
		id := start()
		must(t, b.StopBatch(t.Context(), as(boss), id))
		if w := b.finish(id); w.Stopped != StoppedByHand || w.Changed != 0 {
			t.Errorf("stopped: %+v", w)
		}
		wants(t, "stopping twice", b.StopBatch(t.Context(), as(boss), id), ErrBatchDone)
		id = start()
		must(t, b.Disable(t.Context(), root, boss.ID))
		if w := b.finish(id); w.Stopped != StoppedByRights || w.Changed != 0 {
			t.Errorf("of somebody who is disabled: %+v", w)
		}
		must(t, b.Enable(t.Context(), root, boss.ID))
		id = start()
		b.write(func(tx *db.Tx) error {
			_, err := RemoveGroup(tx, root, g.ID)
			return err
		})
		if w := b.finish(id); w.Stopped != StoppedByGroup {
			t.Errorf("of a group that is gone: %+v", w)
		}
		for what, order := range map[string]BatchOrder{"a group that is not there": {Deed: DeedJoin, GroupID: "none", IDs: ids[:2]}} {
			_, err := b.StartBatch(t.Context(), as(boss), order)
			wants(t, what, err, ErrNoGroup)
		}
		_, err = b.StartBatch(t.Context(), as(boss), BatchOrder{Deed: DeedLeave, IDs: ids[:2]})
		wants(t, "no group", err, ErrGroupNeeded)
		_, err = b.StartBatch(t.Context(), as(boss), BatchOrder{Deed: "promote", IDs: ids[:2]})
		wants(t, "an unknown deed", err, ErrNoBatch)
		_, err = b.StartBatch(t.Context(), as(boss), BatchOrder{Deed: DeedDisable, IDs: make([]string, MaxUsers+1)})
		wants(t, "too many", err, ErrTooManyUsers)
	})
}

// threats 63: what is done to many is for administrators.
func TestBatchesAreForAdministrators(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		eve := b.user("eve")
		_, started := b.StartBatch(t.Context(), as(eve), BatchOrder{Deed: DeedDelete, IDs: []string{eve.ID}})
		_, undone := b.UndoBatch(t.Context(), as(eve), "x")
		_, read := b.Batch(t.Context(), as(eve), "x")
		_, refusals := b.Refusals(t.Context(), as(eve), "x", 1)
		_, all := b.Batches(t.Context(), as(eve), 1)
		_, counted := b.CountUsers(t.Context(), as(eve), UserFilter{})
		for what, err := range map[string]error{"starting": started, "taking back": undone, "reading": read, "refusals": refusals, "the list": all, "counting": counted,
			"stopping": b.StopBatch(t.Context(), as(eve), "x")} {
			wants(t, what, err, audit.ErrNotAdmin)
		}
	})
}

// A list by the number of passkeys goes along their index, unless where an account stands
// leaves fewer: most people have one passkey. The few who have several have an index of
// their own. PostgreSQL chooses by what is stored, so it is asked with a town and for those.
func TestListsByPasskeysGoAlongAnIndex(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		plans := map[UserFilter]string{{Passkeys: PasskeysNone}: "users_passkeys (<expr>=?)", {Passkeys: PasskeysOne}: "users_passkeys (<expr>=?)", {Passkeys: PasskeysSeveral}: "users_several (id>?)",
			{Passkeys: PasskeysSeveral, Role: RoleUser}:   "users_several (id>?)",
			{Passkeys: PasskeysOne, State: StateDisabled}: "users_people (disabled_at>?)", {State: StateActive}: "users_people (disabled_at=?)", {State: StateKeyless}: "users_keyless (disabled_at=?)",
			{Passkeys: PasskeysSeveral, Role: RoleAdmin}: "users_admins (id>?)"}
		explain, line := `EXPLAIN QUERY PLAN `, func(l *string) []any { return []any{new(int), new(int), new(int), l} }
		if b.db.Postgres {
			plans = map[UserFilter]string{{Passkeys: PasskeysSeveral}: "users_several", {Passkeys: PasskeysSeveral, Role: RoleUser}: "users_several"}
			explain, line = `EXPLAIN `, func(l *string) []any { return []any{l} }
		}
		b.write(func(tx *db.Tx) error {
			if b.db.Postgres {
				tx.Do(`INSERT INTO users (id, username, username_key, created_at, updated_at, passkeys)
					SELECT 'u' || n, 'u' || n, 'u' || n, n, n, CASE WHEN n % 50 = 0 THEN 2 ELSE 1 END FROM generate_series(1, 3000) AS n`)
				tx.Do(`ANALYZE users`)
			}
			for f, want := range plans {
				q := f.query(tx.Now())
				counted, sorted := statement{}, statement{}
				counted.WriteString(`SELECT count(*)`)
				q.candidates(&counted, false)
				sorted.WriteString(`SELECT id`)
				q.candidates(&sorted, true)
				q.page(&sorted, q.key+` || ''`, `id`, 26)
				for what, s := range map[string]*statement{"counting": &counted, "sorting": &sorted} {
					plan, err := db.All(tx, line, explain+s.String(), s.args...)
					must(t, err)
					if !strings.Contains(strings.Join(plan, "\n"), want) {
						t.Errorf("%s %+v goes %q, want %q", what, f, plan, want)
					}
				}
			}
			return nil
		})
	})
}

// Each list of people costs a number of statements that does not grow with what is asked.
func TestListOfPeopleInStatements(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		ids := b.crowd(60)
		g, err := b.AddGroup(t.Context(), root, GroupEdit{Name: "crew", FriendlyName: "Crew"})
		must(t, err)
		must(t, b.AddMembers(t.Context(), root, g.ID, ids[:40]))
		for _, f := range []UserFilter{{}, {Search: "crowd"}, {State: StateNew}, {State: StateKeyless}, {State: StateDeleted}, {Role: RoleUser}, {Passkeys: PasskeysNone}, {Passkeys: PasskeysSeveral, Sort: "email"}, {Group: g.ID},
			{Group: g.ID, Search: "crowd1", State: StateNew, Role: RoleUser, Passkeys: PasskeysNone, Sort: "-seen"}} {
			before := b.db.Statements()
			_, err := b.Users(t.Context(), root, f)
			must(t, err)
			if n := b.db.Statements() - before; n > 6 { // BEGIN, count, walk, sort, rows, COMMIT
				t.Errorf("%+v: %d statements", f, n)
			}
		}
	})
}
