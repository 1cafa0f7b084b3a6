package api

import (
	"net/http"
	"time"

	"pocketid/internal/edge"
	"pocketid/internal/images"
	"pocketid/internal/oidc"
)

// credentialsIn is what a program says of how a client proves itself.
type credentialsIn struct {
	FederatedIdentities []oidc.Federated `json:"federatedIdentities"`
}

// clientIn is what a program says of a client. The first members are those of the incumbent:
// what is left out of them is as it is at first, because its programs leave out what is
// false or empty. The others are ours, and stay as they are when they are left out, so that
// such a program resets nothing that it does not know.
type clientIn struct {
	Name                        string        `json:"name" doc:"required min=1 max=50"`
	Description                 string        `json:"description" doc:"max=150"`
	CallbackURLs                []string      `json:"callbackURLs"`
	LogoutCallbackURLs          []string      `json:"logoutCallbackURLs"`
	LaunchURL                   string        `json:"launchURL"`
	IsPublic                    bool          `json:"isPublic"`
	PKCEEnabled                 bool          `json:"pkceEnabled"`
	RequiresReauthentication    bool          `json:"requiresReauthentication"`
	RequiresPushedRequests      bool          `json:"requiresPushedAuthorizationRequests"`
	SkipConsent                 bool          `json:"skipConsent"`
	Credentials                 credentialsIn `json:"credentials"`
	IsGroupRestricted           bool          `json:"isGroupRestricted"`
	AccessTokenDurationMinutes  int           `json:"accessTokenDurationMinutes"`
	RefreshTokenDurationMinutes int           `json:"refreshTokenDurationMinutes"`
	LogoURL                     string        `json:"logoUrl"`
	DarkLogoURL                 string        `json:"darkLogoUrl"`

	AuthMethod            *string   `json:"authMethod"`
	GrantTypes            *[]string `json:"grantTypes"`
	IDTokenAlg            *string   `json:"idTokenSigningAlg"`
	AccessTokenAlg        *string   `json:"accessTokenSigningAlg"`
	UserinfoAlg           *string   `json:"userinfoSigningAlg"`
	RequestObjectAlg      *string   `json:"requestObjectSigningAlg"`
	ClaimsAtUserinfo      *bool     `json:"claimsAtUserinfoOnly"`
	SubjectType           *string   `json:"subjectType"`
	Sector                *string   `json:"sector"`
	JWKS                  *string   `json:"jwks"`
	JWKSURL               *string   `json:"jwksURL"`
	AssertionAlg          *string   `json:"assertionSigningAlg"`
	AssertionAudience     *string   `json:"assertionAudience"`
	RefreshIssue          *string   `json:"refreshTokenIssue"`
	RefreshRotation       *string   `json:"refreshTokenRotation"`
	IDTokenMinutes        *int      `json:"idTokenDurationMinutes"`
	RefreshMaxMinutes     *int      `json:"refreshTokenMaxDurationMinutes"`
	DefaultMaxAge         *int      `json:"defaultMaxAgeSeconds"`
	AuthTimeRequired      *bool     `json:"requiresAuthTime"`
	DefaultACRValues      *[]string `json:"defaultAcrValues"`
	BackchannelLogoutURL  *string   `json:"backchannelLogoutURL"`
	BackchannelNeedsSid   *bool     `json:"backchannelLogoutSessionRequired"`
	FrontchannelLogoutURL *string   `json:"frontchannelLogoutURL"`
	FrontchannelNeedsSid  *bool     `json:"frontchannelLogoutSessionRequired"`
	InitiateLoginURL      *string   `json:"initiateLoginURL"`
	WebsiteURL            *string   `json:"websiteURL"`
	RemoteLogoURL         *string   `json:"remoteLogoURL"`
	PolicyURL             *string   `json:"policyURL"`
	TermsURL              *string   `json:"termsURL"`
	Contacts              *[]string `json:"contacts"`
	RequestURLs           *[]string `json:"requestURLs"`
	Accent                *string   `json:"accentColor"`
	Greeting              *string   `json:"greeting"`
}

// clientNew is what a program says of a new client.
type clientNew struct {
	clientIn
	ID string `json:"id" doc:"max=128"`
}

// most is more of any unit of time than is ever allowed, and few enough to be counted.
const most = 1 << 30

// span is a number of units of time. What is too much stays too much.
func span(n int, unit time.Duration) time.Duration {
	return time.Duration(min(max(n, -1), most)) * unit
}

// set puts a value in its place if there is one.
func set[T any](to *T, value *T) {
	if value != nil {
		*to = *value
	}
}

// setAs is set for what is a text of another type.
func setAs[T ~string](to *T, value *string) {
	if value != nil {
		*to = T(*value)
	}
}

// setSpan is set for a time of so many units.
func setSpan(to *time.Duration, n *int, unit time.Duration) {
	if n != nil {
		*to = span(*n, unit)
	}
}

