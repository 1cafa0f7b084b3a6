package oidc

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/jose"
	"pocketid/internal/secret"
)

func TestClientsAreForAdministrators(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.client(ClientEdit{})
		for _, by := range []audit.Actor{{}, {UserID: "ada", Name: "ada", Via: "page"}} {
			for name, verb := range map[string]func() error{
				"Clients":      func() error { _, err := h.p.Clients(t.Context(), by, ClientFilter{}); return err },
				"Client":       func() error { _, err := h.p.Client(t.Context(), by, c.ID); return err },
				"AddClient":    func() error { _, _, err := h.p.AddClient(t.Context(), by, c.Edit()); return err },
				"EditClient":   func() error { _, err := h.p.EditClient(t.Context(), by, c.ID, c.Edit()); return err },
				"DeleteClient": func() error { return h.p.DeleteClient(t.Context(), by, c.ID) },
				"AddSecret":    func() error { _, _, err := h.p.AddSecret(t.Context(), by, c.ID, SecretEdit{}); return err },
				"RemoveSecret": func() error { return h.p.RemoveSecret(t.Context(), by, c.ID, "x") },
				"Secrets":      func() error { _, err := h.p.Secrets(t.Context(), by, c.ID); return err },
			} {
				if err := verb(); fault.Of(err).Code != audit.ErrNotAdmin.Code {
					t.Errorf("%s: got %v", name, err)
				}
			}
		}
	})
}

func TestAClientIsKeptAsItWasSet(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		group, err := h.dir.AddGroup(t.Context(), admin, directory.GroupEdit{Name: "staff", FriendlyName: "Staff"})
		must(t, err)
		full := ClientEdit{
			ID: "grafana.1_x-Y", Name: "Grafana 图", Description: "Dashboards", LaunchURL: "https://grafana.example/",
			RedirectURIs:   []URI{{URI: "https://grafana.example/z"}, {URI: "https://grafana.example/a"}, {URI: "https://*.grafana.example/cb", Pattern: true}},
			PostLogoutURIs: []URI{{URI: "https://grafana.example/bye"}},
			PKCERequired:   true, ReauthRequired: true, SkipConsent: true,
			GroupRestricted: true, AllowedGroups: []string{group.ID},
			IDTokenAlg: jose.EdDSA, AccessTokenAlg: jose.RS256, UserinfoAlg: jose.ES256, ClaimsAtUserinfo: true,
			RefreshIssue: RefreshOfflineAccess, RefreshRotation: RotationAlways,
			AccessTokenFor: 5 * time.Minute, IDTokenFor: 6 * time.Minute, RefreshTokenFor: 7 * time.Hour,
			GrantTypes: []string{}, DefaultACRValues: []string{}, Contacts: []string{}, RequestURIs: []string{}, Federated: []Federated{},
			SubjectType: SubjectPublic, AssertionAudience: AudienceStrict,
		}
		added, text, err := h.p.AddClient(t.Context(), admin, full)
		must(t, err)
		if got := added.Edit(); !reflect.DeepEqual(got, full) {
			t.Errorf("added %+v\nwant  %+v", got, full)
		}
		read, err := h.p.Client(t.Context(), admin, full.ID)
		must(t, err)
		if !reflect.DeepEqual(read, added) {
			t.Errorf("read %+v\nwant %+v", read, added)
		}
		if len(text) < 43 || read.CreatedBy != admin.UserID || read.Kind != KindStandard {
			t.Errorf("secret of %d characters, %+v", len(text), read)
		}
		// The least that can be said, and what that means.
		least, _, err := h.p.AddClient(t.Context(), admin, ClientEdit{Name: " Shop "})
		must(t, err)
		want := ClientEdit{ID: least.ID, Name: "Shop", RedirectURIs: []URI{}, PostLogoutURIs: []URI{}, AllowedGroups: []string{}, IDTokenAlg: jose.RS256, AccessTokenAlg: jose.ES256, RefreshIssue: RefreshAlways,
			AccessTokenFor: time.Hour, IDTokenFor: time.Hour, RefreshTokenFor: 30 * 24 * time.Hour,
			GrantTypes: []string{}, DefaultACRValues: []string{}, Contacts: []string{}, RequestURIs: []string{}, Federated: []Federated{},
			SubjectType: SubjectPublic, AssertionAudience: AudienceStrict}
		if got := least.Edit(); !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		// An edit sets everything, and the restriction takes its groups along.
		time.Sleep(time.Second)
		edit := full
		edit.ID, edit.Public, edit.PKCERequired, edit.GroupRestricted = "", true, false, false
		edit.RedirectURIs = full.RedirectURIs[1:2]
		edited, err := h.p.EditClient(t.Context(), admin, full.ID, edit)
		must(t, err)
		if !edited.PKCERequired || len(edited.AllowedGroups) != 0 || edited.ID != full.ID || !edited.UpdatedAt.After(edited.CreatedAt) {
			t.Errorf("got %+v", edited)
		}
		read, err = h.p.Client(t.Context(), admin, full.ID)
		must(t, err)
		if !slices.Equal(read.RedirectURIs, edit.RedirectURIs) || len(read.AllowedGroups) != 0 || !read.Public {
			t.Errorf("got %+v", read)
		}
		public, text, err := h.p.AddClient(t.Context(), admin, ClientEdit{Name: "App", Public: true})
		must(t, err)
		if text != "" || !public.PKCERequired {
			t.Errorf("a public client has the secret %q and PKCE %v", text, public.PKCERequired)
		}
	})
}

