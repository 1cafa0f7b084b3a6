package protocol

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"pocketid/internal/apptest"
	"pocketid/internal/oidc"
)

func TestNewHouseIsSetUpOnceAndForGood(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		if page := admin.Open("/settings"); page.Status != http.StatusOK || page.URL.Path != "/settings/account" {
			t.Errorf("the administrator is not inside: %s", page)
		}
		stranger := h.Browser()
		if page := stranger.Open("/setup"); page.Status != http.StatusNotFound {
			t.Errorf("set-up is still there: %s", page)
		}
		if page := stranger.Open("/"); page.URL.Path != "/login" {
			t.Errorf("a stranger is led to %s", page)
		}
		if status, code := stranger.Call("/setup/begin", map[string]any{"profile": apptest.Profile("eve")}, nil); code != "setup_already_completed" {
			t.Errorf("set-up began again: %d %s", status, code)
		}
	})
}

func TestPersonSignsInAndOut(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		if page := ada.Open("/settings/account"); page.URL.Path != "/login" {
			t.Fatalf("before signing in: %s", page)
		}
		ada.SignIn()
		if page := ada.Open("/settings/account"); page.Status != http.StatusOK || page.URL.Path != "/settings/account" {
			t.Errorf("after signing in: %s", page)
		}
		handle := ada.Cookie("session")
		ada.SignOut()
		if ada.Cookie("session") != "" {
			t.Error("the cookie outlives the session")
		}
		if handle == "" {
			t.Error("there was no cookie")
		}
		if page := ada.Open("/settings/account"); page.URL.Path != "/login" {
			t.Errorf("after signing out: %s", page)
		}
	})
}

// client is the context in which go-oidc and x/oauth2 find the house.
func client(t *testing.T, h *apptest.House) context.Context {
	return gooidc.ClientContext(t.Context(), &http.Client{Transport: h.Transport()})
}

// library signs p in by go-oidc and x/oauth2, which know the house's address
// alone, and returns the tokens with the verified ID token.
func library(t *testing.T, h *apptest.House, c *apptest.Client, p *apptest.Person) (*oauth2.Token, *gooidc.IDToken, *gooidc.Provider) {
	t.Helper()
	ctx := client(t, h)
	provider, err := gooidc.NewProvider(ctx, apptest.URL)
	if err != nil {
		t.Fatal(err)
	}
	config := oauth2.Config{ClientID: c.ID, ClientSecret: c.Secret, Endpoint: provider.Endpoint(), RedirectURL: c.RedirectURI,
		Scopes: []string{"openid", "profile", "email", "groups", "offline_access"}}
	f := c.Begin()
	u, err := url.Parse(config.AuthCodeURL(f.State, gooidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)))
	if err != nil {
		t.Fatal(err)
	}
	f.Query = u.Query()
	page := f.By(p)
	if page.Away == nil {
		t.Fatalf("the flow ends at %s", page)
	}
	token, err := config.Exchange(ctx, f.Answer.Get("code"), oauth2.VerifierOption(f.Verifier))
	if err != nil {
		t.Fatal(err)
	}
	id, err := verify(ctx, provider, c, token)
	if err != nil {
		t.Fatal(err)
	}
	if id.Nonce != f.Nonce {
		t.Errorf("the nonce is %q, want %q", id.Nonce, f.Nonce)
	}
	return token, id, provider
}

// verify checks the ID token that came with an access token.
func verify(ctx context.Context, provider *gooidc.Provider, c *apptest.Client, token *oauth2.Token) (*gooidc.IDToken, error) {
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.VerifierContext(ctx, &gooidc.Config{ClientID: c.ID, Now: time.Now}).Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	return id, id.VerifyAccessToken(token.AccessToken)
}

