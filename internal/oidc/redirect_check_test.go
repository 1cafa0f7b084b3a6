package oidc

import (
	"errors"
	"strings"
	"testing"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
)

// What an administrator tries is answered as the authorization endpoint answers it.
func TestTryingAnAddressIsAskingAuthorize(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		uris := []URI{
			{URI: "https://shop.example/cb"}, {URI: "https://shop.example/with?a=b"}, {URI: "https://old.example/cb"},
			{URI: "https://*.preview.example/cb", Pattern: true}, {URI: "https://shop.example/*/back", Pattern: true},
			{URI: "http://127.0.0.1/cb"}, {URI: "http://localhost:8080/cb"}, {URI: "com.example.app:/cb"},
		}
		for _, public := range []bool{false, true} {
			c := h.client(ClientEdit{Name: "Shop", Public: public, RedirectURIs: uris})
			h.write(func(tx *db.Tx) { // a row may be older than a rule
				tx.Do(`UPDATE client_uris SET uri = 'http://old.example/cb' WHERE uri = 'https://old.example/cb'`)
			})
			c, err := h.p.Client(t.Context(), admin, c.ID)
			must(t, err)
			b := h.browser()
			for asked, matched := range map[string]string{
				"https://shop.example/cb":            "https://shop.example/cb",
				"https://shop.example/with?a=b":      "https://shop.example/with?a=b",
				"https://pr-7.preview.example/cb":    "https://*.preview.example/cb",
				"https://shop.example/x/back":        "https://shop.example/*/back",
				"http://127.0.0.1/cb":                "http://127.0.0.1/cb",
				"http://127.0.0.1:51234/cb":          "http://127.0.0.1/cb",
				"http://localhost:8080/cb":           "http://localhost:8080/cb",
				"com.example.app:/cb":                "com.example.app:/cb",
				"http://localhost:8081/cb":           "",
				"http://[::1]:51234/cb":              "",
				"http://127.0.0.1:51234/other":       "",
				"https://127.0.0.1:51234/cb":         "",
				"http://127.0.0.1:0/cb":              "",
				"https://shop.example/cb/":           "",
				"https://shop.example/cb?":           "",
				"https://shop.example/cb?a=b":        "",
				"https://shop.example:443/cb":        "",
				"https://shop.example/CB":            "",
				"https://SHOP.example/cb":            "",
				"HTTPS://shop.example/cb":            "",
				"http://shop.example/cb":             "",
				"https://user@shop.example/cb":       "",
				"https://shop.example@evil.test/cb":  "",
				"https://shop.example/cb#top":        "",
				"https://shop.example/cb#":           "",
				"https://shop.example/x/../cb":       "",
				"https://shop.example/x/%2e%2e/back": "",
				"https://shop.example/x/y/back":      "",
				"https://shop.example//back":         "",
				"https://preview.example/cb":         "",
				"https://a.b.preview.example/cb":     "",
				"https://*.preview.example/cb":       "",
				"https://x@.preview.example/cb":      "",
				"https://PR.preview.example/CB":      "",
				"http://old.example/cb":              "", // known, and refused by the rules of today
				"javascript:alert(1)":                "",
				"nowhere":                            "",
			} {
				inRow(t, "is asked for "+asked, func() {
					check, err := h.p.CheckRedirect(admin, c.Edit(), asked)
					must(t, err)
					resp := b.authorize(c, "redirect_uri", asked)
					if sent := resp.StatusCode == 303; sent != (check.Refused == nil) || sent != (matched != "") {
						t.Errorf("authorize answers %d %q, the check %v, want %q", resp.StatusCode, body(resp), check.Refused, matched)
					}
					if matched != "" && check.Matched.URI != matched {
						t.Errorf("it is let through by %q, want %q", check.Matched.URI, matched)
					}
					if asked == "http://old.example/cb" && !errors.Is(check.Refused, ErrURIInsecure) {
						t.Errorf("the reason is %v", check.Refused)
					}
				})
			}
		}
	})
}

// What is said of rows while they are typed is what saving says of the first of them.
func TestCheckingAddressesIsSavingThem(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		long := "https://shop.example/" + strings.Repeat("a", maxURI)
		for asked, want := range map[string]*fault.Error{
			"https://shop.example/cb": nil, "http://127.0.0.1/cb": nil, "http://localhost/cb": nil, "com.example.app:/cb": nil,
			"https://shop.example/cb#top": ErrURIFragment, "https://user@shop.example/cb": ErrURIMalformed, "HTTPS://shop.example/cb": ErrURIMalformed,
			"javascript:alert(1)": ErrURIScheme, "http://shop.example/cb": ErrURIInsecure, "https://*.shop.example/cb": ErrURIWildcard,
			"nowhere": ErrURIMalformed, long: ErrURITooLong, "https://first.example/cb": ErrURIRepeated,
		} {
			inRow(t, "has "+asked[:min(len(asked), 60)], func() {
				for field, edit := range map[string]ClientEdit{
					"redirect_uris[1]":    {Name: "Shop", RedirectURIs: []URI{{URI: "https://first.example/cb"}, {URI: asked}}},
					"post_logout_uris[1]": {Name: "Shop", PostLogoutURIs: []URI{{URI: "https://first.example/cb"}, {URI: asked}}},
				} {
					wrong, err := h.p.CheckURIs(admin, edit)
					must(t, err)
					_, _, saved := h.p.AddClient(t.Context(), admin, edit)
					if want == nil {
						if len(wrong) > 0 || saved != nil {
							t.Errorf("%s: the check says %v, saving %v", field, wrong, saved)
						}
						continue
					}
					wantFault(t, saved, want, field)
					wantFault(t, wrong[field], want, field)
					if len(wrong) != 1 {
						t.Errorf("it says %v", wrong)
					}
				}
			})
		}
		many := make([]URI, maxClientURIs+1)
		wrong, err := h.p.CheckURIs(admin, ClientEdit{RedirectURIs: many})
		must(t, err)
		if len(wrong) != 1 || !errors.Is(wrong["redirect_uris"], ErrTooManyURIs) {
			t.Errorf("of too many it says %v", wrong)
		}
		wrong, err = h.p.CheckURIs(admin, ClientEdit{Public: true, RedirectURIs: []URI{{URI: "app:/cb"}, {URI: "x"}, {URI: "https://*/cb", Pattern: true}}})
		must(t, err)
		wantFault(t, wrong["redirect_uris[0]"], ErrURIPrivate, "redirect_uris[0]")
		wantFault(t, wrong["redirect_uris[1]"], ErrURIMalformed, "redirect_uris[1]")
		wantFault(t, wrong["redirect_uris[2]"], ErrURIPattern, "redirect_uris[2]")

		by := audit.Actor{UserID: h.user("ada").ID}
		if _, err := h.p.CheckRedirect(by, ClientEdit{}, "https://shop.example/cb"); !errors.Is(err, audit.ErrNotAdmin) {
			t.Errorf("somebody may try addresses: %v", err)
		}
		if _, err := h.p.CheckURIs(by, ClientEdit{}); !errors.Is(err, audit.ErrNotAdmin) {
			t.Errorf("somebody may check addresses: %v", err)
		}
	})
}
