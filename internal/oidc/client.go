package oidc

import (
	"context"
	"errors"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
)

// ErrNoClient answers an administrator who asks for a client that does not exist.
var ErrNoClient = fault.New(fault.NotFound, "client_not_found")

// When a client gets a refresh token, and whether it gets a new one at each use.
const (
	RefreshAlways        = "always"         // with every grant of a person, as the incumbent does
	RefreshOfflineAccess = "offline_access" // only when that scope was granted

	RotationDefault = ""       // always for public clients, never for confidential ones
	RotationAlways  = "always" // confidential ones with an overlap, for clients that lose answers
)

// A Client is an application that people sign in to (a relying party): what an
// administrator may set about it, and what became of it.
type Client struct {
	ClientEdit

	// Kind is how it came here: KindStandard, KindDynamic or KindDocument.
	Kind     string
	PKCESeen bool // a client that need not use PKCE did
	// Logo says which logos it has here.
	Logo Logo
	// Background is the validator of the picture behind the pages on the way to it.
	Background string

	CreatedBy  string
	CreatedAt  time.Time
	UpdatedAt  time.Time
	LastUsedAt time.Time
	DisabledAt time.Time
	DeletedAt  time.Time
}

// How a client came here.
const (
	KindStandard = "standard" // an administrator made it
	KindDynamic  = "dynamic"  // it registered itself (RFC 7591)
	KindDocument = "cimd"     // it is read from the document that its id is the address of
)

// clientColumns and fields are the mapping of a client. What is not among them keeps
// its default until something uses it.
const clientColumns = `id, kind, name, name_key, description, launch_url, public, auth_method, grant_types, pkce_required, pkce_seen,
	par_required, reauth_required, skip_consent, group_restricted, id_token_alg, access_token_alg, userinfo_alg, request_object_alg,
	assertion_alg, assertion_audience, claims_at_userinfo, subject_type, sector, refresh_issue, refresh_rotation,
	access_token_seconds, id_token_seconds, refresh_token_seconds, refresh_max_seconds,
	max_age_seconds, auth_time_required, default_acr_values, jwks, jwks_uri, federated,
	backchannel_logout, backchannel_needs_sid, frontchannel_logout, frontchannel_needs_sid,
	initiate_login, client_uri, logo_uri, policy_uri, tos_uri, contacts, request_uris, accent, greeting, background, logo_id, dark_logo_id,
	created_by, created_at, updated_at, last_used_at, disabled_at, deleted_at`

func (c *Client) fields() []any {
	key := directory.Fold(c.Name)
	return []any{&c.ID, &c.Kind, &c.Name, &key, &c.Description, &c.LaunchURL, &c.Public, &c.AuthMethod, db.JSON(&c.GrantTypes), &c.PKCERequired, &c.PKCESeen,
		&c.PARRequired, &c.ReauthRequired, &c.SkipConsent, &c.GroupRestricted, &c.IDTokenAlg, &c.AccessTokenAlg, &c.UserinfoAlg, &c.RequestObjectAlg,
		&c.AssertionAlg, &c.AssertionAudience, &c.ClaimsAtUserinfo, &c.SubjectType, &c.Sector, &c.RefreshIssue, &c.RefreshRotation,
		db.Seconds(&c.AccessTokenFor), db.Seconds(&c.IDTokenFor), db.Seconds(&c.RefreshTokenFor), db.Seconds(&c.RefreshMaxFor),
		db.Seconds(&c.DefaultMaxAge), &c.AuthTimeRequired, db.JSON(&c.DefaultACRValues), db.Text(&c.JWKS), &c.JWKSURI, db.JSON(&c.Federated),
		&c.BackchannelLogout, &c.BackchannelNeedsSid, &c.FrontchannelLogout, &c.FrontchannelNeedsSid,
		&c.InitiateLogin, &c.ClientURI, &c.LogoURI, &c.PolicyURI, &c.TOSURI, db.JSON(&c.Contacts), db.JSON(&c.RequestURIs), &c.Accent, &c.Greeting, &c.Background, db.Text(&c.Logo.Light), db.Text(&c.Logo.Dark),
		&c.CreatedBy, db.Time(&c.CreatedAt), db.Time(&c.UpdatedAt), db.Time(&c.LastUsedAt), db.Time(&c.DisabledAt), db.Time(&c.DeletedAt)}
}

// Addresses and groups travel in the statement of their client, as one text each:
// neither an address nor an id has a blank in it.
const clientLists = `
	(SELECT string_agg(u.purpose || ' ' || u.kind || ' ' || u.uri, ' ' ORDER BY u.position) FROM client_uris u WHERE u.client_id = clients.id), ` + clientGroups

// clientGroups are the groups alone, for who asks the gate and sends nobody anywhere.
const clientGroups = `
	(SELECT string_agg(g.group_id, ' ' ORDER BY g.group_id) FROM client_groups g WHERE g.client_id = clients.id)`

// What an address of a client is for, and how it is compared.
const (
	forRedirect   = "redirect"
	forPostLogout = "post_logout"
	kindExact     = "exact"
	kindPattern   = "pattern"
)

// setLists reads what clientLists selected.
func (c *Client) setLists(uris, groups string) {
	c.RedirectURIs, c.PostLogoutURIs = []URI{}, []URI{}
	words := strings.Fields(uris)
	for ; len(words) >= 3; words = words[3:] {
		u := URI{URI: words[2], Pattern: words[1] == kindPattern}
		switch words[0] {
		case forRedirect:
			c.RedirectURIs = append(c.RedirectURIs, u)
		case forPostLogout:
			c.PostLogoutURIs = append(c.PostLogoutURIs, u)
		}
	}
	c.AllowedGroups = strings.Fields(groups)
}

