package web

import (
	"net/http"
	"strings"

	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/i18n"
)

// errorPage says what happened, why, and what to do.
type errorPage struct {
	Frame
	Said      i18n.Words
	Reference string
	// Shown is a text of the request that the words are about: an address.
	Shown string
	// Launch leads back to the application that the person came from.
	Launch, Client string
	SignedIn       bool
	// Anybody says that it is not known who asks: no page has this address.
	Anybody bool
	// Back is the page of the form that this answers; "" is that it answers none.
	Back string
	// SignIn leads back there by way of signing in: the session has ended, and nothing was saved.
	SignIn string
	// Device leads to the field for the code of another device.
	Device bool
	// List leads back to the list in which what was looked for would stand, ListName is its
	// name.
	List, ListName string
	// Settings leads an administrator to what the words are about: the addresses of a client.
	Settings string
}

// wrongHostPage is for an address that is not the public one.
type wrongHostPage struct {
	Frame
	Asked, Public, Reference string
}

// RenderError is the page of a fault, for edge. It writes nothing when the page itself
// cannot be made, and edge then answers without style.
func (x *Web) RenderError(w http.ResponseWriter, r *http.Request, f *fault.Error, status int) {
	words := x.words(r)
	text := words.Fault(f.Code, f.Kind.String(), f.Params)
	frame := Frame{Title: text.Title, Wide: true, Seal: "alert", Tone: "warn", words: words}
	reference := edge.RequestID(r.Context())
	if f.Code == edge.ErrWrongHost.Code {
		frame.Seal, frame.Title = "link", words.T("wrong_host.title")
		x.render(w, r, "wrong-host", status, &wrongHostPage{frame, f.Params["asked"], f.Params["app_url"], reference})
		return
	}
	p := errorPage{Frame: frame, Said: text, Reference: reference, Shown: f.Params["redirect_uri"],
		Launch: f.Params["launch"], Client: f.Params["client"], SignedIn: edge.Who(r.Context()).UserID != "",
		Device: strings.HasPrefix(f.Code, "device_")}
	if id := f.Params["client_id"]; id != "" && p.Client != "" && edge.Who(r.Context()).Admin {
		p.Settings = clientPath(id) + "#uris"
	}
	if r.Method == http.MethodPost && f.Code == edge.ErrNotSignedIn.Code {
		p.SignIn = withRedirect("/login", edge.PageOf(r))
	} else if r.Method == http.MethodPost && p.SignedIn && f.Kind != fault.NotFound && p.Launch == "" && !p.Device {
		p.Back = edge.PageOf(r)
	}
	if p.SignIn != "" || p.Back != "" {
		p.Modules = []string{"kept.js"}
	}
	p.Anybody = f.Code == edge.ErrNotFound.Code
	if f.Kind == fault.NotFound && p.SignedIn {
		p.List, p.ListName = listOf(words, r.URL.Path, edge.Who(r.Context()).Admin)
	}
	x.render(w, r, "error", status, &p)
}

// errorLists are the lists under whose addresses the pages about one thing are, with their
// names.
var errorLists = [][2]string{{usersPath, "frame.users"}, {batchesPath, "user_batches.title"}, {groupsPath, "frame.groups"}, {clientsPath, "clients.title"}, {apisPath, "frame.apis"},
	{allKeysPath, "frame.keys"}, {registrationPath, "frame.registration"}, {jobsPath, "jobs.title"}, {auditPath, "frame.audit"}, {settingsPath, "frame.settings"},
	{keysPath, "frame.keys"}, {passkeysPath, "frame.passkeys"}, {sessionsPath, "frame.sessions"}, {allowedPath, "frame.allowed"}, {appsPath, "apps.title"}}

// listOf is the list above the page at path, for somebody who may see it.
func listOf(words *i18n.Locale, path string, admin bool) (list, name string) {
	for _, l := range errorLists {
		of := strings.HasPrefix(path, l[0]+"/")
		if of && (admin || !strings.HasPrefix(l[0], overviewPath) && l[0] != auditPath) {
			return l[0], words.T(l[1])
		}
	}
	return "", ""
}
