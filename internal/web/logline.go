package web

import (
	"cmp"
	"encoding/json"
	"html/template"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/i18n"
)

// A logDay is the entries of one day.
type logDay struct {
	Title string
	Lines []logLine
}

// A logLine is an entry of the log as people read it.
type logLine struct {
	ID, Icon, Tone string
	Said           template.HTML // what happened, in a sentence
	Sub            string
	New            bool // on a device that was not seen before
	At             time.Time
	Clock          string
	Facts          []logFact
	Changes        []logChange
	// Address is that of the page of the entry; "" when it has none.
	Address string
}

// A logFact is one thing that is known of an entry.
type logFact struct {
	Label, Value string
	Note         string // after the value
	Code         bool
	Address      string // of the page about it; "" when there is none, or it is gone
	// Only leads to the entries that have this in common, and Words say so.
	Only, Words string
}

// A logChange is what one field was and is.
type logChange struct {
	Field, Before, After string
	Known                bool // Field is words, not the name that programs know
}

// A mark is the icon of an event, and its tone.
type mark struct{ icon, tone string }

// marks are those of all events.
var marks = map[audit.Name]mark{
	audit.SignIn: {"arrow", "ok"}, audit.TokenSignIn: {"ticket", "ok"}, audit.SessionSteppedUp: {"shield", ""},
	audit.SessionEnded: {"signout", ""}, audit.LoginCodeMade: {"ticket", ""}, audit.LoginCodeRevoked: {"ticket", ""}, audit.LoginCodeRefused: {"alert", "warn"},
	audit.PasskeyRefused: {"stop", "bad"},

	audit.PasskeyAdded: {"passkey", ""}, audit.PasskeyRenamed: {"edit", ""}, audit.PasskeyRemoved: {"trash", ""},

	audit.ClientAuthorization: {"arrow", "ok"}, audit.NewClientAuthorization: {"check", "ok"}, audit.ConsentRevoked: {"x", ""},
	audit.GrantRevoked: {"x", ""}, audit.LogoutDelivered: {"signout", ""}, audit.LogoutFailed: {"alert", "warn"},
	audit.DeviceAuthorization: {"tv", "ok"}, audit.NewDeviceAuthorization: {"tv", "ok"},
	audit.DeviceDeclined: {"x", "warn"}, audit.ClientRefused: {"stop", "bad"}, audit.TokenExchanged: {"sync", ""},

	audit.AccountCreated: {"plus", ""}, audit.UserEdited: {"user", ""}, audit.UserProfileEdited: {"id", ""}, audit.UserLookEdited: {"drop", ""}, audit.UserPictureEdited: {"user", ""},
	audit.UserClaimsEdited: {"code", ""}, audit.UserGroupsEdited: {"users", ""}, audit.UserSignedOut: {"signout", "warn"},
	audit.ServiceCreated: {"plus", ""}, audit.ServiceEdited: {"plug", ""}, audit.ServiceHandedOver: {"user", ""},
	audit.BatchStarted: {"users", ""}, audit.BatchStopped: {"stop", ""},
	audit.UserDisabled: {"stop", "warn"}, audit.UserEnabled: {"check", "ok"}, audit.UserDeleted: {"trash", "bad"},
	audit.UserExpired: {"clock", "warn"}, audit.UserPurged: {"trash", ""}, audit.UserNamesReleased: {"user", ""},

	audit.GroupCreated: {"plus", ""}, audit.GroupEdited: {"users", ""}, audit.GroupClaimsEdited: {"code", ""},
	audit.GroupMembersEdited: {"users", ""}, audit.GroupDeleted: {"trash", "bad"},

	audit.ClientCreated: {"plus", ""}, audit.ClientEdited: {"settings", ""}, audit.ClientLogoEdited: {"apps", ""}, audit.ClientDeleted: {"trash", "bad"},
	audit.APICreated: {"plug", ""}, audit.APIEdited: {"plug", ""}, audit.APIDeleted: {"trash", "bad"}, audit.APIClientEdited: {"plug", ""},
	audit.ClientDisabled: {"stop", "warn"}, audit.ClientEnabled: {"check", "ok"},
	audit.ClientSecretAdded: {"key", ""}, audit.ClientSecretRemoved: {"key", ""},
	audit.ClientRegistered: {"plus", "warn"}, audit.ClientReregistered: {"settings", ""}, audit.ClientDeregistered: {"trash", "bad"},
	audit.ClientExpired: {"trash", ""}, audit.ClientDocumentRead: {"plus", "warn"}, audit.ClientDocumentChanged: {"settings", "warn"},
	audit.ClientDocumentForbidden: {"trash", "bad"}, audit.RegistrationTokenMade: {"key", ""}, audit.RegistrationTokenRevoked: {"key", ""},
	audit.ExchangeAllowed: {"sync", ""}, audit.ExchangeForbidden: {"sync", ""},

	audit.APIKeyMade: {"key", ""}, audit.APIKeyEdited: {"key", ""}, audit.APIKeyRenewed: {"key", ""}, audit.APIKeyRevoked: {"trash", ""},
	audit.SettingsEdited: {"settings", ""}, audit.EncryptionKeyRotated: {"key", ""}, audit.AuditExported: {"download", ""}, audit.BackupMade: {"download", ""}, audit.BackupRestored: {"sync", "warn"}, audit.KeyPublished: {"key", ""}, audit.KeyHastened: {"key", ""},
	audit.KeyActivated: {"key", ""}, audit.KeyRetired: {"key", ""}, audit.KeyCompromised: {"alert", "bad"},
	audit.SetupOpened: {"lock", "warn"}, audit.SetupRefused: {"alert", "warn"},
	audit.JobRetried: {"sync", ""}, audit.JobForgotten: {"trash", "warn"},
	audit.HouseImported: {"download", "warn"},
}

