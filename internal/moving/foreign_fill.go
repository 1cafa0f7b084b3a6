package moving

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/jose"
	"pocketid/internal/oidc"
	"pocketid/internal/outbound"
	"pocketid/internal/secret"
	"pocketid/internal/settings"
	"pocketid/internal/signin"
)

// ForeignOptions are what is known about a house of the incumbent beside what is read.
type ForeignOptions struct {
	// Key is the ENCRYPTION_KEY that it runs with.
	Key []byte
	// Legacy is its signing key where that lies in a file in the clear, as before version
	// 2; nil is none.
	Legacy []byte
	// Room is a directory to try things out in where there is none for what is temporary, as
	// in images without a system.
	Room string
	// Uploads is the directory of its files; "" is that they are in the database.
	Uploads string

	// Master is the master key of this house, Issuer its address. Outbound and
	// AllowInsecureCallbacks are as in oidc.Config.
	Master                 *secret.Master
	Issuer                 string
	Outbound               *outbound.Client
	AllowInsecureCallbacks bool

	// Progress, unless it is nil, hears what is being done.
	Progress Progress
}

// A Foreign is a house of the incumbent that can be moved in. It is a Source.
type Foreign struct {
	// ctx ends a Fill, which has none of its own.
	ctx    context.Context
	src    foreignSource
	o      ForeignOptions
	close  func() error
	report Report
}

// OpenForeignArchive reads a house from an archive that the incumbent wrote.
func OpenForeignArchive(ctx context.Context, z *Zip, o ForeignOptions) *Foreign {
	return &Foreign{ctx: ctx, src: &foreignArchive{z}, o: o, close: func() error { return nil }}
}

// OpenForeignDatabase reads a house from the database of the incumbent: a file of SQLite or
// a URL of PostgreSQL. Nothing is written to it.
func OpenForeignDatabase(ctx context.Context, connection string, o ForeignOptions) (*Foreign, error) {
	d, err := db.OpenForeign(ctx, connection)
	if err != nil {
		return nil, err
	}
	return &Foreign{ctx: ctx, src: &foreignDatabase{d, o.Uploads}, o: o, close: d.Close}, nil
}

// Close gives back what is read from.
func (f *Foreign) Close() error { return f.close() }

// Schema is the version of the tables that Fill fills: it speaks to the program's own.
func (f *Foreign) Schema() int { return db.Newest() }

// Look moves the house into a database that is thrown away, and says how that went. So what
// it says is what happens.
func (f *Foreign) Look(ctx context.Context) (Report, error) {
	dir, err := os.MkdirTemp("", "pocket-id-*")
	if err != nil && f.o.Room != "" {
		dir, err = os.MkdirTemp(f.o.Room, ".pocket-id-*.part")
	}
	if err != nil {
		return Report{}, flawf("Set TMPDIR to a directory with room for the database", "there is no place to try it out: %v", err)
	}
	defer os.RemoveAll(dir)
	if _, err := Import(ctx, filepath.Join(dir, "pocket-id.db"), f, Options{}); err != nil {
		return Report{}, err
	}
	return f.report, nil
}

// Report says how the last Fill went.
func (f *Foreign) Report() Report { return f.report }

// A filling is one Fill under way.
type filling struct {
	*Foreign
	tx     *db.Tx
	house  *foreignHouse
	people *directory.Bringer
	proofs *signin.Bringer
	apps   *oidc.Bringer

	usernames map[string]string // of the users who came, by their ids
	clients   map[string]string // names of the clients that came, by their ids
	named     map[string]string // ids of clients by their names; "" when several have one
	verified  bool              // all addresses counted as verified, before each had that of its own
	left      map[string]*Left
	counts    map[string]int64
}

// partNames are the kinds of things in the order in which a report has them.
var partNames = []string{"settings", "users", "passkeys", "groups", "memberships", "claims", "clients", "client secrets", "APIs", "API permissions",
	"grants at APIs", "consents", "API keys", "signing keys", "SCIM providers", "pictures", "audit log entries"}

