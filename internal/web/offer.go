package web

import (
	"net/http"
	"time"

	"pocketid/internal/edge"
	"pocketid/internal/settings"
	"pocketid/internal/signin"
)

// offerCookie is what this browser knows about the offer of a passkey on this device.
// It is about the device, so the browser keeps it and not the account.
const (
	offerCookie = "offer"
	offerOpen   = "open" // somebody signed in from here with another device
	offerClosed = "no"   // they have one here now, or do not want to be asked
	offerFor    = 30 * 24 * time.Hour
)

// offerAfter notes, after a sign-in, whether a passkey on this device is worth offering.
// It is offered on the pages of the account, never on the way to an application.
func offerAfter(w http.ResponseWriter, r *http.Request, l signin.Login) {
	switch was := edge.ReadCookie(r, offerCookie); {
	case l.CrossDevice && was == "":
		edge.SetCookie(w, r, offerCookie, offerOpen, offerFor)
	case !l.CrossDevice && was == offerOpen: // there is one here after all
		edge.SetCookie(w, r, offerCookie, "", -1)
	}
}

// offered reports whether a page of the account offers a passkey on this device. Who came
// by a code could not accept it, and neither can anybody where only other devices count.
func offered(r *http.Request, s settings.Settings) bool {
	session := visitor(r).Session
	return edge.ReadCookie(r, offerCookie) == offerOpen && !session.ByCode() && s.WebauthnAuthenticatorAttachment != "cross-platform"
}

// closeOffer stops offering in this browser.
func closeOffer(w http.ResponseWriter, r *http.Request) {
	edge.SetCookie(w, r, offerCookie, offerClosed, lookFor)
}

// offerDismissed is the answer "not now", which is kept.
func (x *Web) offerDismissed(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	closeOffer(w, r)
	return seeOther(w, inside(form.Get("back"), passkeysPath))
}
