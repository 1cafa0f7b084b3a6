package oidc

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/images"
	"pocketid/internal/jose"
	"pocketid/internal/outbound"
	"pocketid/internal/secret"
)

// Bringing is moving applications in from another house, with the secrets, the consents and
// the signing key that they know. What breaks a rule of this house is left out or adjusted,
// and told. Nothing is recorded for each of them: whoever brings a house records that.

// Bringing is what a Bringer has to know of the house that things are brought to.
type Bringing struct {
	Master *secret.Master
	// Issuer, Outbound and AllowInsecureCallbacks are those of Config.
	Issuer                 string
	Outbound               *outbound.Client
	AllowInsecureCallbacks bool
}

// A Bringer remembers what came. It is for one transaction.
type Bringer struct {
	p           *Provider
	clients     map[string]*Client
	apis        map[string]*API // by resourceKey
	apiIDs      map[string]*API
	permissions map[string]broughtPermission // by id
	secrets     map[string]bool
}

type broughtPermission struct{ api, name string }

// NewBringer is for a house in which there is nothing yet.
func NewBringer(b Bringing) *Bringer {
	p := &Provider{master: b.Master, issuer: b.Issuer, outbound: b.Outbound, insecure: b.AllowInsecureCallbacks}
	if p.outbound == nil {
		p.outbound = outbound.New(outbound.Config{})
	}
	return &Bringer{p: p, clients: map[string]*Client{}, apis: map[string]*API{}, apiIDs: map[string]*API{},
		permissions: map[string]broughtPermission{}, secrets: map[string]bool{}}
}

// A BroughtSecret is a secret of a client of which only the hash is known.
type BroughtSecret struct {
	ID string
	// Alg is "sha256" or "bcrypt".
	Alg                  string
	Hash                 []byte
	Prefix               string
	CreatedAt, ExpiresAt time.Time
}

// errSecretHash refuses a hash that nothing could ever be compared with.
var errSecretHash = fault.New(fault.Invalid, "client_secret_hash")

// Fields of which a part can be left out: redirect_uris[3].
var oneOf = regexp.MustCompile(`^(redirect_uris|post_logout_uris|federated)\[(\d+)\]`)

// Client brings c with its secrets, and whatever of it can come. ErrClientID is about one
// that cannot.
func (b *Bringer) Client(tx *db.Tx, c Client, secrets []BroughtSecret) (adjusted []directory.Adjusted, err error) {
	switch {
	case !isClientID(c.ID) || c.Kind == KindStandard && isDocumentID(c.ID):
		return nil, ErrClientID
	case b.clients[c.ID] != nil:
		return nil, ErrClientIDTaken
	}
	if c.Kind == KindDocument {
		if _, err := parseDocumentID(c.ID); err != nil {
			return nil, err
		}
	}
	// The algorithms are those of the key that came; a form offers them only once it is there.
	alg := c.IDTokenAlg
	c.IDTokenAlg, c.AccessTokenAlg = "", ""
	edit, adjusted, err := b.bend(c.ClientEdit)
	if err != nil {
		return nil, err
	}
	c.ClientEdit = edit
	if alg != "" {
		c.IDTokenAlg, c.AccessTokenAlg = alg, alg
	}
	if c.CreatedAt.IsZero() {
		c.CreatedAt = tx.Now()
	}
	c.UpdatedAt = c.CreatedAt
	insertClient(tx, &c)
	audit.Learn(tx, c.named())
	b.clients[c.ID] = &c
	if c.Public && len(secrets) > 0 {
		adjusted = append(adjusted, directory.Adjusted{Field: "secrets", Why: ErrSecretPublic.Code})
		secrets = nil
	}
	slices.SortStableFunc(secrets, func(x, y BroughtSecret) int { return -x.CreatedAt.Compare(y.CreatedAt) })
	for i, s := range secrets {
		if i >= maxSecrets {
			adjusted = append(adjusted, directory.Adjusted{Field: "secrets", Why: ErrSecretsTooMany.Code})
			break
		}
		if err := b.secret(tx, c.ID, s); err != nil {
			adjusted = append(adjusted, directory.Adjusted{Field: fmt.Sprintf("secrets[%d]", i), Why: fault.Of(err).Code})
		}
	}
	return adjusted, nil
}

