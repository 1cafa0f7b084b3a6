package moving

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Schemas of the incumbent: the first one that is read, and the newest one that is known.
// They are the versions of its migrations.
const (
	oldestSchema = 20251217141000 // 2.0
	newestSchema = 20260814120000 // 2.14
)

// A foreignSource is where a house of the incumbent is read from: an archive that it wrote,
// or its database. It may be read several times.
type foreignSource interface {
	// from says what is read, in a few words.
	from() string
	// rows calls the function of each table that want names for each of its rows, in
	// whatever order the tables come, and returns the version of the schema.
	rows(ctx context.Context, want map[string]func(foreignRow) error) (schema int64, err error)
	// states calls fn for each state that is kept beside the tables.
	states(ctx context.Context, fn func(foreignState) error) error
	// file reads an uploaded file by its path; ErrNoFile is that there is none.
	file(ctx context.Context, path string) ([]byte, error)
	// files are the paths of all uploaded files.
	files(ctx context.Context) ([]string, error)
}

// errNoFile is said of an uploaded file that is not there.
var errNoFile = errors.New("there is no such file")

// maxUpload is how many bytes of an uploaded file are read.
const maxUpload = 50 << 20

// A foreignState is what one of the incumbent's actors remembers.
type foreignState struct {
	kind, id string
	data     []byte // MessagePack
	expires  time.Time
}

// checkSchema refuses what is older than 2.0, and what is newer than anything that is known.
func checkSchema(version int64) error {
	switch {
	case version == 0:
		return broken("it does not say which version wrote it")
	case version < oldestSchema:
		return flawf("Start version 2 of that program on it once, which brings it up to date, and export again",
			"it was written by a version before 2.0 (schema %d)", version)
	case version > newestSchema:
		return flawf("Use a newer version of this program",
			"it was written by a version that is newer than what this program knows (schema %d, the newest known is %d)", version, newestSchema)
	}
	return nil
}

// foreignTables are those that are read into memory; audit_logs is read by itself.
var foreignTables = []string{"users", "user_groups", "user_groups_users", "custom_claims", "webauthn_credentials", "oidc_clients",
	"oidc_clients_allowed_user_groups", "user_authorized_oidc_clients", "apis", "api_permissions", "oidc_clients_allowed_apis",
	"oidc_clients_allowed_api_permissions", "api_keys", "scim_service_providers", "kv", "app_config_variables", "signup_tokens", "signup_tokens_user_groups"}

// neverMoved are tables of the incumbent that mean nothing anywhere else, and why.
var neverMoved = map[string]string{
	"oauth2_sessions":           "applications ask for new tokens: a refresh token of the other program ends at its first use",
	"oidc_refresh_tokens":       "applications ask for new tokens: a refresh token of the other program ends at its first use",
	"oidc_authorization_codes":  "they live for minutes",
	"oidc_device_codes":         "they live for minutes",
	"interaction_sessions":      "they live for minutes",
	"one_time_access_tokens":    "they live for minutes; make new login links",
	"email_verification_tokens": "mail is not sent yet",
}

// A foreignHouse is all that was read of a house but its log and its files.
type foreignHouse struct {
	schema int64
	tables map[string][]foreignRow
	states []foreignState
	// skipped is how many rows of neverMoved there are.
	skipped map[string]int64
	// now is when it was read.
	values map[string]string // of kv
}

// maxForeignRows bounds the rows that are kept in memory, of all tables together.
const maxForeignRows = 5_000_000

// readForeign reads a house.
func readForeign(ctx context.Context, src foreignSource) (*foreignHouse, error) {
	h := &foreignHouse{tables: map[string][]foreignRow{}, skipped: map[string]int64{}, values: map[string]string{}}
	want := map[string]func(foreignRow) error{}
	total := 0
	for _, table := range foreignTables {
		want[table] = func(row foreignRow) error {
			if total++; total > maxForeignRows {
				return flawf("Move it in from the database of the other program, in parts", "there are more than %d rows, which do not fit into memory", maxForeignRows)
			}
			h.tables[table] = append(h.tables[table], row)
			return nil
		}
	}
	for _, table := range slices.Sorted(maps.Keys(neverMoved)) {
		want[table] = func(foreignRow) error { h.skipped[table]++; return nil }
	}
	var err error
	if h.schema, err = src.rows(ctx, want); err != nil {
		return nil, err
	}
	if err := checkSchema(h.schema); err != nil {
		return nil, err
	}
	for i, row := range h.tables["kv"] {
		r := rowReader{row: row}
		key, value := r.must("key"), r.text("value")
		if r.err != nil {
			return nil, broken("row %d of kv: %v", i+1, r.err)
		}
		h.values[key] = value
	}
	err = src.states(ctx, func(s foreignState) error {
		if len(h.states) >= maxForeignRows {
			return broken("it has more than %d states", maxForeignRows)
		}
		switch s.kind {
		case "AppConfig", "SignupToken":
			h.states = append(h.states, s)
		}
		return nil
	})
	return h, err
}

// instanceID is the id of the installation, which is part of what its signing key is sealed with.
func (h *foreignHouse) instanceID() string {
	if id := h.values["instance_id"]; id != "" {
		return id
	}
	for _, row := range h.tables["app_config_variables"] {
		r := rowReader{row: row}
		if r.text("key") == "instanceId" {
			return r.text("value")
		}
	}
	return ""
}

// shortVersion is the release that ends with a schema, in a few words for the report.
func shortVersion(schema int64) string {
	for _, v := range []struct {
		from int64
		name string
	}{{20260814120000, "2.14"}, {20260728120000, "2.13"}, {20260723000000, "2.12"}, {20260607120000, "2.10"}, {20260304090200, "2.3 to 2.9"}, {20260109090200, "2.2"}} {
		if schema >= v.from {
			return v.name
		}
	}
	return "2.0"
}

// described is what is read, with its version.
func described(what string, schema int64) string {
	return fmt.Sprintf("%s of another Pocket ID, about version %s (schema %s)", what, shortVersion(schema), strconv.FormatInt(schema, 10))
}
