package oidc

import (
	"cmp"
	"encoding/hex"
	"regexp"
	"strings"

	"pocketid/internal/fault"
)

// macSubject is the purpose of the key under which pairwise subjects are made.
const macSubject = "pairwise subject"

// pairwisePrefix begins each pairwise subject. No id of a user begins like that, and no
// subject that names a client.
const pairwisePrefix = "p-"

// subject is what c knows the user by (OpenID Connect Core §8). All that names a user to a
// client asks here.
func (p *Provider) subject(c *Client, userID string) string {
	if c.SubjectType == SubjectPairwise {
		return p.pairwise(c.Sector, userID)
	}
	return userID
}

// pairwise is what the clients of a sector know the user by. It is a function of the two
// under a key of the house, so that it stays the same for ever, tells nobody who it is,
// and cannot be compared with that of another sector (OpenID Connect Core §8.1). It is
// in lower case, for applications that do not mind the case.
func (p *Provider) pairwise(sector, userID string) string {
	return pairwisePrefix + hex.EncodeToString(p.master.MAC(macSubject, sector+"\x00"+userID))
}

// isSubject says whether c knows, or knew before its type was changed, the user by
// subject. It is for hints: what was said once remains true of the same person.
func (p *Provider) isSubject(c *Client, subject, userID string) bool {
	return userID != "" && (subject == userID || subject == p.pairwise(c.Sector, userID))
}

// What is refused about the subjects of a client.
var (
	ErrSubjectType = fault.New(fault.Invalid, "subject_type_unknown").At("subject_type")
	ErrSector      = fault.New(fault.Invalid, "sector_malformed").At("sector")
	// ErrSectorNeeded is about a client of more hosts than one, or of none: which of them
	// people are known by has to be said (OpenID Connect Core §8.1).
	ErrSectorNeeded = fault.New(fault.Invalid, "sector_needed").At("sector")
)

// sectors are the hosts that can name a sector.
var sectors = regexp.MustCompile(`^([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}$|^\[[0-9a-f:.]{2,45}\]$`)

// checkSubject sets the type of the subjects of a client and the sector that they are made
// for. The sector is stored with the client, so that another redirect URI later changes
// nobody's subject.
func (e *ClientEdit) checkSubject() error {
	e.SubjectType = cmp.Or(e.SubjectType, SubjectPublic)
	e.Sector = strings.ToLower(strings.TrimSpace(e.Sector))
	switch {
	case e.SubjectType != SubjectPublic && e.SubjectType != SubjectPairwise:
		return ErrSubjectType
	case e.Sector == "" && e.SubjectType == SubjectPairwise:
		e.Sector = e.onlyHost()
		if e.Sector == "" {
			return ErrSectorNeeded
		}
	case e.Sector != "" && (len(e.Sector) > 253 || !sectors.MatchString(e.Sector)):
		return ErrSector
	}
	return nil
}

// onlyHost is the host of all redirect URIs; "" when there is not exactly one.
func (e *ClientEdit) onlyHost() (host string) {
	for _, u := range e.RedirectURIs {
		a, err := parseAddress(u.URI)
		if err != nil || !a.web || strings.Contains(a.host, "*") || host != "" && a.host != host {
			return ""
		}
		host = a.host
	}
	return host
}
