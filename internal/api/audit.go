package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/i18n"
)

func (a *API) auditOperations() []Operation {
	return []Operation{
		mine("GET /api/audit-logs", "account:read", "Lists what happened with your account, the newest first.", a.myLog).lists(entry{}, ownLogColumns),
		admins("GET /api/audit-logs/all", "audit:read", "Lists what happened, the newest first.", a.log).lists(entry{}, logColumns),
		admins("GET /api/audit-logs/{id}", "audit:read", "Tells one entry of the log.", a.logEntry).answers(http.StatusOK, entry{}),
		admins("GET /api/audit-logs/filters/client-names", "audit:read", "Lists the names of clients to filter by.", a.logClients).answers(http.StatusOK, []string{}),
		admins("GET /api/audit-logs/filters/users", "audit:read", "Tells the names of people to filter by, by id.", a.logUsers).answers(http.StatusOK, map[string]string{}),
		admins("GET /api/audit-logs/export", "audit:read", "Sends the newest 50,000 entries as a file, and records that.", a.logExport).sends("text/csv").
			param("format", "", "csv, or jsonl for an entry a line as JSON.").
			param("event", "", "The name of an event; may be said several times.").
			param("userID", "", "The id of somebody who did it or whom it concerns.").
			param("clientID", "", "The id of a client.").
			param("apiKeyID", "", "The id of an API key with which it was done.").
			param("search", "", "The beginning of a name, an address, or the reference of a request.").
			param("from", "", "The first instant (RFC 3339).").
			param("until", "", "The first instant that is too late (RFC 3339)."),
	}
}

// An entry is a record of the log. Data has texts alone, which is what programs read.
type entry struct {
	ID        string            `json:"id"`
	CreatedAt time.Time         `json:"createdAt"`
	Event     string            `json:"event"`
	Address   string            `json:"ipAddress"`
	Country   string            `json:"country"`
	City      string            `json:"city"`
	Device    string            `json:"device"`
	UserID    string            `json:"userID"`
	Username  string            `json:"username"`
	Actor     string            `json:"actorUsername"`
	Data      map[string]string `json:"data"`

	ActorID    string `json:"actorUserID"`
	ClientID   string `json:"clientID"`
	ClientName string `json:"clientName"`
	ObjectKind string `json:"objectKind"`
	ObjectID   string `json:"objectID"`
	ObjectName string `json:"objectName"`
	Via        string `json:"via"`
	UserAgent  string `json:"userAgent"`
	RequestID  string `json:"requestID"`
	// KeyID and KeyName are those of the API key with which a program did it, as it was
	// called then; they are empty when nobody used one.
	KeyID   string        `json:"apiKeyID"`
	KeyName string        `json:"apiKeyName"`
	Before  audit.Members `json:"before"`
	After   audit.Members `json:"after"`
}

func entryOf(e *audit.Entry) entry {
	out := entry{ID: e.ID, CreatedAt: e.At.UTC(), Event: e.Event.String(), Address: e.Address, City: audit.Place(e.Address), Device: edge.DeviceOf(e.UserAgent).String(),
		UserID: e.User, Username: e.UserName, Actor: e.ActorName, Data: map[string]string{}, ActorID: e.Actor, ClientID: e.Client, ClientName: e.ClientName,
		ObjectKind: e.Object.Kind, ObjectID: e.Object.ID, ObjectName: e.Object.Name, Via: e.Via, UserAgent: e.UserAgent, RequestID: e.RequestID, KeyID: e.Key, KeyName: e.KeyName, Before: e.Before, After: e.After}
	if out.Before == nil {
		out.Before = audit.Members{}
	}
	if out.After == nil {
		out.After = audit.Members{}
	}
	if out.City != "" {
		out.Country = "Internal Network"
	}
	for name, v := range e.Data {
		text, ok := v.(string)
		if !ok {
			b, err := json.Marshal(v)
			if err != nil {
				continue
			}
			text = string(b)
		}
		out.Data[name] = text
	}
	if e.ClientName != "" {
		out.Data["clientName"] = e.ClientName
	}
	if e.Actor != "" && e.Actor != e.User {
		out.Data["actorUserID"], out.Data["actorUsername"] = e.Actor, e.ActorName
	}
	return out
}

