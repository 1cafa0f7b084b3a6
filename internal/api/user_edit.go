package api

import (
	"context"
	"net/http"
	"time"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/images"
	"pocketid/internal/signin"
)

func (a *API) userEditOperations() []Operation {
	return []Operation{
		admins("PUT /api/users/{id}", "users:write", "Makes an account what is said of it. What is not said is emptied, but for emailVerified, userGroupIds and expiresAt, which stay.", a.userPut).
			takes(userPut{}).answers(http.StatusOK, user{}).holds(a.userState),
		mine("PUT /api/users/me", "account:write", "Changes your own profile and language.", a.mePut).
			takes(profileIn{}).answers(http.StatusOK, user{}).holds(a.userState),
		// The end of an account is its own, because programs of other houses do not send it.
		admins("PUT /api/users/{id}/expiry", "users:write", "Says when an account ends, or that it does not.", a.userExpiry).
			takes(expiryIn{}).answers(http.StatusOK, user{}).holds(a.userState),
		admins("POST /api/users/{id}/disable", "users:write", "Keeps somebody out from now on, and ends all that they have open.", a.userDisable).holds(a.userState),
		admins("POST /api/users/{id}/enable", "users:write", "Lets somebody in again.", a.userEnable).holds(a.userState),
		admins("GET /api/users/deleted", "users:read", "Lists deleted accounts whose names are still reserved.", a.usersDeleted).lists(deletedUser{}, deletedColumns),
		admins("POST /api/users/{id}/release", "users:write", "Lets others have the name and the address of a deleted account.", a.userRelease),
		mine("DELETE /api/users/me", "", "Deletes your own account where the settings let you, after a fresh confirmation by passkey for delete.", a.meDelete),
		admins("PUT /api/users/{id}/profile-picture", "users:write", "Gives an account a picture.", a.userPicture).takesFile(images.MaxFile),
		admins("DELETE /api/users/{id}/profile-picture", "users:write", "Takes the picture of an account away.", a.userPictureDelete),
		mine("PUT /api/users/me/profile-picture", "account:write", "Gives your own account a picture.", a.userPicture).takesFile(images.MaxFile),
		mine("DELETE /api/users/me/profile-picture", "account:write", "Takes your own picture away.", a.userPictureDelete),
		admins("GET /api/users/{id}/details", "users:read", "Tells what else is said of somebody to applications.", a.userDetails).answers(http.StatusOK, directory.Standard{}).holds(a.detailsState),
		admins("PUT /api/users/{id}/details", "users:write", "Replaces what else is said of somebody to applications.", a.userDetailsPut).
			takes(directory.Standard{}).answers(http.StatusOK, directory.Standard{}).holds(a.detailsState),
		mine("GET /api/users/me/details", "account:read", "Tells what else is said of you to applications.", a.userDetails).answers(http.StatusOK, directory.Standard{}).holds(a.detailsState),
		mine("PUT /api/users/me/details", "account:write", "Replaces those of your own details that the settings let you change.", a.meDetailsPut).
			takes(directory.Standard{}).answers(http.StatusOK, directory.Standard{}).holds(a.detailsState),
		mine("GET /api/users/me/preferences", "account:read", "Tells how you see the pages.", a.mePreferences).answers(http.StatusOK, preferences{}).holds(a.preferencesState),
		mine("PUT /api/users/me/preferences", "account:write", "Changes how you see the pages.", a.mePreferencesPut).takes(preferences{}).answers(http.StatusOK, preferences{}).holds(a.preferencesState),
	}
}

// userPut is what a program says of an account that there is. Programs leave out what is
// false or empty, so that is what a member means that is not there; the last three are
// ones that they may not know of.
type userPut struct {
	Username      string     `json:"username" doc:"required max=50"`
	Email         string     `json:"email"`
	FirstName     string     `json:"firstName" doc:"max=50"`
	LastName      string     `json:"lastName" doc:"max=50"`
	DisplayName   string     `json:"displayName" doc:"max=100"`
	Admin         bool       `json:"isAdmin"`
	Locale        string     `json:"locale"`
	Disabled      bool       `json:"disabled"`
	EmailVerified *bool      `json:"emailVerified"`
	Groups        *[]string  `json:"userGroupIds"`
	ExpiresAt     *time.Time `json:"expiresAt"`
}

func (a *API) userPut(w http.ResponseWriter, r *http.Request) error {
	var in userPut
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	u, err := a.directory.RewriteUser(r.Context(), actor(r), r.PathValue("id"), directory.UserRewrite{Username: in.Username, Email: in.Email,
		FirstName: in.FirstName, LastName: in.LastName, DisplayName: in.DisplayName, Admin: in.Admin, Disabled: in.Disabled, Locale: in.Locale,
		EmailVerified: in.EmailVerified, ExpiresAt: in.ExpiresAt, Groups: in.Groups})
	if err != nil {
		return err
	}
	return a.showUser(w, r, http.StatusOK, u.ID)
}

// profileIn is what a program says of the account of whoever runs it. Rights are no
// members of it.
type profileIn struct {
	Username    string `json:"username" doc:"required max=50"`
	Email       string `json:"email"`
	FirstName   string `json:"firstName" doc:"max=50"`
	LastName    string `json:"lastName" doc:"max=50"`
	DisplayName string `json:"displayName" doc:"max=100"`
	Locale      string `json:"locale"`
}

