package oidc

import (
	"net/url"
	"strings"
	"testing"
	"unicode"

	"pocketid/internal/secret"
)

// RFC 8628 §6.1: what a person types is read with good will.
func TestUserCodesAreRead(t *testing.T) { // threats 19
	for _, test := range []struct{ typed, want string }{
		{"WDJB-MJHT", "WDJBMJHT"},
		{"wdjbmjht", "WDJBMJHT"},
		{" wdjb – mjht\n", "WDJBMJHT"},
		{"WDJB−MJHT", "WDJBMJHT"}, // a minus
		{"ｗｄｊｂ－ｍｊｈｔ", "WDJBMJHT"},
		{"W D J B M J H T", "WDJBMJHT"},
		{"WDJB_MJHT", "WDJBMJHT"},
		{"", ""},
		{"WDJB-MJH", ""},
		{"WDJB-MJHTX", ""},
		{"WDJA-MJHT", ""}, // vowels are none of them
		{"WDJB-MJH1", ""},
		{"WDJB.MJHT", ""},
		{"ＷＤＪＢ\x00ＭＪＨＴ", ""},
		{strings.Repeat("-", 80) + "WDJBMJHT", ""},
		{"wdjb\xffmjht", ""},
	} {
		got, err := parseUserCode(test.typed)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%q: got %q, %v, want %q", test.typed, got, err, test.want)
		}
		if err != nil {
			wantFault(t, err, ErrDeviceCode, "user_code")
		}
	}
	if got := ShownUserCode("wdjbmjht"); got != "WDJB-MJHT" {
		t.Errorf("it is shown as %q", got)
	}
	if got := ShownUserCode(`"><svg>`); got != "" {
		t.Errorf("what is no code is shown as %q", got)
	}
	seen := map[string]bool{}
	for range 1000 {
		code := secret.Letters(userCodeLen)
		if got, err := parseUserCode(shownUserCode(code)); got != code || err != nil || seen[code] {
			t.Fatalf("%s is read as %q, %v", code, got, err)
		}
		seen[code] = true
	}
}

// Whatever is typed, what comes of it is a code of ours and nothing else, and reading it
// again changes nothing.
func FuzzUserCode(f *testing.F) {
	for _, seed := range []string{"WDJB-MJHT", "wdjbmjht", " wdjb – mjht\n", "ｗｄｊｂ－ｍｊｈｔ", "WDJA-MJHT", "", "\x00", "%57DJBMJHT", "WDJB-MJHT-WDJB-MJHT", "ẘDJBMJHT", "İıſK"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, err := parseUserCode(typed)
		if err != nil {
			if code != "" {
				t.Errorf("%q is refused and yet %q", typed, code)
			}
			return
		}
		if len(code) != userCodeLen || strings.ContainsFunc(code, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsUpper(r) }) {
			t.Errorf("%q is read as %q", typed, code)
		}
		if again, err := parseUserCode(shownUserCode(code)); again != code || err != nil {
			t.Errorf("%q is read as %q, and that as %q, %v", typed, code, again, err)
		}
	})
}

// Whatever a device sends, the answer is a code of OAuth and never a crash.
func FuzzDeviceRequest(f *testing.F) {
	for _, seed := range []string{"client_id=tv&scope=openid+profile&nonce=n", "grant_type=" + grantTypeDevice + "&device_code=abc", "scope=%00", "nonce=%ff", "scope=a&scope=b", "resource=a&resource=b",
		"grant_type=" + grantTypeExchange + "&subject_token=a&subject_token_type=" + tokenTypeJWT + "&audience=a&audience=b&resource=https%3A%2F%2Fa%23b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		form, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		if q, err := parseDevice(form); err == nil {
			if len(q.Nonce) > maxNonce || !isText(q.Nonce) {
				t.Errorf("the nonce is %q", q.Nonce)
			}
			for _, s := range q.Scopes {
				if s == "" || strings.ContainsAny(s, " \"\\\x00") {
					t.Errorf("a scope is %q", s)
				}
			}
		}
		for _, parse := range []func(*tokenRequest, url.Values) error{parseDeviceGrant, parseExchangeGrant} {
			q := &tokenRequest{}
			if err := parse(q, form); err != nil {
				continue
			}
			if q.exchange == nil && q.deviceCode == "" {
				t.Errorf("%q asks for nothing", query)
			}
			if x := q.exchange; x != nil && (x.subject.text == "" || len(x.subject.text) > maxTokenSent || len(x.actor.text) > maxTokenSent) {
				t.Errorf("%q: the tokens are %d and %d bytes", query, len(x.subject.text), len(x.actor.text))
			}
		}
	})
}
