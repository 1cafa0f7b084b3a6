package db_test

import (
	"reflect"
	"testing"
	"time"

	"pocketid/internal/db"
)

type person struct {
	ID, Username, Key, Email string
	Admin                    bool
	Picture                  []byte
	Claims                   map[string]string
	CreatedAt, DisabledAt    time.Time
}

const personColumns = `id, username, username_key, email, admin, picture, claims, created_at, disabled_at`

func (p *person) fields() []any {
	return []any{&p.ID, &p.Username, &p.Key, db.Text(&p.Email), &p.Admin, &p.Picture, db.JSON(&p.Claims), db.Time(&p.CreatedAt), db.Time(&p.DisabledAt)}
}

func TestOneListOfFieldsServesBothWays(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB) {
		at := time.Date(2026, 8, 22, 10, 0, 0, 123000, time.UTC)
		want := []person{
			{ID: "1", Username: "Ada", Key: "ada", Admin: true, Picture: []byte{0, 255}, Claims: map[string]string{"a": "b"}, CreatedAt: at},
			{ID: "2", Username: "Bob", Key: "bob", Email: "b@x", Claims: map[string]string{}, CreatedAt: at, DisabledAt: at.Add(time.Hour)},
		}
		write(t, d, func(tx *db.Tx) {
			for _, p := range want {
				tx.Do(`INSERT INTO person (`+personColumns+`) VALUES (`+db.Marks(9)+`)`, p.fields()...)
			}
			want[0].Username = "Ada L."
			tx.Do(`UPDATE person SET (`+personColumns+`) = (`+db.Marks(9)+`) WHERE id = $1`, want[0].fields()...)
		})
		var got []person
		if err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
			got, err = db.All(tx, (*person).fields, `SELECT `+personColumns+` FROM person ORDER BY id NULLS LAST LIMIT 9`)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if len(got[i].Picture) == 0 {
				got[i].Picture = nil
			}
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Errorf("got  %+v\nwant %+v", got[i], want[i])
			}
		}
	})
}

func TestAbsentIsNull(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB) {
		var none string
		var never time.Time
		write(t, d, func(tx *db.Tx) {
			tx.Do(`INSERT INTO person (id, username, username_key, email, created_at, disabled_at) VALUES ('1', 'a', 'a', $1, 1, $2)`, db.Text(&none), db.Time(&never))
		})
		if n := mustAsk[int](t, d, `SELECT count(*) FROM person WHERE email IS NULL AND disabled_at IS NULL`); n != 1 {
			t.Error("the zero value was not stored as NULL")
		}
	})
}

func TestSeconds(t *testing.T) {
	engines(t, func(t *testing.T, d *db.DB) {
		in, out := 90*time.Minute, time.Hour
		write(t, d, func(tx *db.Tx) {
			tx.Do(`INSERT INTO counter (id, n) VALUES ('a', $1)`, db.Seconds(&in))
			if err := tx.One([]any{db.Seconds(&out)}, `SELECT n FROM counter WHERE id = 'a' AND n = 5400`); err != nil || out != in {
				t.Errorf("got %v, %v", out, err)
			}
			if err := tx.One([]any{db.Seconds(&out)}, `SELECT CAST(NULL AS BIGINT)`); err != nil || out != 0 {
				t.Errorf("NULL: got %v, %v", out, err)
			}
		})
	})
}

func TestMarks(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{db.Marks(0), ""}, {db.Marks(1), "$1"}, {db.Marks(3), "$1, $2, $3"}, {db.MarksFrom(4, 2), "$4, $5"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
