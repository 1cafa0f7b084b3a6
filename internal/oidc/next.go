package oidc

import (
	"slices"
	"time"

	"pocketid/internal/signin"
)

// A Step is what has to happen before a request can be answered with a code. Steps
// do not know one another: each page comes back to /authorize/next, and next says
// what is left.
type Step string

// The steps, in the order in which next asks for them.
const (
	StepSignIn  Step = "sign-in" // nobody is signed in
	StepSelect  Step = "select"  // the person says with which account
	StepReauth  Step = "reauth"  // the person proves once more who they are
	StepConsent Step = "consent" // the person allows what the client asks for
	StepDone    Step = "done"
)

// reauthGrace is how long a passkey that was asked for by this very request counts,
// however small max_age is. Else the pages in between would outlast it.
const reauthGrace = 5 * time.Minute

// A situation is all that next looks at.
type situation struct {
	request *authRequest
	client  *Client
	native  bool // the answer goes to an application on the person's own device
	// created is when the request was stored; zero when it was not, and nothing
	// that happened before can be an answer to it.
	created time.Time
	now     time.Time

	session signin.Session // the zero value is nobody's
	// stranger says that the request is about somebody else.
	stranger bool
	// stronger says that the user has a passkey, where the session came by a code and the
	// client would rather have a passkey.
	stronger bool
	pass     pass  // of its user
	gate     error // why mayUse gave none

	remembered bool      // a consent of this user to this client exists
	consented  allowance // and this is what it holds
	// missed is why the request gets nothing at an API that it names.
	missed error

	// What the person decided about this very request.
	denied     bool
	selectedIn string // the session that was chosen
	allowedBy  string // the user who allowed it
}

// next decides. It returns the step that is left, or the fault with which the
// request is to be answered. It looks at nothing but s.
func next(s situation) (Step, error) {
	switch {
	case s.denied:
		return "", errAccessDenied.Saying("the person declined")
	case s.missed != nil:
		return "", s.missed
	case s.session.UserID == "":
		return s.ask(StepSignIn)
	case s.stranger && s.chosen():
		return "", errLoginRequired.Saying("the person who was asked for did not sign in")
	case s.stranger:
		return s.ask(StepSelect)
	case s.request.asks(promptSelect) && !s.chosen():
		return s.ask(StepSelect)
	case s.gate != nil:
		return "", errAccessDenied.Saying("this person may not use this client").Because("%w", s.gate)
	case s.stale():
		return s.ask(StepReauth)
	case s.weak() && s.stronger && !s.request.asks(promptNone):
		return StepReauth, nil
	case s.unconsented():
		return s.ask(StepConsent)
	}
	return StepDone, nil
}

// ask is step, unless the client wants no person asked (OpenID Connect Core §3.1.2.6).
func (s *situation) ask(st Step) (Step, error) {
	switch {
	case !s.request.asks(promptNone):
		return st, nil
	case st == StepConsent:
		return "", errConsentRequired
	}
	return "", errLoginRequired
}

// The values of acr (OpenID EAP ACR Values §2): by a passkey, or by anything.
const (
	acrPasskey = "phr"
	acrAny     = "0"
)

var acrValues = []string{acrPasskey, acrAny}

// acrs are the values of acr that would do: those of the request, or else of the client.
func (s *situation) acrs() []string {
	if len(s.request.ACR) > 0 {
		return s.request.ACR
	}
	return s.client.DefaultACRValues
}

// weak says whether the client asks for a passkey and the session came by a code.
func (s *situation) weak() bool {
	asked := s.acrs()
	return s.session.ByCode() && s.session.UserID != "" && slices.Contains(asked, acrPasskey) && !slices.Contains(asked, acrAny)
}

// acr is what the client is told: how the person signed in, in the word that it asked
// for. Who came by a passkey meets the lower value too; the higher one is never pretended.
func (s *situation) acr() string {
	if asked := s.acrs(); s.session.ACR == acrPasskey && slices.Contains(asked, acrAny) && !slices.Contains(asked, acrPasskey) {
		return acrAny
	}
	return s.session.ACR
}

// maxAge is how old the authentication may be, and whether anybody minds: the request, or
// else the client (OpenID Connect Registration §2, default_max_age).
func (s *situation) maxAge() (time.Duration, bool) {
	if limit, asked := s.request.maxAge(); asked {
		return limit, true
	}
	return s.client.DefaultMaxAge, s.client.DefaultMaxAge > 0
}

// answered says whether the person signed in after the request came.
func (s *situation) answered() bool {
	return !s.created.IsZero() && s.session.AuthTime.After(s.created)
}

// chosen says whether the person picked this session for this request, be it by
// signing in for it.
func (s *situation) chosen() bool { return s.selectedIn == s.session.ID || s.answered() }

// stale says whether the authentication is not good enough for the request. A code is
// never: it proves that somebody read a message (threats 38).
func (s *situation) stale() bool {
	fresh := !s.session.ByCode() && s.answered()
	if (s.request.asks(promptLogin) || s.client.ReauthRequired) && !fresh {
		return true
	}
	if s.request.ACREssential && s.weak() {
		return true
	}
	limit, asked := s.maxAge()
	if !asked {
		return false
	}
	age := s.now.Sub(s.session.AuthTime)
	if fresh && age <= reauthGrace {
		return false
	}
	return s.session.ByCode() || limit == 0 || age > limit
}

// unconsented says whether the person has to be asked. What an application on
// somebody's own device calls itself proves nothing, so a remembered consent and
// the administrator's word do not count for it (RFC 8252 §8.6, threats 22). Nor does that
// word for a client which no administrator made: it can change (threats 67).
func (s *situation) unconsented() bool {
	if s.allowedBy == s.session.UserID {
		return false
	}
	if s.request.asks(promptConsent) || s.native && s.client.Public {
		return true
	}
	return (!s.client.SkipConsent || s.client.Stranger()) && !s.covered()
}

// covered says whether the remembered consent holds everything asked for.
func (s *situation) covered() bool { return s.remembered && s.consented.covers(s.request.allowance()) }
