package directory

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/jobs"
	"pocketid/internal/secret"
)

// What is refused about changing many people at once.
var (
	ErrNoBatch = fault.New(fault.NotFound, "batch_not_found")
	// ErrNobodyPicked refuses a batch about nobody.
	ErrNobodyPicked = fault.New(fault.Invalid, "nobody_picked")
	// ErrGroupNeeded refuses a deed about a group when none is named.
	ErrGroupNeeded = fault.New(fault.Invalid, "group_needed").At("group")
	// ErrOthersMatch refuses a batch about everybody whom a filter means when they are
	// more or fewer than whoever asked has seen.
	ErrOthersMatch = fault.New(fault.Conflict, "others_match")
	// ErrTooManyBatches refuses another batch while so many are not done.
	ErrTooManyBatches = fault.New(fault.Conflict, "too_many_batches")
	// ErrBatchDone refuses to stop what is done, and to undo what is not or cannot be.
	ErrBatchDone = fault.New(fault.Conflict, "batch_done")
)

// A Deed is what a batch does to each of its people.
type Deed string

// The deeds.
const (
	DeedDisable Deed = "disable"
	DeedEnable  Deed = "enable"
	DeedDelete  Deed = "delete"
	DeedJoin    Deed = "join"  // a group
	DeedLeave   Deed = "leave" // a group
)

// Undo is the deed that takes d back, or "" where none does.
func (d Deed) Undo() Deed {
	return map[Deed]Deed{DeedDisable: DeedEnable, DeedEnable: DeedDisable, DeedJoin: DeedLeave, DeedLeave: DeedJoin}[d]
}

// OfGroup reports whether d is about a group.
func (d Deed) OfGroup() bool { return d == DeedJoin || d == DeedLeave }

// Known reports whether there is such a deed.
func (d Deed) Known() bool { return d == DeedDelete || d.Undo() != "" }

// Why a batch ended before everybody had their turn.
const (
	StoppedByHand   = "hand"   // an administrator stopped it
	StoppedByRights = "rights" // who began it is no administrator any more
	StoppedByGroup  = "group"  // the group is gone
)

// The bounds of batches.
const (
	// MaxBatch is how many people one batch is about at most.
	MaxBatch = maxMembers
	// batchStep is how many of them one transaction changes, so that others get theirs in
	// between.
	batchStep = 50
	// batchRun is how many steps one job takes before it makes room for others.
	batchRun = 100
	// maxOpen is how many batches may be under way.
	maxOpen = 20
	// batchKept is how long a batch can be looked at.
	batchKept = 30 * 24 * time.Hour
)

// batchWaits are how long a batch waits after the database has failed it.
var batchWaits = []time.Duration{5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}

// A Batch is a deed that is done to many people, a few at a time.
type Batch struct {
	ID   string
	Deed Deed
	// GroupID is the group of a deed about one, GroupName what it was called.
	GroupID, GroupName string
	// By is who began it; each of its changes is recorded as theirs.
	By audit.Actor
	// Total is how many people it is about; Changed, Unchanged (there was nothing to do)
	// and Refused are those who had their turn.
	Total, Changed, Unchanged, Refused int
	// Stopped says why it ended early; "" when it did not.
	Stopped string
	// Undoes is the batch that this one takes back, UndoneBy the one that takes this back.
	Undoes, UndoneBy string
	CreatedAt        time.Time
	// EndedAt is the zero time while it goes on.
	EndedAt time.Time
}

// Done is how many people had their turn.
func (b *Batch) Done() int { return b.Changed + b.Unchanged + b.Refused }

// Undo is the deed that would take b back now, or "".
func (b *Batch) Undo() Deed {
	if b.EndedAt.IsZero() || b.UndoneBy != "" || b.Changed == 0 {
		return ""
	}
	return b.Deed.Undo()
}

// A Refusal is somebody to whom a batch did nothing, and why.
type Refusal struct {
	ID, Username, Name string
	// Gone says that the account is deleted.
	Gone bool
	// Code is that of the fault.
	Code string
}

const batchColumns = `id, deed, group_id, group_name, actor, total, changed, unchanged, refused, stopped, undoes, undone_by, created_at, ended_at`

const batchColumnCount = 14

