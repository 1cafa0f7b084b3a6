package moving

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"pocketid/internal/directory"
	"pocketid/internal/settings"
	"pocketid/internal/signin"
)

// staticUser is the account that the incumbent makes for STATIC_API_KEY.
const staticUser = "00000000-0000-0000-0000-000000000000"

// settings brings the settings: from the states since 2.12, from one row of kv while that
// had not been read yet, from a table before that.
func (w *filling) settings() error {
	values := map[string]string{}
	for _, row := range w.house.tables["app_config_variables"] {
		r := rowReader{row: row}
		if key := r.text("key"); key != "instanceId" && r.err == nil {
			values[key] = r.text("value")
		}
	}
	frozen := rowReader{row: foreignRow{}}
	if v := w.house.values["config_migrated"]; v != "" {
		frozen.row["value"] = v
		kept := map[string]string{}
		if frozen.json("value", &kept) {
			for key, value := range kept {
				values[key] = value
			}
		}
	}
	for _, s := range w.house.states {
		if s.kind != "AppConfig" {
			continue
		}
		v, err := unpack(s.data)
		fields, ok := v.(map[string]any)
		if err != nil || !ok {
			return broken("the settings in it cannot be read")
		}
		clear(values)
		for name, value := range fields {
			if text, ok := value.(string); ok {
				values[name] = text
			}
		}
	}
	delete(values, "instanceId")
	w.verified = values["emailsVerified"] == "true"
	refused, unknown, err := settings.Bring(w.tx, w.o.Master, values)
	if err != nil {
		return err
	}
	for key, code := range refused {
		w.adjust("settings", key, directory.Adjusted{Field: "value", Why: code})
	}
	slices.SortFunc(w.report.Adjusted, func(a, b Adjusted) int { return strings.Compare(a.Name, b.Name) })
	for _, name := range unknown {
		w.leave("settings", name, "there is no such setting here")
	}
	w.counts["settings"] = int64(len(values) - len(unknown) - len(refused))
	return nil
}

// claimsOf are the claims of each owner, by a column of custom_claims.
func (w *filling) claimsOf(owner string) map[string]map[string]any {
	claims := map[string]map[string]any{}
	w.each("custom_claims", "claims", func(r *rowReader) {
		id := r.text(owner)
		if id == "" {
			return
		}
		name, text := r.must("key"), r.text("value")
		if r.err != nil {
			return
		}
		value, whole := directory.BringClaim(text)
		if !whole {
			w.adjust("claims", name, directory.Adjusted{Field: "value", Why: "its value stays a text, because as JSON it would not be sent as it was written"})
		}
		if claims[id] == nil {
			claims[id] = map[string]any{}
		}
		claims[id][name] = value
	})
	return claims
}

