package signin

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/secret"
)

// keyEdit is a key like most.
func (h *house) keyEdit(scopes ...Scope) KeyEdit {
	return KeyEdit{Name: "Terraform", Description: "Runs the repository", ExpiresAt: time.Now().Add(90 * 24 * time.Hour), Scopes: scopes}
}

// acts is who the visitor of b acts as.
func (b *browser) acts() audit.Actor { return b.visitor.actor(ctxOf(b)) }

// mint makes a key after a proof.
func (b *browser) mint(k *key, edit KeyEdit) (Key, string) {
	b.h.t.Helper()
	must(b.h.t, b.stepUp(k, PurposeKeys))
	made, text, err := b.h.MakeKey(ctxOf(b), b.visitor, edit)
	must(b.h.t, err)
	return made, text
}

// threats 58: a key is made after a proof of its own, and by nothing else.
func TestMakingAKey(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		ada := h.person("ada", k)
		_, _, err := h.MakeKey(t.Context(), ada.visitor, h.keyEdit())
		wants(t, "without a proof", err, ErrStepUp)
		must(t, ada.stepUp(k, PurposePasskeys))
		_, _, err = h.MakeKey(t.Context(), ada.visitor, h.keyEdit())
		wants(t, "with a proof for something else", err, ErrStepUp)

		made, text := ada.mint(k, h.keyEdit())
		if !strings.HasPrefix(text, KeyPrefix) || len(text) != len(KeyPrefix)+43 {
			t.Errorf("the key looks like %q", text)
		}
		if h.count(`SELECT count(*) FROM api_keys WHERE name = 'Terraform' AND last_used_at IS NULL`) != 1 {
			t.Error("there is no row of it")
		}
		got, err := h.KeyFor(t.Context(), text)
		must(t, err)
		if got.User.ID != ada.visitor.User.ID || got.Key.ID != made.ID || !got.Key.Whole() {
			t.Errorf("it opens as %+v", got.Key)
		}
		if h.events("api_key.made") != 1 {
			t.Error("the log says nothing of it")
		}

		for _, tt := range []struct {
			it   string
			edit func(*KeyEdit)
			want error
		}{
			{"refuses a short name", func(e *KeyEdit) { e.Name = " ab " }, ErrKeyName},
			{"refuses a long name", func(e *KeyEdit) { e.Name = strings.Repeat("ü", 51) }, ErrKeyName},
			{"refuses a name of two lines", func(e *KeyEdit) { e.Name = "a\nbc" }, ErrKeyName},
			{"refuses a long description", func(e *KeyEdit) { e.Description = strings.Repeat("x", 201) }, ErrKeyDescription},
			{"refuses an end that is now", func(e *KeyEdit) { e.ExpiresAt = time.Now() }, ErrKeyExpiry},
			{"refuses no end", func(e *KeyEdit) { e.ExpiresAt = time.Time{} }, ErrKeyExpiry},
			{"refuses an end that no date can say", func(e *KeyEdit) { e.ExpiresAt = time.Now().AddDate(9000, 0, 0) }, ErrKeyExpiry},
			{"refuses a scope that there is not", func(e *KeyEdit) { e.Scopes = []Scope{"account:delete"} }, ErrKeyScope},
			{"refuses a scope that the owner has no use for", func(e *KeyEdit) { e.Scopes = []Scope{"users:read"} }, ErrKeyScope},
		} {
			e := h.keyEdit()
			tt.edit(&e)
			_, _, err := h.MakeKey(t.Context(), ada.visitor, e)
			wants(t, "it "+tt.it, err, tt.want)
		}
		h.write(func(tx *db.Tx) error {
			for i := range maxKeysOf - 1 {
				tx.Do(`INSERT INTO api_keys (id, user_id, name, name_key, hash, created_at, expires_at) VALUES ($1, $2, 'x', 'x', $3, 1, 1)`,
					secret.ID(), ada.visitor.User.ID, secret.Hash(strconv.Itoa(i)))
			}
			return nil
		})
		_, _, err = h.MakeKey(t.Context(), ada.visitor, h.keyEdit())
		wants(t, "one key more than an account may have", err, ErrTooManyKeys)
	})
}