func (b *Batch) fields() []any {
	return []any{&b.ID, (*string)(&b.Deed), db.Text(&b.GroupID), &b.GroupName, db.JSON(&b.By), &b.Total, &b.Changed, &b.Unchanged, &b.Refused,
		&b.Stopped, db.Text(&b.Undoes), db.Text(&b.UndoneBy), db.Time(&b.CreatedAt), db.Time(&b.EndedAt)}
}

// A BatchOrder asks for a batch: about those with IDs, or, when there are none, about
// everybody whom Filter means.
type BatchOrder struct {
	Deed    Deed
	GroupID string
	IDs     []string
	Filter  UserFilter
	// Seen is how many people Filter meant when somebody looked.
	Seen int
}

// StartBatch begins a batch. One that is small is done when it returns; another goes on
// by itself.
func (d *Directory) StartBatch(ctx context.Context, by audit.Actor, order BatchOrder) (Batch, error) {
	if err := by.MustAdmin(); err != nil {
		return Batch{}, err
	}
	if len(order.IDs) > MaxUsers {
		return Batch{}, ErrTooManyUsers
	}
	if !order.Deed.Known() {
		return Batch{}, ErrNoBatch
	}
	if order.Deed.OfGroup() && order.GroupID == "" {
		return Batch{}, ErrGroupNeeded
	}
	var b Batch
	err := d.db.Write(ctx, func(tx *db.Tx) error {
		b = Batch{ID: secret.ID(), Deed: order.Deed, By: by, CreatedAt: tx.Now()}
		if b.Deed.OfGroup() {
			g, err := GroupByID(tx, order.GroupID)
			if err != nil {
				return err
			}
			if g.LDAPID != "" {
				return ErrGroupManaged
			}
			b.GroupID, b.GroupName = g.ID, g.Called()
		}
		return d.beginBatch(tx, &b, func() error { return order.rows(tx, b.ID) }, order.Seen)
	})
	return b, err
}

// UndoBatch takes back what a batch has changed, as far as that can be: by a batch of
// its own, about those whom it has changed.
func (d *Directory) UndoBatch(ctx context.Context, by audit.Actor, id string) (Batch, error) {
	if err := by.MustAdmin(); err != nil {
		return Batch{}, err
	}
	var b Batch
	err := d.db.Write(ctx, func(tx *db.Tx) error {
		was, err := batchByID(tx, id)
		if err != nil {
			return err
		}
		if was.Undo() == "" {
			return ErrBatchDone
		}
		b = Batch{ID: secret.ID(), Deed: was.Undo(), By: by, GroupID: was.GroupID, GroupName: was.GroupName, Undoes: was.ID, CreatedAt: tx.Now()}
		if b.Deed.OfGroup() {
			if _, err := GroupByID(tx, b.GroupID); err != nil {
				return err
			}
		}
		tx.Do(`UPDATE user_batches SET undone_by = $2 WHERE id = $1`, was.ID, b.ID)
		return d.beginBatch(tx, &b, func() error {
			tx.Do(`INSERT INTO user_batch_rows (batch_id, user_id)
				SELECT CAST($2 AS TEXT), user_id FROM user_batch_rows WHERE batch_id = $1 AND state = $3`, was.ID, b.ID, stateChanged)
			return nil
		}, was.Changed)
	})
	return b, err
}

// beginBatch writes b down with its people, and does it when it is small. Nobody is in it
// who did not match when seen were counted; 0 is not to compare.
func (d *Directory) beginBatch(tx *db.Tx, b *Batch, people func() error, seen int) error {
	var open int
	if err := tx.One([]any{&open}, `SELECT count(*) FROM user_batches WHERE ended_at IS NULL`); err != nil {
		return err
	}
	if open >= maxOpen {
		return ErrTooManyBatches
	}
	tx.Do(`INSERT INTO user_batches (`+batchColumns+`) VALUES (`+db.Marks(batchColumnCount)+`)`, b.fields()...)
	if err := people(); err != nil {
		return err
	}
	if err := tx.One([]any{&b.Total}, `SELECT count(*) FROM user_batch_rows WHERE batch_id = $1`, b.ID); err != nil {
		return err
	}
	switch {
	case b.Total == 0:
		return ErrNobodyPicked
	case b.Total > MaxBatch:
		return ErrTooManyUsers
	case seen > 0 && seen != b.Total:
		return ErrOthersMatch
	}
	started := map[string]any{"deed": string(b.Deed), "people": b.Total}
	if b.GroupName != "" {
		started["group"] = b.GroupName
	}
	if b.Undoes != "" {
		started["undoes"] = b.Undoes
	}
	audit.Record(tx, b.By, audit.Event{Name: audit.BatchStarted, Object: b.object(), After: started})
	if b.Total <= batchStep {
		return stepBatch(tx, b)
	}
	tx.Do(`UPDATE user_batches SET total = $2 WHERE id = $1`, b.ID, b.Total)
	jobs.Add(tx, "user.batch", b.ID)
	return nil
}

