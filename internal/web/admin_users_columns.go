package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"pocketid/internal/edge"
	"pocketid/internal/i18n"
)

// A columnChoice is a column of the list of people that can be shown.
type columnChoice struct {
	ID, Name string
	Chosen   bool
}

// userColumnsAll are the columns that the list of people can have beside the name, in
// their order, and userColumnsUsual those that it has before anybody chooses.
var (
	userColumnsAll   = []string{"username", "email", "groups", "state", "keys", "seen", "created", "expires", "source"}
	userColumnsUsual = []string{"username", "groups", "state", "keys", "seen"}
)

const (
	columnsCookie = "user_columns"
	columnsKept   = 365 * 24 * time.Hour
)

// columnsOf are the columns with the choice that this browser remembers. What is no
// column is left out, and no choice is the usual one.
func columnsOf(r *http.Request, words *i18n.Locale) (list []columnChoice) {
	chosen := userColumnsUsual
	if value := edge.ReadCookie(r, columnsCookie); value != "" {
		chosen = strings.Split(value, ".")
	}
	for _, id := range userColumnsAll {
		list = append(list, columnChoice{id, words.T("users.column." + id), slices.Contains(chosen, id)})
	}
	return list
}

// userColumns keeps the choice of columns in the browser.
func (x *Web) userColumns(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	chosen := []string{"name"} // so that choosing none is a choice too
	for _, id := range userColumnsAll {
		if slices.Contains(form["column"], id) {
			chosen = append(chosen, id)
		}
	}
	edge.SetCookie(w, r, columnsCookie, strings.Join(chosen, "."), columnsKept)
	return seeOther(w, inside(form.Get("back"), usersPath))
}
