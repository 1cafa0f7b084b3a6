package protocol

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/oidc"
)

// sessionForms finds the buttons that end sessions.
var sessionForms = regexp.MustCompile(`/settings/account/sessions/([^/"]+)/end`)

// However a session ends that somebody ends, each application of it hears of it, and of no
// other session. What ran out by itself is told to nobody.
func TestEveryEndIsTold_OIDC_BackChannel_2_5(t *testing.T) { // threats 33, 73
	type house struct {
		*apptest.House
		t                *testing.T
		boss, ada, there *apptest.Person // there is ada at another browser
		shop, blog       *apptest.Client
		here             apptest.Tokens // of this browser at the shop
		group            string
	}
	edit := func(h *house, c *apptest.Client, fn func(*oidc.ClientEdit)) {
		is, err := h.App.OIDC.Client(h.t.Context(), audit.System("cli"), c.ID)
		if err != nil {
			h.t.Fatal(err)
		}
		e := is.Edit()
		fn(&e)
		if _, err := h.App.OIDC.EditClient(h.t.Context(), audit.System("cli"), c.ID, e); err != nil {
			h.t.Fatal(err)
		}
	}
	// Which of the four sessions end: here and there at the shop and the blog.
	const hereShop, hereBlog, thereShop, thereBlog = 1, 2, 4, 8
	const here, there, atShop, all = hereShop | hereBlog, thereShop | thereBlog, hereShop | thereShop, hereShop | hereBlog | thereShop | thereBlog
	for _, test := range []struct {
		name string
		end  func(h *house)
		want int
	}{
		{"signing out", func(h *house) { h.ada.SignOut() }, here},
		{"signing out at an application", func(h *house) {
			h.ada.Open(endSession("id_token_hint", h.here.IDToken, "post_logout_redirect_uri", bye))
		}, here},
		{"answering that an application may", func(h *house) {
			page := h.ada.Open(endSession("client_id", h.shop.ID))
			h.ada.Submit("/logout", url.Values{"request": {page.URL.Query().Get("request")}})
		}, here},
		{"ending it from the list of sessions", func(h *house) {
			forms := sessionForms.FindAllString(h.there.Open("/settings/account/sessions").Body, -1)
			if len(forms) != 2 {
				h.t.Fatalf("the sessions are %v", forms)
			}
			h.there.Submit(forms[1], nil) // the one that was seen longer ago
		}, here},
		{"ending all others", func(h *house) { h.there.Submit("/settings/account/sessions/others", nil) }, here},
		{"signing out everywhere", func(h *house) { h.ada.Submit("/settings/account/sessions/everywhere", nil) }, all},
		{"an administrator who signs the person out", func(h *house) { h.boss.Submit("/settings/admin/users/"+h.ada.ID+"/sign-out", nil) }, all},
		{"another person who signs in at this browser", func(h *house) {
			bob := h.User("bob")
			bob.Using(h.ada.Browser).SignIn()
		}, here},
		{"disabling the account", func(h *house) { h.Disable(h.ada) }, all},
		{"deleting the account", func(h *house) {
			h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
				return d.Delete(ctx, by, h.ada.ID)
			})
		}, all},
		{"taking the consent back", func(h *house) { h.ada.Submit("/settings/account/apps/"+h.shop.ID+"/revoke", nil) }, atShop},
		{"leaving the group of the application", func(h *house) {
			h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
				return d.RemoveMembers(ctx, by, h.group, []string{h.ada.ID})
			})
		}, atShop},
		{"deleting the application", func(h *house) {
			if err := h.App.OIDC.DeleteClient(h.t.Context(), audit.System("cli"), h.shop.ID); err != nil {
				h.t.Fatal(err)
			}
		}, atShop},
		{"disabling the application", func(h *house) {
			h.SQL(`UPDATE clients SET disabled_at = 1 WHERE id = $1`, h.shop.ID)
			edit(h, h.shop, func(*oidc.ClientEdit) {})
		}, atShop},
		{"changing the application", func(h *house) { edit(h, h.shop, func(e *oidc.ClientEdit) { e.Description = "new" }) }, 0},
		{"changing the person", func(h *house) {
			h.ada.Save("/settings/account", "/settings/account", url.Values{"display_name": {"Ada"}})
		}, 0},
		{"running out", func(h *house) { time.Sleep(3 * time.Hour) }, 0},
		{"signing in again after it ran out", func(h *house) { time.Sleep(61 * time.Minute); h.ada.SignIn() }, 0},
		{"disabling the account after it ran out", func(h *house) { time.Sleep(26 * time.Hour); h.Disable(h.ada) }, all},
	} {
		t.Run(strings.ReplaceAll(test.name, " ", "_"), func(t *testing.T) {
			apptest.Both(t, func(t *testing.T, in *apptest.House) {
				h := &house{House: in, t: t}
				h.boss, h.ada = h.SetUp(), h.User("ada")
				h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
					g, err := d.AddGroup(ctx, by, directory.GroupEdit{Name: "friends", FriendlyName: "Friends"})
					h.group = g.ID
					if err != nil {
						return err
					}
					return d.SetMembers(ctx, by, g.ID, []string{h.ada.ID})
				})
				h.shop = h.Client("shop", listens("shop.example"), func(e *oidc.ClientEdit) { e.GroupRestricted, e.AllowedGroups = true, []string{h.group} })
				h.blog = h.Client("blog", listens("blog.example"))
				silent := h.Client("silent")
				shop, blog := listen(t, in, h.shop, "shop.example", nil), listen(t, in, h.blog, "blog.example", nil)
				h.there = h.ada.Elsewhere()
				sids := map[int]string{}
				sids[hereShop], h.here = sidOf(t, h.shop, h.ada)
				sids[hereBlog], _ = sidOf(t, h.blog, h.ada)
				sids[thereShop], _ = sidOf(t, h.shop, h.there)
				sids[thereBlog], _ = sidOf(t, h.blog, h.there)
				sidOf(t, silent, h.ada)
				bystander := h.User("eve")
				h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
					return d.AddMembers(ctx, by, h.group, []string{bystander.ID})
				})
				sidOf(t, h.shop, bystander)
				if shop.times()+blog.times() > 0 {
					t.Error("somebody heard of an end before there was one")
				}
				test.end(h)
				time.Sleep(15 * time.Second)
				var atTheShop, atTheBlog []string
				for which, sid := range sids {
					if test.want&which == 0 {
						continue
					}
					if which&atShop != 0 {
						atTheShop = append(atTheShop, sid)
					} else {
						atTheBlog = append(atTheBlog, sid)
					}
				}
				if test.name == "deleting the application" || test.name == "disabling the application" { // it is of all its people
					shop.mu.Lock()
					shop.heard = slices.DeleteFunc(shop.heard, func(c map[string]any) bool { return c["sub"] == bystander.ID })
					shop.mu.Unlock()
				}
				shop.wants(test.name+", at the shop", atTheShop...)
				blog.wants(test.name+", at the blog", atTheBlog...)
				for _, c := range append(shop.heard, blog.heard...) {
					if c["sub"] != h.ada.ID {
						t.Errorf("it is about %v", c["sub"])
					}
				}
				time.Sleep(2 * time.Hour)
				if got := shop.times() + blog.times(); got != len(atTheShop)+len(atTheBlog) {
					t.Errorf("two hours later they have heard %d times", got)
				}
			})
		})
	}
}

