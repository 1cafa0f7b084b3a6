package web

import (
	"embed"
	"fmt"
	"html/template"
	"strings"
	"sync"
	"time"

	"pocketid/internal/i18n"
)

//go:embed ui
var ui embed.FS

// A kind says in which layout a page stands, and what it is rendered from.
type kind struct {
	layout string // "pocket" for sign-in pages, "house" for those inside
	page   any
}

// pages is the registry of all pages. Each has a template of its name in
// ui/pages, which the tests check against the type named here.
var pages = map[string]kind{
	"account-delete": {"house", accountDeletePage{}},
	"activity":       {"house", activityPage{}},
	"audit":          {"house", auditPage{}},
	"audit-entry":    {"house", auditEntryPage{}},
	"again":          {"pocket", againPage{}},
	"allowed":        {"house", allowedPage{}},
	"allowed-end":    {"house", allowedEndPage{}},
	"apps":           {"house", appsPage{}},
	"overview":       {"house", overviewPage{}},
	"jobs":           {"house", jobsPage{}},
	"job-forget":     {"house", jobForgetPage{}},
	"client":         {"house", clientPage{}},
	"client-delete":  {"house", clientDeletePage{}},
	"client-new":     {"house", clientNewPage{}},
	"client-secret":  {"house", clientSecretPage{}},
	"client-switch":  {"house", clientSwitchPage{}},
	"clients":        {"house", clientsPage{}},
	"secret-delete":  {"house", secretDeletePage{}},
	"services":       {"house", servicesPage{}},
	"service":        {"house", servicePage{}},
	"service-new":    {"house", serviceNewPage{}},
	"users":          {"house", usersPage{}},
	"user-new":       {"house", userNewPage{}},
	"user-life":      {"house", userLifePage{}},
	"users-ask":      {"house", batchAskPage{}},
	"user-batch":     {"house", batchPage{}},
	"user-batches":   {"house", batchesPage{}},
	"user-release":   {"house", userReleasePage{}},
	"user-link":      {"house", userLinkPage{}},
	"user-linked":    {"house", userLinkedPage{}},
	"code":           {"pocket", codePage{}},
	"consent":        {"pocket", consentPage{}},
	"device":         {"pocket", devicePage{}},
	"device-confirm": {"pocket", deviceAskPage{}},
	"error":          {"pocket", errorPage{}},
	"group":          {"house", groupPage{}},
	"group-delete":   {"house", groupDeletePage{}},
	"apis":           {"house", apisPage{}},
	"api":            {"house", apiPage{}},
	"api-new":        {"house", apiNewPage{}},
	"api-client":     {"house", apiClientPage{}},
	"api-delete":     {"house", apiDeletePage{}},
	"group-new":      {"house", groupNewPage{}},
	"groups":         {"house", groupsPage{}},
	"language":       {"pocket", languagePage{}},
	"login":          {"pocket", loginPage{}},
	"logout":         {"pocket", logoutPage{}},
	"select":         {"pocket", selectPage{}},
	"setup":          {"pocket", setupPage{}},
	"signed-out":     {"pocket", signedOutPage{}},
	"wrong-host":     {"pocket", wrongHostPage{}},
	"passkey-add":    {"pocket", passkeyAddPage{}},

	"reference":           {"house", referencePage{}},
	"registration":        {"house", registrationPage{}},
	"registration-token":  {"house", registrationTokenPage{}},
	"registration-revoke": {"house", registrationRevokePage{}},

	"api-keys":       {"house", keysPage{}},
	"api-key-new":    {"house", keyNewPage{}},
	"api-key-made":   {"house", keyTextPage{}},
	"api-key-revoke": {"house", keyRevokePage{}},
	"api-keys-all":   {"house", allKeysPage{}},
	"passkey-remove": {"house", passkeyPage{}},
	"passkey-rename": {"house", passkeyPage{}},
	"passkeys":       {"house", passkeysPage{}},
	"profile":        {"house", profilePage{}},
	"sessions":       {"house", sessionsPage{}},
	"sessions-end":   {"house", sessionsEndPage{}},
	"settings":       {"house", settingsPage{}},
	"settings-reset": {"house", settingsResetPage{}},
	"user":           {"house", userPage{}},
	"user-app":       {"house", userAppPage{}},
	"user-demote":    {"house", userDemotePage{}},
	"user-passkey":   {"house", userPasskeyPage{}},
	"user-signout":   {"house", userSignOutPage{}},
}

