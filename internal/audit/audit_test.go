package audit_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
)

func TestRecordIsWrittenWithItsDeed(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		by := audit.Actor{UserID: "u1", Name: "Ada", Admin: true, Via: "page", Address: "2001:db8::1", UserAgent: "Firefox", RequestID: "r1", SessionID: "s1"}
		var now time.Time
		record := func(answer error) error {
			return d.Write(t.Context(), func(tx *db.Tx) error {
				now = tx.Now()
				audit.Record(tx, by, audit.Event{
					Name:   audit.ClientEdited,
					Object: audit.Object{Kind: "client", ID: "c1", Name: "Shop"},
					User:   "u2",
					Client: "c1",
					Before: map[string]any{"name": "Shop", "secret": secret.Text("canary")},
					After:  map[string]any{"name": "Store"},
				})
				audit.Record(tx, audit.System("job"), audit.Event{Name: audit.SignIn})
				return answer
			})
		}
		if err := record(errors.New("refused")); err == nil {
			t.Fatal("no refusal")
		}
		if err := record(nil); err != nil {
			t.Fatal(err)
		}
		type row struct {
			id, event, kind, object, name, user, client, actor, actorName, via, address, agent, request, before, after, data string
			at                                                                                                               time.Time
		}
		var got []row
		if err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
			got, err = db.All(tx, func(r *row) []any {
				return []any{&r.id, db.Time(&r.at), &r.event, &r.kind, &r.object, &r.name, db.Text(&r.user), db.Text(&r.client), db.Text(&r.actor), &r.actorName, &r.via,
					&r.address, &r.agent, &r.request, db.Text(&r.before), db.Text(&r.after), db.Text(&r.data)}
			}, `SELECT id, at, event, object_kind, object_id, object_name, user_id, client_id, actor_id, actor_name, via, address, user_agent, request_id, before, after, data
				FROM audit ORDER BY event DESC NULLS LAST LIMIT 9`)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 {
			t.Fatalf("%d records, want those of the deed that was done", len(got))
		}
		if got[0].id == "" || got[0].id == got[1].id {
			t.Error("records have no ids of their own")
		}
		got[0].id, got[1].id = "", ""
		want := row{"", "client.edited", "client", "c1", "Shop", "u2", "c1", "u1", "Ada", "page", "2001:db8::1", "Firefox", "r1",
			`{"name":"Shop","secret":"[secret]"}`, `{"name":"Store"}`, "", now}
		if got[0] != want {
			t.Errorf("got  %+v\nwant %+v", got[0], want)
		}
		if want := (row{event: "SIGN_IN", via: "job", at: now}); got[1] != want {
			t.Errorf("got  %+v\nwant %+v", got[1], want)
		}
		if strings.Contains(got[0].before, "canary") { // threats 84
			t.Error("a secret is in the log")
		}
	})
}

func TestActorTravelsInTheContext(t *testing.T) {
	by := audit.Actor{UserID: "u1", Via: "api"}
	if got := audit.From(audit.With(context.Background(), by)); got != by {
		t.Errorf("got %+v", got)
	}
	if got := audit.From(context.Background()); got != (audit.Actor{}) || got.MustAdmin() == nil {
		t.Errorf("nobody is %+v", got)
	}
}

func TestOnlyAdministratorsPass(t *testing.T) {
	if err := (audit.Actor{UserID: "u1", Via: "page"}).MustAdmin(); !errors.Is(err, audit.ErrNotAdmin) || fault.Of(err).Kind != fault.Forbidden {
		t.Errorf("got %v", err)
	}
	for _, a := range []audit.Actor{{UserID: "u1", Admin: true, Via: "page"}, audit.System("cli")} {
		if err := a.MustAdmin(); err != nil {
			t.Errorf("%+v: %v", a, err)
		}
	}
}