// eventKey is the key of the words of an event.
func eventKey(n audit.Name) string {
	if n.Family() == "" {
		return "event.other"
	}
	return "event." + strings.ToLower(n.String())
}

// lineOf is an entry as administrators read it.
func lineOf(words *i18n.Locale, e *audit.Entry) logLine {
	l := baseLine(words, e)
	l.Said = said(words, eventKey(e.Event), e)
	l.Address = entryPath(e.ID)
	l.Sub = subOf(words, e)
	l.Facts = factsOf(words, e)
	return l
}

// ownLineOf is an entry as the person reads it whom it concerns.
func ownLineOf(words *i18n.Locale, e *audit.Entry, me string) logLine {
	l := baseLine(words, e)
	key := eventKey(e.Event)
	if words.Has(key + ".you") {
		key += ".you"
	}
	l.Said = said(words, key, e)
	l.Sub = subOf(words, e)
	switch {
	case e.Actor != "" && e.Actor != me:
		l.Facts = append(l.Facts, logFact{Label: words.T("audit.fact.by"), Value: words.T("audit.fact.admin", "name", e.ActorName)})
	case e.Actor == "" && e.Via != "page":
		l.Facts = append(l.Facts, logFact{Label: words.T("audit.fact.by"), Value: actorName(words, e)})
	}
	if e.Key != "" {
		l.Facts = append(l.Facts, keyFact(words, e))
	}
	l.Facts = append(l.Facts, whence(words, e)...)
	l.Facts = append(l.Facts, dataFacts(words, e)...)
	return l
}

func baseLine(words *i18n.Locale, e *audit.Entry) logLine {
	m, ok := marks[e.Event]
	if !ok {
		m.icon = "info"
	}
	return logLine{ID: e.ID, Icon: m.icon, Tone: m.tone, At: e.At, Clock: e.At.Format("15:04"), Changes: changesOf(words, e)}
}

// said is the sentence of a key with the names of e in bold.
func said(words *i18n.Locale, key string, e *audit.Entry) template.HTML {
	bold := func(name, otherwise string) template.HTML {
		if name == "" {
			name = words.T(otherwise)
		}
		return "<b>" + template.HTML(template.HTMLEscapeString(name)) + "</b>"
	}
	person := e.UserName
	if person == "" {
		person = shortID(e.User)
	}
	client := e.ClientName
	if client == "" {
		client = shortID(e.Client)
	}
	return rich(words, key, "actor", bold(actorName(words, e), ""), "object", bold(e.Object.Name, "audit.nameless"),
		"person", bold(person, "audit.gone"), "client", bold(client, "audit.nameless"))
}

