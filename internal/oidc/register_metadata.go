package oidc

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"pocketid/internal/fault"
	"pocketid/internal/i18n"
	"pocketid/internal/jose"
)

// What is refused about the metadata of a client (RFC 7591 §3.2.2).
var (
	errRedirectURI       = fault.New(fault.Invalid, "invalid_redirect_uri")
	errClientMetadata    = fault.New(fault.Invalid, "invalid_client_metadata")
	errSoftwareStatement = fault.New(fault.Invalid, "invalid_software_statement")
)

// clientMetadata is what a client says about itself, by the names of RFC 7591 §2, OpenID
// Connect Registration §2, and the specifications of logout and of pushed requests.
// Members that are not here are ignored, and so not returned.
type clientMetadata struct {
	RedirectURIs    []string `json:"redirect_uris,omitempty"`
	ResponseTypes   []string `json:"response_types,omitempty"`
	GrantTypes      []string `json:"grant_types,omitempty"`
	ApplicationType string   `json:"application_type,omitempty"`
	AuthMethod      string   `json:"token_endpoint_auth_method,omitempty"`
	AssertionAlg    jose.Alg `json:"token_endpoint_auth_signing_alg,omitempty"`

	Name      string   `json:"client_name,omitempty"`
	ClientURI string   `json:"client_uri,omitempty"`
	LogoURI   string   `json:"logo_uri,omitempty"`
	PolicyURI string   `json:"policy_uri,omitempty"`
	TOSURI    string   `json:"tos_uri,omitempty"`
	Contacts  []string `json:"contacts,omitempty"`

	JWKS    json.RawMessage `json:"jwks,omitempty"`
	JWKSURI string          `json:"jwks_uri,omitempty"`

	SubjectType string `json:"subject_type,omitempty"`
	SectorURI   string `json:"sector_identifier_uri,omitempty"`

	IDTokenAlg       jose.Alg `json:"id_token_signed_response_alg,omitempty"`
	UserinfoAlg      jose.Alg `json:"userinfo_signed_response_alg,omitempty"`
	RequestObjectAlg jose.Alg `json:"request_object_signing_alg,omitempty"`
	IDTokenSealed    string   `json:"id_token_encrypted_response_alg,omitempty"`
	UserinfoSealed   string   `json:"userinfo_encrypted_response_alg,omitempty"`
	RequestSealed    string   `json:"request_object_encryption_alg,omitempty"`

	DefaultMaxAge    *int64   `json:"default_max_age,omitempty"`
	AuthTimeRequired bool     `json:"require_auth_time,omitempty"`
	DefaultACRValues []string `json:"default_acr_values,omitempty"`
	InitiateLogin    string   `json:"initiate_login_uri,omitempty"`
	RequestURIs      []string `json:"request_uris,omitempty"`
	PARRequired      bool     `json:"require_pushed_authorization_requests,omitempty"`

	PostLogoutURIs       []string `json:"post_logout_redirect_uris,omitempty"`
	BackchannelLogout    string   `json:"backchannel_logout_uri,omitempty"`
	BackchannelNeedsSid  bool     `json:"backchannel_logout_session_required,omitempty"`
	FrontchannelLogout   string   `json:"frontchannel_logout_uri,omitempty"`
	FrontchannelNeedsSid bool     `json:"frontchannel_logout_session_required,omitempty"`

	SoftwareID        string `json:"software_id,omitempty"`
	SoftwareVersion   string `json:"software_version,omitempty"`
	SoftwareStatement string `json:"software_statement,omitempty"`
}

// What a stranger may have of clients. The rest of a client is an administrator's to give.
var (
	// strangerGrants have a person in them: no grant makes a machine of a stranger.
	strangerGrants = []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"}
	// strangerMethods are the ways in which one may prove itself.
	strangerMethods = []string{"none", "client_secret_basic", "client_secret_post", "private_key_jwt"}
)

const (
	maxStrangerURIs = 20  // of one purpose
	maxStrangerText = 100 // characters of software_id and its like
)

// parseClientMetadata reads what a client says of itself. It is pure, and what it returns
// is what will be stored: values that we do not know are left out of lists, what is missing
// has its default (RFC 7591 §2).
func parseClientMetadata(body []byte) (*clientMetadata, error) {
	return metadataWith(body, "client_secret_basic")
}