// rows writes down whom the order is about.
func (o *BatchOrder) rows(tx *db.Tx, batchID string) error {
	if len(o.IDs) > 0 {
		for _, id := range o.IDs {
			tx.Do(`INSERT INTO user_batch_rows (batch_id, user_id) VALUES ($1, $2) ON CONFLICT (batch_id, user_id) DO NOTHING`, batchID, id)
		}
		o.Seen = 0
		return nil
	}
	q := o.Filter.query(tx.Now())
	if q.state == StateDeleted {
		return ErrNobodyPicked
	}
	s := statement{}
	s.WriteString(`INSERT INTO user_batch_rows (batch_id, user_id) SELECT CAST(` + s.mark(batchID) + ` AS TEXT), users.id`)
	q.candidates(&s, true)
	s.WriteString(` LIMIT ` + strconv.Itoa(MaxBatch+1))
	tx.Do(s.String(), s.args...)
	return nil
}

// CountUsers counts everybody whom a filter means, up to MaxBatch and one more.
func (d *Directory) CountUsers(ctx context.Context, by audit.Actor, filter UserFilter) (n int, err error) {
	if err := by.MustAdmin(); err != nil {
		return 0, err
	}
	err = d.db.Read(ctx, func(tx *db.Tx) (err error) {
		q := filter.query(tx.Now())
		n, err = q.count(tx, MaxBatch+1)
		return err
	})
	return n, err
}

// What became of somebody in a batch, beside the code of a fault.
const (
	stateWaiting   = ""
	stateChanged   = "changed"
	stateUnchanged = "unchanged"
)

// stepBatch does b to the next of its people and writes down what became of them.
func stepBatch(tx *db.Tx, b *Batch) error {
	by, err := b.actor(tx)
	if err != nil || by == nil {
		return cmp.Or(err, stopBatch(tx, b, StoppedByRights))
	}
	var g Group
	if b.Deed.OfGroup() {
		g, err = GroupByID(tx, b.GroupID)
		if errors.Is(err, ErrNoGroup) {
			return stopBatch(tx, b, StoppedByGroup)
		}
		if err != nil {
			return err
		}
	}
	ids, err := db.All(tx, func(id *string) []any { return []any{id} },
		`SELECT user_id FROM user_batch_rows WHERE batch_id = $1 AND state = $2 ORDER BY user_id LIMIT $3`, b.ID, stateWaiting, batchStep)
	if err != nil {
		return err
	}
	before := b.Changed
	for _, id := range ids {
		changed, err := b.Deed.do(tx, *by, id, &g)
		state := stateUnchanged
		f, refused := errors.AsType[*fault.Error](err)
		switch {
		case refused:
			state, b.Refused = f.Code, b.Refused+1
		case err != nil:
			return err
		case changed:
			state, b.Changed = stateChanged, b.Changed+1
		default:
			b.Unchanged++
		}
		tx.Do(`UPDATE user_batch_rows SET state = $3 WHERE batch_id = $1 AND user_id = $2`, b.ID, id, state)
	}
	if b.Deed.OfGroup() && b.Changed > before {
		countMembers(tx, g.ID)
		jobs.Publish(tx, "group.changed", g.ID)
	}
	if len(ids) < batchStep || b.Done() >= b.Total {
		b.EndedAt = tx.Now()
	}
	saveBatch(tx, b)
	return nil
}