var (
	logSort       = []string{"event", "ipAddress", "country", "city", "userAgent", "createdAt"}
	logColumns    = columns{sortable: logSort, filterable: []string{"userID", "event", "clientName", "location"}}
	ownLogColumns = columns{sortable: logSort, filterable: []string{"event", "clientName", "location"}}
)

// logQuery is a list of the log. What is not said of its order is the newest first.
func logQuery(r *http.Request, c columns) (directory.Query, audit.Query) {
	q := queryOf(r, c)
	sort := map[string]string{"event": "event", "ipAddress": "address", "country": "address", "city": "address", "userAgent": "userAgent"}[q.Sort]
	said := r.URL.Query().Get("sort[direction]")
	return q, audit.Query{Events: q.Filters["event"], Users: q.Filters["userID"], Clients: q.Filters["clientName"], Locations: q.Filters["location"],
		Sort: sort, Up: strings.EqualFold(said, "asc") || said == "" && q.Sort != "", Offset: q.Offset, Limit: q.Limit}
}

func writeLog(w http.ResponseWriter, q directory.Query, list []audit.Entry, total int) error {
	data := make([]entry, 0, len(list))
	for i := range list {
		data = append(data, entryOf(&list[i]))
	}
	return writePage(w, q, data, total)
}

func (a *API) myLog(w http.ResponseWriter, r *http.Request) error {
	q, of := logQuery(r, ownLogColumns)
	list, total, err := a.audit.QueryMine(r.Context(), actor(r), of)
	if err != nil {
		return err
	}
	return writeLog(w, q, list, total)
}

func (a *API) log(w http.ResponseWriter, r *http.Request) error {
	q, of := logQuery(r, logColumns)
	list, total, err := a.audit.Query(r.Context(), actor(r), of)
	if err != nil {
		return err
	}
	return writeLog(w, q, list, total)
}

func (a *API) logEntry(w http.ResponseWriter, r *http.Request) error {
	e, err := a.audit.Entry(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, entryOf(&e))
}

func (a *API) logClients(w http.ResponseWriter, r *http.Request) error {
	names, err := a.audit.ClientNames(r.Context(), actor(r))
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, some(names))
}

func (a *API) logUsers(w http.ResponseWriter, r *http.Request) error {
	names, err := a.audit.UserNames(r.Context(), actor(r))
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, names)
}

// errInstant refuses what is no time.
var errInstant = fault.New(fault.Invalid, "time_malformed")

func (a *API) logExport(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	f := audit.Filter{Person: text(q.Get("userID")), Client: text(q.Get("clientID")), Key: text(q.Get("apiKeyID")), Search: directory.Fold(text(q.Get("search")))}
	for _, name := range q["event"] {
		if n, ok := audit.Named(name); ok {
			f.Events = append(f.Events, n)
		}
	}
	if q.Has("event") && f.Events == nil {
		return errMember.At("event")
	}
	for name, at := range map[string]*time.Time{"from": &f.From, "until": &f.Until} {
		if said := q.Get(name); said != "" {
			t, err := time.Parse(time.RFC3339, said)
			if err != nil {
				return errInstant.At(name)
			}
			*at = t
		}
	}
	words := i18n.For(i18n.Source)
	file := audit.NewFile(q.Get("format"), w, func(n audit.Name) string { return words.T("event." + strings.ToLower(n.String()) + ".title") })
	w.Header().Set("Content-Type", file.Media)
	w.Header().Set("Content-Disposition", `attachment; filename="audit-log`+file.Ending+`"`)
	more, err := a.audit.Export(r.Context(), actor(r), f, file.Write)
	if err == nil && more {
		err = file.Cut(words.T("audit.export.cut", "n", audit.MaxExport))
	}
	if err != nil {
		return err
	}
	return file.End()
}
