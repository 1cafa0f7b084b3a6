// Package architecture holds the house to its plan: who may import whom, which
// package is the door of each library, which package owns each table, and the
// habits of docs/style.md that a program can see.
//
// The maps of this file are the plan. docs/architecture.md shows the same
// tables; a test compares the two, and another one the plan with the code.
package architecture

// A Plan is what the house looks like. A package, a library or a table that
// is not in it does not exist.
type Plan struct {
	// Imports says which packages of this module each package may import,
	// separated by spaces. Packages under internal go by their short name.
	Imports map[string]string
	// Tests says what the tests of a package may import beyond that.
	Tests map[string]string
	// Doors says which packages may import a library, or a package of the
	// standard library that is dangerous in every other hand.
	Doors map[string]Door
	// Owners says which package may name a table in its SQL.
	Owners map[string]string
}

// A Door says who may import a library.
type Door struct {
	Packages string // which may import it, separated by spaces
	Tests    string // whose tests may import it too; "*" is everybody's
	Why      string
}

// clocks are the packages that may look at a clock. All others take the
// instant of their transaction.
const clocks = "db edge jobs metrics outbound socket"

// House is the plan of this project.
var House = Plan{
	Imports: map[string]string{
		"fault":     "",
		"secret":    "",
		"jose":      "",
		"i18n":      "",
		"edge":      "fault i18n secret",
		"metrics":   "",
		"outbound":  "",
		"socket":    "",
		"db":        "fault",
		"audit":     "db fault secret",
		"jobs":      "db fault secret",
		"settings":  "audit db fault i18n images secret",
		"images":    "db fault secret",
		"directory": "audit db fault images jobs secret settings",
		"signin":    "audit db directory fault jobs secret settings",
		"oidc":      "audit db directory edge fault i18n images jobs jose outbound secret settings signin",
		"overview":  "audit db directory edge i18n jobs oidc signin",
		"moving":    "audit db directory fault images jose oidc outbound secret settings signin",
		"web":       "api audit directory edge fault i18n images jobs oidc overview settings signin",
		"api":       "audit directory edge fault i18n images jobs oidc overview settings signin",
		"app":       "api audit db directory edge fault i18n images jobs jose metrics moving oidc outbound overview secret settings signin socket web",

		"dbtest":  "db secret",
		"apptest": "app audit db dbtest directory i18n jose oidc outbound secret signin",

		"cmd/pocket-id":          "api app audit db directory edge fault i18n jose moving oidc outbound overview secret settings signin",
		"deploy/image":           "",
		"examples/device":        "",
		"examples/relying-party": "",
		"internal/i18n/sortkeys": "i18n",
		"test/architecture":      "",
		"test/bench":             "app audit db directory jose oidc secret",
		"test/browser":           "app apptest audit db dbtest directory images oidc settings signin",
		"test/host":              "app dbtest",
		"test/kill":              "app apptest audit dbtest directory oidc secret",
		"test/protocol":          "app apptest audit dbtest directory edge fault images jose moving oidc settings signin",
		"test/statements":        "",
		"test/tally":             "",
	},
	Tests: map[string]string{
		"app":           "dbtest",
		"cmd/pocket-id": "dbtest",
		"audit":         "dbtest",
		"db":            "dbtest",
		"directory":     "dbtest",
		"i18n":          "fault",
		"images":        "dbtest",
		"jobs":          "dbtest",
		"moving":        "dbtest",
		"oidc":          "dbtest",
		"overview":      "dbtest",
		"settings":      "dbtest",
		"signin":        "dbtest i18n",
		"web":           "db dbtest secret",
	},
	Doors: map[string]Door{
		"modernc.org/sqlite":                       {Packages: "db dbtest", Why: "SQLite itself, and for tests a second reader of its files"},
		"modernc.org/libc":                         {Packages: "db", Why: "what SQLite runs on"},
		"github.com/jackc/pgx/v5":                  {Packages: "db dbtest test/bench", Tests: "test/browser", Why: "the protocol of PostgreSQL, and for tests a second client"},
		"github.com/go-webauthn/webauthn":          {Packages: "signin", Why: "passkeys"},
		"github.com/go-jose/go-jose/v4":            {Packages: "jose", Why: "signatures and keys of JOSE"},
		"golang.org/x/crypto":                      {Packages: "secret", Why: "bcrypt, for secrets of clients that came from elsewhere"},
		"golang.org/x/crypto/x509roots":            {Packages: "outbound", Why: "whose certificates count where the system has none"},
		"golang.org/x/image":                       {Packages: "images", Why: "pictures in WebP"},
		"golang.org/x/text":                        {Packages: "directory i18n oidc", Why: "folding of names, languages"},
		"github.com/coreos/go-oidc/v3":             {Packages: "examples/relying-party", Tests: "oidc test/browser test/protocol", Why: "a client that knows nothing of us"},
		"golang.org/x/oauth2":                      {Packages: "examples/relying-party", Tests: "test/browser test/protocol", Why: "a client that knows nothing of us"},
		"github.com/descope/virtualwebauthn":       {Packages: "apptest test/bench", Tests: "signin test/host test/kill", Why: "a passkey in software"},
		"github.com/chromedp/chromedp":             {Tests: "test/browser", Why: "a browser"},
		"github.com/chromedp/cdproto":              {Tests: "test/browser", Why: "a browser"},
		"github.com/santhosh-tekuri/jsonschema/v6": {Tests: "test/protocol", Why: "answers of the API are held against its document"},
		"rsc.io/qr":                                {Packages: "web", Why: "a login link that a telephone can read"},
		"github.com/jba/templatecheck":             {Tests: "web", Why: "types of templates"},
		"archive/zip":                              {Packages: "moving", Tests: "*", Why: "archives come from elsewhere, and moving reads them within limits"},
		"crypto/rand":                              {Packages: "apptest dbtest jose secret examples/relying-party test/bench", Tests: "*", Why: "tokens come from secret"},
		"database/sql":                             {Packages: "dbtest", Tests: "db test/browser test/kill test/protocol", Why: "transactions come from db"},
		"html/template":                            {Packages: "oidc web examples/relying-party", Tests: "web", Why: "pages are made in web, the form of form_post in oidc"},
		"log":                                      {Packages: "examples/relying-party", Why: "the log is slog"},
		"log/slog":                                 {Packages: "app cmd/pocket-id db edge jobs jose secret", Tests: "*", Why: "the domain does not log"},
		"math/rand":                                {Why: "secrets are not guessed"},
		"math/rand/v2":                             {Packages: "db jobs", Tests: "*", Why: "secrets are not guessed; waiting may be uneven"},
		"net/http/httptest":                        {Packages: "apptest", Tests: "*", Why: "belongs to tests"},
		"net/http/pprof":                           {Why: "profiles do not go over the network"},
		"runtime/pprof":                            {Packages: "cmd/pocket-id", Why: "only a program built with the tag profile has it"},
		"os/exec":                                  {Packages: "test/architecture test/bench test/tally", Tests: "*", Why: "the server starts no programs"},
		"os/signal":                                {Packages: "cmd/pocket-id test/bench test/tally", Why: "a process has one owner"},
		"text/template":                            {Why: "it does not escape"},
		"testing":                                  {Packages: "apptest dbtest", Tests: "*", Why: "belongs to tests"},
		"unsafe":                                   {Why: "nothing here needs it"},
	},
	Owners: map[string]string{
		"migration": "db",

		"settings":    "settings",
		"facts":       "settings",
		"audit":       "audit",
		"audit_names": "audit",
		"audit_words": "audit",
		"audit_hours": "audit",
		"jobs":        "jobs",

		"users":              "directory",
		"user_words":         "directory",
		"user_batches":       "directory",
		"user_batch_rows":    "directory",
		"user_groups":        "directory",
		"user_group_members": "directory",

		"images": "images",

		"passkeys":    "signin",
		"ceremonies":  "signin",
		"sessions":    "signin",
		"step_ups":    "signin",
		"login_codes": "signin",
		"attempts":    "signin",
		"api_keys":    "signin",
		"replies":     "signin",

		"signing_keys":           "oidc",
		"clients":                "oidc",
		"client_uris":            "oidc",
		"client_secrets":         "oidc",
		"client_groups":          "oidc",
		"consents":               "oidc",
		"authorizations":         "oidc",
		"session_clients":        "oidc",
		"grants":                 "oidc",
		"codes":                  "oidc",
		"spent_refresh_tokens":   "oidc",
		"pushed_requests":        "oidc",
		"used_assertions":        "oidc",
		"apis":                   "oidc",
		"api_permissions":        "oidc",
		"api_clients":            "oidc",
		"api_client_permissions": "oidc",
		"device_codes":           "oidc",
		"token_exchanges":        "oidc",
		"registration_tokens":    "oidc",
		"scim_providers":         "oidc",
		"revoked_tokens":         "oidc",
	},
}