// clientByID loads a client that was not deleted, with its addresses and groups, in
// one statement.
func clientByID(tx *db.Tx, id string) (*Client, error) {
	c := &Client{}
	var uris, groups string
	err := tx.One(append(c.fields(), db.Text(&uris), db.Text(&groups)),
		`SELECT `+clientColumns+`, `+clientLists+` FROM clients WHERE id = $1 AND deleted_at IS NULL`, id)
	if errors.Is(err, db.ErrNotFound) {
		return nil, ErrNoClient
	}
	if err != nil {
		return nil, err
	}
	c.setLists(uris, groups)
	return c, nil
}

// Client is the client of that id, for administrators.
func (p *Provider) Client(ctx context.Context, by audit.Actor, id string) (Client, error) {
	if err := by.MustAdmin(); err != nil {
		return Client{}, err
	}
	var c *Client
	err := p.db.Read(ctx, func(tx *db.Tx) (err error) {
		c, err = clientByID(tx, id)
		return err
	})
	if err != nil {
		return Client{}, err
	}
	return *c, nil
}

// A ClientChoice is some of the clients.
type ClientChoice string

// The choices beside "", which is all.
const (
	OnlyRegistered   ClientChoice = "registered" // that came by themselves
	OnlyConfidential ClientChoice = "confidential"
	OnlyPublic       ClientChoice = "public"
	OnlyDisabled     ClientChoice = "disabled"
)

// chosenClients are the conditions of the choices.
var chosenClients = map[ClientChoice]string{
	OnlyRegistered:   ` AND kind IN ('` + KindDynamic + `', '` + KindDocument + `')`,
	OnlyConfidential: ` AND NOT public`,
	OnlyPublic:       ` AND public`,
	OnlyDisabled:     ` AND disabled_at IS NOT NULL`,
}

// ClientChoices are the choices in the order in which a list offers them.
var ClientChoices = []ClientChoice{OnlyConfidential, OnlyPublic, OnlyRegistered, OnlyDisabled}

// A ClientFilter asks for a page of clients in the order of their names.
type ClientFilter struct {
	// Search is the beginning of a word of the name, or the id.
	Search string
	// Only leaves out all but these.
	Only ClientChoice
	// After is Next of the page before.
	After string
	// Limit is how many to return: 1 to 100; 0 is 50.
	Limit int
}

// A ClientRow is a client as a list shows it.
type ClientRow struct {
	ID              string
	Name            string
	LaunchURL       string
	Kind            string
	Public          bool
	GroupRestricted bool
	Groups          int // how many groups may use it
	Logo            Logo
	LastUsedAt      time.Time
	DisabledAt      time.Time
}

// A ClientPage is a part of the list of clients.
type ClientPage struct {
	Rows []ClientRow
	// Next asks for the page after this one; "" when this is the last.
	Next string
	// Total is how many there are in all, counted up to MaxCount.
	Total int
}

// MaxCount is where counting stops.
const MaxCount = 10_000

const (
	defaultLimit = 50
	maxLimit     = 100
	maxSearch    = 100 // bytes
)

func (r *ClientRow) fields() []any {
	return []any{&r.ID, &r.Name, &r.LaunchURL, &r.Kind, &r.Public, &r.GroupRestricted, &r.Groups, db.Text(&r.Logo.Light), db.Text(&r.Logo.Dark), db.Time(&r.LastUsedAt), db.Time(&r.DisabledAt)}
}

// Clients lists the clients, for administrators.
func (p *Provider) Clients(ctx context.Context, by audit.Actor, filter ClientFilter) (ClientPage, error) {
	if err := by.MustAdmin(); err != nil {
		return ClientPage{}, err
	}
	limit := filter.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	limit = min(max(limit, 1), maxLimit)
	search := strings.TrimSpace(hint(filter.Search, maxSearch))
	word := likeEscape.Replace(directory.Fold(search)) + "%"
	afterID, afterKey, _ := strings.Cut(filter.After, " ")
	if !isText(filter.After) {
		afterID, afterKey = "", ""
	}
	var page ClientPage
	err := p.db.Read(ctx, func(tx *db.Tx) (err error) {
		where := ` WHERE deleted_at IS NULL AND (name_key LIKE $1 ESCAPE '!' OR name_key LIKE $2 ESCAPE '!' OR id = $3)` + chosenClients[filter.Only]
		page = ClientPage{}
		page.Rows, err = db.All(tx, (*ClientRow).fields, `
			SELECT id, name, launch_url, kind, public, group_restricted,
				(SELECT count(*) FROM client_groups g WHERE g.client_id = clients.id), logo_id, dark_logo_id, last_used_at, disabled_at
			FROM clients`+where+` AND (name_key, id) > ($4, $5)
			ORDER BY name_key NULLS LAST, id NULLS LAST LIMIT $6`, word, "% "+word, search, afterKey, afterID, limit+1)
		if err != nil {
			return err
		}
		if len(page.Rows) > limit {
			last := page.Rows[limit-1]
			page.Rows, page.Next = page.Rows[:limit], last.ID+" "+directory.Fold(last.Name)
		}
		return tx.One([]any{&page.Total},
			`SELECT count(*) FROM (SELECT 1 FROM clients`+where+` LIMIT $4) AS counted`, word, "% "+word, search, MaxCount)
	})
	return page, err
}

// likeEscape takes the meaning from what LIKE reads in a pattern.
var likeEscape = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")
