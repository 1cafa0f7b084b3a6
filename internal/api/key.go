package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/signin"
)

func (a *API) keyOperations() []Operation {
	return []Operation{
		mine("GET /api/api-keys", "keys:read", "Lists your own keys.", a.keys).lists(key{}, keyColumns),
		mine("DELETE /api/api-keys/{id}", "keys:write", "Revokes one of your own keys.", a.keyRevoke),
		// A key makes no key: these two take sessions alone.
		mine("POST /api/api-keys", "", "Makes a key for yourself, after a fresh confirmation by passkey.", a.keyMake).
			takes(keyIn{}).answers(http.StatusCreated, keyOut{}).tellsSecret(),
		mine("POST /api/api-keys/{id}/renew", "", "Gives one of your own keys that has ended a new text and a new end, after a fresh confirmation by passkey.", a.keyRenew).
			takes(keyRenewal{}).answers(http.StatusOK, keyOut{}).tellsSecret(),
	}
}

// A key is an API key without its text.
type key struct {
	ID          string         `json:"id"`
	Name        string         `json:"name"`
	Description *string        `json:"description"`
	ExpiresAt   time.Time      `json:"expiresAt"`
	LastUsedAt  *time.Time     `json:"lastUsedAt"`
	CreatedAt   time.Time      `json:"createdAt"`
	Warned      bool           `json:"expirationEmailSent"`
	Scopes      []signin.Scope `json:"scopes"`
}

func keyOf(k signin.Key) key {
	scopes := k.Scopes
	if scopes == nil {
		scopes = []signin.Scope{}
	}
	return key{ID: k.ID, Name: k.Name, Description: maybe(k.Description), ExpiresAt: k.ExpiresAt, LastUsedAt: instant(k.LastUsedAt), CreatedAt: k.CreatedAt, Scopes: scopes}
}

var keyColumns = columns{sortable: []string{"name", "expiresAt", "lastUsedAt", "createdAt"}}

// keys lists one's own keys.
func (a *API) keys(w http.ResponseWriter, r *http.Request) error {
	list, err := a.signin.Keys(r.Context(), actor(r))
	if err != nil {
		return err
	}
	return writeKeys(w, r, list)
}

// writeKeys answers a page of the keys of an account, which has few, so that they are sorted
// here.
func writeKeys(w http.ResponseWriter, r *http.Request, list []signin.Key) error {
	q := queryOf(r, keyColumns)
	slices.SortStableFunc(list, func(x, y signin.Key) int {
		way := 0
		switch q.Sort {
		case "name":
			way = strings.Compare(directory.Fold(x.Name), directory.Fold(y.Name))
		case "expiresAt":
			way = x.ExpiresAt.Compare(y.ExpiresAt)
		case "lastUsedAt":
			way = x.LastUsedAt.Compare(y.LastUsedAt)
		case "createdAt":
			way = x.CreatedAt.Compare(y.CreatedAt)
		}
		if q.Down {
			way = -way
		}
		return cmp.Or(way, strings.Compare(x.ID, y.ID))
	})
	var data []key
	for _, k := range list[min(q.Offset, len(list)):min(q.Offset+q.Limit, len(list))] {
		data = append(data, keyOf(k))
	}
	return writePage(w, q, data, len(list))
}

// keyIn is what a program says of a new key.
type keyIn struct {
	Name        string         `json:"name" doc:"required min=3 max=50"`
	Description string         `json:"description" doc:"max=200"`
	ExpiresAt   time.Time      `json:"expiresAt" doc:"required"`
	Scopes      []signin.Scope `json:"scopes"`
}

// keyOut is a key with its text, which is told here and nowhere else.
type keyOut struct {
	APIKey key    `json:"apiKey"`
	Token  string `json:"token"`
}

func (a *API) keyMake(w http.ResponseWriter, r *http.Request) error {
	return a.makeKey(w, r, a.signin.MakeKey)
}

// makeKey reads what a program says of a new key, and answers with the key that make makes.
func (a *API) makeKey(w http.ResponseWriter, r *http.Request, make func(context.Context, signin.Visitor, signin.KeyEdit) (signin.Key, string, error)) error {
	var in keyIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	v, _ := signin.From(r.Context())
	k, text, err := make(r.Context(), v, signin.KeyEdit{Name: in.Name, Description: in.Description, ExpiresAt: in.ExpiresAt, Scopes: in.Scopes})
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusCreated, keyOut{keyOf(k), text})
}

// keyRenewal is what a program says of a key that goes on.
type keyRenewal struct {
	ExpiresAt time.Time `json:"expiresAt" doc:"required"`
}

func (a *API) keyRenew(w http.ResponseWriter, r *http.Request) error {
	return a.renewKey(w, r, func(ctx context.Context, v signin.Visitor, end time.Time) (signin.Key, string, error) {
		return a.signin.RenewKey(ctx, v, r.PathValue("id"), end)
	})
}

// renewKey reads until when a key goes on, and answers with the key that renew renews.
func (a *API) renewKey(w http.ResponseWriter, r *http.Request, renew func(context.Context, signin.Visitor, time.Time) (signin.Key, string, error)) error {
	var in keyRenewal
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	v, _ := signin.From(r.Context())
	k, text, err := renew(r.Context(), v, in.ExpiresAt)
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, keyOut{keyOf(k), text})
}

func (a *API) keyRevoke(w http.ResponseWriter, r *http.Request) error {
	if _, err := a.signin.RevokeKey(r.Context(), actor(r), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