// metadataWith is parseClientMetadata where method is the one of a client that names none.
func metadataWith(body []byte, method string) (*clientMetadata, error) {
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, errClientMetadata.Saying("the body is not a JSON object")
	}
	m := &clientMetadata{}
	if err := json.Unmarshal(body, m); err != nil {
		at := ""
		if e, ok := err.(*json.UnmarshalTypeError); ok && e.Field != "" {
			at = e.Field + " has the wrong type"
		} else {
			at = "the body is not a JSON object that can be read"
		}
		return nil, errClientMetadata.Saying(at).Because("%w", err)
	}
	if m.SoftwareStatement != "" {
		return nil, errSoftwareStatement.Saying("software statements are not taken here")
	}
	for member, value := range map[string]string{
		"id_token_encrypted_response_alg": m.IDTokenSealed, "userinfo_encrypted_response_alg": m.UserinfoSealed,
		"request_object_encryption_alg": m.RequestSealed,
	} {
		if value != "" {
			return nil, errClientMetadata.Saying(member + " is not supported: nothing is encrypted here")
		}
	}
	for member, value := range map[string]string{
		"application_type": m.ApplicationType, "software_id": m.SoftwareID, "software_version": m.SoftwareVersion,
	} {
		if len(value) > maxStrangerText || !isText(value) {
			return nil, errClientMetadata.Saying(member + " is longer than 100 characters or no text")
		}
	}
	if m.AuthMethod == "" {
		m.AuthMethod = method
	}
	if err := m.parseFlow(); err != nil {
		return nil, err
	}
	if err := m.parseKeys(); err != nil {
		return nil, err
	}
	if err := m.parseShown(); err != nil {
		return nil, err
	}
	if m.DefaultMaxAge != nil && (*m.DefaultMaxAge < 0 || *m.DefaultMaxAge > maxMaxAge) {
		return nil, errClientMetadata.Saying("default_max_age is not a number of seconds up to ten years")
	}
	switch m.ApplicationType {
	case "":
		m.ApplicationType = "web"
	case "web", "native":
	default:
		return nil, errClientMetadata.Saying("application_type can be web or native")
	}
	return m, nil
}

// parseFlow holds what the client does with us: its grants, its answers, and where they go.
func (m *clientMetadata) parseFlow() error {
	if m.ResponseTypes == nil {
		m.ResponseTypes = []string{"code"}
	}
	if !slices.Contains(m.ResponseTypes, "code") {
		return errClientMetadata.Saying("response_types can be code")
	}
	m.ResponseTypes = []string{"code"}
	if m.GrantTypes == nil {
		m.GrantTypes = []string{"authorization_code"}
	}
	m.GrantTypes = known(m.GrantTypes, strangerGrants)
	byCode := slices.Contains(m.GrantTypes, "authorization_code")
	if !byCode && !slices.Contains(m.GrantTypes, strangerGrants[2]) {
		return errClientMetadata.Saying("grant_types can be " + strings.Join(strangerGrants, ", ") + ", and one of them has to sign people in")
	}
	if byCode && len(m.RedirectURIs) == 0 {
		return errRedirectURI.Saying("redirect_uris is missing")
	}
	if !slices.Contains(strangerMethods, m.AuthMethod) {
		return errClientMetadata.Saying("token_endpoint_auth_method can be " + strings.Join(strangerMethods, ", "))
	}
	for _, list := range []struct {
		member  string
		uris    []string
		refused *fault.Error
	}{{"redirect_uris", m.RedirectURIs, errRedirectURI}, {"post_logout_redirect_uris", m.PostLogoutURIs, errClientMetadata}} {
		if len(list.uris) > maxStrangerURIs {
			return list.refused.Saying(list.member + " has more than 20 addresses")
		}
		for _, uri := range list.uris {
			// Not even an operator who allows http means strangers.
			if err := checkURI(URI{URI: uri}, rules{public: true}); err != nil {
				return list.refused.Saying(list.member+": "+inWords(err)).Because("%q: %w", shown(uri), err)
			}
		}
	}
	return nil
}

