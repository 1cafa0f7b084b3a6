package oidc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/images"
	"pocketid/internal/jobs"
	"pocketid/internal/jose"
	"pocketid/internal/secret"
)

// What is refused about a client. Each names its field.
var (
	ErrClientName        = fault.New(fault.Invalid, "client_name_malformed").At("name").With("max", "50")
	ErrClientDescription = fault.New(fault.Invalid, "client_description_too_long").At("description").With("max", "150")
	ErrLaunchURL         = fault.New(fault.Invalid, "launch_url_malformed").At("launch_url")
	ErrClientID          = fault.New(fault.Invalid, "client_id_malformed").At("id")
	ErrClientIDTaken     = fault.New(fault.Conflict, "client_id_taken").At("id")
	ErrClientIDFixed     = fault.New(fault.Conflict, "client_id_fixed").At("id")
	ErrTooManyURIs       = fault.New(fault.Invalid, "redirect_uris_too_many").With("max", "100")
	ErrAlgUnknown        = fault.New(fault.Invalid, "algorithm_unknown").At("id_token_alg")
	ErrRefreshChoice     = fault.New(fault.Invalid, "refresh_choice_unknown")
	ErrLifetime          = fault.New(fault.Invalid, "lifetime_out_of_range").With("min", "1").With("max", "525600")
	ErrGroupUnknown      = fault.New(fault.Invalid, "group_unknown")
	ErrTooManyGroups     = fault.New(fault.Invalid, "groups_too_many").At("allowed_groups").With("max", "1000")
)

// Bounds of a client. Lifetimes are those of the incumbent.
const (
	maxClientName  = 50  // characters
	maxDescription = 150 // characters
	maxClientURIs  = 100 // of one purpose
	maxClientGroup = 1000
	minLifetime    = time.Minute
	maxLifetime    = 525_600 * time.Minute

	defaultAccessTokenFor  = time.Hour
	defaultIDTokenFor      = time.Hour
	defaultRefreshTokenFor = 30 * 24 * time.Hour
)

// clientIDs is what an administrator may choose. It has no colon, since HTTP Basic
// has one (RFC 7617 §2), and so never looks like a URL either.
var clientIDs = regexp.MustCompile(`^[a-zA-Z0-9._-]{2,128}$`)

// A ClientEdit is what an administrator may set about a client. The zero value of
// a choice or a lifetime is the default.
type ClientEdit struct {
	// ID is chosen when the client is made and fixed from then on; "" makes one.
	ID          string
	Name        string
	Description string
	LaunchURL   string

	RedirectURIs   []URI
	PostLogoutURIs []URI

	// Public clients cannot keep a secret (RFC 6749 §2.1). That forces PKCERequired
	// (RFC 9700 §2.1.1).
	Public bool
	// AuthMethod is how the client proves itself, by the names of OpenID Connect Core §9;
	// "" is with a secret in either way, or with one of Federated.
	AuthMethod string
	// GrantTypes are what the client may use, by the names of RFC 7591 §2; none is the
	// usual ones of its kind.
	GrantTypes     []string
	PKCERequired   bool
	PARRequired    bool // its requests come by RFC 9126 alone
	ReauthRequired bool // every sign-in needs the passkey
	SkipConsent    bool

	// GroupRestricted clients are for members of AllowedGroups alone; without any it is
	// for nobody. Groups are known by id, never by name.
	GroupRestricted bool
	AllowedGroups   []string

	IDTokenAlg     jose.Alg
	AccessTokenAlg jose.Alg
	// UserinfoAlg signs the answer of the userinfo endpoint; "" is JSON without a signature.
	UserinfoAlg jose.Alg
	// RequestObjectAlg is the one with which its request objects are signed; "" is any,
	// and none need be sent (RFC 9101 §10.5).
	RequestObjectAlg jose.Alg
	// ClaimsAtUserinfo keeps the claims of scopes out of the ID token.
	ClaimsAtUserinfo bool
	// SubjectType is SubjectPublic or SubjectPairwise; Sector is the host whose clients
	// know a person by the same pairwise subject (OpenID Connect Core §8.1).
	SubjectType string
	Sector      string

	// Keys of the client: JWKS holds them, or JWKSURI tells where they are. AssertionAlg is
	// the one with which its assertions are signed; "" is any. AssertionAudience is
	// AudienceStrict or AudienceLenient.
	JWKS              string
	JWKSURI           string
	AssertionAlg      jose.Alg
	AssertionAudience string
	// Federated are issuers elsewhere whose tokens prove that it is the client.
	Federated []Federated

	RefreshIssue    string
	RefreshRotation string
	AccessTokenFor  time.Duration
	IDTokenFor      time.Duration
	RefreshTokenFor time.Duration // without use
	RefreshMaxFor   time.Duration // altogether; 0 is no bound

	// DefaultMaxAge counts where a request says no max_age; 0 is none. AuthTimeRequired
	// puts auth_time into each ID token. DefaultACRValues count where a request says none.
	DefaultMaxAge    time.Duration
	AuthTimeRequired bool
	DefaultACRValues []string

	BackchannelLogout    string
	BackchannelNeedsSid  bool
	FrontchannelLogout   string
	FrontchannelNeedsSid bool

	// InitiateLogin is where a sign-in can be begun from elsewhere (OpenID Connect Core §4).
	InitiateLogin string
	// What people are shown about the client.
	ClientURI string
	LogoURI   string
	PolicyURI string
	TOSURI    string
	Contacts  []string
	// Accent is the colour of the pages on the way to the client, as settings.CheckColour
	// writes it, and Greeting a sentence on them; "" is what the instance has. Only an
	// administrator sets them, never the client itself.
	Accent   string
	Greeting string
	// RequestURIs are where request objects may be fetched from.
	RequestURIs []string
}