func TestWhatAClientMayBe(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		taken := h.client(ClientEdit{ID: "taken"})
		gone := h.client(ClientEdit{ID: "gone"})
		must(t, h.p.DeleteClient(t.Context(), admin, gone.ID))
		uris := func(n int) (list []URI) {
			for i := range n {
				list = append(list, URI{URI: fmt.Sprintf("https://shop.example/%d", i)})
			}
			return list
		}
		for _, row := range []struct {
			name  string
			edit  func(e *ClientEdit)
			want  *fault.Error
			field string
		}{
			{"refuses no name", func(e *ClientEdit) { e.Name = "  " }, ErrClientName, "name"},
			{"takes a name of 50 characters", func(e *ClientEdit) { e.Name = strings.Repeat("名", 50) }, nil, ""},
			{"refuses a name of 51", func(e *ClientEdit) { e.Name = strings.Repeat("名", 51) }, ErrClientName, "name"},
			{"refuses a name with a line break", func(e *ClientEdit) { e.Name = "a\nb" }, ErrClientName, "name"},
			{"refuses a name that is no text", func(e *ClientEdit) { e.Name = "a\xff" }, ErrClientName, "name"},
			{"refuses a description of 151 characters", func(e *ClientEdit) { e.Description = strings.Repeat("x", 151) }, ErrClientDescription, "description"},
			{"refuses a launch address that is script", func(e *ClientEdit) { e.LaunchURL = "javascript:alert(1)" }, ErrLaunchURL, "launch_url"}, // threats 26
			{"refuses a launch address without a host", func(e *ClientEdit) { e.LaunchURL = "https:///x" }, ErrLaunchURL, "launch_url"},
			{"refuses an id of one character", func(e *ClientEdit) { e.ID = "a" }, ErrClientID, "id"},
			{"refuses an id of 129 characters", func(e *ClientEdit) { e.ID = strings.Repeat("a", 129) }, ErrClientID, "id"},
			{"refuses an id with a colon", func(e *ClientEdit) { e.ID = "a:b" }, ErrClientID, "id"},
			{"refuses an id that is an address", func(e *ClientEdit) { e.ID = "https://evil.example/client" }, ErrClientID, "id"},
			{"refuses an id with a line break", func(e *ClientEdit) { e.ID = "ab\n" }, ErrClientID, "id"},
			{"refuses an id that is taken", func(e *ClientEdit) { e.ID = taken.ID }, ErrClientIDTaken, "id"},
			{"refuses an id that was deleted", func(e *ClientEdit) { e.ID = gone.ID }, ErrClientIDTaken, "id"},
			{"names the address at fault", func(e *ClientEdit) { e.RedirectURIs = append(uris(2), URI{URI: "javascript:alert(1)"}) }, ErrURIScheme, "redirect_uris[2]"}, // threats 26
			{"names the address after sign-out at fault", func(e *ClientEdit) { e.PostLogoutURIs = []URI{{URI: "/bye"}} }, ErrURIMalformed, "post_logout_uris[0]"},
			{"refuses an address twice", func(e *ClientEdit) { e.RedirectURIs = append(uris(2), uris(1)...) }, ErrURIRepeated, "redirect_uris[2]"},
			{"takes 100 addresses", func(e *ClientEdit) { e.RedirectURIs = uris(100) }, nil, ""},
			{"refuses 101 addresses", func(e *ClientEdit) { e.RedirectURIs = uris(101) }, ErrTooManyURIs, "redirect_uris"},
			{"refuses a private scheme without a domain", func(e *ClientEdit) { e.Public, e.RedirectURIs = true, []URI{{URI: "myapp:/cb"}} }, ErrURIPrivate, "redirect_uris[0]"},
			{"refuses http where the operator does", func(e *ClientEdit) { e.RedirectURIs = []URI{{URI: "http://nas.lan/cb"}} }, ErrURIInsecure, "redirect_uris[0]"},
			{"refuses an unknown algorithm", func(e *ClientEdit) { e.IDTokenAlg = "none" }, ErrAlgUnknown, "id_token_alg"},
			{"refuses HMAC", func(e *ClientEdit) { e.IDTokenAlg = "HS256" }, ErrAlgUnknown, "id_token_alg"},
			{"refuses an unknown way to issue", func(e *ClientEdit) { e.RefreshIssue = "never" }, ErrRefreshChoice, "refresh_issue"},
			{"refuses an unknown way to rotate", func(e *ClientEdit) { e.RefreshRotation = "never" }, ErrRefreshChoice, "refresh_rotation"},
			{"refuses a second", func(e *ClientEdit) { e.AccessTokenFor = time.Second }, ErrLifetime, "access_token_lifetime"},
			{"refuses two years", func(e *ClientEdit) { e.RefreshTokenFor = 2 * 365 * 24 * time.Hour }, ErrLifetime, "refresh_token_lifetime"},
			{"refuses less than nothing", func(e *ClientEdit) { e.IDTokenFor = -time.Hour }, ErrLifetime, "id_token_lifetime"},
			{"refuses a group that is not there", func(e *ClientEdit) { e.GroupRestricted, e.AllowedGroups = true, []string{"nobody"} }, ErrGroupUnknown, "allowed_groups[0]"},
		} {
			inRow(t, row.name, func() {
				edit := ClientEdit{Name: "Shop"}
				row.edit(&edit)
				_, _, err := h.p.AddClient(h.t.Context(), admin, edit)
				if row.want == nil {
					must(t, err)
					return
				}
				wantFault(t, err, row.want, row.field)
				if edit.ID != "" {
					return
				}
				_, err = h.p.EditClient(h.t.Context(), admin, taken.ID, edit)
				wantFault(t, err, row.want, row.field)
			})
		}
		_, err := h.p.EditClient(t.Context(), admin, taken.ID, ClientEdit{ID: "other", Name: "Shop"})
		wantFault(t, err, ErrClientIDFixed, "id")
		_, err = h.p.EditClient(t.Context(), admin, "nobody", ClientEdit{Name: "Shop"})
		wantFault(t, err, ErrNoClient, "")
		_, err = h.p.EditClient(t.Context(), admin, gone.ID, ClientEdit{Name: "Shop"})
		wantFault(t, err, ErrNoClient, "")
		wantFault(t, h.p.DeleteClient(t.Context(), admin, gone.ID), ErrNoClient, "")
	})
}

