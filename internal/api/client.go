package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"pocketid/internal/edge"
	"pocketid/internal/oidc"
)

// clientBody is how large a client may be: addresses and keys are long.
const clientBody = 1 << 20

func (a *API) clientOperations() []Operation {
	return []Operation{
		admins("GET /api/oidc/clients", "clients:read", "Lists OIDC clients.", a.clients).lists(clientRow{}, clientColumns),
		admins("POST /api/oidc/clients", "clients:write", "Makes an OIDC client. Its secret is asked for by itself.", a.clientAdd).
			takes(clientNew{}).upTo(clientBody).answers(http.StatusCreated, client{}),
		admins("GET /api/oidc/clients/{id}", "clients:read", "Tells of an OIDC client.", ofClient(a.client)).answers(http.StatusOK, client{}).holds(a.clientState),
		admins("PUT /api/oidc/clients/{id}", "clients:write", "Sets everything about an OIDC client. Members from authMethod on stay as they are when they are left out.", ofClient(a.clientEdit)).
			takes(clientIn{}).upTo(clientBody).answers(http.StatusOK, client{}).holds(a.clientState),
		admins("DELETE /api/oidc/clients/{id}", "clients:write", "Deletes an OIDC client, and ends what it was given.", ofClient(a.clientDelete)).holds(a.clientState),
		open("GET /api/oidc/clients/{id}/meta", "Tells what everybody may know of an OIDC client.", ofClient(a.clientMeta)).answers(http.StatusOK, clientMeta{}),
		admins("POST /api/oidc/clients/{id}/refresh", "clients:write", "Reads the metadata document of an OIDC client anew.", ofClient(a.clientRefresh)).answers(http.StatusOK, client{}),
		admins("POST /api/oidc/clients/{id}/disable", "clients:write", "Takes an OIDC client out of use until it is enabled.", ofClient(a.clientDisable)).answers(http.StatusOK, client{}).holds(a.clientState),
		admins("POST /api/oidc/clients/{id}/enable", "clients:write", "Lets people use an OIDC client again.", ofClient(a.clientEnable)).answers(http.StatusOK, client{}).holds(a.clientState),
		admins("PUT /api/oidc/clients/{id}/allowed-user-groups", "clients:write", "Lets the members of these groups use an OIDC client, and nobody else.", ofClient(a.clientGroups)).
			takes(clientGroupsIn{}).answers(http.StatusOK, client{}).holds(a.clientState),
	}
}

// ofClient lets a handler find the id of a client in the path as it is: one that is an
// address comes as ~ and base64url.
func ofClient(h edge.Handler) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		r.SetPathValue("id", oidc.ParsePathID(r.PathValue("id")))
		return h(w, r)
	}
}

// clientMeta is what everybody may know of a client.
type clientMeta struct {
	ID                       string  `json:"id"`
	Name                     string  `json:"name"`
	Description              string  `json:"description"`
	HasLogo                  bool    `json:"hasLogo"`
	HasDarkLogo              bool    `json:"hasDarkLogo"`
	LaunchURL                *string `json:"launchURL"`
	RequiresReauthentication bool    `json:"requiresReauthentication"`
	ClientType               string  `json:"clientType"`
}

func metaOf(a oidc.App) clientMeta {
	return clientMeta{ID: a.ID, Name: a.Name, Description: a.Description, HasLogo: a.Logo.Light != "", HasDarkLogo: a.Logo.Dark != "",
		LaunchURL: maybe(a.LaunchURL), RequiresReauthentication: a.ReauthRequired, ClientType: a.Kind}
}

// credentials are how a client proves itself beside its keys.
type credentials struct {
	FederatedIdentities []oidc.Federated `json:"federatedIdentities"`
	Secrets             []secret         `json:"secrets"`
}

