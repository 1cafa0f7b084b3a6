package moving

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"pocketid/internal/jose"
	"pocketid/internal/oidc"
)

// A foreignCredentials is the column credentials of a client.
type foreignCredentials struct {
	Federated []oidc.Federated `json:"federatedIdentities"`
	Secrets   []struct {
		ID        string     `json:"id"`
		Alg       string     `json:"alg"`
		Hash      string     `json:"hash"`
		Prefix    string     `json:"prefix"`
		CreatedAt *time.Time `json:"createdAt"`
		ExpiresAt *time.Time `json:"expiresAt"`
	} `json:"secrets"`
}

// usual lifetimes of tokens, in minutes, of clients that have none of their own.
const (
	usualAccessMinutes  = 60
	usualRefreshMinutes = 43200
)

// oidcClients brings the clients, which go on getting tokens that are signed as they are
// used to.
func (w *filling) oidcClients(key *jose.Key) error {
	groups := map[string][]string{}
	w.each("oidc_clients_allowed_user_groups", "grants of clients to groups", func(r *rowReader) {
		client, group := r.must("oidc_client_id"), strings.ToLower(r.must("user_group_id"))
		switch {
		case r.err != nil:
		case !w.people.HasGroup(group):
			w.leave("grants of clients to groups", client+" to "+group, "its group is not there")
		case !slices.Contains(groups[client], group):
			groups[client] = append(groups[client], group)
		}
	})
	w.each("oidc_clients", "clients", func(r *rowReader) {
		c := oidc.Client{Kind: oidc.KindStandard, CreatedBy: strings.ToLower(r.text("created_by_id")), CreatedAt: r.time("created_at"), PKCESeen: r.yes("pkce_supported")}
		if r.text("client_type") == "cimd" {
			c.Kind = oidc.KindDocument
		}
		c.ID, c.Name, c.Description, c.LaunchURL = r.must("id"), r.text("name"), r.text("description"), r.text("launch_url")
		c.Public, c.PKCERequired, c.PARRequired = r.yes("is_public"), r.yes("pkce_enabled"), r.yes("requires_pushed_authorization_requests")
		c.ReauthRequired, c.SkipConsent = r.yes("requires_reauthentication"), r.yes("skip_consent")
		c.RefreshIssue, c.SubjectType = oidc.RefreshAlways, oidc.SubjectPublic
		c.AccessTokenFor = time.Duration(r.whole("access_token_duration_minutes", usualAccessMinutes)) * time.Minute
		c.RefreshTokenFor = time.Duration(r.whole("refresh_token_duration_minutes", usualRefreshMinutes)) * time.Minute
		c.AllowedGroups = groups[r.text("id")]
		// Before a client could be restricted to nobody, groups were what restricted it.
		c.GroupRestricted = r.yes("is_group_restricted") || !r.has("is_group_restricted") && len(c.AllowedGroups) > 0
		if !c.GroupRestricted {
			c.AllowedGroups = nil
		}
		c.RedirectURIs, c.PostLogoutURIs = w.addresses(r, "callback_urls"), w.addresses(r, "logout_callback_urls")
		var kept foreignCredentials
		r.json("credentials", &kept)
		c.Federated = kept.Federated
		if key != nil {
			c.IDTokenAlg = key.Alg
		}
		secrets := secretsOf(r, kept)
		if r.err != nil {
			return
		}
		if c.CreatedBy != "" && !w.people.HasUser(c.CreatedBy) {
			c.CreatedBy = ""
		}
		adjusted, err := w.apps.Client(w.tx, c, secrets)
		if err != nil {
			w.leave("clients", c.Name+" ("+c.ID+")", whyNot(err))
			return
		}
		w.came("clients")
		w.clients[c.ID] = c.Name
		if _, twice := w.named[c.Name]; twice {
			w.named[c.Name] = ""
		} else {
			w.named[c.Name] = c.ID
		}
		lost := 0
		for _, a := range adjusted {
			if strings.HasPrefix(a.Field, "secrets[") {
				lost++
			}
		}
		if !c.Public {
			w.counts["client secrets"] += int64(len(secrets) - lost)
		}
		w.adjust("clients", c.Name, adjusted...)
		if len(c.RedirectURIs) == 0 && c.Kind == oidc.KindStandard {
			w.note("The client " + c.Name + " has no callback address: the first one that it comes with is not taken over here, so add it.")
		}
	})
	return nil
}

// addresses are addresses of a client. One with a * in it is a pattern here.
func (w *filling) addresses(r *rowReader, column string) []oidc.URI {
	var list []string
	r.json(column, &list)
	uris := []oidc.URI{}
	for _, uri := range list {
		if strings.TrimSpace(uri) != "" {
			uris = append(uris, oidc.URI{URI: strings.TrimSpace(uri), Pattern: strings.Contains(uri, "*")})
		}
	}
	return uris
}