func TestADeletedClientIsDead(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada, b := h.client(ClientEdit{}), h.user("ada"), h.browser()
		b.consent(ada, c)
		must(t, h.p.DeleteClient(t.Context(), admin, c.ID))
		if n := h.count(`SELECT count(*) FROM grants WHERE client_id = $1 AND revoked_at IS NULL`, c.ID); n != 0 {
			t.Errorf("%d grants live on", n)
		}
		if n := h.count(`SELECT count(*) FROM client_secrets WHERE client_id = $1`, c.ID); n != 0 {
			t.Errorf("%d secrets live on", n)
		}
		wantPage(t, b.authorize(c), ErrClientUnknown)
		_, err := h.p.Client(t.Context(), admin, c.ID)
		wantFault(t, err, ErrNoClient, "")
		page, err := h.p.Clients(t.Context(), admin, ClientFilter{})
		must(t, err)
		if len(page.Rows) != 0 || page.Total != 0 {
			t.Errorf("the list has %+v", page)
		}
	})
}

func TestChangesOfClientsAreRecorded(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, text, err := h.p.AddClient(t.Context(), admin, ClientEdit{Name: "Shop"})
		must(t, err)
		edit := c.Edit()
		edit.Name = "Store"
		_, err = h.p.EditClient(t.Context(), admin, c.ID, edit)
		must(t, err)
		s, more, err := h.p.AddSecret(t.Context(), admin, c.ID, SecretEdit{})
		must(t, err)
		_, _, err = h.p.AddSecret(t.Context(), admin, c.ID, SecretEdit{Text: "0123456789abcdefXYZ"})
		must(t, err)
		must(t, h.p.RemoveSecret(t.Context(), admin, c.ID, s.ID))
		must(t, h.p.DeleteClient(t.Context(), admin, c.ID))
		type record struct{ event, object, actor, before, after string }
		var all []record
		must(t, h.d.Read(t.Context(), func(tx *db.Tx) (err error) {
			all, err = db.All(tx, func(r *record) []any {
				return []any{&r.event, &r.object, &r.actor, db.Text(&r.before), db.Text(&r.after)}
			}, `SELECT event, object_name, actor_id, before, after FROM audit WHERE object_kind = 'client' AND object_id = $1`, c.ID)
			return err
		}))
		seen := map[string]record{}
		for _, r := range all {
			seen[r.event] = r
			for _, secret := range []string{text, more, "0123456789abcdefXYZ"} { // threats 84
				if strings.Contains(r.before+r.after, secret) {
					t.Errorf("%s holds a secret: %s %s", r.event, r.before, r.after)
				}
			}
			if r.actor != admin.UserID {
				t.Errorf("%s is by %s", r.event, r.actor)
			}
		}
		if len(all) != 6 || seen["client.created"].after == "" || seen["client.deleted"].before == "" ||
			seen["client.edited"].before != `{"name":"Shop"}` || seen["client.edited"].after != `{"name":"Store"}` ||
			!strings.Contains(seen["client.secret_added"].after, `"prefix"`) || !strings.Contains(seen["client.secret_removed"].before, s.ID) {
			t.Errorf("got %+v", all)
		}
	})
}

