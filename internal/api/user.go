package api

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
)

func (a *API) userOperations() []Operation {
	return []Operation{
		admins("GET /api/users", "users:read", "Lists accounts.", a.users).lists(user{}, userColumns),
		admins("POST /api/users", "users:write", "Makes an account.", a.userAdd).takes(userIn{}).answers(http.StatusCreated, user{}),
		mine("GET /api/users/me", "account:read", "Tells of your own account.", a.user).answers(http.StatusOK, user{}).holds(a.userState),
		admins("GET /api/users/{id}", "users:read", "Tells of an account.", a.user).answers(http.StatusOK, user{}).holds(a.userState),
		admins("DELETE /api/users/{id}", "users:write", "Deletes an account.", a.userDelete).holds(a.userState),
		admins("GET /api/users/{id}/groups", "users:read", "Lists the groups of an account.", a.userGroups).answers(http.StatusOK, []group{}),
		admins("PUT /api/users/{id}/user-groups", "users:write", "Puts an account into these groups and no others.", a.userGroupsSet).
			takes(userGroupsIn{}).answers(http.StatusOK, user{}).holds(a.userState),
	}
}

// A claim is what is said of somebody beside the standard claims.
type claim struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// claimsOf are claims as programs write them, by name.
func claimsOf(written []directory.WrittenClaim) []claim {
	list := make([]claim, 0, len(written))
	for _, c := range written {
		list = append(list, claim{c.Name, c.Text})
	}
	return list
}

// A user is an account as programs know it.
type user struct {
	ID            string    `json:"id"`
	Username      string    `json:"username"`
	Email         *string   `json:"email"`
	EmailVerified bool      `json:"emailVerified"`
	FirstName     string    `json:"firstName"`
	LastName      *string   `json:"lastName"`
	DisplayName   string    `json:"displayName"`
	Admin         bool      `json:"isAdmin"`
	Locale        *string   `json:"locale"`
	Claims        []claim   `json:"customClaims"`
	Groups        []group   `json:"userGroups"`
	LDAPID        *string   `json:"ldapId"`
	Disabled      bool      `json:"disabled"`
	CreatedAt     time.Time `json:"createdAt"`
	// ExpiresAt is from when on the account is refused; null is never.
	ExpiresAt *time.Time `json:"expiresAt"`
}

func userOf(u *directory.User, groups []directory.Group) user {
	return user{ID: u.ID, Username: u.Username, Email: maybe(u.Email), EmailVerified: u.EmailVerified, FirstName: u.FirstName, LastName: maybe(u.LastName),
		DisplayName: u.DisplayName, Admin: u.Admin, Locale: maybe(u.Locale), Claims: claimsOf(u.ClaimTexts()), Groups: groupsOf(groups), LDAPID: maybe(u.LDAPID),
		Disabled: !u.DisabledAt.IsZero(), CreatedAt: u.CreatedAt, ExpiresAt: instant(u.ExpiresAt)}
}

var userColumns = columns{
	sortable:   []string{"username", "email", "emailVerified", "firstName", "lastName", "displayName", "isAdmin", "disabled", "createdAt"},
	filterable: []string{"emailVerified", "isAdmin", "disabled", "passkeys"},
	values:     map[string][]string{"passkeys": {string(directory.PasskeysNone), string(directory.PasskeysOne), string(directory.PasskeysSeveral)}},
}

func (a *API) users(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r, userColumns)
	list, total, err := a.directory.QueryUsers(r.Context(), actor(r), q)
	if err != nil {
		return err
	}
	var data []user
	for i := range list {
		data = append(data, userOf(&list[i].User, list[i].Groups))
	}
	return writePage(w, q, data, total)
}

func (a *API) user(w http.ResponseWriter, r *http.Request) error {
	return a.showUser(w, r, http.StatusOK, whose(r))
}

func (a *API) showUser(w http.ResponseWriter, r *http.Request, status int, id string) error {
	u, err := a.directory.User(r.Context(), id)
	if err != nil {
		return err
	}
	groups, err := a.directory.Groups(r.Context(), id)
	if err != nil {
		return err
	}
	return writeObject(w, r, status, userOf(&u, groups))
}

// userIn is what a program says of an account.
type userIn struct {
	ID            string     `json:"id"`
	Username      string     `json:"username"`
	Email         string     `json:"email"`
	EmailVerified bool       `json:"emailVerified"`
	FirstName     string     `json:"firstName"`
	LastName      string     `json:"lastName"`
	DisplayName   string     `json:"displayName"`
	Admin         bool       `json:"isAdmin"`
	Locale        string     `json:"locale"`
	Disabled      bool       `json:"disabled"`
	Groups        []string   `json:"userGroupIds"`
	ExpiresAt     *time.Time `json:"expiresAt"`
}

func (a *API) userAdd(w http.ResponseWriter, r *http.Request) error {
	var in userIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	var expires time.Time
	if in.ExpiresAt != nil {
		expires = *in.ExpiresAt
	}
	u, err := a.directory.AddUserAs(r.Context(), actor(r), directory.NewUser{ExpiresAt: expires, ID: in.ID, Username: in.Username, Email: in.Email, EmailVerified: in.EmailVerified,
		FirstName: in.FirstName, LastName: in.LastName, DisplayName: in.DisplayName, Admin: in.Admin, Locale: in.Locale, Disabled: in.Disabled, Groups: in.Groups})
	if err != nil {
		return err
	}
	return a.showUser(w, r, http.StatusCreated, u.ID)
}

func (a *API) userDelete(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.directory.Delete(r.Context(), actor(r), r.PathValue("id")))
}

func (a *API) userGroups(w http.ResponseWriter, r *http.Request) error {
	if _, err := a.directory.User(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	groups, err := a.directory.Groups(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, groupsOf(groups))
}

// userGroupsIn is in which groups a program puts an account.
type userGroupsIn struct {
	Groups []string `json:"userGroupIds" doc:"required"`
}

func (a *API) userGroupsSet(w http.ResponseWriter, r *http.Request) error {
	var in userGroupsIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	if err := a.directory.SetGroups(r.Context(), actor(r), r.PathValue("id"), in.Groups); err != nil {
		return err
	}
	return a.showUser(w, r, http.StatusOK, r.PathValue("id"))
}

// whose is the id of the account that a request is about: that of the address, or one's own.
func whose(r *http.Request) string { return cmp.Or(r.PathValue("id"), actor(r).UserID) }

// userState is an account as GET answers it: that of the address, or one's own.
func (a *API) userState(ctx context.Context, r *http.Request, check func(any) error) context.Context {
	return a.directory.WhenUser(ctx, whose(r), func(u *directory.User, groups []directory.Group) error { return check(userOf(u, groups)) })
}
