package app

import (
	"net/http/httptest"
	"testing"
)

func TestWayOfARequest(t *testing.T) {
	for path, want := range map[string]string{"/": "page", "/settings/account": "page", "/authorize": "page", "/api/oidc/end-session": "page",
		"/api/oidc/token": "api", "/api/oidc/userinfo": "api", "/api/users": "api"} {
		if got := way(httptest.NewRequest("GET", path, nil)); got != want {
			t.Errorf("%s acts by %q, want %q", path, got, want)
		}
	}
}