// directory brings users, groups, and who is in which.
func (w *filling) directory() error {
	claims := w.claimsOf("user_id")
	var users []directory.User
	w.each("users", "users", func(r *rowReader) {
		u := directory.User{ID: r.must("id"), Username: r.text("username"), Email: r.text("email"), EmailVerified: r.yes("email_verified"),
			FirstName: r.text("first_name"), LastName: r.text("last_name"), DisplayName: r.text("display_name"), Admin: r.yes("is_admin"),
			LDAPID: r.text("ldap_id"), Locale: r.text("locale"), CreatedAt: r.time("created_at"), UpdatedAt: r.time("updated_at"), Claims: claims[r.text("id")]}
		if !r.has("email_verified") { // before 2.2 a setting said it of all
			u.EmailVerified = w.verified
		}
		if r.yes("disabled") {
			u.DisabledAt = u.UpdatedAt
			if u.DisabledAt.IsZero() {
				u.DisabledAt = w.tx.Now()
			}
			u.ValidFrom = u.DisabledAt
		}
		if r.err == nil {
			users = append(users, u)
		}
	})
	// Who came first keeps a name that two have.
	slices.SortStableFunc(users, func(a, b directory.User) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	for i := range users {
		u := &users[i]
		if u.ID == staticUser {
			w.leave("users", u.Username, "it stands for STATIC_API_KEY, and is made anew where that is set")
			continue
		}
		adjusted, err := w.people.User(w.tx, u)
		if err != nil {
			w.leave("users", u.Username+" ("+u.ID+")", whyNot(err))
			continue
		}
		w.usernames[u.ID] = u.Username
		w.came("users")
		w.counts["claims"] += int64(len(u.Claims))
		w.adjust("users", u.Username, adjusted...)
	}
	claims = w.claimsOf("user_group_id")
	w.each("user_groups", "groups", func(r *rowReader) {
		g := directory.Group{ID: r.must("id"), Name: r.text("name"), FriendlyName: r.text("friendly_name"), LDAPID: r.text("ldap_id"),
			CreatedAt: r.time("created_at"), UpdatedAt: r.time("updated_at"), Claims: claims[r.text("id")]}
		if r.err != nil {
			return
		}
		adjusted, err := w.people.Group(w.tx, &g)
		if err != nil {
			w.leave("groups", g.Name, whyNot(err))
			return
		}
		w.came("groups")
		w.counts["claims"] += int64(len(g.Claims))
		w.adjust("groups", g.Name, adjusted...)
	})
	w.each("user_groups_users", "memberships", func(r *rowReader) {
		user, group := strings.ToLower(r.must("user_id")), strings.ToLower(r.must("user_group_id"))
		switch {
		case r.err != nil:
		case w.people.Member(w.tx, group, user):
			w.came("memberships")
		default:
			w.leave("memberships", user+" in "+group, "its user or its group is not there")
		}
	})
	w.people.Settle(w.tx)
	return nil
}

// flagsSince is when the incumbent began to keep the backup flags of passkeys. Those that
// are older have flags that nobody saw.
var flagsSince = time.Date(2024, 8, 14, 0, 0, 0, 0, time.UTC)

// passkeys brings the passkeys.
func (w *filling) passkeys() error {
	w.each("webauthn_credentials", "passkeys", func(r *rowReader) {
		p := signin.Passkey{ID: r.text("id"), UserID: strings.ToLower(r.text("user_id")), CredentialID: r.bytes("credential_id"), PublicKey: r.bytes("public_key"),
			Attestation: r.text("attestation_type"), Name: r.text("name"), CreatedAt: r.time("created_at"),
			BackupEligible: r.yes("backup_eligible"), BackupState: r.yes("backup_state")}
		r.json("transport", &p.Transports)
		p.BackupKnown = r.has("backup_eligible") && r.has("backup_state") && p.CreatedAt.After(flagsSince)
		if r.err != nil {
			return
		}
		if !w.people.HasUser(p.UserID) {
			w.leave("passkeys", p.Name, "its owner is not there")
			return
		}
		if adjusted, err := w.proofs.Passkey(w.tx, &p); err != nil {
			w.leave("passkeys", p.Name+" of "+w.usernames[p.UserID], whyNot(err))
		} else {
			w.came("passkeys")
			w.adjust("passkeys", p.Name+" of "+w.usernames[p.UserID], adjusted...)
		}
	})
	return nil
}

// apiKeys brings the API keys.
func (w *filling) apiKeys() error {
	w.each("api_keys", "API keys", func(r *rowReader) {
		k := signin.Key{ID: r.text("id"), UserID: strings.ToLower(r.text("user_id")), Name: r.text("name"), Description: r.text("description"),
			CreatedAt: r.time("created_at"), ExpiresAt: r.time("expires_at"), LastUsedAt: r.time("last_used_at")}
		hash, err := hex.DecodeString(r.must("key"))
		if err != nil {
			r.fail("key", "is no hash")
		}
		if r.err != nil {
			return
		}
		if !w.people.HasUser(k.UserID) {
			w.leave("API keys", k.Name, "its owner is not there")
			return
		}
		if adjusted, err := w.proofs.Key(w.tx, &k, bytes.Clone(hash)); err != nil {
			w.leave("API keys", k.Name, whyNot(err))
		} else {
			w.came("API keys")
			w.adjust("API keys", k.Name, adjusted...)
		}
	})
	return nil
}