// What a person is known by at a client (OpenID Connect Core §8).
const (
	SubjectPublic   = "public"   // by their id, the same everywhere
	SubjectPairwise = "pairwise" // by something that only the clients of one sector share
)

// What an assertion of a client has to have for its audience.
const (
	AudienceStrict  = "strict"  // the issuer alone, as one text
	AudienceLenient = "lenient" // the issuer or the endpoint, in a list too
)

// A Federated is an issuer elsewhere that vouches for a client, by the names of the
// incumbent's API.
type Federated struct {
	Issuer string `json:"issuer"`
	// Subject is who the token has to be about; "" is the id of the client.
	Subject string `json:"subject,omitempty"`
	// Audience is whom the token has to be for; "" is our issuer.
	Audience string `json:"audience,omitempty"`
	// JWKS is where its keys are; "" is the usual place below the issuer.
	JWKS string `json:"jwks,omitempty"`
	// ReplayProtection lets each token count once.
	ReplayProtection bool `json:"replayProtection,omitempty"`
}

// NewClientEdit is what a form for a new client begins with: PKCE is required unless
// somebody takes that away (RFC 9700 §2.1.1).
func NewClientEdit() ClientEdit {
	return ClientEdit{
		PKCERequired: true, IDTokenAlg: jose.RS256, AccessTokenAlg: jose.ES256, RefreshIssue: RefreshAlways,
		SubjectType: SubjectPublic, AssertionAudience: AudienceStrict,
		AccessTokenFor: defaultAccessTokenFor, IDTokenFor: defaultIDTokenFor, RefreshTokenFor: defaultRefreshTokenFor,
	}
}

// Edit is the ClientEdit that leaves c as it is.
func (c *Client) Edit() ClientEdit { return c.ClientEdit }

// NewClientID makes an id for a client that is yet to be made. A form that carries one
// makes one client, however often it is sent.
func NewClientID() string { return secret.ID() }

// AddClient makes a client. A confidential one gets its first secret, which is
// returned here and never again.
func (p *Provider) AddClient(ctx context.Context, by audit.Actor, edit ClientEdit) (Client, string, error) {
	if err := by.MustAdmin(); err != nil {
		return Client{}, "", err
	}
	plain := ""
	c, err := p.addClient(ctx, by, edit, func(tx *db.Tx, c *Client) {
		if plain = ""; !c.Public {
			s, text := randomSecret(by, c.ID)
			s.CreatedAt, plain = tx.Now(), text
			insertSecret(tx, &s)
		}
	})
	if err != nil {
		return Client{}, "", err
	}
	return c, plain, nil
}