// parseKeys holds the keys of the client: by value or by address, and there for a method
// that needs them.
func (m *clientMetadata) parseKeys() error {
	if string(m.JWKS) == "null" {
		m.JWKS = nil
	}
	switch {
	case m.JWKS != nil && m.JWKSURI != "":
		return errClientMetadata.Saying("jwks and jwks_uri exclude each other")
	case m.AuthMethod == "private_key_jwt" && m.JWKS == nil && m.JWKSURI == "":
		return errClientMetadata.Saying("token_endpoint_auth_method private_key_jwt needs jwks or jwks_uri")
	}
	return nil
}

// parseShown holds what people are shown: names without characters that turn the text
// around or hide in it, and addresses of https.
func (m *clientMetadata) parseShown() error {
	if !isText(m.Name) {
		return errClientMetadata.Saying("client_name is no text")
	}
	m.Name = visible(m.Name)
	if m.Name == "" {
		m.Name = "Client"
		if len(m.RedirectURIs) > 0 {
			if a, err := parseAddress(m.RedirectURIs[0]); err == nil {
				m.Name = visible(a.shown())
			}
		}
	}
	for _, at := range []struct{ member, uri string }{
		{"client_uri", m.ClientURI}, {"logo_uri", m.LogoURI}, {"policy_uri", m.PolicyURI}, {"tos_uri", m.TOSURI},
		{"initiate_login_uri", m.InitiateLogin},
	} {
		if at.uri != "" && !isShownURI(at.uri) {
			return errClientMetadata.Saying(at.member + " has to be an address of https in plain ASCII")
		}
	}
	return nil
}

// visible is a name in at most as many characters as a client may have, without those
// that are not seen: marks of direction, joiners and their like make one name look as
// another.
func visible(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, name)
	name = strings.Join(strings.Fields(name), " ")
	if runes := []rune(name); len(runes) > maxClientName {
		name = strings.TrimSpace(string(runes[:maxClientName]))
	}
	return name
}

// isShownURI knows the addresses of a stranger that a link may lead to: https, a name and
// not a bare address, and no label that is drawn in other letters than it is written in.
func isShownURI(s string) bool {
	a, err := parseAddress(s)
	if err != nil || a.scheme != "https" || strings.Contains(a.host, "*") || a.host[0] == '[' {
		return false
	}
	for label := range strings.SplitSeq(strings.ToLower(a.host), ".") {
		if strings.HasPrefix(label, "xn--") {
			return false
		}
	}
	return true
}

// known keeps of list what is among all, in the order of all.
func known(list, all []string) []string {
	kept := []string{}
	for _, name := range all {
		if slices.Contains(list, name) {
			kept = append(kept, name)
		}
	}
	return kept
}

// inWords is what a fault says to the developer of a client.
func inWords(err error) string {
	f := fault.Of(err)
	return i18n.For(i18n.Source).Fault(f.Code, f.Kind.String(), f.Params).Text
}

// apply sets in edit what a client may say of itself. What is not here stays as it is: the
// rights that an administrator gave or took (threats 67).
func (m *clientMetadata) apply(edit *ClientEdit, sector string) {
	edit.Name = m.Name
	edit.RedirectURIs, edit.PostLogoutURIs = exactURIs(m.RedirectURIs), exactURIs(m.PostLogoutURIs)
	edit.Public, edit.AuthMethod = m.AuthMethod == "none", m.AuthMethod
	edit.GrantTypes, edit.PKCERequired, edit.PARRequired = m.GrantTypes, edit.Public, m.PARRequired
	edit.IDTokenAlg, edit.UserinfoAlg, edit.RequestObjectAlg = m.IDTokenAlg, m.UserinfoAlg, m.RequestObjectAlg
	edit.AssertionAlg, edit.JWKS, edit.JWKSURI = m.AssertionAlg, string(m.JWKS), m.JWKSURI
	edit.SubjectType, edit.Sector = m.SubjectType, sector
	edit.DefaultMaxAge = 0
	if m.DefaultMaxAge != nil {
		edit.DefaultMaxAge = max(time.Duration(*m.DefaultMaxAge)*time.Second, time.Second) // 0 is none in an edit
	}
	edit.AuthTimeRequired, edit.DefaultACRValues = m.AuthTimeRequired, m.DefaultACRValues
	edit.BackchannelLogout, edit.BackchannelNeedsSid = m.BackchannelLogout, m.BackchannelNeedsSid
	edit.FrontchannelLogout, edit.FrontchannelNeedsSid = m.FrontchannelLogout, m.FrontchannelNeedsSid
	edit.InitiateLogin, edit.ClientURI, edit.LogoURI = m.InitiateLogin, m.ClientURI, m.LogoURI
	edit.PolicyURI, edit.TOSURI, edit.Contacts, edit.RequestURIs = m.PolicyURI, m.TOSURI, m.Contacts, m.RequestURIs
}