// secretsOf are the secrets of a client: one in a column before 2.14, several since then.
func secretsOf(r *rowReader, kept foreignCredentials) (secrets []oidc.BroughtSecret) {
	if one := r.text("secret"); one != "" {
		secrets = append(secrets, oidc.BroughtSecret{Alg: "bcrypt", Hash: []byte(one), CreatedAt: r.time("created_at")})
	}
	for _, s := range kept.Secrets {
		b := oidc.BroughtSecret{ID: s.ID, Alg: s.Alg, Hash: []byte(s.Hash), Prefix: s.Prefix}
		if s.Alg == "sha256" {
			b.Hash, _ = hex.DecodeString(s.Hash) // what is no hash is refused for its length
		}
		if s.CreatedAt != nil {
			b.CreatedAt = s.CreatedAt.UTC().Truncate(time.Microsecond)
		}
		if s.ExpiresAt != nil {
			b.ExpiresAt = s.ExpiresAt.UTC().Truncate(time.Microsecond)
		}
		secrets = append(secrets, b)
	}
	return secrets
}

// apis brings the APIs with their permissions, and what clients may do there.
func (w *filling) apis() error {
	permissions := map[string][]oidc.Permission{}
	w.each("api_permissions", "API permissions", func(r *rowReader) {
		api := r.must("api_id")
		s := oidc.Permission{ID: r.must("id"), Name: r.must("key"), Title: r.text("name"), Description: r.text("description"), ForDocuments: r.yes("allowed_for_cimd_clients")}
		if r.err == nil {
			permissions[api] = append(permissions[api], s)
		}
	})
	w.each("apis", "APIs", func(r *rowReader) {
		a := oidc.API{ID: r.must("id"), Resource: r.must("audience"), CreatedAt: r.time("created_at"), UpdatedAt: r.time("updated_at"), Permissions: permissions[r.text("id")]}
		a.Name, a.ForDocuments = r.text("name"), r.yes("allow_cimd_clients")
		if r.err != nil {
			return
		}
		adjusted, err := w.apps.API(w.tx, a)
		if err != nil {
			w.leave("APIs", a.Name+" ("+a.Resource+")", whyNot(err))
			return
		}
		w.came("APIs")
		w.counts["API permissions"] += int64(len(a.Permissions))
		for _, one := range adjusted {
			if strings.HasPrefix(one.Field, "permissions ") {
				w.counts["API permissions"]--
			}
		}
		w.adjust("APIs", a.Name, adjusted...)
	})
	type pair struct{ client, api string }
	grants := map[pair]*oidc.BroughtGrant{}
	var order []pair
	grant := func(p pair, subject string) *oidc.BroughtGrant {
		g := grants[p]
		if g == nil {
			g = &oidc.BroughtGrant{}
			grants[p], order = g, append(order, p)
		}
		switch subject {
		case "user":
			g.ForUsers = true
		case "client":
			g.ForMachine = true
		}
		return g
	}
	w.each("oidc_clients_allowed_apis", "grants at APIs", func(r *rowReader) {
		client, api, subject := r.must("oidc_client_id"), r.must("api_id"), r.must("subject_type")
		if r.err == nil {
			grant(pair{client, api}, subject)
		}
	})
	w.each("oidc_clients_allowed_api_permissions", "grants at APIs", func(r *rowReader) {
		client, id, subject := r.must("oidc_client_id"), r.must("api_permission_id"), r.must("subject_type")
		if r.err != nil {
			return
		}
		api := w.apps.APIOfPermission(id)
		if api == "" {
			w.leave("grants at APIs", client+" to "+id, "its client, API or permission is not there")
			return
		}
		// Before 2.14 a permission was what let a client use the API of it.
		g := grant(pair{client, api}, subject)
		switch subject {
		case "user":
			g.UserPermissions = append(g.UserPermissions, id)
		case "client":
			g.MachinePermissions = append(g.MachinePermissions, id)
		}
	})
	for _, p := range order {
		if w.apps.ClientAPI(w.tx, p.client, p.api, *grants[p]) {
			w.came("grants at APIs")
		} else {
			w.leave("grants at APIs", p.client+" to "+p.api, "its client, API or permission is not there")
		}
	}
	return nil
}

// between stands between the resource and a permission at it where a consent keeps both.
const between = "\x1f"

// consents brings what people allowed.
func (w *filling) consents() error {
	w.each("user_authorized_oidc_clients", "consents", func(r *rowReader) {
		c := oidc.BroughtConsent{UserID: strings.ToLower(r.must("user_id")), ClientID: r.must("client_id"), LastUsedAt: r.time("last_used_at"), Permissions: map[string][]string{}}
		for _, word := range r.words("scope") {
			resource, permission, at := strings.Cut(word, between)
			if !at {
				c.Scopes = append(c.Scopes, word)
				continue
			}
			c.Permissions[resource] = append(c.Permissions[resource], permission)
		}
		switch {
		case r.err != nil:
		case w.people.HasUser(c.UserID) && w.apps.Consent(w.tx, c):
			w.came("consents")
		default:
			w.leave("consents", c.UserID+" to "+c.ClientID, "its user or its client is not there")
		}
	})
	w.apps.Used(w.tx)
	return nil
}