// AddClientAlone is AddClient without a secret: programs ask for one by itself.
func (p *Provider) AddClientAlone(ctx context.Context, by audit.Actor, edit ClientEdit) (Client, error) {
	if err := by.MustAdmin(); err != nil {
		return Client{}, err
	}
	return p.addClient(ctx, by, edit, func(*db.Tx, *Client) {})
}

func (p *Provider) addClient(ctx context.Context, by audit.Actor, edit ClientEdit, then func(*db.Tx, *Client)) (Client, error) {
	if edit.ID == "" {
		edit.ID = NewClientID()
	} else if !clientIDs.MatchString(edit.ID) {
		return Client{}, ErrClientID
	}
	edit, err := p.checkEdit(edit)
	if err != nil {
		return Client{}, err
	}
	c := Client{ClientEdit: edit, Kind: KindStandard, CreatedBy: by.UserID}
	err = p.db.Write(ctx, func(tx *db.Tx) error {
		if err := checkGroups(tx, edit.AllowedGroups); err != nil {
			return err
		}
		if err := edit.checkAlgs(tx); err != nil {
			return err
		}
		c.CreatedAt, c.UpdatedAt = tx.Now(), tx.Now()
		insertClient(tx, &c)
		then(tx, &c)
		audit.Record(tx, by, audit.Event{Name: audit.ClientCreated, Object: c.named(), Client: c.ID, After: c.record()})
		return nil
	})
	if conflict, ok := errors.AsType[*db.Conflict](err); ok && conflict.Column == "clients.id" {
		return Client{}, ErrClientIDTaken
	}
	if err != nil {
		return Client{}, err
	}
	return c, nil
}

// EditClient sets everything about a client that an administrator may set.
func (p *Provider) EditClient(ctx context.Context, by audit.Actor, id string, edit ClientEdit) (Client, error) {
	if err := by.MustAdmin(); err != nil {
		return Client{}, err
	}
	return p.editClient(ctx, by, id, edit, func(ClientEdit) error { return nil })
}

// editClient is EditClient unless check refuses the client as it is.
func (p *Provider) editClient(ctx context.Context, by audit.Actor, id string, edit ClientEdit, check func(is ClientEdit) error) (Client, error) {
	if edit.ID != "" && edit.ID != id {
		return Client{}, ErrClientIDFixed
	}
	asked := edit
	edit, malformed := p.checkEdit(asked)
	var c *Client
	err := p.db.Write(ctx, func(tx *db.Tx) (err error) {
		edit := edit
		if c, err = clientByID(tx, id); err != nil {
			return err
		}
		if c.Kind == KindDocument { // the rest is what its document says
			edit, malformed = p.checkEdit(c.Edit().rights(asked))
		}
		if malformed != nil {
			return malformed
		}
		if err := checkGroups(tx, edit.AllowedGroups); err != nil {
			return err
		}
		if err := edit.checkAlgs(tx); err != nil {
			return err
		}
		if err := check(c.Edit()); err != nil {
			return err
		}
		before := c.record()
		c.apply(edit)
		updateClient(tx, c)
		was, is := differences(before, c.record())
		audit.Record(tx, by, audit.Event{Name: audit.ClientEdited, Object: c.named(), Client: c.ID, Before: was, After: is})
		jobs.Publish(tx, "client.changed", id)
		return nil
	})
	if err != nil {
		return Client{}, err
	}
	return *c, nil
}

// DeleteClient takes a client out of use at once: the gate denies it and what it was
// given is revoked. Its row stays as a tombstone, so that its id names nobody else.
func (p *Provider) DeleteClient(ctx context.Context, by audit.Actor, id string) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	return p.db.Write(ctx, func(tx *db.Tx) error {
		c, err := clientByID(tx, id)
		if err != nil {
			return err
		}
		removeClient(tx, by, c, audit.ClientDeleted)
		return nil
	})
}

// removeClient takes c out of use with all that it was given.
func removeClient(tx *db.Tx, by audit.Actor, c *Client, event audit.Name) {
	now := tx.Now()
	images.Remove(tx, images.ClientLight, c.ID)
	images.Remove(tx, images.ClientDark, c.ID)
	tx.Do(`UPDATE clients SET deleted_at = $1, updated_at = $1, registration_token = NULL, logo_id = NULL, dark_logo_id = NULL WHERE id = $2`, db.Time(&now), c.ID)
	tx.Do(`UPDATE grants SET revoked_at = $1, revoked_reason = 'client_deleted' WHERE client_id = $2 AND revoked_at IS NULL`,
		db.Time(&now), c.ID)
	tx.Do(`DELETE FROM client_secrets WHERE client_id = $1`, c.ID)
	audit.Record(tx, by, audit.Event{Name: event, Object: c.named(), Client: c.ID, Before: c.record()})
	jobs.Publish(tx, "client.deleted", c.ID)
}

