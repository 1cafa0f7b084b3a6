package protocol

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"pocketid/internal/apptest"
)

// decoded is a part of a token.
func decoded(t *testing.T, part string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestNoSecretReachesTheLog(t *testing.T) { // threats 37, 84
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop")
		f, code := shop.Authorize(ada)
		tokens := f.Exchange(code)
		shop.Refresh(tokens.RefreshToken)
		shop.Refresh("a refresh token that is not ours")
		if status, _ := shop.Userinfo(tokens.AccessToken); status != http.StatusOK {
			t.Fatal(status)
		}
		ada.Open("/lc/ABCDEFGHJKMN")
		ada.Submit("/lc", form("code", "ABCDEFGHJKMN"))
		waiting := waitingID(ada.Open(shop.Begin("prompt", "login", "login_hint", "ada@example.test").URL()))
		proof, _ := ada.Sign("/login/again", "/authorize/next?id="+waiting)
		proof.ID = "x"
		ada.Finish("/login/again", proof)
		h.Program().Get(userinfoPath + "?access_token=" + tokens.AccessToken)
		h.Program().Get(tokenPath + "?client_secret=" + shop.Secret + "&code=" + code)
		h.Program().Get("/nowhere/" + code + "?state=" + f.State)
		session := ada.Cookie("session")
		ada.Open(endSession("id_token_hint", tokens.IDToken, "state", f.State))
		log := h.Log()
		if !strings.Contains(log, "/api/oidc/token") {
			t.Fatalf("the log has no requests: %s", log)
		}
		for name, canary := range map[string]string{
			"the master key":        "the key of a house for tests",
			"a client secret":       shop.Secret,
			"a code":                code,
			"a state":               f.State,
			"a verifier":            f.Verifier,
			"an access token":       tokens.AccessToken,
			"a refresh token":       tokens.RefreshToken,
			"a foreign token":       "a refresh token that is not ours",
			"an ID token":           tokens.IDToken,
			"a session":             admin.Cookie("session"),
			"another session":       session,
			"a browser":             ada.Cookie("browser"),
			"a waiting request":     waiting,
			"an answer":             string(proof.Answer)[len(proof.Answer)/2 : len(proof.Answer)/2+40],
			"a one-time code":       "ABCDEFGHJKMN",
			"an e-mail address":     "ada@example.test",
			"somebody's last name":  "Example\"",
			"a fragment of a token": tokens.AccessToken[strings.LastIndex(tokens.AccessToken, ".")+1:],
		} {
			if canary == "" {
				t.Errorf("there is no %s to look for", name)
			} else if strings.Contains(log, canary) {
				t.Errorf("the log shows %s", name)
			}
		}
	})
}