// sets holds one set of templates for each locale and style of dates, made when it is first needed.
type sets struct {
	asset func(string) string
	mu    sync.Mutex
	m     map[string]*template.Template
}

// of is the set of a locale: the layouts, the parts, and each page as "page/<name>".
// A page is rendered by itself and then put into its layout, so that the layouts are
// there once and not once for each page, which would be most of the memory of an idle
// process.
func (s *sets) of(words *i18n.Locale) (*template.Template, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if set, ok := s.m[words.Key()]; ok {
		return set, nil
	}
	set, err := template.New("").Funcs(functions(words, s.asset)).ParseFS(ui, "ui/*.html")
	if err != nil {
		return nil, err
	}
	for name := range pages {
		text, err := ui.ReadFile("ui/pages/" + name + ".html")
		if err != nil {
			return nil, err
		}
		if _, err := set.Parse(strings.Replace(string(text), `{{define "main"}}`, `{{define "page/`+name+`"}}`, 1)); err != nil {
			return nil, fmt.Errorf("page %s: %w", name, err)
		}
	}
	if s.m == nil {
		s.m = map[string]*template.Template{}
	}
	s.m[words.Key()] = set
	return set, nil
}

// functions are what templates can call, bound to one language.
func functions(words *i18n.Locale, asset func(string) string) template.FuncMap {
	use := func(name, class string) template.HTML {
		return template.HTML(`<svg class="` + class + `" aria-hidden="true"><use href="` + asset("icons.svg") + `#` + name + `"/></svg>`)
	}
	return template.FuncMap{
		"t":    words.T,
		"rich": func(key string, args ...any) template.HTML { return rich(words, key, args...) },
		"bold": func(s string) template.HTML { return "<b>" + template.HTML(template.HTMLEscapeString(s)) + "</b>" },
		"code": func(s string) template.HTML {
			return "<code>" + template.HTML(template.HTMLEscapeString(s)) + "</code>"
		},
		"asset":    asset,
		"favicon":  func() template.URL { return favicon },
		"icon":     func(name string) template.HTML { return use(name, "i") },
		"flip":     func(name string) template.HTML { return use(name, "i flip") },
		"mark":     func() template.HTML { return use("mark", "mark") },
		"date":     words.Date,
		"datetime": words.DateTime,
		"ago":      words.Relative,
		"number":   words.Number,
		"since":    func(now, at time.Time) string { return since(words, now, at) },
		"count":    func(n int) string { return countOf(words, n) },
		"machine":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"dict":     dict,
		"list":     func(v ...any) []any { return v },
		"has":      words.Has,
	}
}

// rich is the text of a key in which arguments of type template.HTML keep their
// markup. The text itself and all other arguments are escaped.
func rich(words *i18n.Locale, key string, args ...any) template.HTML {
	plain, marked := make([]any, len(args)), []string{}
	for i, a := range args {
		if h, ok := a.(template.HTML); ok && i%2 == 1 {
			plain[i] = fmt.Sprintf("\x00%d\x00", len(marked)/2)
			marked = append(marked, plain[i].(string), string(h))
			continue
		}
		plain[i] = a
	}
	// The escaper turns NUL into U+FFFD, so the marks are put back before it sees them.
	parts := strings.Split(words.T(key, plain...), "\x00")
	var b strings.Builder
	for i, part := range parts {
		if i%2 == 0 {
			b.WriteString(template.HTMLEscapeString(part))
			continue
		}
		for j := 0; j < len(marked); j += 2 {
			if marked[j] == "\x00"+part+"\x00" {
				b.WriteString(marked[j+1])
			}
		}
	}
	return template.HTML(b.String())
}

// dict makes a map of pairs, for the data of a part.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: %d arguments are no pairs", len(pairs))
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no name", pairs[i])
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

// favicon is the icon of every page as an address that holds it: a request of its own
// would be more header than picture.
var favicon = func() template.URL {
	b, err := ui.ReadFile("ui/assets/favicon.svg")
	if err != nil {
		panic("web: the favicon is not embedded")
	}
	return template.URL("data:image/svg+xml," + strings.NewReplacer("%", "%25", "#", "%23", "<", "%3C", ">", "%3E", `"`, "'", "\n", "").Replace(string(b)))
}()