func (a *API) mePut(w http.ResponseWriter, r *http.Request) error {
	var in profileIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	u, err := a.directory.RewriteProfile(r.Context(), actor(r), directory.ProfileEdit{Username: in.Username, Email: in.Email,
		FirstName: in.FirstName, LastName: in.LastName, DisplayName: in.DisplayName}, in.Locale)
	if err != nil {
		return err
	}
	return a.showUser(w, r, http.StatusOK, u.ID)
}

// expiryIn is when an account ends; null is never.
type expiryIn struct {
	ExpiresAt *time.Time `json:"expiresAt" doc:"required"`
}

func (a *API) userExpiry(w http.ResponseWriter, r *http.Request) error {
	var in expiryIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	u, err := a.directory.User(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	was := u.Edit()
	edit := was
	if edit.ExpiresAt = (time.Time{}); in.ExpiresAt != nil {
		edit.ExpiresAt = *in.ExpiresAt
	}
	if _, err := a.directory.ReviseUser(r.Context(), actor(r), u.ID, was, edit); err != nil {
		return err
	}
	return a.showUser(w, r, http.StatusOK, u.ID)
}

func (a *API) userDisable(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.directory.Disable(r.Context(), actor(r), r.PathValue("id")))
}

func (a *API) userEnable(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.directory.Enable(r.Context(), actor(r), r.PathValue("id")))
}

// nothing answers 204 when there is no fault.
func nothing(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// A deletedUser is what is left of an account.
type deletedUser struct {
	ID        string    `json:"id"`
	Username  string    `json:"username"`
	Email     *string   `json:"email"`
	DeletedAt time.Time `json:"deletedAt"`
}

var deletedColumns = columns{sortable: []string{"username", "email", "createdAt"}}

func (a *API) usersDeleted(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r, deletedColumns)
	list, total, err := a.directory.QueryTombstones(r.Context(), actor(r), q)
	if err != nil {
		return err
	}
	var data []deletedUser
	for i := range list {
		data = append(data, deletedUser{list[i].ID, list[i].Username, maybe(list[i].Email), list[i].DeletedAt})
	}
	return writePage(w, q, data, total)
}

func (a *API) userRelease(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.directory.Release(r.Context(), actor(r), r.PathValue("id")))
}

func (a *API) meDelete(w http.ResponseWriter, r *http.Request) error {
	v, _ := signin.From(r.Context())
	if _, err := a.oidc.DeleteAccount(r.Context(), v); err != nil {
		return err
	}
	edge.SetCookie(w, r, signin.Cookie, "", -1)
	return nothing(w, nil)
}

func (a *API) userPicture(w http.ResponseWriter, r *http.Request) error {
	file, _, err := edge.File(r, "file")
	if err != nil {
		return err
	}
	p, err := images.Read(r.Context(), file.Data, images.ForPerson)
	if err != nil {
		return err
	}
	_, err = a.directory.SetPicture(r.Context(), actor(r), whose(r), p)
	return nothing(w, err)
}

func (a *API) userPictureDelete(w http.ResponseWriter, r *http.Request) error {
	_, err := a.directory.RemovePicture(r.Context(), actor(r), whose(r))
	return nothing(w, err)
}

func (a *API) userDetails(w http.ResponseWriter, r *http.Request) error {
	u, err := a.directory.User(r.Context(), whose(r))
	if err != nil {
		return err
	}
	return writeObject(w, r, http.StatusOK, u.Standard)
}

// detailsState are the details of an account as GET answers them.
func (a *API) detailsState(ctx context.Context, r *http.Request, check func(any) error) context.Context {
	return a.directory.WhenUser(ctx, whose(r), func(u *directory.User, _ []directory.Group) error { return check(u.Standard) })
}

func (a *API) userDetailsPut(w http.ResponseWriter, r *http.Request) error {
	var in directory.Standard
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	u, err := a.directory.SetStandard(r.Context(), actor(r), r.PathValue("id"), in)
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, u.Standard)
}

func (a *API) meDetailsPut(w http.ResponseWriter, r *http.Request) error {
	var in directory.Standard
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	u, err := a.directory.EditOwnStandard(r.Context(), actor(r), in)
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, u.Standard)
}

// preferences are how somebody sees the pages.
type preferences struct {
	Locale string `json:"locale"`
	Theme  string `json:"theme"`
	Dates  string `json:"dates"`
}

func (a *API) mePreferences(w http.ResponseWriter, r *http.Request) error {
	u, err := a.directory.User(r.Context(), actor(r).UserID)
	if err != nil {
		return err
	}
	return writeObject(w, r, http.StatusOK, preferences(u.Look()))
}

// preferencesState are the own preferences as GET answers them.
func (a *API) preferencesState(ctx context.Context, r *http.Request, check func(any) error) context.Context {
	return a.directory.WhenUser(ctx, actor(r).UserID, func(u *directory.User, _ []directory.Group) error { return check(preferences(u.Look())) })
}

func (a *API) mePreferencesPut(w http.ResponseWriter, r *http.Request) error {
	var in preferences
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	u, err := a.directory.EditLook(r.Context(), actor(r), directory.Look(in))
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, preferences(u.Look()))
}