// Fill writes the house.
func (f *Foreign) Fill(tx *db.Tx) error {
	ctx := f.ctx
	if len(f.o.Key) == 0 {
		return &Flaw{"ENCRYPTION_KEY is not set, and the signing key of the other program cannot be opened without the one that it ran with", "Set ENCRYPTION_KEY or ENCRYPTION_KEY_FILE as it was set for the other program"}
	}
	f.progress("reading", 0)
	house, err := readForeign(ctx, f.src)
	if err != nil {
		return err
	}
	w := &filling{Foreign: f, tx: tx, house: house, people: directory.NewBringer(), proofs: signin.NewBringer(),
		apps:      oidc.NewBringer(oidc.Bringing{Master: f.o.Master, Issuer: f.o.Issuer, Outbound: f.o.Outbound, AllowInsecureCallbacks: f.o.AllowInsecureCallbacks}),
		usernames: map[string]string{}, clients: map[string]string{}, named: map[string]string{}, left: map[string]*Left{}, counts: map[string]int64{}}
	f.report = Report{From: described(f.src.from(), house.schema)}
	// The key first: whoever has the wrong one is to know it at once.
	key, err := w.signingKey()
	if err != nil {
		return err
	}
	steps := []struct {
		what string
		do   func() error
	}{
		{"settings", w.settings}, {"users and groups", w.directory}, {"passkeys", w.passkeys},
		{"clients", func() error { return w.oidcClients(key) }}, {"APIs", w.apis}, {"consents", w.consents},
		{"API keys", w.apiKeys}, {"signing key", func() error { return w.key(key) }}, {"SCIM", w.scim}, {"pictures", w.pictures}, {"audit log", w.log},
	}
	for _, s := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		f.progress(s.what, 0)
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	if id := house.instanceID(); id != "" {
		settings.SetFact(tx, settings.InstanceID, id)
	}
	w.finish()
	return nil
}

func (f *Foreign) progress(what string, count int64) {
	if f.o.Progress != nil {
		f.o.Progress(what, count)
	}
}

// came counts something that comes over.
func (w *filling) came(part string) { w.counts[part]++ }

// leave notes something that does not come over.
func (w *filling) leave(part, example, why string) {
	key := part + "\x00" + why
	l := w.left[key]
	if l == nil {
		l = &Left{Name: part, Why: why}
		w.left[key] = l
	}
	if l.Count++; len(l.Examples) < 5 && example != "" {
		l.Examples = append(l.Examples, example)
	}
}

// maxAdjusted bounds the list of what was adjusted; the rest is a number.
const maxAdjusted = 1000

// adjust notes something that comes over otherwise than it was.
func (w *filling) adjust(kind, name string, list ...directory.Adjusted) {
	for _, a := range list {
		w.counts["adjusted"]++
		if len(w.report.Adjusted) < maxAdjusted {
			w.report.Adjusted = append(w.report.Adjusted, Adjusted{Kind: kind, Name: name, What: a.Field, Why: whyText(a.Why)})
		}
	}
}

// each reads the rows of a table, each with the words for one that cannot be read.
func (w *filling) each(table, part string, fn func(r *rowReader)) {
	for i, row := range w.house.tables[table] {
		r := &rowReader{row: row}
		fn(r)
		if r.err != nil {
			w.leave(part, fmt.Sprintf("row %d of %s", i+1, table), r.err.Error())
		}
	}
}