// bend makes an edit that may be of one that came, and says what it took away.
func (b *Bringer) bend(edit ClientEdit) (_ ClientEdit, adjusted []directory.Adjusted, err error) {
	private := []Federated{} // that may be asked once the operator names their hosts
	for range 4 * (len(edit.RedirectURIs) + len(edit.PostLogoutURIs) + len(edit.Federated) + 8) {
		checked, err := b.p.checkEdit(edit)
		if err == nil {
			checked.Federated = append(checked.Federated, private...)
			return checked, adjusted, nil
		}
		f := fault.Of(err)
		note := directory.Adjusted{Field: f.Field, Why: f.Code}
		part := oneOf.FindStringSubmatch(f.Field)
		at := -1
		if part != nil {
			at, _ = strconv.Atoi(part[2])
		}
		switch {
		case part != nil && part[1] == "redirect_uris" && at < len(edit.RedirectURIs):
			note.Field += " " + edit.RedirectURIs[at].URI
			edit.RedirectURIs = slices.Delete(slices.Clone(edit.RedirectURIs), at, at+1)
		case part != nil && part[1] == "post_logout_uris" && at < len(edit.PostLogoutURIs):
			note.Field += " " + edit.PostLogoutURIs[at].URI
			edit.PostLogoutURIs = slices.Delete(slices.Clone(edit.PostLogoutURIs), at, at+1)
		case part != nil && part[1] == "federated" && at < len(edit.Federated):
			one := edit.Federated[at]
			note.Field += " " + one.Issuer
			if f.Code == ErrKeysAddress.Code || f.Code == ErrFederatedIssuer.Code && one.Issuer != "" {
				private = append(private, one)
			}
			edit.Federated = slices.Delete(slices.Clone(edit.Federated), at, at+1)
		case f.Field == "redirect_uris":
			edit.RedirectURIs = edit.RedirectURIs[:maxClientURIs]
		case f.Field == "post_logout_uris":
			edit.PostLogoutURIs = edit.PostLogoutURIs[:maxClientURIs]
		case f.Field == "federated":
			edit.Federated = nil
		case f.Field == "name":
			edit.Name = cmp.Or(strings.TrimSpace(cut(edit.Name, maxClientName)), "Application")
		case f.Field == "description":
			edit.Description = cut(edit.Description, maxDescription)
		case f.Field == "launch_url":
			edit.LaunchURL = ""
		case f.Field == "access_token_lifetime":
			edit.AccessTokenFor = min(max(edit.AccessTokenFor, minLifetime), maxLifetime)
		case f.Field == "refresh_token_lifetime":
			edit.RefreshTokenFor = min(max(edit.RefreshTokenFor, minLifetime), maxLifetime)
		case f.Field == "allowed_groups":
			edit.AllowedGroups = edit.AllowedGroups[:maxClientGroup]
		default:
			return edit, adjusted, err
		}
		adjusted = append(adjusted, note)
	}
	return edit, adjusted, ErrClientID.Because("it cannot be adjusted")
}

