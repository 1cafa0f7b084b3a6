package audit

import (
	"context"

	"pocketid/internal/db"
)

// MaxExport is how many entries one export has at most, the newest ones.
const MaxExport = 50_000 // a multiple of maxLimit

// Export gives every entry that passes a filter to fn, the newest first, and records
// that it was done, for administrators. It reads a page at a time, so that neither the
// memory nor a transaction grows with the log. More says that it stopped at MaxExport.
func (l *Log) Export(ctx context.Context, by Actor, f Filter, fn func(*Entry) error) (more bool, err error) {
	if err := by.MustAdmin(); err != nil {
		return false, err
	}
	f, ok := f.clean()
	if !ok {
		return false, nil
	}
	if err := l.db.Write(ctx, func(tx *db.Tx) error {
		Record(tx, by, Event{Name: AuditExported, Data: f.noted()})
		return nil
	}); err != nil {
		return false, err
	}
	f.Limit, f.Cursor = maxLimit, ""
	for n := 0; n < MaxExport; {
		var p Page
		if err := l.db.Read(ctx, func(tx *db.Tx) error {
			p = Page{}
			q, err := plan(tx, f, scope{})
			if err != nil {
				return err
			}
			q.uncounted = true
			if err := q.read(tx, &p); err != nil {
				return err
			}
			return name(tx, p.Entries)
		}); err != nil {
			return false, err
		}
		for i := range p.Entries {
			if err := fn(&p.Entries[i]); err != nil {
				return false, err
			}
		}
		if n += len(p.Entries); p.Older == "" {
			return false, nil
		}
		f.Cursor = p.Older
	}
	return true, nil
}

// noted is what the log keeps of a filter.
func (f Filter) noted() map[string]any {
	m := map[string]any{}
	for name, v := range map[string]string{"person": f.Person, "client": f.Client, "object": f.ObjectID, "part": string(f.Part), "way": f.Via, "address": f.Address, "key": f.Key, "search": f.Search} {
		if v != "" && len(v) <= maxText {
			m[name] = v
		}
	}
	var events []string
	for _, e := range f.Events {
		events = append(events, e.text)
	}
	if events != nil {
		m["events"] = events
	}
	if f.ByOthers {
		m["by_others"] = true
	}
	if !f.From.IsZero() {
		m["earliest"] = f.From
	}
	if !f.Until.IsZero() {
		m["latest"] = f.Until
	}
	return m
}
