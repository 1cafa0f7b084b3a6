package directory

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
)

// inList is what the list must say of a user, worked out without a database.
func inList(u *User, f UserFilter, now time.Time) bool {
	if f.Group != "" && (f.Group == "group-9" || !strings.HasSuffix(u.ID, f.Group[len(f.Group)-1:]) || !u.DeletedAt.IsZero()) {
		return false
	}
	if u.Kind != "person" || u.DeletedAt.IsZero() != (f.State != StateDeleted) {
		return false
	}
	active := u.Active(now)
	switch f.State {
	case StateActive:
		if active != nil || u.LastSignInAt.IsZero() || keyless(u) {
			return false
		}
	case StateKeyless:
		if active != nil || u.LastSignInAt.IsZero() || !keyless(u) {
			return false
		}
	case StateDisabled:
		if u.DisabledAt.IsZero() {
			return false
		}
	case StateExpired:
		if active != ErrExpired {
			return false
		}
	case StateNew:
		if active != nil || !u.LastSignInAt.IsZero() {
			return false
		}
	}
	if n := passkeysOf(u); f.Passkeys == PasskeysNone && n != 0 || f.Passkeys == PasskeysOne && n != 1 || f.Passkeys == PasskeysSeveral && n < 2 {
		return false
	}
	if f.Role != "" && u.Admin != (f.Role == RoleAdmin) {
		return false
	}
	texts := words(u)
	if f.State == StateDeleted {
		texts = []string{Fold(u.Username), Fold(u.Email)}
	}
	for _, t := range strings.Fields(Fold(f.Search)) {
		if !slices.ContainsFunc(texts, func(w string) bool { return strings.HasPrefix(w, t) }) {
			return false
		}
	}
	return true
}

// passkeysOf says how many passkeys somebody has in the lists of these tests.
func passkeysOf(u *User) int {
	switch u.ID[len(u.ID)-1] {
	case '1', '4', '7':
		return 0
	case '2':
		return 2
	case '8':
		return 3
	}
	return 1
}

// keyless says who has no passkey.
func keyless(u *User) bool { return passkeysOf(u) == 0 }

// before is how the list orders two users.
func before(a, b *User, by Order) int {
	name, down := strings.CutPrefix(string(by), "-")
	var n int
	switch Order(name) {
	case "username":
		n = cmp.Compare(Fold(a.Username), Fold(b.Username))
	case "email":
		n = cmp.Compare(Fold(a.Email), Fold(b.Email))
	case "created":
		n = a.CreatedAt.Compare(b.CreatedAt)
	case "seen":
		n = a.LastSignInAt.Compare(b.LastSignInAt)
	default:
		n, down = cmp.Compare(Fold(a.Name()), Fold(b.Name())), down && name == "name"
	}
	n = cmp.Or(n, cmp.Compare(a.ID, b.ID))
	if down {
		return -n
	}
	return n
}