// A key ends with its time and with its owner, and does what the owner may do now.
func TestAKeyIsWhatItsOwnerIs(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		ada := h.person("ada", k)
		_, text := ada.mint(k, h.keyEdit("account:read"))
		id := ada.visitor.User.ID
		opens := func(what string, want error) Holder {
			t.Helper()
			got, err := h.KeyFor(t.Context(), text)
			if want == nil {
				must(t, err)
			} else {
				wants(t, what, err, want)
			}
			return got
		}
		if opens("at first", nil).User.Admin {
			t.Error("it is an administrator's")
		}
		other, err := h.directory.AddUserAs(t.Context(), root, directory.NewUser{Username: "root", Email: "root@example.org", Admin: true})
		must(t, err)
		u, err := h.directory.User(t.Context(), id)
		must(t, err)
		edit := u.Edit()
		edit.Admin = true
		_, err = h.directory.EditUser(t.Context(), root, id, edit)
		must(t, err)
		if !opens("of a new administrator", nil).User.Admin {
			t.Error("it does not follow its owner up")
		}
		edit.Admin = false
		_, err = h.directory.EditUser(t.Context(), root, id, edit)
		must(t, err)
		if opens("of who was one", nil).User.Admin {
			t.Error("it does not follow its owner down")
		}
		must(t, h.directory.Disable(t.Context(), root, id))
		opens("of who is disabled", directory.ErrDisabled)
		must(t, h.directory.Enable(t.Context(), root, id))
		opens("of who is enabled again", nil)
		edit.ExpiresAt = time.Now().Add(time.Hour)
		_, err = h.directory.EditUser(t.Context(), root, id, edit)
		must(t, err)
		time.Sleep(time.Hour)
		opens("of whose time is over", directory.ErrExpired)
		edit.ExpiresAt = time.Now().Add(1000 * 24 * time.Hour)
		_, err = h.directory.EditUser(t.Context(), root, id, edit)
		must(t, err)
		time.Sleep(90*24*time.Hour - time.Hour - time.Millisecond)
		opens("at its last moment", nil)
		time.Sleep(time.Millisecond)
		opens("that has ended", ErrKeyInvalid)
		for _, bad := range []string{"", "x", text + "x", strings.ToUpper(text), strings.Repeat("x", 100_000)} {
			_, err := h.KeyFor(t.Context(), bad)
			wants(t, "what is no key", err, ErrKeyInvalid)
		}
		must(t, h.directory.Delete(t.Context(), audit.Actor{UserID: other.ID, Admin: true, Via: "api"}, id))
		opens("of who is deleted", ErrKeyInvalid)
		must(t, h.userPurged(t.Context(), id))
		if n := h.count(`SELECT count(*) FROM api_keys`); n != 0 {
			t.Errorf("%d keys of nobody", n)
		}
	})
}