// do does d to one person, and says whether that changed anything. Whom it must not be
// done to is refused before anything is written.
func (d Deed) do(tx *db.Tx, by audit.Actor, id string, g *Group) (changed bool, err error) {
	switch d {
	case DeedJoin, DeedLeave:
		return changeMember(tx, by, id, g, d)
	case DeedDisable:
		_, err = changeUser(tx, by, id, audit.UserDisabled, func(u *User) error {
			changed = u.DisabledAt.IsZero()
			return disable(tx, by, u)
		})
	case DeedEnable:
		_, err = changeUser(tx, by, id, audit.UserEnabled, func(u *User) error {
			changed = !u.DisabledAt.IsZero()
			return enable(tx, u)
		})
	case DeedDelete:
		changed = true
		_, err = changeUser(tx, by, id, audit.UserDeleted, func(u *User) error { return remove(tx, by, u) })
	}
	return changed && err == nil, err
}

// changeMember puts somebody into a group or takes them out, without counting its
// members.
func changeMember(tx *db.Tx, by audit.Actor, id string, g *Group, d Deed) (bool, error) {
	if g.LDAPID != "" {
		return false, ErrGroupManaged
	}
	u, err := UserByID(tx, id)
	if err != nil {
		return false, err
	}
	if !u.DeletedAt.IsZero() || u.Service() {
		return false, ErrNoUser
	}
	if d == DeedJoin && g.Members >= maxMembers {
		return false, ErrTooManyMembers
	}
	statement, args := `DELETE FROM user_group_members WHERE group_id = $1 AND user_id = $2`, []any{g.ID, id}
	if d == DeedJoin {
		statement = `INSERT INTO user_group_members (group_id, user_id, added_at) VALUES ($1, $2, $3) ON CONFLICT (group_id, user_id) DO NOTHING`
		args = append(args, tx.Now().UnixMicro())
	}
	n, err := tx.Exec(statement, args...)
	if err != nil || n == 0 {
		return false, err
	}
	before, after := map[string]any{"members": g.Members}, map[string]any{}
	if d == DeedJoin {
		g.Members++
		after["added"] = []string{u.Username}
	} else {
		g.Members--
		before["removed"] = []string{u.Username}
	}
	after["members"] = g.Members
	audit.Record(tx, by, audit.Event{Name: audit.GroupMembersEdited, Object: groupObject(g), User: u.ID, Before: before, After: after})
	jobs.Publish(tx, "user.changed", u.ID)
	return true, nil
}

// actor is who b is done by, with the rights of now; nil when they may not any more.
func (b *Batch) actor(tx *db.Tx) (*audit.Actor, error) {
	by := b.By
	if by.UserID == "" {
		return &by, nil
	}
	u, err := UserByID(tx, by.UserID)
	if err == nil && u.Service() {
		u, err = ServiceNow(tx, u)
	}
	if errors.Is(err, ErrNoUser) || errors.Is(err, ErrOwnerOut) || err == nil && (u.Active(tx.Now()) != nil || !u.Admin) {
		return nil, nil
	}
	return &by, err
}

func stopBatch(tx *db.Tx, b *Batch, why string) error {
	b.Stopped, b.EndedAt = why, tx.Now()
	saveBatch(tx, b)
	return nil
}

func saveBatch(tx *db.Tx, b *Batch) {
	tx.Do(`UPDATE user_batches SET (`+batchColumns+`) = (`+db.Marks(batchColumnCount)+`) WHERE id = $1`, b.fields()...)
}

func batchByID(tx *db.Tx, id string) (Batch, error) {
	var b Batch
	err := tx.One(b.fields(), `SELECT `+batchColumns+` FROM user_batches WHERE id = $1`, id)
	if errors.Is(err, db.ErrNotFound) {
		return Batch{}, ErrNoBatch
	}
	return b, err
}

// workBatch goes on with a batch until it is done, or until others shall have their turn.
func (d *Directory) workBatch(ctx context.Context, id string) error {
	for n := 1; ; n++ {
		ended := false
		err := d.db.Write(ctx, func(tx *db.Tx) error {
			b, err := batchByID(tx, id)
			if errors.Is(err, ErrNoBatch) || err == nil && !b.EndedAt.IsZero() {
				ended = true
				return nil
			}
			if err != nil {
				return err
			}
			if err := stepBatch(tx, &b); err != nil {
				return err
			}
			if ended = !b.EndedAt.IsZero(); !ended && n == batchRun {
				jobs.Add(tx, "user.batch", id)
			}
			return nil
		})
		if err != nil || ended || n == batchRun {
			return err
		}
	}
}