func TestSecrets(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, first, err := h.p.AddClient(t.Context(), admin, ClientEdit{Name: "Shop"})
		must(t, err)
		public := h.client(ClientEdit{Public: true})
		time.Sleep(time.Second)
		now := time.Now()
		for _, row := range []struct {
			name  string
			of    string
			edit  SecretEdit
			want  *fault.Error
			field string
		}{
			{"makes one", c.ID, SecretEdit{}, nil, ""},
			{"makes one that ends", c.ID, SecretEdit{ExpiresAt: now.Add(time.Hour)}, nil, ""},
			{"takes one of 16 characters", c.ID, SecretEdit{Text: "0123456789abcdef"}, nil, ""},
			{"refuses one of 15", c.ID, SecretEdit{Text: "0123456789abcde"}, ErrSecretWeak, "secret"},
			{"refuses one of 257", c.ID, SecretEdit{Text: secret.Text(strings.Repeat("a", 257))}, ErrSecretWeak, "secret"},
			{"refuses one with a blank", c.ID, SecretEdit{Text: "0123456789 abcdef"}, ErrSecretWeak, "secret"},
			{"refuses one that is not ASCII", c.ID, SecretEdit{Text: "0123456789abcdefé"}, ErrSecretWeak, "secret"},
			{"refuses one that has ended", c.ID, SecretEdit{ExpiresAt: now}, ErrSecretExpiry, "expires_at"},
			{"refuses one of a public client", public.ID, SecretEdit{}, ErrSecretPublic, ""},
			{"refuses one of nobody", "nobody", SecretEdit{}, ErrNoClient, ""},
		} {
			inRow(t, row.name, func() {
				s, text, err := h.p.AddSecret(h.t.Context(), admin, row.of, row.edit)
				if row.want != nil {
					wantFault(t, err, row.want, row.field)
					return
				}
				must(t, err)
				if s.Prefix != text[:4] || s.CreatedBy != admin.UserID || row.edit.Text != "" && text != string(row.edit.Text) {
					t.Errorf("got %+v for %s", s, text)
				}
				want, alg := secret.Hash(text), "sha256"
				if row.edit.Text != "" {
					want, alg = h.p.master.MAC(macSecret, text), "hmac"
				}
				if s.alg != alg || !secret.Equal(s.hash, want) {
					t.Errorf("stored as %s", s.alg)
				}
			})
			time.Sleep(time.Second)
		}
		all, err := h.p.Secrets(t.Context(), admin, c.ID)
		must(t, err)
		if len(all) != 4 || all[3].Prefix != first[:4] || all[0].Prefix != "0123" {
			t.Errorf("got %+v, want four, the newest first", all)
		}
		if all[1].Expired(now) || !all[1].Expired(now.Add(time.Hour)) || all[0].Expired(now.Add(1000*time.Hour)) {
			t.Error("the wrong ones end")
		}
		wantFault(t, h.p.RemoveSecret(t.Context(), admin, public.ID, all[0].ID), ErrSecretNotFound, "")
		must(t, h.p.RemoveSecret(t.Context(), admin, c.ID, all[0].ID))
		wantFault(t, h.p.RemoveSecret(t.Context(), admin, c.ID, all[0].ID), ErrSecretNotFound, "")
		for range 17 {
			_, _, err := h.p.AddSecret(t.Context(), admin, c.ID, SecretEdit{})
			must(t, err)
		}
		_, _, err = h.p.AddSecret(t.Context(), admin, c.ID, SecretEdit{})
		wantFault(t, err, ErrSecretsTooMany, "")
	})
}