// Renewing is for what has ended; the old text is dead for good.
func TestRenewingAndRevokingAKey(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k, l := newKey(), newKey()
		ada, bob := h.person("ada", k), h.person("bob", l)
		made, old := ada.mint(k, h.keyEdit("account:write"))
		later := func() time.Time { return time.Now().Add(24 * time.Hour) }
		_, _, err := h.RenewKey(t.Context(), ada.visitor, made.ID, later())
		wants(t, "a key that works", err, ErrKeyNotExpired)
		time.Sleep(90 * 24 * time.Hour)
		must(t, ada.signIn(k))
		_, _, err = h.RenewKey(t.Context(), ada.visitor, made.ID, later())
		wants(t, "without a proof", err, ErrStepUp)
		must(t, bob.signIn(l))
		must(t, bob.stepUp(l, PurposeKeys))
		_, _, err = h.RenewKey(t.Context(), bob.visitor, made.ID, later())
		wants(t, "somebody else's key", err, ErrNoKey)
		must(t, ada.stepUp(k, PurposeKeys))
		_, _, err = h.RenewKey(t.Context(), ada.visitor, made.ID, time.Now())
		wants(t, "an end that is now", err, ErrKeyExpiry)
		renewed, text, err := h.RenewKey(t.Context(), ada.visitor, made.ID, later())
		must(t, err)
		if text == old || renewed.ID != made.ID || !slices.Equal(renewed.Scopes, made.Scopes) {
			t.Errorf("it is another key: %+v", renewed)
		}
		_, err = h.KeyFor(t.Context(), old)
		wants(t, "the old text", err, ErrKeyInvalid)
		_, err = h.KeyFor(t.Context(), text)
		must(t, err)

		_, err = h.RevokeKey(t.Context(), bob.acts(), made.ID)
		wants(t, "somebody else's key", err, ErrNoKey)
		_, err = h.RevokeKeyOf(t.Context(), bob.acts(), made.ID)
		wants(t, "by who is no administrator", err, audit.ErrNotAdmin)
		_, err = h.RevokeKey(t.Context(), ada.acts(), made.ID)
		must(t, err)
		_, err = h.KeyFor(t.Context(), text)
		wants(t, "a revoked key", err, ErrKeyInvalid)
		_, err = h.RevokeKeyOf(t.Context(), root, made.ID)
		wants(t, "what is gone", err, ErrNoKey)
		if h.events("api_key.renewed") != 1 || h.events("api_key.revoked") != 1 {
			t.Error("the log does not say it once")
		}
	})
}

// Last use is written at most once an hour.
func TestLastUseOfAKey(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		ada := h.person("ada", k)
		made, text := ada.mint(k, h.keyEdit())
		used := func() time.Time {
			t.Helper()
			_, err := h.KeyFor(t.Context(), text)
			must(t, err)
			now, err := h.OwnKey(t.Context(), ada.acts(), made.ID)
			must(t, err)
			return now.LastUsedAt
		}
		first := used()
		if !first.Equal(time.Now()) {
			t.Errorf("the first use is at %s", first)
		}
		time.Sleep(time.Hour - time.Millisecond)
		if again := used(); !again.Equal(first) {
			t.Errorf("written again after %s", again.Sub(first))
		}
		time.Sleep(time.Millisecond)
		if again := used(); !again.Equal(time.Now()) {
			t.Error("not written after an hour")
		}
	})
}

func TestScopesOfAKey(t *testing.T) {
	for _, tt := range []struct {
		it   string
		has  []Scope
		asks Scope
		want bool
	}{
		{"allows everything without scopes", nil, "users:write", true},
		{"allows what it is for", []Scope{"users:read"}, "users:read", true},
		{"reads what it writes", []Scope{"users:write"}, "users:read", true},
		{"does not write what it reads", []Scope{"users:read"}, "users:write", false},
		{"does not read something else", []Scope{"users:write"}, "groups:read", false},
		{"knows no beginnings", []Scope{"users:write"}, "user:read", false},
		{"allows nothing without a name", []Scope{"users:write"}, "", false},
	} {
		k := Key{Scopes: tt.has}
		if got := k.Allows(tt.asks); got != tt.want {
			t.Errorf("it %s: %t", tt.it, got)
		}
	}
	all, err := scopesFor(&directory.User{Admin: true}, []Scope{"users:write", "users:read", "audit:read", "users:write"})
	if err != nil || !slices.Equal(all, []Scope{"users:write", "audit:read"}) {
		t.Errorf("what writing implies is kept, or something twice: %v, %v", all, err)
	}
}