// clientOfTheirs is a client as programs know it that were written for the incumbent, with
// what they do not know behind. A client is this and its groups, a row of the list this and
// their number.
type clientOfTheirs struct {
	ID                          string      `json:"id"`
	Name                        string      `json:"name"`
	Description                 string      `json:"description"`
	HasLogo                     bool        `json:"hasLogo"`
	HasDarkLogo                 bool        `json:"hasDarkLogo"`
	LaunchURL                   *string     `json:"launchURL"`
	RequiresReauthentication    bool        `json:"requiresReauthentication"`
	ClientType                  string      `json:"clientType"`
	CallbackURLs                []string    `json:"callbackURLs"`
	LogoutCallbackURLs          []string    `json:"logoutCallbackURLs"`
	IsPublic                    bool        `json:"isPublic"`
	PKCEEnabled                 bool        `json:"pkceEnabled"`
	RequiresPushedRequests      bool        `json:"requiresPushedAuthorizationRequests"`
	SkipConsent                 bool        `json:"skipConsent"`
	Credentials                 credentials `json:"credentials"`
	IsGroupRestricted           bool        `json:"isGroupRestricted"`
	PKCESupported               bool        `json:"pkceSupported"`
	AccessTokenDurationMinutes  int         `json:"accessTokenDurationMinutes"`
	RefreshTokenDurationMinutes int         `json:"refreshTokenDurationMinutes"`

	IsDisabled    bool      `json:"isDisabled"`
	CreatedAt     time.Time `json:"createdAt"`
	HasBackground bool      `json:"hasBackground"`

	AuthMethod            string   `json:"authMethod"`
	GrantTypes            []string `json:"grantTypes"`
	IDTokenAlg            string   `json:"idTokenSigningAlg"`
	AccessTokenAlg        string   `json:"accessTokenSigningAlg"`
	UserinfoAlg           string   `json:"userinfoSigningAlg"`
	RequestObjectAlg      string   `json:"requestObjectSigningAlg"`
	ClaimsAtUserinfo      bool     `json:"claimsAtUserinfoOnly"`
	SubjectType           string   `json:"subjectType"`
	Sector                string   `json:"sector"`
	JWKS                  string   `json:"jwks"`
	JWKSURL               string   `json:"jwksURL"`
	AssertionAlg          string   `json:"assertionSigningAlg"`
	AssertionAudience     string   `json:"assertionAudience"`
	RefreshIssue          string   `json:"refreshTokenIssue"`
	RefreshRotation       string   `json:"refreshTokenRotation"`
	IDTokenMinutes        int      `json:"idTokenDurationMinutes"`
	RefreshMaxMinutes     int      `json:"refreshTokenMaxDurationMinutes"`
	DefaultMaxAge         int      `json:"defaultMaxAgeSeconds"`
	AuthTimeRequired      bool     `json:"requiresAuthTime"`
	DefaultACRValues      []string `json:"defaultAcrValues"`
	BackchannelLogoutURL  string   `json:"backchannelLogoutURL"`
	BackchannelNeedsSid   bool     `json:"backchannelLogoutSessionRequired"`
	FrontchannelLogoutURL string   `json:"frontchannelLogoutURL"`
	FrontchannelNeedsSid  bool     `json:"frontchannelLogoutSessionRequired"`
	InitiateLoginURL      string   `json:"initiateLoginURL"`
	WebsiteURL            string   `json:"websiteURL"`
	RemoteLogoURL         string   `json:"remoteLogoURL"`
	PolicyURL             string   `json:"policyURL"`
	TermsURL              string   `json:"termsURL"`
	Contacts              []string `json:"contacts"`
	RequestURLs           []string `json:"requestURLs"`
	Accent                string   `json:"accentColor"`
	Greeting              string   `json:"greeting"`
}

// A client is a client with its groups.
type client struct {
	clientOfTheirs
	AllowedUserGroups []group `json:"allowedUserGroups"`
}

