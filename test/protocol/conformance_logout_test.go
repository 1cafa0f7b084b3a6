package protocol

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/jose"
	"pocketid/internal/oidc"
)

// postLogout is where the suite wants people back.
const postLogout = "https://suite.example/post_logout_redirect"

// conformLogout runs a module of the logout plans: a house, and the suite's client with its
// address for after the sign-out. Changes adjust that client.
func conformLogout(t *testing.T, module func(s *suite), changes ...func(*oidc.ClientEdit)) {
	t.Helper()
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		s := newSuite(t, h, "")
		s.client = h.Client("suite-logout", append([]func(*oidc.ClientEdit){plain, func(e *oidc.ClientEdit) {
			e.PostLogoutURIs = []oidc.URI{{URI: postLogout}}
		}}, changes...)...)
		module(s)
	})
}

// endSession sends the browser to the end_session_endpoint.
func (s *suite) endSession(pairs ...string) *apptest.Page {
	s.t.Helper()
	endpoint, _ := s.discovered("end_session_endpoint").(string)
	path, ok := strings.CutPrefix(endpoint, apptest.URL)
	if !ok {
		s.t.Fatalf("end_session_endpoint is %q", endpoint)
	}
	return s.ada.Open(path + "?" + form(pairs...).Encode())
}

// back checks that the browser came back with the state and nothing else.
func (s *suite) back(page *apptest.Page, state string) {
	s.t.Helper()
	want := url.Values{}
	if state != "" {
		want.Set("state", state)
	}
	if page.Away == nil || page.Away.Scheme+"://"+page.Away.Host+page.Away.Path != postLogout || page.Away.Query().Encode() != want.Encode() {
		s.t.Fatalf("it leads to %s", page)
	}
}

// out checks that nobody is signed in any more.
func (s *suite) out() {
	s.t.Helper()
	f := s.begin("prompt", "none")
	s.refused(f.By(s.ada), f, "login_required", "interaction_required")
}

// asks checks that the browser goes nowhere and the person is asked, and answers yes; the
// page after that is our own.
func (s *suite) asks(page *apptest.Page) {
	s.t.Helper()
	if page.Away != nil || page.Status != http.StatusOK || page.URL.Path != "/logout" {
		s.t.Fatalf("it leads to %s", page)
	}
	if s.ada.Cookie("session") == "" {
		s.t.Error("the session ended before the person was asked")
	}
	page = s.ada.Submit("/logout", url.Values{"request": {page.URL.Query().Get("request")}})
	s.says(page)
}

// says checks that the page says signed out.
func (s *suite) says(page *apptest.Page) {
	s.t.Helper()
	if page.Away != nil || page.Status != http.StatusOK || page.URL.Path != "/signed-out" || !strings.Contains(page.Body, "You are signed out") {
		s.t.Fatalf("it leads to %s", page)
	}
	s.out()
}

func Test_oidcc_rp_initiated_logout_discovery_endpoint_verification(t *testing.T) {
	conformLogout(t, func(s *suite) {
		if at, _ := s.discovered("end_session_endpoint").(string); !strings.HasPrefix(at, "https://") {
			s.t.Errorf("end_session_endpoint is %q", at)
		}
	})
}

func Test_oidcc_rp_initiated_logout(t *testing.T) {
	conformLogout(t, func(s *suite) {
		hint := s.flow().IDToken
		s.back(s.endSession("id_token_hint", hint, "post_logout_redirect_uri", postLogout, "state", long), long)
		s.out()
	})
}

func Test_oidcc_rp_initiated_logout_bad_post_logout_redirect_uri(t *testing.T) {
	conformLogout(t, func(s *suite) {
		hint := s.flow().IDToken
		s.asks(s.endSession("id_token_hint", hint, "post_logout_redirect_uri", "https://suite.example/nowhere", "state", long))
	})
}

func Test_oidcc_rp_initiated_logout_modified_id_token_hint(t *testing.T) {
	conformLogout(t, func(s *suite) {
		parts := strings.Split(s.flow().IDToken, ".")
		none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
		s.asks(s.endSession("id_token_hint", none, "post_logout_redirect_uri", postLogout, "state", long))
	})
}

func Test_oidcc_rp_initiated_logout_no_id_token_hint(t *testing.T) {
	conformLogout(t, func(s *suite) {
		s.flow()
		s.asks(s.endSession("post_logout_redirect_uri", postLogout, "state", long))
	})
}

func Test_oidcc_rp_initiated_logout_no_params(t *testing.T) {
	conformLogout(t, func(s *suite) {
		s.flow()
		s.asks(s.endSession())
	})
}