// The pages of the list, put together, are what was asked for, in its order and each
// once, whichever way they are found.
func TestUsersAreListed(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		random := rand.New(rand.NewPCG(7, 7))
		pick := func(s string) string {
			w := strings.Fields(s)
			return w[random.IntN(len(w))]
		}
		var all []*User
		now := time.Now().UTC()
		b.write(func(tx *db.Tx) error {
			now = tx.Now()
			for _, end := range []string{"2", "4", "6", "9"} { // nobody is in the last one
				tx.Do(`INSERT INTO user_groups (id, name, name_key, friendly_name, friendly_key, claims, created_at, updated_at)
					VALUES ($1, $1, $1, $1, $1, '{}', 1, 1)`, "group-"+end)
			}
			for i := range 150 {
				u := User{ID: fmt.Sprintf("%08d-0000-4000-8000-%012d", random.IntN(1e8), i), Kind: "person", Username: fmt.Sprintf("%s%d", pick("ada lov x ann"), i),
					FirstName: pick("Ada Ann Árpád Lovisa 李 Élise"), LastName: pick("Lovelace Turing Okafor Weber-Hohenstaufen 伟 A"), Claims: map[string]any{},
					CreatedAt: now.Add(-time.Duration(random.IntN(20)) * time.Hour), UpdatedAt: now, Admin: random.IntN(4) == 0}
				if random.IntN(5) > 0 {
					u.Email = u.Username + "@" + pick("example.org ada.example")
				}
				if random.IntN(2) > 0 {
					u.DisplayName = u.FirstName + " " + u.LastName
				}
				if random.IntN(3) > 0 {
					u.LastSignInAt = now.Add(-time.Duration(random.IntN(20)) * time.Hour)
				}
				switch random.IntN(7) {
				case 0:
					u.DisabledAt = now
				case 1:
					u.ExpiresAt = now.Add(time.Duration(random.IntN(3)-1) * time.Hour)
				case 2:
					u.DeletedAt = now.Add(-time.Hour)
				case 3:
					u.Kind = "service"
				}
				insertUser(tx, &u)
				for range passkeysOf(&u) {
					GainPasskey(tx, u.ID)
				}
				if end := u.ID[len(u.ID)-1:]; u.DeletedAt.IsZero() && strings.Contains("246", end) {
					tx.Do(`INSERT INTO user_group_members (group_id, user_id, added_at) VALUES ($1, $2, 1)`, "group-"+end, u.ID)
				}
				all = append(all, &u)
			}
			tx.Do(`ANALYZE`) // a server does so by itself, and plans other ways from then on
			return nil
		})
		defer func(many, along int) { manyUsers, walkAlong = many, along }(manyUsers, walkAlong)
		for _, way := range [][2]int{{200, 2000}, {0, 2000}, {0, 9}} {
			manyUsers, walkAlong = way[0], way[1]
			for n := range 120 {
				f := UserFilter{Role: Role(pick("admin user - -")), State: State(pick("active keyless disabled expired new deleted - -")), Passkeys: PasskeyCount(pick("none one several - - nonsense")),
					Sort:  Order(pick("name username email created seen -name -username -email -created -seen - nonsense")),
					Limit: 1 + random.IntN(30)}
				if n%5 == 0 {
					f.Group = pick("group-2 group-4 group-6 group-9")
				}
				if n%2 > 0 {
					f.Search = pick("a ada AD lov 伟 Arpad ÁRPÁD élise e 'x hohen %")
				}
				if n%6 == 1 {
					f.Search += "  " + pick("a lov 李 zzz ex")
				}
				f.Role, f.State = Role(strings.Trim(string(f.Role), "-")), State(strings.Trim(string(f.State), "-"))
				f.Passkeys = f.Known().Passkeys
				var want []string
				for _, u := range all {
					if inList(u, f, now) {
						want = append(want, u.ID)
					}
				}
				users := map[string]*User{}
				for _, u := range all {
					users[u.ID] = u
				}
				slices.SortFunc(want, func(x, y string) int { return before(users[x], users[y], f.Sort) })
				var got []string
				for {
					p, err := b.Users(t.Context(), root, f)
					must(t, err)
					if p.Total != len(want) || len(p.Rows) > f.Limit {
						t.Fatalf("%+v: %d rows of %d, want of %d", f, len(p.Rows), p.Total, len(want))
					}
					for i := range p.Rows {
						r := &p.Rows[i]
						got = append(got, r.ID)
						if u := users[r.ID]; r.Name() != u.Name() || r.Email != u.Email || r.Admin != u.Admin || r.Passkeys != passkeysOf(u) || f.State != "" && r.State(now) != f.State || !r.LastSignInAt.Equal(u.LastSignInAt) {
							t.Fatalf("the row of %+v is %+v", u, r)
						}
					}
					if f.After = p.Next; p.Next == "" || len(got) > len(all) {
						break
					}
				}
				if !slices.Equal(got, want) {
					t.Fatalf("%v %+v:\ngot  %q\nwant %q", way, f, got, want)
				}
			}
		}
	})
}