// shortID is as much of an id as people compare.
func shortID(id string) string {
	if len(id) > 8 {
		return id[:8]
	}
	return id
}

// actorName is who did it.
func actorName(words *i18n.Locale, e *audit.Entry) string {
	switch {
	case e.Via == "cli" && e.Actor == "": // whoever sat there; see factsOf
		return words.T("audit.terminal")
	case e.ActorName != "":
		return e.ActorName
	case e.Actor != "":
		return shortID(e.Actor)
	case e.Via == "api" && e.ClientName != "":
		return e.ClientName
	case e.Via == "page" || e.Via == "api":
		return words.T("audit.nobody")
	}
	return words.T("audit.house")
}

// subOf is the line under the sentence: what tells this entry from those like it.
func subOf(words *i18n.Locale, e *audit.Entry) string {
	var parts []string
	add := func(s string) {
		if s != "" {
			parts = append(parts, s)
		}
	}
	fields := changedFields(e)
	if len(e.Before) > 0 && len(e.After) > 0 {
		names := make([]string, 0, len(fields))
		for _, f := range fields {
			name, _ := fieldName(words, f)
			names = append(names, name)
		}
		add(words.T("audit.changed", "fields", shorten(words, names, maxFields)))
	}
	if name, ok := e.Data["passkeyName"].(string); ok && name != e.Object.Name {
		add(name)
	}
	if reason, ok := e.Data["reason"].(string); ok {
		if key := "audit.reason." + reason; words.Has(key) {
			add(words.T(key))
		}
	}
	if code, ok := e.Data["code"].(string); ok {
		if key := "error." + code + ".title"; words.Has(key) {
			add(words.T(key))
		}
	}
	if e.UserAgent != "" && len(parts) < 2 && (len(e.Before) == 0 || len(e.After) == 0) {
		add(deviceName(words, e.UserAgent))
	}
	return strings.Join(parts, words.T("frame.comma"))
}

// factsOf are what an administrator can know of an entry.
func factsOf(words *i18n.Locale, e *audit.Entry) []logFact {
	only := func(field, value string) string { return auditPath + "?" + url.Values{field: {value}}.Encode() }
	facts := []logFact{{Label: words.T("audit.fact.time"), Value: words.DateTime(e.At)}}
	by := logFact{Label: words.T("audit.fact.by"), Value: actorName(words, e)}
	if e.Actor == "" && e.ActorName != "" {
		by.Value = e.ActorName // of the account at the operating system
	}
	if e.Actor != "" {
		by.Address = pageOf(e, e.Actor)
		by.Only, by.Words = only("person", e.Actor), words.T("audit.only.person", "name", by.Value)
	}
	way := words.T("audit.fact.way")
	facts = append(facts, by, logFact{Label: way, Value: wayName(words, e.Via)})
	if e.Key != "" {
		k := keyFact(words, e)
		k.Only, k.Words = only("key", e.Key), words.T("audit.only.key", "name", k.Value)
		facts = append(facts, k)
	}
	if e.User != "" && e.User != e.Actor {
		name := e.UserName
		if name == "" {
			name = shortID(e.User)
		}
		facts = append(facts, logFact{Label: words.T("audit.fact.person"), Value: name, Address: pageOf(e, e.User), Only: only("person", e.User), Words: words.T("audit.only.person", "name", name)})
	}
	if e.Client != "" {
		name := e.ClientName
		if name == "" {
			name = e.Client
		}
		facts = append(facts, logFact{Label: words.T("audit.fact.client"), Value: name, Address: pageOf(e, e.Client), Only: only("client", e.Client), Words: words.T("audit.only.client", "name", name)})
	}
	if e.Object.ID != "" && e.Object.ID != e.User && e.Object.ID != e.Client {
		kind, name := kindName(words, e.Object.Kind), e.Object.Name
		if name == "" {
			name = shortID(e.Object.ID)
		}
		facts = append(facts, logFact{Label: kind, Value: name, Address: pageOf(e, e.Object.ID), Only: only("object", e.Object.Kind+" "+e.Object.ID), Words: words.T("audit.only.object")})
	}
	if e.Object.Kind == "settings" {
		facts = append(facts, logFact{Label: kindName(words, "settings"), Value: e.Object.Name, Address: settingsPath})
	}
	from := whence(words, e)
	if len(from) > 0 && e.Address != "" {
		from[0].Only, from[0].Words = only("address", e.Address), words.T("audit.only.address", "address", e.Address)
	}
	facts = append(facts, from...)
	facts = append(facts, dataFacts(words, e)...)
	facts = append(facts, logFact{Label: words.T("audit.fact.event"), Value: e.Event.String(), Code: true})
	if e.RequestID != "" {
		facts = append(facts, logFact{Label: words.T("audit.fact.reference"), Value: e.RequestID, Code: true})
	}
	return facts
}

