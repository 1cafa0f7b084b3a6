package oidc

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// What is taken keeps its promises, and taking what was taken again changes nothing.
func FuzzClientMetadata(f *testing.F) {
	for _, seed := range []string{
		`{"redirect_uris":["https://app.example/callback"]}`,
		`{"redirect_uris":["com.example.app:/callback","http://127.0.0.1/x"],"application_type":"native","token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"]}`,
		`{"redirect_uris":["https://app.example/#x"]}`, `{"redirect_uris":"x"}`, `[]`, `null`, `{`, ``, `{"client_name":"\u202eevil","redirect_uris":["https://a.example/"]}`,
		`{"client_id":"https://tool.example/client.json","client_name":"Tool","redirect_uris":["https://tool.example/callback"]}`,
		`{"jwks":{"keys":[]},"jwks_uri":"https://a.example/k","redirect_uris":["https://a.example/"]}`,
		`{"jwks":null,"default_max_age":0,"contacts":null,"redirect_uris":["https://a.example/"],"logo_uri":"https://a.example/l.png"}`,
		`{"grant_types":["urn:ietf:params:oauth:grant-type:device_code"],"response_types":["code"],"subject_type":"pairwise"}`,
		`{"redirect_uris":["https://a.example/"],"default_max_age":1e99}`,
	} {
		f.Add(seed)
	}
	p := &Provider{}
	f.Fuzz(func(t *testing.T, body string) {
		const id = "https://tool.example/client.json"
		if m, err := parseDocument([]byte(body), id); err == nil && m.AuthMethod != "none" && m.AuthMethod != "private_key_jwt" {
			t.Errorf("a document has the method %s", m.AuthMethod)
		}
		m, err := parseClientMetadata([]byte(body))
		if err != nil {
			return
		}
		if n := len([]rune(m.Name)); n == 0 || n > maxClientName || strings.ContainsAny(m.Name, "\u202e\u200b\n\x00") {
			t.Errorf("the name is %q", m.Name)
		}
		for _, grant := range m.GrantTypes {
			if grant == "client_credentials" || strings.HasSuffix(grant, "token-exchange") {
				t.Errorf("a stranger has the grant %s", grant)
			}
		}
		for _, uri := range m.RedirectURIs {
			if a, err := parseAddress(uri); err != nil || strings.Contains(a.host, "*") || a.scheme == "http" && !a.local() {
				t.Errorf("the redirect URI is %q", uri)
			}
		}
		edit := strangerEdit()
		m.apply(&edit, "")
		edit.ID = "c"
		if edit, err = p.checkEdit(edit); err != nil {
			if refused := ofMember(err); refused == nil {
				t.Errorf("a refusal is nothing: %v", err)
			}
			return
		}
		if edit.SkipConsent || edit.GroupRestricted || !edit.Public && edit.AuthMethod == "none" || edit.Public && !edit.PKCERequired {
			t.Errorf("a stranger has %+v", edit)
		}
		said := m.said(&Client{ClientEdit: edit})
		text, err := json.Marshal(said)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseClientMetadata(text)
		if err != nil {
			t.Fatalf("%s is told and not taken: %v", text, err)
		}
		second := strangerEdit()
		again.apply(&second, edit.Sector)
		second.ID = "c"
		if second, err = p.checkEdit(second); err != nil || !reflect.DeepEqual(second.record(), edit.record()) {
			t.Errorf("%v\n%v\n%v", err, second.record(), edit.record())
		}
	})
}
