// Package api is the REST API below /api: JSON for programs, one file a noun. It calls
// the same verbs as the pages, so no rule is written twice; what is here is how a request
// is read, what an answer looks like, and the codes that programs know faults by.
package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/images"
	"pocketid/internal/oidc"
	"pocketid/internal/overview"
	"pocketid/internal/settings"
	"pocketid/internal/signin"
)

// Config is what the API is built from.
type Config struct {
	Directory *directory.Directory
	SignIn    *signin.SignIn
	OIDC      *oidc.Provider
	Audit     *audit.Log
	// Settings reads the settings as they are now, Keeper changes them.
	Settings func(context.Context) (settings.Settings, error)
	Keeper   *settings.Keeper
	Overview *overview.Overview
	// Version is that of the program.
	Version string
	// Others are the addresses that are served beside these: the document tells of those
	// that are for programs.
	Others func() []edge.Route
}

// API is all nouns.
type API struct {
	directory *directory.Directory
	signin    *signin.SignIn
	oidc      *oidc.Provider
	audit     *audit.Log
	settings  func(context.Context) (settings.Settings, error)
	keeper    *settings.Keeper
	overview  *overview.Overview
	version   string
	others    func() []edge.Route
	document  func() (edge.Content, error)
}

// New makes the API.
func New(c Config) *API {
	a := &API{directory: c.Directory, signin: c.SignIn, oidc: c.OIDC, audit: c.Audit, settings: c.Settings, keeper: c.Keeper, overview: c.Overview, version: c.Version, others: c.Others}
	a.document = sync.OnceValues(a.makeDocument)
	return a
}

// Operations are all that the API does, a few lines in the file of each noun.
func (a *API) Operations() []Operation {
	return slices.Concat(a.keyOperations(), a.peopleOperations(), a.systemOperations(),
		a.clientOperations(), a.secretOperations(), a.pictureOperations(), a.clientMoreOperations(), a.accessOperations(), a.allowedOperations(),
		a.configOperations(), a.deviceOperations(), a.houseOperations())
}

// Routes are the addresses of the API.
func (a *API) Routes() (list []edge.Route) {
	for _, o := range a.Operations() {
		list = append(list, a.route(o))
	}
	return list
}

// What programs know faults by, where our own code says more than theirs.
var (
	errValidation = fault.New(fault.Invalid, "validation_failed")
	errInUse      = fault.New(fault.Conflict, "already_in_use")
	errNotFound   = fault.New(fault.NotFound, "not_found")
	errCodesOff   = fault.New(fault.Forbidden, "one_time_access_disabled")
	errImage      = fault.New(fault.Invalid, "invalid_image")
	errProof      = fault.New(fault.Unauthenticated, "reauthentication_required")
)

// unreadable are the faults of files that are no pictures.
var unreadable = []string{images.ErrUnreadable.Code, images.ErrTooManyPixels.Code, images.ErrEmpty.Code}

// known are codes that programs know as they are, though they name a field.
var known = []string{"invalid_api_key_expiration", "invalid_request_body", "reserved_claim", "duplicate_claim", "setup_token_wrong"}

// properties are what is in use, in the words that programs show.
var properties = map[string]string{"username_taken": "Username", "email_taken": "Email", "user_id_taken": "Id", "group_name_taken": "Name"}

// coded gives the faults of h the codes that programs know.
func coded(h edge.Handler) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := h(w, r)
		if err == nil {
			return nil
		}
		f := fault.Of(err)
		if f.Kind == fault.Internal {
			return err
		}
		f = f.At(memberOf(f.Field))
		switch property := properties[f.Code]; {
		case stands[f.Code] != nil:
			return stands[f.Code].For(f)
		case property != "":
			return errInUse.With("property", property).For(f)
		case f.Code == directory.ErrNoGroup.Code:
			return errNotFound.With("resource", "User group").For(f)
		case f.Code == signin.ErrCodesOff.Code:
			return errCodesOff.For(f)
		case slices.Contains(unreadable, f.Code):
			return errImage.For(f)
		case f.Code == signin.ErrStepUp.Code:
			return errProof.For(f)
		case f.Kind == fault.Invalid && f.Field != "" && !slices.Contains(known, f.Code):
			return errValidation.For(f)
		}
		return f
	}
}

// camel is the name of a field as JSON has it.
func camel(field string) string {
	words := strings.Split(field, "_")
	for i, w := range words {
		if i > 0 && w != "" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}

// actor is who acts, for the verbs.
func actor(r *http.Request) audit.Actor { return audit.From(r.Context()) }

// maybe is null where there is no text.
func maybe(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// instant is null where there is no time.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