// keyFact is the API key with which a program did it, as it was called then.
func keyFact(words *i18n.Locale, e *audit.Entry) logFact {
	return logFact{Label: words.T("audit.fact.key"), Value: cmp.Or(e.KeyName, shortID(e.Key))}
}

// objectPages are where the pages about things are, by their kind.
var objectPages = map[string]func(id string) string{"user": userPath, "group": groupPath, "client": clientPath, "api": apiPath}

// pageOf is the page about what has this id, if that is still there.
func pageOf(e *audit.Entry, id string) string {
	if path := objectPages[e.Here[id]]; path != nil {
		return path(id)
	}
	return ""
}

// whence is where somebody did it, and on what.
func whence(words *i18n.Locale, e *audit.Entry) (facts []logFact) {
	if e.Address != "" {
		facts = append(facts, logFact{Label: words.T("audit.fact.address"), Value: e.Address, Note: placeOf(words, e.Address), Code: true})
	}
	if e.UserAgent != "" {
		facts = append(facts, logFact{Label: words.T("audit.fact.device"), Value: deviceName(words, e.UserAgent)})
	}
	return facts
}

// shared is the range of addresses that providers give to several customers at once
// (RFC 6598), and that overlay networks such as Tailscale use within.
var shared = netip.MustParsePrefix("100.64.0.0/10")

// placeOf says what an address tells by itself: whether it is of a network that nobody
// outside can reach.
func placeOf(words *i18n.Locale, address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	switch a = a.Unmap(); {
	case a.IsLoopback(), a.IsPrivate(), a.IsLinkLocalUnicast():
		return words.T("audit.address.local")
	case shared.Contains(a):
		return words.T("audit.address.shared")
	}
	return ""
}

// wayName is a way in words.
func wayName(words *i18n.Locale, via string) string {
	if key := "audit.via." + via; words.Has(key) {
		return words.T(key)
	}
	return via
}

// kindName is a kind of things in words.
func kindName(words *i18n.Locale, kind string) string {
	if key := "audit.kind." + kind; words.Has(key) {
		return words.T(key)
	}
	return kind
}

// fieldName is the field of a change or a fact in words, or as programs know it.
func fieldName(words *i18n.Locale, field string) (name string, known bool) {
	for _, key := range []string{"audit.field." + field, "settings." + field, "details." + field} {
		if words.Has(key) {
			return words.T(key), true
		}
	}
	return field, false
}

// dataFacts are what else was noted.
func dataFacts(words *i18n.Locale, e *audit.Entry) (facts []logFact) {
	for _, field := range slices.Sorted(maps.Keys(e.Data)) {
		if field == "passkey" && e.Data["passkeyName"] != nil || field == "session" || e.Data[field] == nil || e.Data[field] == "" {
			continue
		}
		name, _ := fieldName(words, field)
		value := valueOf(words, e.Data[field], e)
		if s, ok := e.Data[field].(string); ok && field == "reason" && words.Has("audit.reason."+s) {
			value = words.T("audit.reason." + s)
		}
		facts = append(facts, logFact{Label: name, Value: value})
	}
	return facts
}

// changedFields are the fields that differ, sorted.
func changedFields(e *audit.Entry) []string {
	fields := map[string]bool{}
	for _, m := range []audit.Members{e.Before, e.After} {
		for name := range m {
			fields[name] = true
		}
	}
	return slices.Sorted(maps.Keys(fields))
}