func insertClient(tx *db.Tx, c *Client) {
	fields := c.fields()
	tx.Do(`INSERT INTO clients (`+clientColumns+`) VALUES (`+db.Marks(len(fields))+`)`, fields...)
	saveLists(tx, c)
}

func updateClient(tx *db.Tx, c *Client) {
	c.UpdatedAt = tx.Now()
	fields := c.fields()
	tx.Do(`UPDATE clients SET (`+clientColumns+`) = (`+db.Marks(len(fields))+`) WHERE id = $1`, fields...)
	saveLists(tx, c)
}

// record is c as audit records hold it: what an administrator may set, and no secrets.
func (c *Client) record() map[string]any { return c.ClientEdit.record() }

func (e *ClientEdit) record() map[string]any {
	said := make(map[string]any, len(clientParts))
	for _, part := range clientParts {
		said[part.name] = part.value(e)
	}
	return said
}

// differences is what of before and after is not the same.
func differences(before, after map[string]any) (was, is map[string]any) {
	was, is = map[string]any{}, map[string]any{}
	for name := range after {
		if !reflect.DeepEqual(before[name], after[name]) {
			was[name], is[name] = before[name], after[name]
		}
	}
	return was, is
}

func (c *Client) object() audit.Object { return audit.Object{Kind: "client", ID: c.ID, Name: c.Name} }

// named is object where the name of c may be new: the log learns to find it.
func (c *Client) named() audit.Object {
	o := c.object()
	o.Words = directory.Beginnings(c.Name)
	return o
}

// apply sets c to what edit says. The id stays.
func (c *Client) apply(edit ClientEdit) {
	edit.ID = c.ID
	c.ClientEdit = edit
}

// saveLists replaces the addresses and groups of c.
func saveLists(tx *db.Tx, c *Client) {
	tx.Do(`DELETE FROM client_uris WHERE client_id = $1`, c.ID)
	tx.Do(`DELETE FROM client_groups WHERE client_id = $1`, c.ID)
	for purpose, uris := range map[string][]URI{forRedirect: c.RedirectURIs, forPostLogout: c.PostLogoutURIs} {
		for i, u := range uris {
			kind := kindExact
			if u.Pattern {
				kind = kindPattern
			}
			tx.Do(`INSERT INTO client_uris (client_id, purpose, uri, kind, position) VALUES ($1, $2, $3, $4, $5)`,
				c.ID, purpose, u.URI, kind, i)
		}
	}
	for _, group := range c.AllowedGroups {
		tx.Do(`INSERT INTO client_groups (client_id, group_id) VALUES ($1, $2)`, c.ID, group)
	}
}