// onto is e with what a program says.
func (in *clientIn) onto(e oidc.ClientEdit) oidc.ClientEdit {
	e.Name, e.Description, e.LaunchURL = in.Name, in.Description, in.LaunchURL
	e.RedirectURIs, e.PostLogoutURIs = urisOf(in.CallbackURLs, e.RedirectURIs), urisOf(in.LogoutCallbackURLs, e.PostLogoutURIs)
	e.PKCERequired, e.ReauthRequired, e.PARRequired, e.SkipConsent = in.PKCEEnabled, in.RequiresReauthentication, in.RequiresPushedRequests, in.SkipConsent
	e.Federated, e.GroupRestricted = in.Credentials.FederatedIdentities, in.IsGroupRestricted
	e.AccessTokenFor, e.RefreshTokenFor = span(in.AccessTokenDurationMinutes, time.Minute), span(in.RefreshTokenDurationMinutes, time.Minute)
	if in.AuthMethod == nil && e.Public != in.IsPublic {
		e.AuthMethod = "" // the old one is of the other kind of client
	}
	e.Public = in.IsPublic

	set(&e.AuthMethod, in.AuthMethod)
	set(&e.GrantTypes, in.GrantTypes)
	setAs(&e.IDTokenAlg, in.IDTokenAlg)
	setAs(&e.AccessTokenAlg, in.AccessTokenAlg)
	setAs(&e.UserinfoAlg, in.UserinfoAlg)
	setAs(&e.RequestObjectAlg, in.RequestObjectAlg)
	set(&e.ClaimsAtUserinfo, in.ClaimsAtUserinfo)
	set(&e.SubjectType, in.SubjectType)
	set(&e.Sector, in.Sector)
	set(&e.JWKS, in.JWKS)
	set(&e.JWKSURI, in.JWKSURL)
	setAs(&e.AssertionAlg, in.AssertionAlg)
	set(&e.AssertionAudience, in.AssertionAudience)
	set(&e.RefreshIssue, in.RefreshIssue)
	set(&e.RefreshRotation, in.RefreshRotation)
	setSpan(&e.IDTokenFor, in.IDTokenMinutes, time.Minute)
	setSpan(&e.RefreshMaxFor, in.RefreshMaxMinutes, time.Minute)
	setSpan(&e.DefaultMaxAge, in.DefaultMaxAge, time.Second)
	set(&e.AuthTimeRequired, in.AuthTimeRequired)
	set(&e.DefaultACRValues, in.DefaultACRValues)
	set(&e.BackchannelLogout, in.BackchannelLogoutURL)
	set(&e.BackchannelNeedsSid, in.BackchannelNeedsSid)
	set(&e.FrontchannelLogout, in.FrontchannelLogoutURL)
	set(&e.FrontchannelNeedsSid, in.FrontchannelNeedsSid)
	set(&e.InitiateLogin, in.InitiateLoginURL)
	set(&e.ClientURI, in.WebsiteURL)
	set(&e.LogoURI, in.RemoteLogoURL)
	set(&e.PolicyURI, in.PolicyURL)
	set(&e.TOSURI, in.TermsURL)
	set(&e.Contacts, in.Contacts)
	set(&e.RequestURIs, in.RequestURLs)
	set(&e.Accent, in.Accent)
	set(&e.Greeting, in.Greeting)
	return e
}

func (a *API) clientAdd(w http.ResponseWriter, r *http.Request) error {
	var in clientNew
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	ctx, by := r.Context(), actor(r)
	logos, err := a.logosFrom(r, &in.clientIn)
	if err != nil {
		return err
	}
	edit := in.onto(oidc.NewClientEdit())
	edit.ID = in.ID
	c, err := a.oidc.AddClientAlone(ctx, by, edit)
	if err != nil {
		return err
	}
	if err := a.setLogos(r, c.ID, logos); err != nil {
		return err
	}
	return a.showClient(w, r, http.StatusCreated, c.ID)
}

func (a *API) clientEdit(w http.ResponseWriter, r *http.Request) error {
	var in clientIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	ctx, by, id := r.Context(), actor(r), r.PathValue("id")
	c, err := a.oidc.Client(ctx, by, id)
	if err != nil {
		return err
	}
	logos, err := a.logosFrom(r, &in)
	if err != nil {
		return err
	}
	// What the program does not say is as it was read just now, so nothing may have changed since.
	if _, err := a.oidc.ReviseClient(ctx, by, id, c.Edit().Seen(), in.onto(c.Edit())); err != nil {
		return err
	}
	if err := a.setLogos(r, id, logos); err != nil {
		return err
	}
	return a.showClient(w, r, http.StatusOK, id)
}

// logosFrom fetches the logos that a program names. It asks elsewhere, so nothing has
// changed yet.
func (a *API) logosFrom(r *http.Request, in *clientIn) (map[images.Kind]images.Picture, error) {
	logos := map[images.Kind]images.Picture{}
	for kind, address := range map[images.Kind]string{images.ClientLight: in.LogoURL, images.ClientDark: in.DarkLogoURL} {
		if address == "" {
			continue
		}
		picture, err := a.oidc.FetchLogo(r.Context(), actor(r), address)
		if err != nil {
			field := "logoUrl"
			if kind == images.ClientDark {
				field = "darkLogoUrl"
			}
			return nil, logoFault(err, field)
		}
		logos[kind] = picture
	}
	return logos, nil
}

func (a *API) setLogos(r *http.Request, id string, logos map[images.Kind]images.Picture) error {
	for kind, picture := range logos {
		if err := a.oidc.SetClientLogo(r.Context(), actor(r), id, kind, picture); err != nil {
			return err
		}
	}
	return nil
}
