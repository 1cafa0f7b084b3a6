package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/jobs"
	"pocketid/internal/outbound"
	"pocketid/internal/settings"
)

// A client id that is the address of a document (OAuth Client ID Metadata Document): the
// document says what the client is, and whoever may write at that address is the client.
// It is fetched when it is first needed, kept as a row until it expires, and never asked
// for in a transaction.

// Why there is no client at the address of a document.
var (
	ErrDocumentAddress    = fault.New(fault.Invalid, "client_document_address")
	ErrDocumentForbidden  = fault.New(fault.Invalid, "client_document_forbidden")
	ErrDocumentUnreadable = fault.New(fault.Invalid, "client_document_unreadable")
	ErrDocumentRefused    = fault.New(fault.Invalid, "client_document_refused")
	ErrNoDocument         = fault.New(fault.Conflict, "client_has_no_document")
)

const (
	// maxDocumentID bounds an address that is a client id, in bytes.
	maxDocumentID = 512
	// maxDocument bounds a document, as the draft has it (§6.6).
	maxDocument         = 5 << 10
	documentTimeout     = 5 * time.Second
	documentsAtOnce     = 10
	usualDocumentLife   = time.Hour
	leastDocumentLife   = 5 * time.Minute
	longestDocumentLife = 24 * time.Hour
)

// isDocumentID says whether a client id is the address of a document. No id that we make
// or an administrator chooses is.
func isDocumentID(id string) bool { return strings.HasPrefix(id, "https://") }

// isClientID says whether id can be one: ours are short, addresses may be longer.
func isClientID(id string) bool {
	longest := maxClientID
	if isDocumentID(id) {
		longest = maxDocumentID
	}
	return id != "" && len(id) <= longest && !strings.ContainsFunc(id, notVisible)
}

// parseDocumentID takes the address of a document apart, or refuses it before anybody is
// asked: https, a path without dot segments, and neither user, fragment nor query.
func parseDocumentID(id string) (address, error) {
	refused := ErrDocumentAddress.With("client_id", shown(id))
	if len(id) > maxDocumentID {
		return address{}, refused.Because("%d bytes", len(id))
	}
	a, err := parseAddress(id)
	switch {
	case err != nil:
		return a, refused.Because("%w", err)
	case a.scheme != "https" || !strings.HasPrefix(a.path, "/"):
		return a, refused.Because("no path, or not https")
	case a.query != "" || strings.HasSuffix(id, "?"):
		return a, refused.Because("a query")
	case strings.Contains(a.host+a.path, "*") || a.host != strings.ToLower(a.host):
		return a, refused.Because("a host that can be written in another way")
	}
	return a, nil
}

// documentHost is the host of a document, which is what people are shown of its client; ""
// of a client that has no document.
func (c *Client) documentHost() string {
	if c.Kind != KindDocument {
		return ""
	}
	a, err := parseAddress(c.ID)
	if err != nil {
		return ""
	}
	return a.shown()
}

// Stranger says whether no administrator made c. What it says of itself is its own word, so
// people are always asked about it.
func (c *Client) Stranger() bool { return c.Kind == KindDynamic || c.Kind == KindDocument }

// behind is the host that stands behind a stranger: of its document, or else where its
// answers go. "" for a client that an administrator made.
func (c *Client) behind(answers address) string {
	if c.Kind == KindDynamic {
		return answers.shown()
	}
	return c.documentHost()
}

// meetClient sees to it that a client is known which has a document, as the document is
// now. Of every other id it says nothing. It may ask elsewhere, so it is never called in a
// transaction.
func (p *Provider) meetClient(ctx context.Context, id string) error {
	if !isDocumentID(id) {
		return nil
	}
	a, err := parseDocumentID(id)
	if err != nil {
		return err
	}
	fresh := false
	err = p.db.Read(ctx, func(tx *db.Tx) error {
		s, err := settings.Of(tx)
		if err != nil {
			return err
		}
		if !s.DocumentAllowed(a.host, a.port, a.path) {
			return ErrDocumentForbidden.With("client_id", shown(id))
		}
		var expires time.Time
		err = tx.One([]any{db.Time(&expires)}, `SELECT metadata_expires_at FROM clients WHERE id = $1 AND kind = '`+KindDocument+`' AND deleted_at IS NULL`, id)
		if errors.Is(err, db.ErrNotFound) {
			return nil
		}
		fresh = tx.Now().Before(expires)
		return err
	})
	if err != nil || fresh {
		return err
	}
	_, err = p.readDocument(ctx, audit.Actor{Via: "api", Address: audit.From(ctx).Address, RequestID: audit.From(ctx).RequestID}, id)
	return err
}