// A clientRow is a client of the list.
type clientRow struct {
	clientOfTheirs
	AllowedUserGroupsCount int        `json:"allowedUserGroupsCount"`
	LastUsedAt             *time.Time `json:"lastUsedAt"`
}

func theirsOf(c *oidc.Client, secrets []oidc.Secret, now time.Time) clientOfTheirs {
	out := clientOfTheirs{ID: c.ID, Name: c.Name, Description: c.Description, HasLogo: c.Logo.Light != "", HasDarkLogo: c.Logo.Dark != "",
		LaunchURL: maybe(c.LaunchURL), RequiresReauthentication: c.ReauthRequired, ClientType: c.Kind, CallbackURLs: addresses(c.RedirectURIs),
		LogoutCallbackURLs: addresses(c.PostLogoutURIs), IsPublic: c.Public, PKCEEnabled: c.PKCERequired, RequiresPushedRequests: c.PARRequired,
		SkipConsent: c.SkipConsent, Credentials: credentials{orEmpty(c.Federated), []secret{}}, IsGroupRestricted: c.GroupRestricted,
		PKCESupported: c.PKCESeen, AccessTokenDurationMinutes: int(c.AccessTokenFor / time.Minute), RefreshTokenDurationMinutes: int(c.RefreshTokenFor / time.Minute),

		IsDisabled: !c.DisabledAt.IsZero(), CreatedAt: c.CreatedAt.UTC(), HasBackground: c.Background != "",
		AuthMethod: c.AuthMethod, GrantTypes: orEmpty(c.GrantTypes), IDTokenAlg: string(c.IDTokenAlg), AccessTokenAlg: string(c.AccessTokenAlg),
		UserinfoAlg: string(c.UserinfoAlg), RequestObjectAlg: string(c.RequestObjectAlg), ClaimsAtUserinfo: c.ClaimsAtUserinfo,
		SubjectType: c.SubjectType, Sector: c.Sector, JWKS: c.JWKS, JWKSURL: c.JWKSURI, AssertionAlg: string(c.AssertionAlg), AssertionAudience: c.AssertionAudience,
		RefreshIssue: c.RefreshIssue, RefreshRotation: c.RefreshRotation, IDTokenMinutes: int(c.IDTokenFor / time.Minute), RefreshMaxMinutes: int(c.RefreshMaxFor / time.Minute),
		DefaultMaxAge: int(c.DefaultMaxAge / time.Second), AuthTimeRequired: c.AuthTimeRequired, DefaultACRValues: orEmpty(c.DefaultACRValues),
		BackchannelLogoutURL: c.BackchannelLogout, BackchannelNeedsSid: c.BackchannelNeedsSid, FrontchannelLogoutURL: c.FrontchannelLogout, FrontchannelNeedsSid: c.FrontchannelNeedsSid,
		InitiateLoginURL: c.InitiateLogin, WebsiteURL: c.ClientURI, RemoteLogoURL: c.LogoURI, PolicyURL: c.PolicyURI, TermsURL: c.TOSURI,
		Contacts: orEmpty(c.Contacts), RequestURLs: orEmpty(c.RequestURIs), Accent: c.Accent, Greeting: c.Greeting}
	for i := range secrets {
		out.Credentials.Secrets = append(out.Credentials.Secrets, secretOf(&secrets[i], now))
	}
	return out
}

func clientOf(c *oidc.WholeClient, now time.Time) client {
	return client{theirsOf(&c.Client, c.Secrets, now), groupsOf(c.Groups)}
}

// orEmpty is an empty list where there is none.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// addresses are those of a client as programs know them: a * in one makes it a pattern.
func addresses(uris []oidc.URI) []string {
	list := make([]string, len(uris))
	for i, u := range uris {
		list[i] = u.URI
	}
	return list
}