// changesOf are the fields that differ, each with what it was and what it is.
func changesOf(words *i18n.Locale, e *audit.Entry) (changes []logChange) {
	whole := len(e.Before) == 0 || len(e.After) == 0 // made or gone: what says nothing is left out
	for _, field := range changedFields(e) {
		if whole && empty(e.Before[field]) && empty(e.After[field]) {
			continue
		}
		name, known := fieldName(words, field)
		changes = append(changes, logChange{name, fieldValue(words, field, e.Before[field], e), fieldValue(words, field, e.After[field], e), known})
	}
	return changes
}

// empty tells whether a value says nothing.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case float64:
		return v == 0
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

const (
	maxShown  = 500 // characters of a value on a page
	maxList   = 20  // values of a list
	maxFields = 4   // names of fields under a sentence
)

// fieldValue is the value of a field in words, with its unit.
func fieldValue(words *i18n.Locale, field string, v any, e *audit.Entry) string {
	if n, ok := v.(float64); ok && strings.HasSuffix(field, "_lifetime") {
		return words.T("audit.seconds", "n", int64(n))
	}
	return valueOf(words, v, e)
}

// valueOf is a value of a change in words.
func valueOf(words *i18n.Locale, v any, e *audit.Entry) string {
	switch v := v.(type) {
	case nil:
		return words.T("audit.nothing")
	case bool:
		if v {
			return words.T("audit.yes")
		}
		return words.T("audit.no")
	case string:
		if name := e.Names[v]; name != "" {
			return name
		}
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return words.DateTime(at.In(e.At.Location()))
		}
		if v == "" {
			return words.T("audit.nothing")
		}
		return clip(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		if len(v) == 0 {
			return words.T("audit.nothing")
		}
		list := make([]string, 0, len(v))
		for _, one := range v {
			list = append(list, valueOf(words, one, e))
		}
		return shorten(words, list, maxList)
	}
	if m, ok := v.(map[string]any); ok {
		if uri, pattern, ok := addressOf(m); ok {
			if pattern {
				return words.T("audit.pattern", "uri", clip(uri))
			}
			return clip(uri)
		}
	}
	b, err := json.Marshal(v)
	if err != nil || string(b) == "{}" {
		return words.T("audit.nothing")
	}
	return clip(string(b))
}

// addressOf is an address of a client as entries hold it, those of former versions too, and
// whether it is a pattern.
func addressOf(m map[string]any) (uri string, pattern, ok bool) {
	for name, v := range m {
		switch strings.ToLower(name) {
		case "uri":
			uri, ok = v.(string)
		case "pattern":
			pattern = v == true
		default:
			return "", false, false
		}
	}
	return uri, pattern, ok
}

// clip keeps a page from one value that fills it.
func clip(s string) string {
	if r := []rune(s); len(r) > maxShown {
		return string(r[:maxShown]) + "…"
	}
	return s
}

// shorten joins the first values and leaves the rest at their number.
func shorten(words *i18n.Locale, list []string, most int) string {
	comma := words.T("frame.comma")
	if len(list) > most {
		more := len(list) - most
		list = append(slices.Clone(list[:most]), words.T("audit.more_values", "n", more))
	}
	return strings.Join(list, comma)
}

// daysOf puts lines under the days on which they happened where the reader is, who is in
// the zone of now.
func daysOf(words *i18n.Locale, now time.Time, lines []logLine) (days []logDay) {
	day := func(t time.Time) string { return t.In(now.Location()).Format(time.DateOnly) }
	today, yesterday := day(now), now.AddDate(0, 0, -1).Format(time.DateOnly)
	for _, l := range lines {
		title := words.Date(l.At.In(now.Location()))
		switch day(l.At) {
		case today:
			title = words.T("audit.today")
		case yesterday:
			title = words.T("audit.yesterday")
		}
		if n := len(days); n == 0 || days[n-1].Title != title {
			days = append(days, logDay{Title: title})
		}
		d := &days[len(days)-1]
		d.Lines = append(d.Lines, l)
	}
	return days
}