// finish makes the report of what was noted.
func (w *filling) finish() {
	for _, name := range partNames {
		if n := w.counts[name]; n > 0 {
			w.report.Parts = append(w.report.Parts, Part{Name: name, Count: n})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(w.left)) {
		w.report.Left = append(w.report.Left, *w.left[key])
	}
	for _, table := range slices.Sorted(maps.Keys(w.house.skipped)) {
		w.report.Left = append(w.report.Left, Left{Name: strings.ReplaceAll(table, "_", " "), Count: w.house.skipped[table], Why: neverMoved[table]})
	}
	if n := w.counts["adjusted"] - int64(len(w.report.Adjusted)); n > 0 {
		w.note(fmt.Sprintf("%d more things were adjusted than are listed.", n))
	}
	w.note("Everybody signs in once more: sessions do not come over.")
}

func (w *filling) note(sentence string) { w.report.Notes = append(w.report.Notes, sentence) }

// signingKey opens the key with which the other house signed; nil is that there is none.
func (w *filling) signingKey() (*jose.Key, error) {
	sealed := w.house.values[signingKeyName]
	switch {
	case sealed != "":
		key, err := foreignKey(w.o.Key).signingKey(sealed, w.house.instanceID())
		if errors.Is(err, errForeignKey) {
			return nil, &Flaw{"the encryption key is not the one that the other program ran with: its signing key cannot be opened", "Set ENCRYPTION_KEY, or ENCRYPTION_KEY_FILE, exactly as it was set there; a line break at the end of the file is a part of the key"}
		}
		if err != nil {
			return nil, &Flaw{fmt.Sprintf("the signing key of the other program cannot be used: %v", err), "Make a new one there by key-rotate, and try again"}
		}
		return key, nil
	case w.o.Legacy != nil:
		key, err := oidc.ParseKey(w.o.Legacy)
		if err != nil {
			return nil, &Flaw{fmt.Sprintf("the signing key in the file %s cannot be used: %v", signingKeyName, err), "Take the file away if it is not in use any more"}
		}
		return key, nil
	}
	w.note("There is no signing key to take over, so ID tokens of the other program do not verify here.")
	return nil, nil
}

// key brings the signing key.
func (w *filling) key(key *jose.Key) error {
	if key == nil {
		return nil
	}
	w.came("signing keys")
	return w.apps.Key(w.tx, key)
}

// whyTexts are why something comes over otherwise or not at all, by the codes of faults.
var whyTexts = map[string]string{
	directory.AdjustedShortened: "it is longer than it may be and was cut",
	directory.AdjustedCleaned:   "it had characters that cannot be shown, which were taken out",
	directory.AdjustedTaken:     "somebody who came before has it already",

	"username_malformed": "it is no username here, and one that is near to it was taken",
	"email_malformed":    "it is no e-mail address and was left out",
	"locale_malformed":   "it is no language and was left out",
	"reserved_claim":     "this house says it itself, so it was left out",
	"claims_too_large":   "all claims of one owner have more than 16 KiB, so it was left out",
	"claim_too_deep":     "its value has lists too deep in each other, so it was left out",

	"redirect_uri_malformed":      "it is no address that browsers and libraries read in the same way, so it was left out",
	"redirect_uri_fragment":       "it has a fragment, so it was left out",
	"redirect_uri_scheme":         "its scheme is never answered to, so it was left out",
	"redirect_uri_private_scheme": "a scheme of a public client has to be a domain in reverse, so it was left out",
	"redirect_uri_insecure":       "it is http and ALLOW_INSECURE_CALLBACK_URLS is false, so it was left out",
	"redirect_uri_pattern":        "its * stands where none may be: a whole label of the host below a registered domain, or in one segment of the path; so it was left out",
	"redirect_uri_wildcard":       "its * stands where none may be, so it was left out",
	"redirect_uri_too_long":       "it is longer than 2048 bytes and was left out",
	"redirect_uri_repeated":       "it stands twice",
	"redirect_uris_too_many":      "there may be 100; the rest was left out",
	"launch_url_malformed":        "it is no address of the web and was left out",
	"client_name_malformed":       "it is empty or longer than 50 characters",
	"client_description_too_long": "it is longer than 150 characters and was cut",
	"lifetime_out_of_range":       "it is not between a minute and a year, and was set to the nearest of them",
	"client_keys_address":         "it comes over, and works once ALLOWED_PRIVATE_HOSTS names its host",
	"federated_issuer":            "it comes over, and works once ALLOWED_PRIVATE_HOSTS names its host",
	"federated_self":              "it is this house itself, so it was left out",
	"federated_repeated":          "it stands twice",
	"federated_public":            "a public client proves nothing, so it was left out",
	"client_secret_hash":          "its hash can not be verified here, so it was left out",
	"client_secret_public":        "a public client has none, so they were left out",
	"client_secrets_too_many":     "a client may have 20; the oldest were left out",
	"client_id_malformed":         "its id cannot be one here",
	"client_id_taken":             "its id stands twice",
	"resource_malformed":          "its resource is no absolute URI of at most 350 bytes",
	"resource_taken":              "another API has the same resource",
	"resource_is_issuer":          "its resource is this house itself",
	"user_id_malformed":           "its id is no UUID",
	"user_id_taken":               "its id stands twice",

	"passkey_exists":                "the same credential stands twice",
	"passkey_algorithm_not_allowed": "its key is not ES256, EdDSA or RS256 with 2048 to 4096 bits; its owner adds another one",
	"passkey_credential_id":         "its credential id is empty or too long",
	"passkey_name_malformed":        "it was empty or longer than 50 characters",
	"api_key_hash":                  "its hash is none, or stands twice",
	"invalid_api_key_expiration":    "it has no end",

	"home_page_malformed":     "it is no path on this host; the default holds",
	"app_name_malformed":      "it is empty or longer than 30 characters; the default holds",
	"accent_color_malformed":  "it is no colour that is read here; the default holds",
	"setting_choice_unknown":  "it is none of the choices; the default holds",
	"setting_malformed":       "it cannot be read; the default holds",
	"file_type_not_supported": "its format is none of PNG, JPEG, WebP, GIF, SVG and ICO",
	"image_unreadable":        "it is damaged",
	"image_too_many_pixels":   "it has too many pixels",
	"file_too_large":          "it has more than 8 MiB",
	"image_missing":           "it is empty",
}

// whyText is why, in words.
func whyText(code string) string {
	return cmp.Or(whyTexts[code], strings.ReplaceAll(code, "_", " "))
}

// whyNot is whyText for what cannot come at all.
func whyNot(err error) string { return whyText(fault.Of(err).Code) }