// RefreshDocument reads the document of a client anew, for administrators.
func (p *Provider) RefreshDocument(ctx context.Context, by audit.Actor, id string) (Client, error) {
	if err := by.MustAdmin(); err != nil {
		return Client{}, err
	}
	c, err := p.Client(ctx, by, id)
	if err != nil {
		return Client{}, err
	}
	if c.Kind != KindDocument {
		return Client{}, ErrNoDocument
	}
	return p.readDocument(ctx, by, id)
}

// readDocument fetches a document and keeps what it says. What cannot be fetched or is no
// good is not kept: the next request asks again.
func (p *Provider) readDocument(ctx context.Context, by audit.Actor, id string) (Client, error) {
	m, life, err := p.fetchDocument(ctx, id)
	if err != nil {
		return Client{}, err
	}
	var c *Client
	err = p.db.Write(ctx, func(tx *db.Tx) (err error) {
		c, err = p.keepDocument(tx, by, id, m, life)
		return err
	})
	if err != nil {
		return Client{}, err
	}
	return *c, nil
}

// A documentRead is what a document said when it was read, and how long that counts.
type documentRead struct {
	metadata *clientMetadata
	life     time.Duration
}

// fetchDocument asks for a document: no redirects, 200 alone, JSON, a few KiB, a few
// seconds. How long it counts is a matter of the row; all that is kept of it beside that
// is when it was asked for, so that nobody can make us ask without end.
func (p *Provider) fetchDocument(ctx context.Context, id string) (*clientMetadata, time.Duration, error) {
	unreadable := ErrDocumentUnreadable.With("client_id", shown(id))
	read, err := outbound.Refetch(ctx, p.documents, outbound.Document[documentRead]{
		Request: outbound.Request{URL: id, Accept: "application/json", Max: maxDocument, Timeout: documentTimeout},
		Read: func(answer outbound.Answer) (documentRead, error) {
			if answer.Status != http.StatusOK {
				return documentRead{}, unreadable.Because("status %d", answer.Status)
			}
			media, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
			if err != nil || media != "application/json" && !strings.HasSuffix(media, "+json") {
				return documentRead{}, unreadable.Because("its type is %q", media)
			}
			m, err := parseDocument(answer.Body, id)
			return documentRead{m, documentLife(answer.Header)}, err
		},
	})
	if _, told := errors.AsType[*fault.Error](err); err != nil && !told {
		err = unreadable.Because("%w", err)
	}
	return read.metadata, read.life, err
}

// parseDocument reads the document at id. It is pure.
func parseDocument(body []byte, id string) (*clientMetadata, error) {
	refuse := func(why string) error {
		return ErrDocumentRefused.With("client_id", shown(id)).With("why", why).Because("%s", why)
	}
	var d struct {
		ClientID string `json:"client_id"`
		Method   string `json:"token_endpoint_auth_method"`
		// No secret can be in a document that everybody reads.
		Secret        json.RawMessage `json:"client_secret"`
		SecretExpires json.RawMessage `json:"client_secret_expires_at"`
	}
	if err := json.Unmarshal(body, &d); err != nil {
		return nil, refuse("it is not a JSON object that can be read")
	}
	switch {
	case d.ClientID != id:
		return nil, refuse("its client_id is not its address")
	case d.Secret != nil || d.SecretExpires != nil:
		return nil, refuse("it has a client_secret")
	case d.Method != "" && d.Method != "none" && d.Method != "private_key_jwt":
		return nil, refuse("token_endpoint_auth_method can be none or private_key_jwt")
	}
	m, err := metadataWith(body, "none")
	if err != nil {
		return nil, refuse(fault.Of(err).Description)
	}
	var named struct {
		Name string `json:"client_name"`
	}
	if json.Unmarshal(body, &named) == nil && visible(named.Name) == "" {
		if a, err := parseAddress(id); err == nil {
			m.Name = visible(a.shown())
		}
	}
	return m, nil
}

// documentLife is how long a document counts, by its headers (RFC 9111 §5.2.2), within
// bounds of ours.
func documentLife(h http.Header) time.Duration {
	life := usualDocumentLife
	for directive := range strings.SplitSeq(strings.ToLower(strings.Join(h.Values("Cache-Control"), ",")), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch name {
		case "no-store", "no-cache":
			return leastDocumentLife
		case "max-age":
			if seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
				life = time.Duration(seconds) * time.Second
			}
		}
	}
	return min(max(life, leastDocumentLife), longestDocumentLife)
}