// The list knows the groups of each person, and a search finds each person once even
// where many of their words begin alike.
func TestUsersShowTheirGroups(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		var ids []string
		for _, name := range []string{"Zeta", "alpha", "Beta", "gamma"} {
			g, err := b.AddGroup(t.Context(), root, GroupEdit{Name: strings.ToLower(name), FriendlyName: name + " / people"})
			must(t, err)
			ids = append(ids, g.ID)
		}
		ada := b.make(NewUser{Username: "adaada", Email: "ada@ada.ada", FirstName: "Ada", LastName: "Adaada", Groups: append(ids, ids[0])})
		b.user("bob")
		p, err := b.Users(t.Context(), root, UserFilter{Search: "ada"})
		must(t, err)
		if p.Total != 1 || len(p.Rows) != 1 || p.Rows[0].ID != ada.ID || p.Next != "" {
			t.Fatalf("the page is %+v", p)
		}
		if r := p.Rows[0]; r.GroupCount != 4 || !slices.Equal(r.Groups, []string{"alpha / people", "Beta / people", "gamma / people"}) {
			t.Errorf("the groups are %q of %d", r.Groups, r.GroupCount)
		}
		for _, r := range b.records("ACCOUNT_CREATED") {
			if got := fmt.Sprint(r.after["groups"]); r.user == ada.ID && got != "[zeta alpha beta gamma]" {
				t.Errorf("the groups in the record are %s", got)
			}
		}
		_, err = b.AddUserAs(t.Context(), root, NewUser{Username: "eve", Email: "eve@example.org", Groups: []string{"x"}})
		wants(t, "a group that is not there", err, ErrNoGroup)
	})
}

// threats 80: what a list is asked for has bounds, and nonsense is the first page.
func TestListOfUsersHasBounds(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		_, err := b.Users(t.Context(), audit.Actor{UserID: "x"}, UserFilter{})
		wants(t, "by no administrator", err, audit.ErrNotAdmin)
		for i := range 120 {
			b.user(fmt.Sprintf("user%d", i))
		}
		for _, tt := range []struct {
			name string
			f    UserFilter
			want int
		}{
			{"shows fifty where nobody says how many", UserFilter{}, 50},
			{"shows one at least", UserFilter{Limit: -7}, 1},
			{"shows a hundred at most", UserFilter{Limit: 1 << 40}, 100},
			{"begins anew after an endless cursor", UserFilter{After: "a " + strings.Repeat("x", 1<<20)}, 50},
			{"begins anew after a broken cursor", UserFilter{After: "nonsense"}, 50},
			{"begins anew after a cursor that is no text", UserFilter{After: "a \xff\x00"}, 50},
			{"begins anew after a cursor that is no number", UserFilter{After: "a b", Sort: "seen"}, 50},
			{"takes a name that nobody has for an order", UserFilter{Sort: "id; DROP TABLE users"}, 50},
			{"takes a state that nobody has for any", UserFilter{State: "x", Role: "y"}, 50},
			{"finds nobody by what is too long", UserFilter{Search: strings.Repeat("user", 1<<20)}, 0},
			{"minds few of many words", UserFilter{Search: strings.Repeat("user ", 1<<18)}, 50},
			{"minds no text that is none", UserFilter{Search: "user\xff\x00"}, 50},
			{"finds by no wildcard", UserFilter{Search: "%"}, 0},
		} {
			p, err := b.Users(t.Context(), root, tt.f)
			if err != nil || len(p.Rows) != tt.want {
				t.Errorf("it %s: got %d rows, %v", tt.name, len(p.Rows), err)
			}
		}
		many := make([]string, MaxUsers+1)
		wants(t, "more at once than a page shows", b.Disable(t.Context(), root, many...), ErrTooManyUsers)
	})
}

// The words of an older schema become those that are written now.
func TestWordsOfAnOlderSchema(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		b.make(NewUser{Username: "ada", Email: "ada.lovelace@example.org", FirstName: "Ada", LastName: "Lovelace", DisplayName: "Ada Ädä 李伟"})
		b.user("bob")
		type word struct {
			user, text, display string
			shared              int
		}
		read := func() (list []word) {
			b.write(func(tx *db.Tx) (err error) {
				list, err = db.All(tx, func(w *word) []any { return []any{&w.user, &w.text, &w.display, &w.shared} },
					`SELECT user_id, word, display_key, shared FROM user_words ORDER BY user_id NULLS LAST, word LIMIT 1000`)
				return err
			})
			return list
		}
		want := read()
		file, err := os.ReadFile("../db/migrations/0004_people.sql")
		must(t, err)
		_, script, _ := strings.Cut(string(file), "UPDATE user_words")
		script, _, _ = strings.Cut(script, ";")
		b.write(func(tx *db.Tx) error {
			tx.Do(`UPDATE user_words SET display_key = '', shared = 0`)
			tx.Do(`UPDATE user_words` + script)
			return nil
		})
		if got := read(); !slices.Equal(got, want) || len(want) < 10 {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
}