// An application that does not answer well is asked again, each time with a token of its
// own, for about an hour and not for ever. It delays no other.
func TestDeliveryIsTriedAgain_OIDC_BackChannel_2_8(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer func(w http.ResponseWriter, n int)
		tries  int
		told   bool
	}{
		{"one that answers 204", func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusNoContent) }, 1, true},
		{"one that fails twice", func(w http.ResponseWriter, n int) {
			if n < 3 {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}, 3, true},
		{"one that never wants it", func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusBadRequest) }, 5, false},
		{"one that leads elsewhere", func(w http.ResponseWriter, _ int) {
			w.Header().Set("Location", "https://blog.example/backchannel?a=b")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, 5, false},
		{"one that hangs", func(http.ResponseWriter, int) { time.Sleep(30 * time.Second) }, 5, false},
		{"one that says too much", func(w http.ResponseWriter, _ int) { w.Write(make([]byte, 1<<20)) }, 5, false},
	} {
		t.Run(strings.ReplaceAll(test.name, " ", "_"), func(t *testing.T) {
			apptest.Both(t, func(t *testing.T, h *apptest.House) {
				h.SetUp()
				ada := h.User("ada")
				shop, blog := h.Client("shop", listens("shop.example")), h.Client("blog", listens("blog.example"))
				bad, good := listen(t, h, shop, "shop.example", test.answer), listen(t, h, blog, "blog.example", nil)
				_, tokens := sidOf(t, shop, ada)
				sidOf(t, blog, ada)
				began := time.Now()
				page := ada.Open(endSession("id_token_hint", tokens.IDToken, "post_logout_redirect_uri", bye))
				if page.Away == nil || page.Away.String() != bye {
					t.Errorf("it leads to %s", page)
				}
				if waited := time.Since(began); waited > 3*time.Second {
					t.Errorf("the person waited for %s", waited)
				}
				if good.times() != 1 {
					t.Errorf("the other heard %d times while the person waited", good.times())
				}
				time.Sleep(2 * time.Hour)
				h.Settle()
				if bad.times() != test.tries || good.times() != 1 {
					t.Errorf("it was told %d times and the other %d times, want %d and once", bad.times(), good.times(), test.tries)
				}
				ids := map[any]bool{}
				for _, c := range bad.heard {
					ids[c["jti"]] = true
				}
				if len(ids) != bad.times() {
					t.Error("a token came twice")
				}
				log := strings.Join(h.Rows()["audit"], "\n")
				if got := strings.Contains(log, `"status":200`) || strings.Contains(log, `"status":204`); !got {
					t.Error("the log does not say who was told")
				}
				if delivered, failed := strings.Count(log, "logout.delivered"), strings.Count(log, "logout.failed"); test.told && delivered != 2 || !test.told && (delivered != 1 || failed != 2) {
					t.Errorf("the log says delivered %d times and failed %d times", delivered, failed)
				}
				if rest := h.Rows()["jobs"]; strings.Contains(strings.Join(rest, "\n"), "oidc.tell_client") {
					t.Errorf("a job is left: %v", rest)
				}
			})
		})
	}
}

// Many ends at an application that hangs leave room for the others, and for the work of the
// house.
func TestADeadApplicationHoldsNobodyUp(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		ada := h.User("ada")
		dead, alive := h.Client("dead", listens("dead.example")), h.Client("alive", listens("alive.example"))
		listen(t, h, dead, "dead.example", func(http.ResponseWriter, int) { time.Sleep(30 * time.Second) })
		ear := listen(t, h, alive, "alive.example", nil)
		for range 24 {
			sidOf(t, dead, ada.Elsewhere())
		}
		sidOf(t, alive, ada)
		boss.Submit("/settings/admin/users/"+ada.ID+"/sign-out", nil)
		time.Sleep(2 * time.Second)
		if ear.times() != 1 {
			t.Errorf("two seconds later it heard %d times, want once", ear.times())
		}
		time.Sleep(3 * time.Hour)
		if got := strings.Count(strings.Join(h.Rows()["session_clients"], "\n"), "failed"); got != 24 {
			t.Errorf("%d ends were given up, want 24", got)
		}
	})
}