// keepDocument makes the row of a client what its document says. What an administrator set
// beside it stays.
func (p *Provider) keepDocument(tx *db.Tx, by audit.Actor, id string, m *clientMetadata, life time.Duration) (*Client, error) {
	s, err := settings.Of(tx)
	if err != nil {
		return nil, err
	}
	if a, err := parseDocumentID(id); err != nil {
		return nil, err
	} else if !s.DocumentAllowed(a.host, a.port, a.path) {
		return nil, ErrDocumentForbidden.With("client_id", shown(id))
	}
	c, err := clientByID(tx, id)
	known := err == nil
	switch {
	case errors.Is(err, ErrNoClient):
		if err := roomForStrangers(tx, s); err != nil {
			return nil, err
		}
		c = &Client{ClientEdit: strangerEdit(), Kind: KindDocument, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
		c.ID = id
	case err != nil:
		return nil, err
	}
	before, old := c.record(), c.ClientEdit
	edit := c.Edit()
	sector := ""
	if m.SubjectType == SubjectPairwise {
		if a, err := parseDocumentID(id); err == nil {
			sector = a.host
		}
	}
	m.apply(&edit, sector)
	edit.PKCERequired = true
	if edit, err = p.checkEdit(edit); err == nil {
		err = edit.checkAlgs(tx)
	}
	if err != nil {
		return nil, ErrDocumentRefused.With("client_id", shown(id)).With("why", fault.Of(ofMember(err)).Description).Because("%w", err)
	}
	c.apply(edit)
	if !known {
		// What was deleted under this id does not come back with it.
		tx.Do(`DELETE FROM clients WHERE id = $1`, id)
		insertClient(tx, c)
		audit.Record(tx, by, audit.Event{Name: audit.ClientDocumentRead, Object: c.named(), Client: c.ID, After: c.record()})
	} else if !reflect.DeepEqual(before, c.record()) {
		updateClient(tx, c)
		if weightier(&old, &c.ClientEdit) {
			forgetConsents(tx, c.ID)
		}
		was, is := differences(before, c.record())
		audit.Record(tx, by, audit.Event{Name: audit.ClientDocumentChanged, Object: c.named(), Client: c.ID, Before: was, After: is})
		jobs.Publish(tx, "client.changed", id)
	}
	expires := tx.Now().Add(life)
	tx.Do(`UPDATE clients SET metadata = $2, metadata_expires_at = $3 WHERE id = $1`, id, db.JSON(m), db.Time(&expires))
	return c, nil
}

// rights takes over from edit what an administrator may set about a client that says all
// else of itself: who may use it, how long its tokens live, whether people prove
// themselves each time.
func (e ClientEdit) rights(edit ClientEdit) ClientEdit {
	e.Description, e.LaunchURL, e.ReauthRequired = edit.Description, edit.LaunchURL, edit.ReauthRequired
	e.Accent, e.Greeting = edit.Accent, edit.Greeting
	e.GroupRestricted, e.AllowedGroups = edit.GroupRestricted, edit.AllowedGroups
	e.AccessTokenFor, e.IDTokenFor = edit.AccessTokenFor, edit.IDTokenFor
	e.RefreshTokenFor, e.RefreshMaxFor, e.RefreshIssue = edit.RefreshTokenFor, edit.RefreshMaxFor, edit.RefreshIssue
	return e
}

// dropForbiddenDocuments takes clients out of use whose documents the settings allowed and
// allow no more.
func (p *Provider) dropForbiddenDocuments(tx *db.Tx, before, after settings.Settings) error {
	if slices.Equal(before.CIMDURLAllowlist, after.CIMDURLAllowlist) {
		return nil
	}
	ids, err := db.All(tx, func(id *string) []any { return []any{id} }, `
		SELECT id FROM clients WHERE kind = '`+KindDocument+`' AND deleted_at IS NULL ORDER BY id NULLS LAST LIMIT $1`, settings.MaxRegistrationLimit)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if a, err := parseDocumentID(id); err == nil && after.DocumentAllowed(a.host, a.port, a.path) {
			continue
		}
		c, err := clientByID(tx, id)
		if err != nil {
			return err
		}
		removeClient(tx, audit.System("settings"), c, audit.ClientDocumentForbidden)
	}
	return nil
}

// A Registered is how a client came by itself, for administrators.
type Registered struct {
	// Host is that of the document; "" of a client without one.
	Host string
	// ExpiresAt is until when the document counts that was read last.
	ExpiresAt time.Time
	// With is the name of the initial access token; "" is none, or one that is gone.
	With string
	// Metadata is what the client said of itself, as JSON.
	Metadata string
}

// RegisteredAs says how a client came by itself, for administrators; the zero value of one
// that did not.
func (p *Provider) RegisteredAs(ctx context.Context, by audit.Actor, id string) (Registered, error) {
	if err := by.MustAdmin(); err != nil {
		return Registered{}, err
	}
	var reg Registered
	err := p.db.Read(ctx, func(tx *db.Tx) error {
		c, err := clientByID(tx, id)
		if err != nil || !c.Stranger() {
			return err
		}
		reg.Host = c.documentHost()
		return tx.One([]any{db.Text(&reg.Metadata), db.Time(&reg.ExpiresAt), db.Text(&reg.With)}, `
			SELECT metadata, metadata_expires_at, (SELECT name FROM registration_tokens t WHERE t.id = clients.registered_with)
			FROM clients WHERE id = $1`, id)
	})
	return reg, err
}