// urisOf reads addresses. One that was there stays of the kind that it was.
func urisOf(list []string, was []oidc.URI) []oidc.URI {
	uris := make([]oidc.URI, len(list))
	for i, s := range list {
		uris[i] = oidc.URI{URI: s, Pattern: strings.Contains(s, "*")}
		if at := slices.IndexFunc(was, func(u oidc.URI) bool { return u.URI == s }); at >= 0 {
			uris[i].Pattern = was[at].Pattern
		}
	}
	return uris
}

var clientColumns = columns{
	sortable: []string{"name", "pkceEnabled", "requiresReauthentication", "requiresPushedAuthorizationRequests", "skipConsent", "isGroupRestricted",
		"pkceSupported", "clientType", "createdAt", "allowedUserGroupsCount"},
	filterable: []string{"pkceEnabled", "requiresReauthentication", "requiresPushedAuthorizationRequests", "skipConsent", "isGroupRestricted",
		"pkceSupported", "clientType", "isDisabled"},
}

func (a *API) clients(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r, clientColumns)
	list, total, err := a.oidc.QueryClients(r.Context(), actor(r), q)
	if err != nil {
		return err
	}
	var data []clientRow
	for i := range list {
		c := &list[i]
		data = append(data, clientRow{theirsOf(&c.Client, c.Secrets, edge.Now(r.Context())), len(c.AllowedGroups), instant(c.LastUsedAt)})
	}
	return writePage(w, q, data, total)
}

func (a *API) client(w http.ResponseWriter, r *http.Request) error {
	return a.showClient(w, r, http.StatusOK, r.PathValue("id"))
}

func (a *API) showClient(w http.ResponseWriter, r *http.Request, status int, id string) error {
	c, err := a.oidc.WholeClient(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	return writeObject(w, r, status, clientOf(&c, edge.Now(r.Context())))
}

// clientState is a client as GET answers it.
func (a *API) clientState(ctx context.Context, r *http.Request, check func(any) error) context.Context {
	now := edge.Now(ctx)
	return a.oidc.WhenClient(ctx, oidc.ParsePathID(r.PathValue("id")), func(c *oidc.WholeClient) error { return check(clientOf(c, now)) })
}

func (a *API) clientDelete(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.oidc.DeleteClient(r.Context(), actor(r), r.PathValue("id")))
}

func (a *API) clientMeta(w http.ResponseWriter, r *http.Request) error {
	c, err := a.oidc.ShownClient(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, metaOf(c))
}

// clientChanged does something to a client and answers it as it is then.
func (a *API) clientChanged(w http.ResponseWriter, r *http.Request, do func() (oidc.Client, error)) error {
	c, err := do()
	if err != nil {
		return err
	}
	whole, err := a.oidc.WholeClient(r.Context(), actor(r), c.ID)
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, clientOf(&whole, edge.Now(r.Context())))
}

func (a *API) clientRefresh(w http.ResponseWriter, r *http.Request) error {
	return a.clientChanged(w, r, func() (oidc.Client, error) { return a.oidc.RefreshDocument(r.Context(), actor(r), r.PathValue("id")) })
}

func (a *API) clientDisable(w http.ResponseWriter, r *http.Request) error {
	return a.clientChanged(w, r, func() (oidc.Client, error) { return a.oidc.DisableClient(r.Context(), actor(r), r.PathValue("id")) })
}

func (a *API) clientEnable(w http.ResponseWriter, r *http.Request) error {
	return a.clientChanged(w, r, func() (oidc.Client, error) { return a.oidc.EnableClient(r.Context(), actor(r), r.PathValue("id")) })
}

// clientGroupsIn are the groups whose members may use a client.
type clientGroupsIn struct {
	Groups []string `json:"userGroupIds" doc:"required"`
}

func (a *API) clientGroups(w http.ResponseWriter, r *http.Request) error {
	var in clientGroupsIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	return a.clientChanged(w, r, func() (oidc.Client, error) {
		return a.oidc.SetClientGroups(r.Context(), actor(r), r.PathValue("id"), in.Groups)
	})
}