// cut is a text of at most so many characters that can be shown.
func cut(s string, longest int) string {
	clean := strings.Map(func(r rune) rune {
		if !isText(string(r)) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if r := []rune(clean); len(r) > longest {
		return string(r[:longest])
	}
	return clean
}

func (b *Bringer) secret(tx *db.Tx, clientID string, s BroughtSecret) error {
	switch s.Alg {
	case secretSHA256:
		if len(s.Hash) != len(secret.Hash("")) {
			return errSecretHash
		}
	case secretBcrypt:
		if err := secret.CheckBcrypt(s.Hash); err != nil {
			return errSecretHash.Because("%w", err)
		}
	default:
		return errSecretHash.Because("kept as %q", s.Alg)
	}
	if s.ID == "" || len(s.ID) > 64 || b.secrets[s.ID] {
		s.ID = secret.ID()
	}
	if s.CreatedAt.IsZero() {
		s.CreatedAt = tx.Now()
	}
	b.secrets[s.ID] = true
	insertSecret(tx, &Secret{ID: s.ID, ClientID: clientID, Prefix: cut(s.Prefix, secretPrefix), alg: s.Alg, hash: s.Hash, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt})
	return nil
}

// HasClient says whether a client came.
func (b *Bringer) HasClient(id string) bool { return b.clients[id] != nil }

// API brings an API, with its permissions. The errors are those of AddAPI.
func (b *Bringer) API(tx *db.Tx, a API) (adjusted []directory.Adjusted, err error) {
	key := resourceKey(a.Resource)
	switch {
	case !isResource(a.Resource):
		return nil, ErrResource
	case key == resourceKey(b.p.issuer):
		return nil, ErrResourceOurs
	case b.apis[key] != nil || b.apiIDs[a.ID] != nil:
		return nil, ErrResourceTaken
	}
	edit, err := checkAPI(a.APIEdit)
	if err != nil {
		a.APIEdit.Name = cmp.Or(cut(a.APIEdit.Name, maxAPIName), a.Resource[:min(len(a.Resource), maxAPIName)])
		adjusted = append(adjusted, directory.Adjusted{Field: "name", Why: fault.Of(err).Code})
		if edit, err = checkAPI(a.APIEdit); err != nil {
			return nil, err
		}
	}
	a.APIEdit = edit
	if a.CreatedAt.IsZero() {
		a.CreatedAt = tx.Now()
	}
	if a.UpdatedAt.IsZero() {
		a.UpdatedAt = a.CreatedAt
	}
	fields := a.fields()
	tx.Do(`INSERT INTO apis (`+apiColumns+`) VALUES (`+db.Marks(len(fields))+`)`, fields...)
	audit.Learn(tx, a.object())
	permissions := a.Permissions
	a.Permissions = nil
	for _, s := range permissions {
		s.Title, s.Description = cmp.Or(cut(s.Title, maxPermissionTitle), cut(s.Name, maxPermissionTitle)), cut(s.Description, maxPermissionText)
		checked, err := checkPermissions(append(slices.Clone(a.Permissions), s))
		if err != nil || b.permissions[s.ID] != (broughtPermission{}) {
			adjusted = append(adjusted, directory.Adjusted{Field: "permissions " + s.Name, Why: fault.Of(cmp.Or(err, error(ErrPermissionTwice))).Code})
			continue
		}
		id := s.ID
		s = checked[len(checked)-1]
		s.ID = id
		tx.Do(`INSERT INTO api_permissions (id, name, title, description, for_documents, api_id, position) VALUES (`+db.Marks(7)+`)`,
			append(s.fields(), a.ID, len(a.Permissions))...)
		a.Permissions = append(a.Permissions, s)
		b.permissions[s.ID] = broughtPermission{a.ID, s.Name}
	}
	b.apis[key], b.apiIDs[a.ID] = &a, &a
	return adjusted, nil
}

// ClientAPI lets a client use an API, for people or for itself, with permissions by their
// ids. It says whether both came and the client may.
func (b *Bringer) ClientAPI(tx *db.Tx, clientID, apiID string, g BroughtGrant) bool {
	c := b.clients[clientID]
	if c == nil || b.apiIDs[apiID] == nil {
		return false
	}
	g.ForMachine = g.ForMachine && !c.Public
	if !g.ForUsers && !g.ForMachine {
		return false
	}
	tx.Do(`INSERT INTO api_clients (api_id, client_id, for_users, for_machine) VALUES ($1, $2, $3, $4)`, apiID, clientID, g.ForUsers, g.ForMachine)
	for subject, list := range map[string][]string{forUsers: g.UserPermissions, forMachine: g.MachinePermissions} {
		if subject == forUsers && !g.ForUsers || subject == forMachine && !g.ForMachine {
			continue
		}
		for _, id := range slices.Compact(slices.Sorted(slices.Values(list))) {
			if b.permissions[id].api == apiID {
				tx.Do(`INSERT INTO api_client_permissions (permission_id, client_id, subject) VALUES ($1, $2, $3)`, id, clientID, subject)
			}
		}
	}
	return true
}

// A BroughtGrant is what a client may do at an API.
type BroughtGrant struct {
	ForUsers, ForMachine                bool
	UserPermissions, MachinePermissions []string // ids
}

// APIOfPermission is the API of a permission that came; "" when none did.
func (b *Bringer) APIOfPermission(id string) string { return b.permissions[id].api }

// A BroughtConsent is what somebody allowed a client.
type BroughtConsent struct {
	UserID, ClientID string
	Scopes           []string
	// Permissions are those at APIs, by their resources.
	Permissions map[string][]string
	LastUsedAt  time.Time
}

// Consent brings what somebody allowed, and says whether the client came. That the user
// did, the caller knows. What is no scope of this house is forgotten: it would be asked for
// again.
func (b *Bringer) Consent(tx *db.Tx, c BroughtConsent) bool {
	if b.clients[c.ClientID] == nil {
		return false
	}
	allowed := allowance{Scopes: []string{}, Resources: []Target{}}
	for _, s := range c.Scopes {
		if slices.Contains(scopes, s) && !slices.Contains(allowed.Scopes, s) {
			allowed.Scopes = append(allowed.Scopes, s)
		}
	}
	for _, resource := range slices.Sorted(func(yield func(string) bool) {
		for r := range c.Permissions {
			if !yield(r) {
				return
			}
		}
	}) {
		a := b.apis[resourceKey(resource)]
		if a == nil {
			continue
		}
		t := Target{API: a.ID, Resource: a.Resource, Permissions: []string{}}
		for _, s := range a.Permissions {
			if slices.Contains(c.Permissions[resource], s.Name) {
				t.Permissions = append(t.Permissions, s.Name)
			}
		}
		allowed.Resources = append(allowed.Resources, t)
	}
	at := c.LastUsedAt
	if at.IsZero() {
		at = tx.Now()
	}
	tx.Do(`INSERT INTO consents (user_id, client_id, scopes, resources, created_at, updated_at, last_used_at) VALUES ($1, $2, $3, $4, $5, $5, $5)
		ON CONFLICT (user_id, client_id) DO NOTHING`, c.UserID, c.ClientID, db.JSON(&allowed.Scopes), db.JSON(&allowed.Resources), db.Time(&at))
	return true
}

// BringLogo gives a client that came one of its logos.
func (b *Bringer) BringLogo(tx *db.Tx, clientID string, kind images.Kind, picture images.Picture) {
	images.Put(tx, kind, clientID, picture)
	column := `logo_id`
	if kind == images.ClientDark {
		column = `dark_logo_id`
	}
	tx.Do(`UPDATE clients SET `+column+` = $2 WHERE id = $1`, clientID, picture.ETag)
}

// Used notes when clients were last used, once all consents are there.
func (b *Bringer) Used(tx *db.Tx) {
	tx.Do(`UPDATE clients SET last_used_at = (SELECT max(c.last_used_at) FROM consents c WHERE c.client_id = clients.id)`)
}

// originImported is that of a key that another house made.
const originImported = "imported"

// ErrKeyImport refuses a signing key that is of no use here.
var ErrKeyImport = fault.New(fault.Invalid, "signing_key_unusable")

// ParseKey reads a signing key of another house, a private JWK with its kid, and says what
// it signs. Where it does not say so itself, that goes by its kind.
func ParseKey(jwk []byte) (*jose.Key, error) {
	key, err := jose.ParseForeign(jwk)
	if err == nil && !slices.Contains(ownAlgs, key.Alg) {
		err = fmt.Errorf("it signs %s", key.Alg)
	}
	if err != nil {
		return nil, ErrKeyImport.Because("%w", err)
	}
	return key, nil
}

// Key brings the key with which the other house signed. What it signed verifies until the
// last of it has expired, and as a hint for ever. It signs no more, unless its algorithm is
// one of which this house makes no keys by itself: then clients go on getting it. It is
// called when the clients are there.
func (b *Bringer) Key(tx *db.Tx, key *jose.Key) error {
	plain, err := key.MarshalPrivate()
	if err != nil {
		return err
	}
	public, err := key.Public().MarshalJSON()
	if err != nil {
		return err
	}
	sealed, err := b.p.master.Seal(purposeKey, plain)
	if err != nil {
		return err
	}
	longest, err := longestLife(tx)
	if err != nil {
		return err
	}
	k := &signingKey{id: key.ID, alg: key.Alg, state: keyActive, sealed: sealed, public: string(public), origin: originImported,
		longest: longest, createdAt: tx.Now(), activeAt: tx.Now()}
	if slices.Contains(KeyAlgs, key.Alg) {
		k.state, k.retiringAt = keyRetiring, tx.Now()
	}
	addKey(tx, k)
	return nil
}

// A BroughtSCIM is where a client wants to hear of accounts (RFC 7644). Nothing speaks to
// it yet; it is kept, with its token sealed, for when something does.
type BroughtSCIM struct {
	ID, ClientID, Endpoint  string
	Token                   string
	CreatedAt, LastSyncedAt time.Time
}

// purposeSCIM is what tokens for SCIM are sealed for.
const purposeSCIM = "scim token"

// SCIM brings such a place, and says whether its client came.
func (b *Bringer) SCIM(tx *db.Tx, s BroughtSCIM) (bool, error) {
	if b.clients[s.ClientID] == nil {
		return false, nil
	}
	sealed, err := b.p.master.Seal(purposeSCIM, []byte(s.Token))
	if err != nil {
		return false, err
	}
	if s.CreatedAt.IsZero() {
		s.CreatedAt = tx.Now()
	}
	tx.Do(`INSERT INTO scim_providers (id, client_id, endpoint, token, created_at, last_synced_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING`,
		s.ID, s.ClientID, s.Endpoint, sealed, db.Time(&s.CreatedAt), db.Time(&s.LastSyncedAt))
	return true, nil
}