func Test_oidcc_rp_initiated_logout_no_post_logout_redirect_uri(t *testing.T) {
	conformLogout(t, func(s *suite) {
		hint := s.flow().IDToken
		s.says(s.endSession("id_token_hint", hint, "state", long))
	})
}

func Test_oidcc_rp_initiated_logout_no_state(t *testing.T) {
	conformLogout(t, func(s *suite) {
		hint := s.flow().IDToken
		s.back(s.endSession("id_token_hint", hint, "post_logout_redirect_uri", postLogout), "")
		s.out()
	})
}

func Test_oidcc_rp_initiated_logout_only_state(t *testing.T) {
	conformLogout(t, func(s *suite) {
		s.flow()
		s.asks(s.endSession("state", long))
	})
}

func Test_oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri(t *testing.T) {
	conformLogout(t, func(s *suite) {
		hint := s.flow().IDToken
		s.asks(s.endSession("id_token_hint", hint, "post_logout_redirect_uri", postLogout+"?foo=bar", "state", long))
	})
}

func Test_oidcc_rp_initiated_logout_bad_id_token_hint(t *testing.T) {
	conformLogout(t, func(s *suite) {
		s.flow()
		key, err := jose.Generate(jose.ES256)
		if err != nil {
			s.t.Fatal(err)
		}
		now := time.Now()
		bad, err := key.Sign("JWT", map[string]any{"iss": s.client.ID, "sub": s.ada.ID, "aud": apptest.URL, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()})
		if err != nil {
			s.t.Fatal(err)
		}
		s.asks(s.endSession("id_token_hint", bad, "post_logout_redirect_uri", postLogout, "state", long))
	})
}

func Test_oidcc_backchannel_logout_discovery_endpoint_verification(t *testing.T) {
	conformLogout(t, func(s *suite) {
		if s.discovered("backchannel_logout_supported") != true || s.discovered("backchannel_logout_session_supported") != true || s.discovered("end_session_endpoint") == nil {
			s.t.Error("the document does not say so")
		}
	})
}

func Test_oidcc_backchannel_rp_initiated_logout(t *testing.T) {
	conformLogout(t, func(s *suite) {
		e := listen(s.t, s.h, s.client, "suite-logout.example", nil)
		got := s.flow()
		page := s.endSession("id_token_hint", got.IDToken, "post_logout_redirect_uri", postLogout, "state", long)
		if len(e.heard) != 1 || e.heard[0]["sid"] != got.ID["sid"] || e.heard[0]["sub"] != got.ID["sub"] {
			s.t.Fatalf("before the browser came back it heard %v, want once of %v at %v", e.heard, got.ID["sub"], got.ID["sid"])
		}
		s.back(page, long)
		s.out()
		if e.times() != 1 {
			s.t.Errorf("it heard %d times", e.times())
		}
	}, listens("suite-logout.example"))
}

func Test_oidcc_frontchannel_logout_discovery_endpoint_verification(t *testing.T) {
	conformLogout(t, func(s *suite) {
		if s.discovered("frontchannel_logout_supported") != true || s.discovered("frontchannel_logout_session_supported") != true {
			s.t.Error("the document does not say so")
		}
	})
}

func Test_oidcc_frontchannel_rp_initiated_logout(t *testing.T) {
	conformLogout(t, func(s *suite) {
		got := s.flow()
		page := s.endSession("id_token_hint", got.IDToken, "post_logout_redirect_uri", postLogout, "state", long)
		if page.Away != nil || page.Status != http.StatusOK || page.URL.Path != "/signed-out" {
			s.t.Fatalf("it leads to %s", page)
		}
		frames := framed(page)
		if len(frames) != 1 || frames[0].Query().Get("iss") != apptest.URL || frames[0].Query().Get("sid") != got.ID["sid"] || frames[0].Host+frames[0].Path != "suite-logout.example/frontchannel_logout" {
			s.t.Fatalf("the frames are %v", frames)
		}
		policy := page.Header.Get("Content-Security-Policy")
		if !strings.HasSuffix(policy, "; frame-src https://suite-logout.example") || !strings.Contains(policy, "frame-ancestors 'none'") {
			s.t.Errorf("the policy is %q", policy)
		}
		// A browser goes on once the frames have loaded (HTML 7.4.2.4, shared declarative refresh).
		if got, want := page.Header.Get("Refresh"), "1; url="+postLogout+"?"+form("state", long).Encode(); got != want {
			s.t.Errorf("it goes on to %q, want %q", got, want)
		}
		s.out()
	}, func(e *oidc.ClientEdit) {
		e.FrontchannelLogout, e.FrontchannelNeedsSid = "https://suite-logout.example/frontchannel_logout", true
	})
}
