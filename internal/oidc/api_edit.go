package oidc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/jobs"
	"pocketid/internal/secret"
)

// What is refused about an API. Each names its field.
var (
	ErrAPIName          = fault.New(fault.Invalid, "api_name_malformed").At("name").With("max", "50")
	ErrAPIDescription   = fault.New(fault.Invalid, "api_description_too_long").At("description").With("max", "200")
	ErrResource         = fault.New(fault.Invalid, "resource_malformed").At("resource").With("max", "350")
	ErrResourceOurs     = fault.New(fault.Invalid, "resource_is_issuer").At("resource")
	ErrResourceTaken    = fault.New(fault.Conflict, "resource_taken").At("resource")
	ErrIntrospector     = fault.New(fault.Invalid, "introspector_unknown").At("introspector")
	ErrPermissionName   = fault.New(fault.Invalid, "permission_name_malformed").With("max", "128")
	ErrPermissionOurs   = fault.New(fault.Invalid, "permission_name_reserved")
	ErrPermissionTwice  = fault.New(fault.Invalid, "permission_name_repeated")
	ErrPermissionTitle  = fault.New(fault.Invalid, "permission_title_malformed").With("max", "50")
	ErrPermissionText   = fault.New(fault.Invalid, "permission_description_too_long").With("max", "200")
	ErrPermissionsMany  = fault.New(fault.Invalid, "permissions_too_many").At("permissions").With("max", "200")
	ErrPublicMachine    = fault.New(fault.Invalid, "public_client_has_no_machine").At("for_machine")
	ErrNoPermission     = fault.New(fault.Invalid, "permission_unknown")
	ErrNothingPermitted = fault.New(fault.Invalid, "api_client_for_nobody").At("for_users")
)

// Bounds of an API, in characters.
const (
	maxAPIName         = 50
	maxAPIDescription  = 200
	maxPermissionTitle = 50
	maxPermissionText  = 200
)

// ReservedScopes are the scopes of the house, which no permission may be called by.
var ReservedScopes = []string{"openid", "profile", "email", "email_verified", "address", "phone", "groups", "offline_access"}

// AddAPI makes an API. Its resource is fixed from then on: tokens that are out carry it.
func (p *Provider) AddAPI(ctx context.Context, by audit.Actor, resource string, edit APIEdit) (API, error) {
	if err := by.MustAdmin(); err != nil {
		return API{}, err
	}
	resource = strings.TrimSpace(resource)
	switch {
	case !isResource(resource):
		return API{}, ErrResource
	case resourceKey(resource) == resourceKey(p.issuer):
		return API{}, ErrResourceOurs
	}
	edit, err := checkAPI(edit)
	if err != nil {
		return API{}, err
	}
	a := API{ID: secret.ID(), Resource: resource, APIEdit: edit, CreatedBy: by.UserID}
	err = p.db.Write(ctx, func(tx *db.Tx) error {
		if err := checkIntrospector(tx, a.Introspector); err != nil {
			return err
		}
		if err := checkSigns(tx, "access_token_alg", edit.AccessTokenAlg); err != nil {
			return err
		}
		a.CreatedAt, a.UpdatedAt = tx.Now(), tx.Now()
		fields := a.fields()
		tx.Do(`INSERT INTO apis (`+apiColumns+`) VALUES (`+db.Marks(len(fields))+`)`, fields...)
		audit.Record(tx, by, audit.Event{Name: audit.APICreated, Object: a.object(), After: a.record()})
		return nil
	})
	if conflict, ok := errors.AsType[*db.Conflict](err); ok && conflict.Column == "apis.resource_key" {
		return API{}, ErrResourceTaken
	}
	if err != nil {
		return API{}, err
	}
	return a, nil
}

// EditAPI sets what an administrator may set about an API beside its permissions.
func (p *Provider) EditAPI(ctx context.Context, by audit.Actor, id string, edit APIEdit) (API, error) {
	return p.ReviseAPI(ctx, by, id, "", edit)
}

// ReviseAPI is EditAPI for somebody who saw the API as it was, by Seen, or ErrStale.
func (p *Provider) ReviseAPI(ctx context.Context, by audit.Actor, id, seen string, edit APIEdit) (API, error) {
	if err := by.MustAdmin(); err != nil {
		return API{}, err
	}
	edit, err := checkAPI(edit)
	if err != nil {
		return API{}, err
	}
	return p.changeAPI(ctx, by, id, seen, func(tx *db.Tx, a *API) error {
		if a.Introspector != edit.Introspector {
			if err := checkIntrospector(tx, edit.Introspector); err != nil {
				return err
			}
		}
		a.APIEdit = edit
		return checkSigns(tx, "access_token_alg", edit.AccessTokenAlg)
	})
}

