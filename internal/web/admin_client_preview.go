package web

import (
	"net/http"
	"slices"
	"strings"

	"pocketid/internal/directory"
	"pocketid/internal/oidc"
)

// foundPeople is how many people a search for somebody offers.
const foundPeople = 8

// A clientPreview is what a client would be told about somebody.
type clientPreview struct {
	// Asked says that the form was sent, Search is what was typed for a person.
	Asked  bool
	Search string
	Scopes []choiceView
	// Found are people whom the search may mean, when it is not clear.
	Found []foundPerson
	// Person is who it is about; "" is nobody yet.
	Person string
	// Refused is why they may not use the client; "" is that they may.
	Refused string
	Parts   []previewPart
	Custom  []oidc.ClaimSource
}

// A foundPerson leads to the preview of somebody.
type foundPerson struct {
	directory.UserRow
	Address string
}

// A previewPart is one of the things that a client is told.
type previewPart struct{ Key, JSON string }

// previewScopes are what a client asks for unless something else is chosen.
var previewScopes = []string{"openid", "profile", "email", "groups"}

// clientPreview reads the form of the preview, which is in the address: nothing changes by it.
func (x *Web) clientPreview(r *http.Request, c *oidc.Client) (p clientPreview, err error) {
	q := r.URL.Query()
	p.Asked, p.Search = q.Has("person"), strings.TrimSpace(q.Get("person"))
	asked := q["scope"]
	if !p.Asked {
		asked = previewScopes
	}
	for _, scope := range oidc.Scopes() {
		p.Scopes = append(p.Scopes, choiceView{scope, scope, slices.Contains(asked, scope)})
	}
	if p.Search == "" {
		return p, nil
	}
	found, err := x.directory.Users(r.Context(), actor(r), directory.UserFilter{Search: p.Search, Limit: foundPeople})
	if err != nil {
		return p, err
	}
	var who *directory.UserRow
	for i := range found.Rows {
		if row := &found.Rows[i]; strings.EqualFold(row.Username, p.Search) || len(found.Rows) == 1 {
			who = row
		}
	}
	if who == nil {
		for _, row := range found.Rows {
			again := r.URL.Query()
			again.Set("person", row.Username)
			p.Found = append(p.Found, foundPerson{row, clientPath(c.ID) + "?" + again.Encode() + "#claims"})
		}
		return p, nil
	}
	said, err := x.oidc.Preview(r.Context(), actor(r), c.ID, who.ID, asked, nil)
	if err != nil {
		return p, err
	}
	p.Person, p.Custom = who.Name(), said.Custom
	if said.Refused != nil {
		p.Refused = x.faultText(r, said.Refused)
		if p.Refused == "" {
			p.Refused = x.words(r).T("client.preview.refused")
		}
		return p, nil
	}
	for _, part := range []previewPart{{"id_token", said.IDToken}, {"userinfo", said.Userinfo}, {"access_token", said.AccessToken}} {
		if part.JSON != "" {
			p.Parts = append(p.Parts, part)
		}
	}
	return p, nil
}