// The list of everybody's keys finds them by name and owner, in each order, page by page.
func TestListOfAllKeys(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k, l := newKey(), newKey()
		ada, bob := h.person("ada", k), h.person("bob", l)
		for _, name := range []string{"Backup job", "alpha-tool", "备份脚本"} {
			e := h.keyEdit("account:read")
			e.Name, e.ExpiresAt = name, time.Now().Add(time.Duration(len(name))*24*time.Hour)
			ada.mint(k, e)
		}
		_, text := bob.mint(l, h.keyEdit())
		_, err := h.KeyFor(t.Context(), text)
		must(t, err)
		_, err = h.AllKeys(t.Context(), ada.acts(), KeyFilter{})
		wants(t, "by who is no administrator", err, audit.ErrNotAdmin)
		list := func(f KeyFilter) (names []string) {
			t.Helper()
			for range 10 {
				page, err := h.AllKeys(t.Context(), root, f)
				must(t, err)
				for _, r := range page.Rows {
					names = append(names, r.Name+" of "+r.Owner.Username)
				}
				if f.After = page.Next; f.After == "" {
					return names
				}
			}
			t.Fatal("the pages do not end")
			return nil
		}
		alpha, backup, chinese, terra := "alpha-tool of ada", "Backup job of ada", "备份脚本 of ada", "Terraform of bob"
		for _, tt := range []struct {
			it     string
			filter KeyFilter
			want   []string
		}{
			{"sorts by name", KeyFilter{}, []string{alpha, backup, terra, chinese}},
			{"turns round", KeyFilter{Sort: "-name"}, []string{chinese, terra, backup, alpha}},
			{"sorts by end", KeyFilter{Sort: "expires"}, nil},
			{"sorts by use", KeyFilter{Sort: "-used"}, nil},
			{"sorts by age", KeyFilter{Sort: "created"}, nil},
			{"knows no other order", KeyFilter{Sort: "hash"}, []string{alpha, backup, terra, chinese}},
			{"finds the beginning of a word", KeyFilter{Search: "JO ba"}, []string{backup}},
			{"finds a word behind a hyphen", KeyFilter{Search: "tool"}, []string{alpha}},
			{"finds a part of Chinese", KeyFilter{Search: "脚本"}, []string{chinese}},
			{"finds by the owner", KeyFilter{Search: "bob"}, []string{terra}},
			{"takes no pattern", KeyFilter{Search: "%"}, nil},
			{"lists one owner's by name", KeyFilter{Owner: "ADA"}, []string{alpha, backup, chinese}},
			{"lists one owner's by id", KeyFilter{Owner: bob.visitor.User.ID}, []string{terra}},
			{"lists nobody's", KeyFilter{Owner: "nobody"}, nil},
			{"lists what ends soon", KeyFilter{State: KeysEnding}, nil},
			{"lists what works", KeyFilter{State: KeysWorking}, []string{alpha, backup, terra, chinese}},
			{"lists what has ended", KeyFilter{State: KeysEnded}, nil},
		} {
			for _, limit := range []int{1, 2, 100} {
				tt.filter.Limit = limit
				got := list(tt.filter)
				want := tt.want
				if want == nil && tt.filter.Search == "" && tt.filter.Owner == "" && tt.filter.State == "" {
					if all := slices.Sorted(slices.Values(got)); !slices.Equal(all, []string{backup, terra, alpha, chinese}) {
						t.Errorf("it %s, %d a page: %v", tt.it, limit, got)
					}
					continue
				}
				if !slices.Equal(got, want) {
					t.Errorf("it %s, %d a page: %v, want %v", tt.it, limit, got, want)
				}
			}
		}
		if got := list(KeyFilter{Sort: "-used", Limit: 1})[0]; got != terra {
			t.Errorf("the last used is %s", got)
		}
		time.Sleep(91 * 24 * time.Hour)
		if got := list(KeyFilter{State: KeysUnused}); len(got) != 4 {
			t.Errorf("not used for long: %v", got)
		}
		if got := list(KeyFilter{State: KeysEnded}); len(got) != 4 {
			t.Errorf("ended: %v", got)
		}
	})
}
