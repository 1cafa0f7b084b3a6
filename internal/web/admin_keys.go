package web

import (
	"net/http"
	"net/url"
	"strings"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/signin"
)

const allKeysPath = "/settings/admin/api-keys"

// allKeysPage lists the keys of everybody.
type allKeysPage struct {
	Frame
	Search, Owner, State string
	States               []string
	Sorts                []sortChoice
	Heads                map[string]sortHead
	Rows                 []keyRow
	Total                int
	Counted, Asked       bool
	Next, First          string
	Later                bool
}

// A keyRow is somebody's key in the list.
type keyRow struct {
	apiKeyLine
	OwnerID, OwnerName string
	OwnerSub           string
	OwnerOut           bool // the owner may not come in, so the key opens nothing
	OwnerGone          bool
	Service            bool
	Badge              Avatar
}

// keysShown is how many keys a page shows.
const keysShown = 25

func (x *Web) allKeys(w http.ResponseWriter, r *http.Request) error {
	query, words, now := r.URL.Query(), x.words(r), edge.Now(r.Context())
	f := signin.KeyFilter{Search: strings.TrimSpace(query.Get("q")), Owner: strings.TrimSpace(query.Get("owner")),
		State: signin.KeyState(query.Get("state")), Sort: directory.Order(query.Get("sort")), After: query.Get("after"), Limit: keysShown}.Known()
	found, err := x.signin.AllKeys(r.Context(), actor(r), f)
	if err != nil {
		return err
	}
	p := allKeysPage{
		Frame:  Frame{Title: words.T("keys.title"), Area: "admin", Here: "keys"},
		Search: f.Search, Owner: f.Owner, State: string(f.State), States: []string{"working", "ending", "ended", "unused"},
		Total: found.Total, Counted: found.Total < directory.MaxCount, Asked: f.Search != "" || f.Owner != "" || f.State != "",
		First: keysAddress(f, f.Sort, ""), Later: f.After != "", Heads: map[string]sortHead{},
	}
	for _, by := range signin.KeySorts {
		head := sortHead{Address: keysAddress(f, by, "")}
		c := sortChoice{Value: string(by), Name: words.T("keys.sort." + by.Name()), Chosen: f.Sort.Name() == by.Name()}
		if c.Chosen {
			c.Value = string(f.Sort)
			if head.State = "ascending"; f.Sort.Down() {
				head.State = "descending"
			}
			head.Address = keysAddress(f, f.Sort.Turned(), "")
		}
		p.Heads[by.Name()], p.Sorts = head, append(p.Sorts, c)
	}
	for _, row := range found.Rows {
		o := row.Owner
		p.Rows = append(p.Rows, keyRow{apiKeyLine: keyLineFor(words, row.Key, now), OwnerID: row.UserID, OwnerName: o.Name(), OwnerSub: o.Username,
			OwnerOut: o.Active(now) != nil, OwnerGone: o.ID == "" || !o.DeletedAt.IsZero(), Service: o.Service(), Badge: badgeOf(&o)})
	}
	if found.Next != "" {
		p.Next = keysAddress(f, f.Sort, found.Next)
	}
	return x.show(w, r, "api-keys-all", &p)
}

// keysAddress is the list that f asks for, in an order and from a page on.
func keysAddress(f signin.KeyFilter, sort directory.Order, after string) string {
	if sort == signin.KeySorts[0] {
		sort = ""
	}
	q := url.Values{}
	for name, value := range map[string]string{"q": f.Search, "owner": f.Owner, "state": string(f.State), "sort": string(sort), "after": after} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return allKeysPath
	}
	return allKeysPath + "?" + q.Encode()
}

func (x *Web) keyOfRevoke(w http.ResponseWriter, r *http.Request) error {
	row, err := x.signin.KeyByID(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	words := x.words(r)
	p := keyRevokePage{Frame: Frame{Title: words.T("keys.revoke.title", "name", row.Name), Area: "admin", Here: "keys", Narrow: true},
		Key: keyLineFor(words, row.Key, edge.Now(r.Context())), Owner: row.Owner.Name(), Back: allKeysPath, Crumb: words.T("keys.title")}
	return x.show(w, r, "api-key-revoke", &p)
}

func (x *Web) keyOfRevoked(w http.ResponseWriter, r *http.Request) error {
	k, err := x.signin.RevokeKeyOf(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	flash(w, r, "flash.key_revoked", "name", k.Name)
	return seeOther(w, allKeysPath)
}