// checkEdit returns edit as it will be stored, or says which field is at fault. What depends
// on the database is asked by checkGroups and checkAlgs.
func (p *Provider) checkEdit(edit ClientEdit) (ClientEdit, error) {
	edit.Name = strings.TrimSpace(edit.Name)
	if n := utf8.RuneCountInString(edit.Name); n == 0 || n > maxClientName || !isText(edit.Name) {
		return edit, ErrClientName
	}
	edit.Description = strings.TrimSpace(edit.Description)
	if utf8.RuneCountInString(edit.Description) > maxDescription || !isText(edit.Description) {
		return edit, ErrClientDescription
	}
	edit.LaunchURL = strings.TrimSpace(edit.LaunchURL)
	if edit.LaunchURL != "" && !isLaunchURL(edit.LaunchURL) {
		return edit, ErrLaunchURL
	}
	var err error
	held := rules{public: edit.Public, insecure: p.insecure}
	if edit.RedirectURIs, err = checkURIs("redirect_uris", edit.RedirectURIs, held); err != nil {
		return edit, err
	}
	if edit.PostLogoutURIs, err = checkURIs("post_logout_uris", edit.PostLogoutURIs, held); err != nil {
		return edit, err
	}
	edit.PKCERequired = edit.PKCERequired || edit.Public
	if !edit.GroupRestricted {
		edit.AllowedGroups = nil
	}
	edit.AllowedGroups = append([]string{}, slices.Compact(slices.Sorted(slices.Values(edit.AllowedGroups)))...)
	if len(edit.AllowedGroups) > maxClientGroup {
		return edit, ErrTooManyGroups
	}
	edit.IDTokenAlg = cmp.Or(edit.IDTokenAlg, jose.RS256) // OpenID Connect Core §2
	edit.AccessTokenAlg = cmp.Or(edit.AccessTokenAlg, jose.ES256)
	for _, alg := range []struct {
		field string
		value jose.Alg
	}{{"id_token_alg", edit.IDTokenAlg}, {"access_token_alg", edit.AccessTokenAlg}, {"userinfo_alg", edit.UserinfoAlg}} {
		if !slices.Contains(ownAlgs, alg.value) && (alg.value != "" || alg.field != "userinfo_alg") {
			return edit, ErrAlgUnknown.At(alg.field)
		}
	}
	for _, list := range []*[]string{&edit.GrantTypes, &edit.DefaultACRValues, &edit.Contacts, &edit.RequestURIs} {
		*list = append([]string{}, *list...)
	}
	if err := p.checkAuthentication(&edit); err != nil {
		return edit, err
	}
	if err := edit.checkSubject(); err != nil {
		return edit, err
	}
	if err := p.checkLogout(&edit); err != nil {
		return edit, err
	}
	if edit, err = checkRequests(edit); err != nil {
		return edit, err
	}
	switch edit.RefreshIssue {
	case "":
		edit.RefreshIssue = RefreshAlways
	case RefreshAlways, RefreshOfflineAccess:
	default:
		return edit, ErrRefreshChoice.At("refresh_issue")
	}
	if edit.RefreshRotation != RotationDefault && edit.RefreshRotation != RotationAlways {
		return edit, ErrRefreshChoice.At("refresh_rotation")
	}
	for _, lifetime := range []struct {
		field string
		value *time.Duration
		usual time.Duration
	}{
		{"access_token_lifetime", &edit.AccessTokenFor, defaultAccessTokenFor},
		{"id_token_lifetime", &edit.IDTokenFor, defaultIDTokenFor},
		{"refresh_token_lifetime", &edit.RefreshTokenFor, defaultRefreshTokenFor},
	} {
		if *lifetime.value == 0 {
			*lifetime.value = lifetime.usual
		}
		if *lifetime.value < minLifetime || *lifetime.value > maxLifetime {
			return edit, ErrLifetime.At(lifetime.field)
		}
	}
	if edit.RefreshMaxFor != 0 && (edit.RefreshMaxFor < minLifetime || edit.RefreshMaxFor > maxLifetime) {
		return edit, ErrLifetime.At("refresh_max_lifetime")
	}
	return p.checkShown(edit)
}

// checkURIs refuses an address that may not be used, naming its place in field.
func checkURIs(field string, uris []URI, r rules) ([]URI, error) {
	if len(uris) > maxClientURIs {
		return nil, ErrTooManyURIs.At(field)
	}
	checked := make([]URI, len(uris))
	for i, u := range uris {
		at := fmt.Sprintf("%s[%d]", field, i)
		u.URI = strings.TrimSpace(u.URI)
		if err := checkURI(u, r); err != nil {
			return nil, fault.Of(err).At(at)
		}
		if slices.ContainsFunc(checked[:i], func(other URI) bool { return other.URI == u.URI }) {
			return nil, ErrURIRepeated.At(at)
		}
		checked[i] = u
	}
	return checked, nil
}

// isLaunchURL knows addresses that a link on our pages may lead to.
func isLaunchURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= maxURI && isText(s) && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

// checkGroups refuses a group that does not exist.
func checkGroups(tx *db.Tx, ids []string) error {
	for i, id := range ids {
		if _, err := directory.GroupByID(tx, id); errors.Is(err, directory.ErrNoGroup) {
			return ErrGroupUnknown.At(fmt.Sprintf("allowed_groups[%d]", i))
		} else if err != nil {
			return err
		}
	}
	return nil
}