func TestClientsInPages(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for i, name := range []string{"Grafana", "Gitea", "Paperless ngx", "Éclair", "100%", "a_b", "axb", "Immich", "immich", "图书馆"} {
			h.client(ClientEdit{ID: fmt.Sprintf("id-%d", i), Name: name})
		}
		list := func(f ClientFilter) (names []string, page ClientPage) {
			page, err := h.p.Clients(t.Context(), admin, f)
			must(t, err)
			for _, r := range page.Rows {
				names = append(names, r.Name)
			}
			return names, page
		}
		whole, page := list(ClientFilter{})
		if len(whole) != 10 || page.Total != 10 || page.Next != "" {
			t.Errorf("got %v, %d, %q", whole, page.Total, page.Next)
		}
		var walked []string
		filter := ClientFilter{Limit: 3}
		for range 5 {
			names, page := list(filter)
			walked = append(walked, names...)
			if filter.After = page.Next; page.Next == "" {
				break
			}
		}
		if !slices.Equal(walked, whole) {
			t.Errorf("page by page %v, at once %v", walked, whole)
		}
		for _, row := range []struct {
			search string
			want   []string
		}{
			{"gra", []string{"Grafana"}},
			{"G", []string{"Gitea", "Grafana"}},
			{"rafana", nil},
			{"ngx", []string{"Paperless ngx"}},
			{"éCL", []string{"Éclair"}},
			{"图", []string{"图书馆"}},
			{"id-0", []string{"Grafana"}},
			{"id-", nil},
			{"100%", []string{"100%"}},
			{"%", nil},
			{"a_", []string{"a_b"}},
			{"!", nil},
			{"' OR 1=1 --", nil}, // threats 75
			{"\x00", whole},
			{strings.Repeat("g", 1000), whole},
		} {
			names, page := list(ClientFilter{Search: row.search})
			if !slices.Equal(names, row.want) || page.Total != len(row.want) {
				t.Errorf("%q: got %v of %d, want %v", row.search, names, page.Total, row.want)
			}
		}
		for _, after := range []string{"x", "x' y", "\x00", " ", strings.Repeat("a", 10000)} { // threats 75
			if _, err := h.p.Clients(t.Context(), admin, ClientFilter{After: after, Limit: -5}); err != nil {
				t.Errorf("after %q: %v", after, err)
			}
		}
		if names, _ := list(ClientFilter{Limit: -5}); len(names) != 1 { // threats 80
			t.Errorf("a limit below one gives %d", len(names))
		}
	})
}