// Batch reads a batch.
func (d *Directory) Batch(ctx context.Context, by audit.Actor, id string) (b Batch, err error) {
	if err := by.MustAdmin(); err != nil {
		return Batch{}, err
	}
	err = d.db.Read(ctx, func(tx *db.Tx) (err error) {
		b, err = batchByID(tx, id)
		return err
	})
	return b, err
}

// Refusals are those to whom a batch did nothing because it must not, up to limit.
func (d *Directory) Refusals(ctx context.Context, by audit.Actor, id string, limit int) (refusals []Refusal, err error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	type row struct {
		u    User
		code string
	}
	err = d.db.Read(ctx, func(tx *db.Tx) error {
		found, err := db.All(tx, func(r *row) []any {
			return []any{&r.u.ID, &r.u.Username, &r.u.FirstName, &r.u.LastName, &r.u.DisplayName, db.Time(&r.u.DeletedAt), &r.code}
		}, `SELECT r.user_id, COALESCE(u.username, ''), COALESCE(u.first_name, ''), COALESCE(u.last_name, ''), COALESCE(u.display_name, ''), u.deleted_at, r.state
			FROM user_batch_rows r LEFT JOIN users u ON u.id = r.user_id
			WHERE r.batch_id = $1 AND r.state NOT IN ('', $2, $3) ORDER BY r.state, r.user_id LIMIT $4`, id, stateChanged, stateUnchanged, rows(limit))
		refusals = nil
		for _, r := range found {
			refusals = append(refusals, Refusal{ID: r.u.ID, Username: r.u.Username, Name: cmp.Or(r.u.Name(), r.u.ID), Gone: r.u.Username == "" || !r.u.DeletedAt.IsZero(), Code: r.code})
		}
		return err
	})
	return refusals, err
}

// Batches are the batches of late, the newest first, at most limit.
func (d *Directory) Batches(ctx context.Context, by audit.Actor, limit int) (list []Batch, err error) {
	return d.batches(ctx, by, `TRUE`, limit)
}

// OpenBatches are those that are not done.
func (d *Directory) OpenBatches(ctx context.Context, by audit.Actor) (list []Batch, err error) {
	return d.batches(ctx, by, `ended_at IS NULL`, maxOpen)
}

func (d *Directory) batches(ctx context.Context, by audit.Actor, which string, limit int) (list []Batch, err error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	err = d.db.Read(ctx, func(tx *db.Tx) (err error) {
		list, err = db.All(tx, (*Batch).fields, `SELECT `+batchColumns+` FROM user_batches WHERE `+which+`
			ORDER BY created_at DESC, id DESC LIMIT $1`, rows(limit))
		return err
	})
	return list, err
}

// StopBatch ends a batch before everybody has had their turn. What was changed stays.
func (d *Directory) StopBatch(ctx context.Context, by audit.Actor, id string) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	return d.db.Write(ctx, func(tx *db.Tx) error {
		b, err := batchByID(tx, id)
		if err != nil {
			return err
		}
		if !b.EndedAt.IsZero() {
			return ErrBatchDone
		}
		audit.Record(tx, by, audit.Event{Name: audit.BatchStopped, Object: b.object(), Data: map[string]any{"done": b.Done(), "people": b.Total}})
		return stopBatch(tx, &b, StoppedByHand)
	})
}

// object names b in the log.
func (b *Batch) object() audit.Object {
	return audit.Object{Kind: "batch", ID: b.ID, Name: string(b.Deed) + " " + strconv.Itoa(b.Total)}
}

// purgeBatches forgets batches that nobody looks at any more.
func purgeBatches(tx *db.Tx, limit int) (int64, error) {
	n, err := tx.Exec(`DELETE FROM user_batches WHERE id IN (SELECT id FROM user_batches WHERE created_at < $1 AND ended_at IS NOT NULL
		ORDER BY created_at LIMIT $2)`, tx.Now().Add(-batchKept).UnixMicro(), min(limit, 5))
	if n < 5 {
		return n, err
	}
	return int64(limit), err // there may be more
}
