package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/oidc"
)

func (x *Web) deviceRoutes() []edge.Route {
	return []edge.Route{
		page("GET /device", edge.SignedIn, x.device),
		{Pattern: "POST /device", Access: edge.SignedIn, Surface: edge.Page, Limit: edge.LimitUserCode, Handler: x.deviceTyped},
		page("GET "+devicePath, edge.SignedIn, x.deviceAsks),
		page("POST "+devicePath, edge.SignedIn, x.deviceDecided),
	}
}

// devicePath is the question whether to let a device in; the query has its ticket.
const devicePath = "/device/confirm"

// devicePage asks for the code that a device shows.
type devicePage struct {
	Frame
	Code string
}

// device is the address that devices show (RFC 8628 §3.3). A link fills the code in;
// only the button uses it.
func (x *Web) device(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	code := query.Get("user_code")
	if code == "" {
		code = query.Get("code") // as the incumbent's links have it
	}
	return x.showDevice(w, r, oidc.ShownUserCode(code), nil)
}

func (x *Web) showDevice(w http.ResponseWriter, r *http.Request, code string, problem *Problem) error {
	return x.show(w, r, "device", &devicePage{Frame: Frame{Title: x.words(r).T("device.title"), Seal: "tv", Fault: problem}, Code: code})
}

func (x *Web) deviceTyped(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	typed := form.Get("user_code")
	ticket, err := x.oidc.OpenDevice(r.Context(), visitor(r), typed)
	if errors.Is(err, oidc.ErrDeviceCode) {
		f := fault.Of(err)
		return x.showDevice(w, r, typed[:min(len(typed), 64)], &Problem{Words: x.words(r).Fault(f.Code, f.Kind.String(), f.Params), Field: f.Field})
	}
	if err != nil {
		return err
	}
	return seeOther(w, confirmURL(ticket))
}

func confirmURL(ticket string) string { return devicePath + "?ticket=" + url.QueryEscape(ticket) }

// deviceAskPage asks whether to let a device in, and says how it was answered.
type deviceAskPage struct {
	Frame
	oidc.DeviceQuestion
	Device edge.Device
	Ticket string
	// Redirect is where another account goes on: to the code.
	Redirect string
	Lines    []scopeLine
}

func (x *Web) deviceAsks(w http.ResponseWriter, r *http.Request) error {
	ticket := r.URL.Query().Get("ticket")
	q, err := x.oidc.DeviceQuestion(r.Context(), visitor(r), ticket)
	if err != nil {
		return err
	}
	words := x.words(r)
	p := deviceAskPage{DeviceQuestion: q, Device: edge.DeviceOf(q.UserAgent), Ticket: ticket}
	if p.Device.System == "" {
		p.Device.Icon = "tv"
	}
	switch q.State {
	case oidc.DeviceConnected:
		p.Frame = Frame{Title: words.T("device.connected.title", "client", q.ClientName), Seal: "ok", Tone: "ok"}
	case oidc.DeviceDeclined:
		p.Frame = Frame{Title: words.T("device.declined.title"), Seal: "stop"}
	default:
		p.Frame = Frame{Title: words.T("device.ask.title", "client", q.ClientName), Seal: "tv", Wide: true}
		p.Redirect = "/device?user_code=" + q.Code
		// That it stays is said once, for every reason.
		scopes := slices.DeleteFunc(slices.Clone(q.Scopes), func(s string) bool { return q.Stays && s == "offline_access" })
		if p.Lines, err = x.scopeLines(r, words, scopes); err != nil {
			return err
		}
	}
	return x.show(w, r, "device-confirm", &p)
}

// deviceDecided takes the person's answer. Where a proof is wanted first, the page of
// proofs comes back to the question, and the answer is given there.
func (x *Web) deviceDecided(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	ticket := form.Get("ticket")
	if form.Get("decision") == "allow" {
		err = x.oidc.AllowDevice(r.Context(), visitor(r), ticket)
	} else {
		err = x.oidc.DenyDevice(r.Context(), visitor(r), ticket)
	}
	if errors.Is(err, oidc.ErrDeviceProof) {
		return seeOther(w, withRedirect("/login/again", confirmURL(ticket)))
	}
	if err != nil {
		return err
	}
	return seeOther(w, confirmURL(ticket))
}