// SetPermissions replaces the permissions of an API. One whose name stays keeps its id, and
// with it who may use it; one that goes is taken from everybody.
func (p *Provider) SetPermissions(ctx context.Context, by audit.Actor, id string, permissions []Permission) (API, error) {
	return p.RevisePermissions(ctx, by, id, "", permissions)
}

// RevisePermissions is SetPermissions for somebody who saw the API as it was, by Seen, or
// ErrStale.
func (p *Provider) RevisePermissions(ctx context.Context, by audit.Actor, id, seen string, permissions []Permission) (API, error) {
	if err := by.MustAdmin(); err != nil {
		return API{}, err
	}
	permissions, err := checkPermissions(permissions)
	if err != nil {
		return API{}, err
	}
	return p.changeAPI(ctx, by, id, seen, func(tx *db.Tx, a *API) error {
		old := a.Permissions
		a.Permissions = slices.Clone(permissions)
		for i := range a.Permissions {
			s := &a.Permissions[i]
			s.ID = secret.ID()
			if at := slices.IndexFunc(old, func(o Permission) bool { return o.Name == s.Name }); at >= 0 {
				s.ID = old[at].ID
			}
		}
		for _, o := range old {
			if !slices.ContainsFunc(a.Permissions, func(s Permission) bool { return s.ID == o.ID }) {
				tx.Do(`DELETE FROM api_permissions WHERE id = $1`, o.ID)
			}
		}
		for i := range a.Permissions {
			s := &a.Permissions[i]
			tx.Do(`INSERT INTO api_permissions (id, name, title, description, for_documents, api_id, position) VALUES (`+db.Marks(7)+`)
				ON CONFLICT (id) DO UPDATE SET title = excluded.title, description = excluded.description,
					for_documents = excluded.for_documents, position = excluded.position`, append(s.fields(), a.ID, i)...)
		}
		return nil
	})
}

// DocumentAccess is what clients that are read from a document may do at an API: all of
// them the same, because nobody here knows them one by one.
type DocumentAccess struct {
	Open        bool     // they get tokens for it
	Permissions []string // the names of those that people may give them
}

// ErrPermissionGone is a permission that the API does not have.
var ErrPermissionGone = fault.New(fault.Invalid, "permission_gone")

// ReviseDocumentAccess sets what clients that are read from a document may do at an API, for
// somebody who saw it as it was, by Seen, or ErrStale; "" is anybody. ErrPermissionGone
// names a permission that there is not.
func (p *Provider) ReviseDocumentAccess(ctx context.Context, by audit.Actor, id, seen string, access DocumentAccess) (API, error) {
	if err := by.MustAdmin(); err != nil {
		return API{}, err
	}
	return p.changeAPI(ctx, by, id, seen, func(tx *db.Tx, a *API) error {
		a.ForDocuments, a.Permissions = access.Open, slices.Clone(a.Permissions)
		for i, name := range access.Permissions {
			if !slices.ContainsFunc(a.Permissions, func(s Permission) bool { return s.Name == name }) {
				return ErrPermissionGone.At(fmt.Sprintf("permissions[%d]", i))
			}
		}
		for i := range a.Permissions {
			s := &a.Permissions[i]
			if open := slices.Contains(access.Permissions, s.Name); open != s.ForDocuments {
				s.ForDocuments = open
				tx.Do(`UPDATE api_permissions SET for_documents = $1 WHERE id = $2`, open, s.ID)
			}
		}
		return nil
	})
}

// changeAPI changes an API and records what is not as it was.
func (p *Provider) changeAPI(ctx context.Context, by audit.Actor, id, seen string, change func(*db.Tx, *API) error) (API, error) {
	var a *API
	err := p.db.Write(ctx, func(tx *db.Tx) (err error) {
		if a, err = apiByID(tx, id); err != nil {
			return err
		}
		if seen != "" && seen != a.Seen() {
			return ErrStale
		}
		before := a.record()
		if err := change(tx, a); err != nil {
			return err
		}
		was, is := differences(before, a.record())
		if len(is) == 0 {
			return nil
		}
		a.UpdatedAt = tx.Now()
		fields := a.fields()
		tx.Do(`UPDATE apis SET (`+apiColumns+`) = (`+db.Marks(len(fields))+`) WHERE id = $1`, fields...)
		audit.Record(tx, by, audit.Event{Name: audit.APIEdited, Object: a.object(), Before: was, After: is})
		jobs.Publish(tx, "api.changed", a.ID)
		return nil
	})
	if err != nil {
		return API{}, err
	}
	return *a, nil
}