func TestUnrelatedLibraryAcceptsTheTokens(t *testing.T) {
	for _, alg := range oidc.KeyAlgs {
		t.Run(string(alg), func(t *testing.T) {
			apptest.Both(t, func(t *testing.T, h *apptest.House) {
				h.SetUp()
				ada := h.User("ada")
				shop := h.Client("shop", func(e *oidc.ClientEdit) { e.IDTokenAlg = alg })
				token, id, provider := library(t, h, shop, ada)
				if id.Subject != ada.ID || id.Issuer != apptest.URL {
					t.Errorf("the ID token is of %s from %s", id.Subject, id.Issuer)
				}
				if header, _, _ := strings.Cut(token.Extra("id_token").(string), "."); !strings.Contains(decoded(t, header), `"alg":"`+string(alg)+`"`) {
					t.Errorf("the ID token is signed otherwise: %s", decoded(t, header))
				}
				var claims struct {
					Email    string
					Verified bool     `json:"email_verified"`
					Name     string   `json:"preferred_username"`
					AMR      []string `json:"amr"`
				}
				if err := id.Claims(&claims); err != nil || claims.Email != "ada@example.test" || claims.Name != "ada" || len(claims.AMR) == 0 || claims.AMR[0] != "phr" {
					t.Errorf("claims %+v, %v", claims, err)
				}
				ctx := client(t, h)
				info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
				if err != nil || info.Subject != ada.ID || info.Email != "ada@example.test" {
					t.Errorf("userinfo: %+v, %v", info, err)
				}
				config := oauth2.Config{ClientID: shop.ID, ClientSecret: shop.Secret, Endpoint: provider.Endpoint()}
				time.Sleep(2 * time.Minute)
				again, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
				if err != nil || again.AccessToken == token.AccessToken {
					t.Fatalf("refresh: %v", err)
				}
				if _, err := verify(ctx, provider, shop, again); err != nil {
					t.Errorf("the refreshed ID token: %v", err)
				}
			})
		})
	}
}

func TestSecondSignInAsksNothing(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop")
		f, code := shop.Authorize(ada)
		f.Exchange(code)
		again := shop.Begin("prompt", "none")
		if page := ada.Open(again.URL()); page.Away == nil || page.Away.Query().Get("code") == "" {
			t.Errorf("a remembered consent under prompt=none: %s", page)
		}
	})
}

func TestTokensOfADisabledPersonAreDeadAtOnce(t *testing.T) { // threats 3
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop")
		f, code := shop.Authorize(ada)
		tokens := f.Exchange(code)
		if status, claims := shop.Userinfo(tokens.AccessToken); status != http.StatusOK || claims["sub"] != ada.ID {
			t.Fatalf("userinfo before: %d %v", status, claims)
		}
		h.Disable(ada)
		if status, _ := shop.Userinfo(tokens.AccessToken); status != http.StatusUnauthorized {
			t.Errorf("userinfo after: %d", status)
		}
		if got := shop.Refresh(tokens.RefreshToken); got.Error != "invalid_grant" {
			t.Errorf("refresh after: %+v", got)
		}
		if page := ada.Open("/settings/account"); page.URL.Path != "/login" {
			t.Errorf("the session after: %s", page)
		}
	})
}

func TestCodeIsUsedOnce_RFC6749_4_1_2(t *testing.T) { // threats 5
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop", apptest.Public)
		f, code := shop.Authorize(ada)
		first := f.Exchange(code)
		if got := f.Redeem(code); got.Error != "invalid_grant" {
			t.Errorf("the second use: %+v", got)
		}
		if status, _ := shop.Userinfo(first.AccessToken); status != http.StatusUnauthorized {
			t.Errorf("what the first use gave is still good: %d", status)
		}
		if got := shop.Refresh(first.RefreshToken); got.Error != "invalid_grant" {
			t.Errorf("what the first use gave still refreshes: %+v", got)
		}
	})
}

func TestCodeExpiresAfterAMinute(t *testing.T) { // threats 1
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop")
		f, code := shop.Authorize(ada)
		time.Sleep(61 * time.Second)
		if got := f.Redeem(code); got.Error != "invalid_grant" {
			t.Errorf("a code of 61 seconds: %+v", got)
		}
	})
}

func TestRotationUnderARunningFlowFailsNoVerification(t *testing.T) { // threats 83
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.KeepKeys()
		h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop")
		ctx := client(t, h)
		old, _, provider := library(t, h, shop, ada)
		h.RotateKeys()
		// A library that read the keys before goes on, before and after the new
		// key signs, and what was signed before still verifies.
		for _, wait := range []time.Duration{0, 40 * time.Minute, 25 * time.Minute} {
			time.Sleep(wait)
			token, _, fresh := library(t, h, shop, ada)
			if _, err := verify(ctx, provider, shop, token); err != nil {
				t.Errorf("%v later, a library that kept the old keys: %v", wait, err)
			}
			if wait == 0 {
				if _, err := verify(ctx, fresh, shop, old); err != nil {
					t.Errorf("a token of before: %v", err)
				}
			}
		}
	})
}
