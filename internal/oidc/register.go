package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/outbound"
	"pocketid/internal/secret"
	"pocketid/internal/settings"
	"pocketid/internal/signin"
)

// What somebody is told who may not register.
var (
	errRegistrationOff  = fault.New(fault.NotFound, "registration_disabled")
	errRegistrationFull = fault.New(fault.TooMany, "registration_full")
)

const (
	// maxSector bounds the document of a sector.
	maxSector = 64 << 10
)

// registrationsPerNetwork is how many requests to register come from one network where
// anybody may. They count whether they succeed or not, since each may make us fetch
// something.
var registrationsPerNetwork = signin.Limit{Count: 100, Within: time.Hour}

// A registration is what a client is told about itself (RFC 7591 §3.2.1).
type registration struct {
	ClientID        string `json:"client_id"`
	IssuedAt        int64  `json:"client_id_issued_at"`
	Secret          string `json:"client_secret,omitempty"`
	SecretExpiresAt *int64 `json:"client_secret_expires_at,omitempty"`
	AccessToken     string `json:"registration_access_token"`
	URI             string `json:"registration_client_uri"`
	clientMetadata
}

func (p *Provider) registrationOf(c *Client, m *clientMetadata, token, plain string) registration {
	reg := registration{
		ClientID: c.ID, IssuedAt: c.CreatedAt.Unix(), Secret: plain, AccessToken: token,
		URI: p.internalURL + pathRegister + "/" + c.ID, clientMetadata: m.said(c),
	}
	if plain != "" {
		reg.SecretExpiresAt = new(int64) // never
	}
	return reg
}

// Register is POST /api/oidc/register (RFC 7591 §3.1, OpenID Connect Registration §3.1).
func (p *Provider) Register(w http.ResponseWriter, r *http.Request) error {
	noStore(w)
	by, token := stranger(r), accessTokenIn(r)
	if err := p.admitRegistration(r.Context(), by, token); err != nil {
		return err
	}
	m, err := readClientMetadata(r)
	if err != nil {
		return err
	}
	reg, err := p.register(r.Context(), by, token, m)
	if err != nil {
		return err
	}
	edge.Note(r.Context(), "client", reg.ClientID)
	return edge.WriteJSON(w, http.StatusCreated, reg)
}

// Registered is GET /api/oidc/register/{client} (RFC 7592 §2.1).
func (p *Provider) Registered(w http.ResponseWriter, r *http.Request) error {
	noStore(w)
	token := accessTokenIn(r)
	var reg registration
	err := p.db.Read(r.Context(), func(tx *db.Tx) error {
		c, m, err := registeredClient(tx, r.PathValue("client"), token)
		if err == nil {
			reg = p.registrationOf(c, m, token, "")
		}
		return err
	})
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, reg)
}

// Reregister is PUT /api/oidc/register/{client} (RFC 7592 §2.2).
func (p *Provider) Reregister(w http.ResponseWriter, r *http.Request) error {
	noStore(w)
	reg, err := p.reregister(r, stranger(r), r.PathValue("client"), accessTokenIn(r))
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, reg)
}