// DeleteAPI takes an API away with its permissions. What was granted for it gives nothing
// from then on, also when an API with the same resource is made later.
func (p *Provider) DeleteAPI(ctx context.Context, by audit.Actor, id string) (API, error) {
	if err := by.MustAdmin(); err != nil {
		return API{}, err
	}
	var a *API
	err := p.db.Write(ctx, func(tx *db.Tx) (err error) {
		if a, err = apiByID(tx, id); err != nil {
			return err
		}
		tx.Do(`DELETE FROM apis WHERE id = $1`, id)
		audit.Record(tx, by, audit.Event{Name: audit.APIDeleted, Object: a.object(), Before: a.record()})
		jobs.Publish(tx, "api.changed", a.ID)
		return nil
	})
	if err != nil {
		return API{}, err
	}
	return *a, nil
}

// record is a as audit records hold it.
func (a *API) record() map[string]any {
	permissions := make([]any, 0, len(a.Permissions))
	for _, s := range a.Permissions {
		permissions = append(permissions, map[string]any{"name": s.Name, "title": s.Title, "description": s.Description, "for_documents": s.ForDocuments})
	}
	return map[string]any{
		"name": a.Name, "description": a.Description, "resource": a.Resource, "permissions": permissions,
		"access_token_lifetime": int64(a.AccessTokenFor / time.Second), "access_token_alg": string(a.AccessTokenAlg),
		"introspector": a.Introspector, "for_documents": a.ForDocuments,
	}
}

func (a *API) object() audit.Object {
	return audit.Object{Kind: "api", ID: a.ID, Name: a.Name, Words: directory.Beginnings(a.Name)}
}

// checkAPI returns edit as it will be stored, or says which field is at fault.
func checkAPI(edit APIEdit) (APIEdit, error) {
	edit.Name, edit.Description = strings.TrimSpace(edit.Name), strings.TrimSpace(edit.Description)
	switch n := utf8.RuneCountInString(edit.Name); {
	case n == 0 || n > maxAPIName || !isText(edit.Name):
		return edit, ErrAPIName
	case utf8.RuneCountInString(edit.Description) > maxAPIDescription || !isText(edit.Description):
		return edit, ErrAPIDescription
	case edit.AccessTokenFor != 0 && (edit.AccessTokenFor < minLifetime || edit.AccessTokenFor > maxLifetime):
		return edit, ErrLifetime.At("access_token_lifetime")
	case edit.AccessTokenAlg != "" && !slices.Contains(ownAlgs, edit.AccessTokenAlg):
		return edit, ErrAlgUnknown.At("access_token_alg")
	}
	return edit, nil
}

// checkIntrospector refuses a client that could not prove who it is.
func checkIntrospector(tx *db.Tx, id string) error {
	if id == "" {
		return nil
	}
	c, err := clientByID(tx, id)
	if errors.Is(err, ErrNoClient) || err == nil && c.Public {
		return ErrIntrospector
	}
	return err
}

// checkPermissions returns permissions as they will be stored, or says which is at fault.
func checkPermissions(permissions []Permission) ([]Permission, error) {
	if len(permissions) > maxPermissions {
		return nil, ErrPermissionsMany
	}
	checked := make([]Permission, 0, len(permissions))
	for i, s := range permissions {
		at := func(field string) string { return fmt.Sprintf("permissions[%d].%s", i, field) }
		s.Name, s.Title, s.Description = strings.TrimSpace(s.Name), strings.TrimSpace(s.Title), strings.TrimSpace(s.Description)
		switch n := utf8.RuneCountInString(s.Title); {
		case !isPermissionName(s.Name):
			return nil, ErrPermissionName.At(at("name"))
		case slices.Contains(ReservedScopes, s.Name):
			return nil, ErrPermissionOurs.At(at("name"))
		case slices.ContainsFunc(checked, func(other Permission) bool { return other.Name == s.Name }):
			return nil, ErrPermissionTwice.At(at("name"))
		case n == 0 || n > maxPermissionTitle || !isText(s.Title):
			return nil, ErrPermissionTitle.At(at("title"))
		case utf8.RuneCountInString(s.Description) > maxPermissionText || !isText(s.Description):
			return nil, ErrPermissionText.At(at("description"))
		}
		checked = append(checked, s)
	}
	return checked, nil
}