func exactURIs(list []string) []URI {
	uris := make([]URI, len(list))
	for i, uri := range list {
		uris[i] = URI{URI: uri}
	}
	return uris
}

// said is how c is told of itself: what is stored, and of m what a client is not made of
// (RFC 7591 §3.2.1).
func (m *clientMetadata) said(c *Client) clientMetadata {
	texts := func(uris []URI) (list []string) {
		for _, u := range uris {
			list = append(list, u.URI)
		}
		return list
	}
	s := clientMetadata{
		RedirectURIs: texts(c.RedirectURIs), ResponseTypes: []string{"code"}, GrantTypes: c.GrantTypes,
		ApplicationType: m.ApplicationType, AuthMethod: c.AuthMethod, AssertionAlg: c.AssertionAlg,
		Name: c.Name, ClientURI: c.ClientURI, LogoURI: c.LogoURI, PolicyURI: c.PolicyURI, TOSURI: c.TOSURI, Contacts: c.Contacts,
		JWKSURI: c.JWKSURI, SubjectType: c.SubjectType, SectorURI: m.SectorURI,
		IDTokenAlg: c.IDTokenAlg, UserinfoAlg: c.UserinfoAlg, RequestObjectAlg: c.RequestObjectAlg,
		AuthTimeRequired: c.AuthTimeRequired, DefaultACRValues: c.DefaultACRValues, InitiateLogin: c.InitiateLogin,
		RequestURIs: c.RequestURIs, PARRequired: c.PARRequired, PostLogoutURIs: texts(c.PostLogoutURIs),
		BackchannelLogout: c.BackchannelLogout, BackchannelNeedsSid: c.BackchannelNeedsSid,
		FrontchannelLogout: c.FrontchannelLogout, FrontchannelNeedsSid: c.FrontchannelNeedsSid,
		SoftwareID: m.SoftwareID, SoftwareVersion: m.SoftwareVersion,
	}
	if c.JWKS != "" {
		s.JWKS = json.RawMessage(c.JWKS)
	}
	if c.DefaultMaxAge > 0 {
		seconds := int64(c.DefaultMaxAge / time.Second)
		s.DefaultMaxAge = &seconds
	}
	return s
}

// members are the names of metadata for the fields of a ClientEdit, where a check of the
// edit refuses one.
var members = map[string]string{
	"name": "client_name", "redirect_uris": "redirect_uris", "post_logout_uris": "post_logout_redirect_uris",
	"auth_method": "token_endpoint_auth_method", "id_token_alg": "id_token_signed_response_alg",
	"userinfo_alg": "userinfo_signed_response_alg", "request_object_alg": "request_object_signing_alg",
	"assertion_alg": "token_endpoint_auth_signing_alg", "sector": "sector_identifier_uri",
	"backchannel_logout": "backchannel_logout_uri", "frontchannel_logout": "frontchannel_logout_uri",
	"initiate_login": "initiate_login_uri",
}

// ofMember is the fault of a ClientEdit as the developer of a client understands it.
func ofMember(err error) error {
	f := fault.Of(err)
	if f.Kind != fault.Invalid && f.Kind != fault.Conflict {
		return err
	}
	field, _, _ := strings.Cut(f.Field, "[")
	member, known := members[field]
	if !known {
		member = field
	}
	refused := errClientMetadata
	if member == "redirect_uris" {
		refused = errRedirectURI
	}
	if member != "" {
		member += ": "
	}
	return refused.Saying(member+inWords(err)).Because("%w", err)
}

// sectorHost is the host of a sector_identifier_uri.
func sectorHost(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