// Deregister is DELETE /api/oidc/register/{client} (RFC 7592 §2.3).
func (p *Provider) Deregister(w http.ResponseWriter, r *http.Request) error {
	noStore(w)
	by, token := stranger(r), accessTokenIn(r)
	err := p.db.Write(r.Context(), func(tx *db.Tx) error {
		c, _, err := registeredClient(tx, r.PathValue("client"), token)
		if err == nil {
			removeClient(tx, by, c, audit.ClientDeregistered)
		}
		return err
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// stranger is who registers: a program at an address. That somebody is signed in in the
// same browser means nothing here.
func stranger(r *http.Request) audit.Actor {
	by := audit.From(r.Context())
	return audit.Actor{Via: "api", Address: by.Address, UserAgent: by.UserAgent, RequestID: by.RequestID}
}

// accessTokenIn is the token of the Authorization header; "" when there is no such header.
// One that cannot be read is a token that opens nothing.
func accessTokenIn(r *http.Request) string {
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		return ""
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if token = strings.TrimSpace(token); len(headers) > 1 || token == "" || !strings.EqualFold(scheme, "Bearer") {
		return "-"
	}
	return token
}

// readClientMetadata reads the body.
func readClientMetadata(r *http.Request) (*clientMetadata, error) {
	var body json.RawMessage
	if err := edge.ReadJSON(r, &body); err != nil {
		if f := fault.Of(err); f.Kind == fault.Invalid {
			return nil, errClientMetadata.Saying("the body is not a JSON object that can be read").Because("%w", err)
		}
		return nil, err
	}
	return parseClientMetadata(body)
}

// admitRegistration says whether by may register a client at all, before anything that by
// sent is looked at.
func (p *Provider) admitRegistration(ctx context.Context, by audit.Actor, token string) error {
	return p.db.Write(ctx, func(tx *db.Tx) error {
		s, err := settings.Of(tx)
		if err != nil {
			return err
		}
		if err := registrationAllowed(tx, s, token); err != nil {
			return err
		}
		if s.ClientRegistration != settings.RegistrationOpen || token != "" {
			return nil
		}
		if err := signin.Guess(tx, "register "+signin.Network(by.Address), registrationsPerNetwork); err != nil {
			return db.Keep(err)
		}
		return nil
	})
}

// registrationAllowed holds the choice of the administrator, the token, and the number of
// clients that there may be.
func registrationAllowed(tx *db.Tx, s settings.Settings, token string) error {
	if s.ClientRegistration == settings.RegistrationDisabled {
		return errRegistrationOff
	}
	if token != "" {
		if _, err := registrationToken(tx, token); err != nil {
			return err
		}
	} else if s.ClientRegistration != settings.RegistrationOpen {
		return errInvalidToken.Saying("registration needs an initial access token")
	}
	return roomForStrangers(tx, s)
}

// roomForStrangers refuses a client more than the settings allow of those that no
// administrator made.
func roomForStrangers(tx *db.Tx, s settings.Settings) error {
	var count int
	err := tx.One([]any{&count}, `SELECT count(*) FROM clients WHERE kind IN ('`+KindDynamic+`', '`+KindDocument+`') AND deleted_at IS NULL`)
	if err == nil && count >= s.ClientRegistrationLimit {
		return errRegistrationFull.After(time.Hour)
	}
	return err
}

func (p *Provider) register(ctx context.Context, by audit.Actor, token string, m *clientMetadata) (registration, error) {
	sector, err := p.sectorOf(ctx, m)
	if err != nil {
		return registration{}, err
	}
	edit := strangerEdit()
	m.apply(&edit, sector)
	edit.ID = NewClientID()
	if edit, err = p.checkEdit(edit); err != nil {
		return registration{}, ofMember(err)
	}
	c := Client{ClientEdit: edit, Kind: KindDynamic}
	access, plain := secret.Token(), ""
	err = p.db.Write(ctx, func(tx *db.Tx) error {
		s, err := settings.Of(tx)
		if err != nil {
			return err
		}
		if err := registrationAllowed(tx, s, token); err != nil {
			return err
		}
		if err := edit.checkAlgs(tx); err != nil {
			return ofMember(err)
		}
		with := ""
		if token != "" {
			if with, err = useRegistrationToken(tx, token); err != nil {
				return err
			}
		}
		c.CreatedAt, c.UpdatedAt = tx.Now(), tx.Now()
		insertClient(tx, &c)
		if plain = ""; needsSecret(&c) {
			plain = newSecretOf(tx, by, &c)
		}
		tx.Do(`UPDATE clients SET metadata = $2, registration_token = $3, registered_with = $4 WHERE id = $1`,
			c.ID, db.JSON(m), secret.Hash(access), with)
		audit.Record(tx, by, audit.Event{Name: audit.ClientRegistered, Object: c.named(), Client: c.ID, After: c.record()})
		return nil
	})
	if err != nil {
		return registration{}, err
	}
	return p.registrationOf(&c, m, access, plain), nil
}

// strangerEdit is what a client begins with that registers itself. Claims stay at the
// userinfo endpoint, as the specification has it, and an assertion may be for the endpoint,
// as clients of the specification make them.
func strangerEdit() ClientEdit {
	edit := NewClientEdit()
	edit.ClaimsAtUserinfo, edit.AssertionAudience = true, AudienceLenient
	return edit
}

// needsSecret says whether c proves itself with one (RFC 7591 §3.2.1).
func needsSecret(c *Client) bool {
	return c.AuthMethod == "client_secret_basic" || c.AuthMethod == "client_secret_post"
}

func newSecretOf(tx *db.Tx, by audit.Actor, c *Client) string {
	s, text := randomSecret(by, c.ID)
	s.CreatedAt = tx.Now()
	insertSecret(tx, &s)
	return text
}

// registeredClient is the client whose registration access token is token. Whoever has
// another one learns nothing, not even whether there is such a client (RFC 7592 §2).
func registeredClient(tx *db.Tx, id, token string) (*Client, *clientMetadata, error) {
	refused := errInvalidToken.Saying("the registration access token is not the one of this client")
	if token == "" || len(id) > maxClientID || !isText(id) {
		return nil, nil, refused
	}
	c, err := clientByID(tx, id)
	if errors.Is(err, ErrNoClient) {
		return nil, nil, refused
	}
	if err != nil {
		return nil, nil, err
	}
	var hash []byte
	var m clientMetadata
	if err := tx.One([]any{&hash, db.JSON(&m)}, `SELECT registration_token, metadata FROM clients WHERE id = $1`, id); err != nil {
		return nil, nil, err
	}
	if c.Kind != KindDynamic || len(hash) == 0 || !secret.Equal(hash, secret.Hash(token)) {
		return nil, nil, refused
	}
	return c, &m, nil
}

// A rewrite is what RFC 7592 §2.2 has in a request to change a client beside its metadata.
type rewrite struct {
	ClientID        string          `json:"client_id"`
	Secret          secret.Text     `json:"client_secret"`
	AccessToken     json.RawMessage `json:"registration_access_token"`
	URI             json.RawMessage `json:"registration_client_uri"`
	SecretExpiresAt json.RawMessage `json:"client_secret_expires_at"`
	IssuedAt        json.RawMessage `json:"client_id_issued_at"`
}

func parseRewrite(body []byte, id string) (*clientMetadata, rewrite, error) {
	var w rewrite
	m, err := parseClientMetadata(body)
	if err != nil {
		return nil, w, err
	}
	if err := json.Unmarshal(body, &w); err != nil {
		return nil, w, errClientMetadata.Saying("client_id and client_secret are texts").Because("%w", err)
	}
	if w.ClientID != id {
		return nil, w, errClientMetadata.Saying("client_id is missing or another one than that of the address")
	}
	for member, value := range map[string]json.RawMessage{
		"registration_access_token": w.AccessToken, "registration_client_uri": w.URI,
		"client_secret_expires_at": w.SecretExpiresAt, "client_id_issued_at": w.IssuedAt,
	} {
		if value != nil {
			return nil, w, errClientMetadata.Saying(member + " is not for clients to set")
		}
	}
	return m, w, nil
}

func (p *Provider) reregister(r *http.Request, by audit.Actor, id, token string) (registration, error) {
	ctx := r.Context()
	err := p.db.Read(ctx, func(tx *db.Tx) error {
		if _, _, err := registeredClient(tx, id, token); err != nil {
			return err
		}
		s, err := settings.Of(tx)
		if err == nil && s.ClientRegistration == settings.RegistrationDisabled {
			return errAccessDenied.Saying("registration is off; the client can be read and deleted, and not changed")
		}
		return err
	})
	if err != nil {
		return registration{}, err
	}
	var body json.RawMessage
	if err := edge.ReadJSON(r, &body); err != nil {
		return registration{}, errClientMetadata.Saying("the body is not a JSON object that can be read").Because("%w", err)
	}
	m, sent, err := parseRewrite(body, id)
	if err != nil {
		return registration{}, err
	}
	sector, err := p.sectorOf(ctx, m)
	if err != nil {
		return registration{}, err
	}
	var reg registration
	err = p.db.Write(ctx, func(tx *db.Tx) error {
		c, _, err := registeredClient(tx, id, token)
		if err != nil {
			return err
		}
		if sent.Secret != "" {
			_, secrets, err := clientAndSecrets(tx, id)
			if err != nil {
				return err
			}
			if p.matching(secrets, sent.Secret, secretSHA256, tx.Now()) == nil {
				return errClientMetadata.Saying("client_secret is not the one of this client")
			}
		}
		plain, err := p.rewriteClient(tx, by, c, m, sector)
		if err != nil {
			return err
		}
		reg = p.registrationOf(c, m, token, plain)
		return nil
	})
	return reg, err
}

// rewriteClient sets c to what it now says of itself. It returns the secret that it gets
// where it had none and needs one.
func (p *Provider) rewriteClient(tx *db.Tx, by audit.Actor, c *Client, m *clientMetadata, sector string) (string, error) {
	before, had, old := c.record(), needsSecret(c), c.ClientEdit
	edit := c.Edit()
	m.apply(&edit, sector)
	edit, err := p.checkEdit(edit)
	if err == nil {
		err = edit.checkAlgs(tx)
	}
	if err != nil {
		return "", ofMember(err)
	}
	c.apply(edit)
	updateClient(tx, c)
	tx.Do(`UPDATE clients SET metadata = $2 WHERE id = $1`, c.ID, db.JSON(m))
	plain := ""
	switch needs := needsSecret(c); {
	case needs && !had:
		plain = newSecretOf(tx, by, c)
	case had && !needs:
		tx.Do(`DELETE FROM client_secrets WHERE client_id = $1`, c.ID)
	}
	if weightier(&old, &c.ClientEdit) {
		forgetConsents(tx, c.ID)
	}
	was, is := differences(before, c.record())
	audit.Record(tx, by, audit.Event{Name: audit.ClientReregistered, Object: c.named(), Client: c.ID, Before: was, After: is})
	return plain, nil
}

// weightier says whether a client that changed is another one to the people who allowed
// it: what it is called, where answers go, how it proves itself, who the sector is.
func weightier(was, is *ClientEdit) bool {
	return was.Name != is.Name || !slices.Equal(was.RedirectURIs, is.RedirectURIs) || was.AuthMethod != is.AuthMethod ||
		was.JWKS != is.JWKS || was.JWKSURI != is.JWKSURI || was.Sector != is.Sector || was.SubjectType != is.SubjectType ||
		was.ClientURI != is.ClientURI || was.LogoURI != is.LogoURI || !slices.Equal(was.RequestURIs, is.RequestURIs)
}

// forgetConsents lets everybody be asked again about a client, also those who have just
// said yes and wait for their answer.
func forgetConsents(tx *db.Tx, clientID string) {
	tx.Do(`DELETE FROM consents WHERE client_id = $1`, clientID)
	tx.Do(`UPDATE authorizations SET consent_by = NULL, consented_at = NULL WHERE client_id = $1 AND done_at IS NULL`, clientID)
}

// sectorOf is the sector of a client that says m of itself: the host of its
// sector_identifier_uri, whose document has to name each of its redirect URIs (OpenID
// Connect Core §8.1, Registration §5). It asks elsewhere, so it is never called in a
// transaction.
func (p *Provider) sectorOf(ctx context.Context, m *clientMetadata) (string, error) {
	if m.SectorURI == "" {
		return "", nil
	}
	if !isShownURI(m.SectorURI) {
		return "", errClientMetadata.Saying("sector_identifier_uri has to be an address of https")
	}
	answer, err := p.outbound.Do(ctx, outbound.Request{URL: m.SectorURI, Accept: "application/json", Max: maxSector})
	if err != nil {
		return "", errClientMetadata.Saying("sector_identifier_uri cannot be read").Because("%w", err)
	}
	var uris []string
	if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &uris) != nil {
		return "", errClientMetadata.Saying("sector_identifier_uri leads to no list of addresses").Because("status %d", answer.Status)
	}
	for _, uri := range m.RedirectURIs {
		if !slices.Contains(uris, uri) {
			return "", errClientMetadata.Saying("sector_identifier_uri does not name each of redirect_uris")
		}
	}
	return sectorHost(m.SectorURI), nil
}
