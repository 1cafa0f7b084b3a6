package oidc

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
)

// The preview says what the endpoints would say, and nobody can use it.
func TestPreviewSaysWhatTheClientWouldHear(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all := []string{"openid", "profile", "email", "phone", "groups"}
		for _, edit := range []ClientEdit{{Name: "Plain"}, {Name: "Userinfo", ClaimsAtUserinfo: true}, {Name: "Pairwise", SubjectType: SubjectPairwise}} {
			c := h.relyingParty(edit)
			l := c.login("ada"+strings.ToLower(edit.Name), all...)
			_, err := h.dir.SetStandard(t.Context(), admin, l.user.ID, directory.Standard{PhoneNumber: "+44 20 7946 0123", Birthdate: "1815-12-10"})
			must(t, err)
			before := h.count(`SELECT count(*) FROM grants`)
			v, err := h.p.Preview(t.Context(), admin, c.ID, l.user.ID, append(all, "unknown"), nil)
			must(t, err)
			if v.Refused != nil || !slices.Equal(v.Scopes, all) {
				t.Errorf("%s: refused %v, scopes %v", edit.Name, v.Refused, v.Scopes)
			}
			got := c.redeem(c.code(l, all...)).ok(t)
			_, id := claimsOf(t, got.ID)
			_, access := claimsOf(t, got.Access)
			_, told := h.userinfo(got.Access)
			for _, pair := range []struct {
				what, shown string
				heard       map[string]any
				own         []string // what is another one each time
			}{
				{"ID token", v.IDToken, id, []string{"iat", "exp", "jti", "at_hash", "sid", "auth_time"}},
				{"access token", v.AccessToken, access, []string{"iat", "exp", "jti", "auth_time"}},
				{"userinfo", v.Userinfo, told, nil},
			} {
				var shown map[string]any
				must(t, json.Unmarshal([]byte(pair.shown), &shown))
				for name, value := range pair.heard {
					a, _ := json.Marshal(value)
					b, _ := json.Marshal(shown[name])
					if string(a) != string(b) && !slices.Contains(pair.own, name) {
						t.Errorf("%s: the %s says %s %s, and the preview %s", edit.Name, pair.what, name, a, b)
					}
				}
				for name := range shown {
					if _, said := pair.heard[name]; !said {
						t.Errorf("%s: the preview of the %s says %s", edit.Name, pair.what, name)
					}
				}
				if !strings.HasPrefix(pair.shown, "{\n  ") {
					t.Errorf("%s: it is %s", edit.Name, pair.shown)
				}
			}
			// It leaves nothing behind, and its jti names no grant.
			if after := h.count(`SELECT count(*) FROM grants`); after != before+1 {
				t.Errorf("%s: there are %d grants, and were %d", edit.Name, after, before)
			}
		}
	})
}

func TestPreviewOfWhatIsNotSaid(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{GroupRestricted: true})
		ada := h.user("ada")
		_, err := h.p.Preview(t.Context(), audit.Actor{UserID: ada.ID}, c.ID, ada.ID, []string{"openid"}, nil)
		if !errors.Is(err, audit.ErrNotAdmin) {
			t.Errorf("somebody is shown it: %v", err)
		}
		v, err := h.p.Preview(t.Context(), admin, c.ID, ada.ID, []string{"openid", "profile"}, nil)
		if err != nil || !errors.Is(v.Refused, errNotInGroup) || v.IDToken+v.AccessToken+v.Userinfo != "" || len(v.Custom) != 0 {
			t.Errorf("for somebody who may not use it: %+v, %v", v, err)
		}
		edit := c.Edit()
		edit.GroupRestricted = false
		_, err = h.p.EditClient(t.Context(), admin, c.ID, edit)
		must(t, err)
		v, err = h.p.Preview(t.Context(), admin, c.ID, ada.ID, []string{"profile"}, nil)
		if err != nil || v.IDToken != "" || v.Userinfo != "" || !strings.Contains(v.AccessToken, `"scope": "profile"`) {
			t.Errorf("without openid: %+v, %v", v, err)
		}
		must(t, h.dir.Disable(t.Context(), admin, ada.ID))
		v, err = h.p.Preview(t.Context(), admin, c.ID, ada.ID, []string{"openid"}, nil)
		if err != nil || !errors.Is(v.Refused, directory.ErrDisabled) || v.AccessToken != "" {
			t.Errorf("for somebody who is disabled: %+v, %v", v, err)
		}
		must(t, h.dir.Delete(t.Context(), admin, ada.ID))
		if _, err = h.p.Preview(t.Context(), admin, c.ID, ada.ID, nil, nil); !errors.Is(err, directory.ErrNoUser) {
			t.Errorf("for somebody who is deleted: %v", err)
		}
		if _, err = h.p.Preview(t.Context(), admin, "nothing", ada.ID, nil, nil); !errors.Is(err, ErrNoClient) {
			t.Errorf("for no client: %v", err)
		}
	})
}

// Each custom claim is told with where it comes from, in the order in which they count.
func TestPreviewSaysWhereClaimsComeFrom(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{})
		l := c.login("ada", "openid", "profile")
		for name, claims := range map[string]map[string]any{"a": {"role": "reader", "floor": 1.0, "team": "x"}, "b": {"role": "writer", "team": "x", "desk": ""}} {
			g, err := h.dir.AddGroup(t.Context(), admin, directory.GroupEdit{Name: "group " + name, FriendlyName: "Group " + name, Claims: claims})
			must(t, err)
			must(t, h.dir.SetMembers(t.Context(), admin, g.ID, []string{l.user.ID}))
		}
		_, err := h.dir.SetClaims(t.Context(), admin, l.user.ID, map[string]any{"role": "owner"})
		must(t, err)
		h.write(func(tx *db.Tx) {
			tx.Do(`UPDATE user_groups SET claims = '{"role":"writer","sub":"root","team":"x"}' WHERE name = 'group b'`)
		})
		v, err := h.p.Preview(t.Context(), admin, c.ID, l.user.ID, []string{"openid", "profile"}, nil)
		must(t, err)
		var said []string
		for _, s := range v.Custom {
			said = append(said, s.Claim+"="+s.Value+" of "+s.Group+" over "+strings.Join(s.Over, ","))
			if (s.GroupID == "") != (s.Group == "") {
				t.Errorf("it is %+v", s)
			}
		}
		want := []string{`floor=1 of Group a over `, `role="owner" of  over Group a,Group b`, `team="x" of Group a over `}
		if !slices.Equal(said, want) {
			t.Errorf("got %q, want %q", said, want)
		}
		var told map[string]any
		must(t, json.Unmarshal([]byte(v.Userinfo), &told))
		if told["role"] != "owner" || told["floor"] != 1.0 || told["team"] != "x" || told["sub"] != l.user.ID {
			t.Errorf("userinfo says %v", told)
		}
	})
}
