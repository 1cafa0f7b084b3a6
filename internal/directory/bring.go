package directory

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/images"
)

// Bringing is moving people and groups in from another house. They keep their ids, so
// passkeys and applications know them. What breaks a rule of this house is adjusted where
// that locks nobody out, and told; the rules themselves are those of the rest of the
// package. Nothing is recorded for each of them: whoever brings a house records that.

// An Adjusted is something that came otherwise than it was.
type Adjusted struct {
	Field string // as faults name it
	Why   string // the code of the fault, or a word of this package
}

// Why something was adjusted, beside the codes of faults.
const (
	AdjustedShortened = "shortened"
	AdjustedCleaned   = "cleaned"
	AdjustedTaken     = "taken"
)

// A Bringer remembers who came, so that two never get the same name. It is for one
// transaction.
type Bringer struct {
	usernames, emails, ldapUsers, groups, ldapGroups map[string]bool
	ids                                              map[string]bool
}

// NewBringer is for a house in which nobody lives yet.
func NewBringer() *Bringer {
	return &Bringer{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
}

// User brings u, with whatever of it can come. ErrIDMalformed and ErrIDTaken are about
// somebody who cannot come at all.
func (b *Bringer) User(tx *db.Tx, u *User) (adjusted []Adjusted, err error) {
	note := func(field, why string) { adjusted = append(adjusted, Adjusted{field, why}) }
	if u.ID = strings.ToLower(u.ID); !isUUID(u.ID) {
		return nil, ErrIDMalformed
	}
	if b.ids[u.ID] {
		return nil, ErrIDTaken
	}
	was := u.Username
	if u.Username, err = parseUsername(was); err != nil {
		u.Username = nearUsername(was, u.ID)
		note("username", ErrUsernameMalformed.Code)
	}
	if free := b.freeUsername(u.Username); free != u.Username {
		u.Username = free
		note("username", AdjustedTaken)
	}
	if u.Email, err = parseEmail(u.Email); err != nil {
		note("email", ErrEmailMalformed.Code)
	}
	if key := Fold(u.Email); key != "" && (b.emails[key] || b.usernames[key]) {
		u.Email = ""
		note("email", AdjustedTaken)
	}
	u.EmailVerified = u.EmailVerified && u.Email != ""
	for _, n := range []struct {
		field string
		text  *string
		max   int
	}{{"first_name", &u.FirstName, maxName}, {"last_name", &u.LastName, maxName}, {"display_name", &u.DisplayName, maxDisplayName}} {
		if why := bend(n.text, n.max); why != "" {
			note(n.field, why)
		}
	}
	if checkLocale(u.Locale) != nil {
		u.Locale = ""
		note("locale", ErrLocaleMalformed.Code)
	}
	if b.ldapUsers[u.LDAPID] {
		u.LDAPID = ""
		note("ldap_id", AdjustedTaken)
	}
	var lost []Adjusted
	u.Claims, lost = bringClaims(u.Claims)
	adjusted = append(adjusted, lost...)
	if u.Kind = kindPerson; u.CreatedAt.IsZero() {
		u.CreatedAt = tx.Now()
	}
	if u.UpdatedAt.IsZero() {
		u.UpdatedAt = u.CreatedAt
	}
	b.ids[u.ID], b.usernames[Fold(u.Username)] = true, true
	for key, seen := range map[string]map[string]bool{Fold(u.Email): b.emails, u.LDAPID: b.ldapUsers} {
		if key != "" {
			seen[key] = true
		}
	}
	insertUser(tx, u)
	audit.Learn(tx, object(u))
	return adjusted, nil
}

// freeUsername is name, with a number behind it if somebody has it already.
func (b *Bringer) freeUsername(name string) string {
	free := name
	for n := 2; b.usernames[Fold(free)] || b.emails[Fold(free)]; n++ {
		suffix := "-" + strconv.Itoa(n)
		free = strings.TrimRight(name[:min(len(name), maxUsername-len(suffix))], "_.@-") + suffix
	}
	return free
}

// nearUsername is a username that is near to what was one elsewhere.
func nearUsername(s, id string) string {
	near := strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (alphanumeric(byte(r)) || strings.ContainsRune("_.@-", r)) {
			return r
		}
		return '-'
	}, s)
	near = strings.Trim(near, "_.@-")
	near = strings.TrimRight(near[:min(len(near), maxUsername)], "_.@-")
	if near == "" {
		return "user-" + id[:8]
	}
	return near
}

// bend makes a name that may be one of what is one elsewhere, and says what it did.
func bend(s *string, max int) (why string) {
	text := strings.ToValidUTF8(*s, "")
	text = strings.Map(func(r rune) rune {
		if !printable(r) {
			return -1
		}
		return r
	}, text)
	if text != *s {
		why = AdjustedCleaned
	}
	if utf8.RuneCountInString(text) > max {
		text, why = string([]rune(text)[:max]), AdjustedShortened
	}
	if line, err := parseName("", text, max); err == nil {
		text = line
	}
	*s = text
	return why
}

// bringClaims keeps those claims that may be, one by one.
func bringClaims(claims map[string]any) (kept map[string]any, lost []Adjusted) {
	kept = map[string]any{}
	names := make([]string, 0, len(claims))
	for name := range claims {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		kept[name] = claims[name]
		if err := CheckClaims(kept); err != nil {
			delete(kept, name)
			lost = append(lost, Adjusted{"claims." + name, fault.Of(err).Code})
		}
	}
	return kept, lost
}

// Group brings g. ErrIDTaken is about a group that cannot come.
func (b *Bringer) Group(tx *db.Tx, g *Group) (adjusted []Adjusted, err error) {
	note := func(field, why string) { adjusted = append(adjusted, Adjusted{field, why}) }
	if g.ID = strings.ToLower(g.ID); !isUUID(g.ID) {
		return nil, ErrIDMalformed
	}
	if b.ids["group "+g.ID] {
		return nil, ErrIDTaken
	}
	if why := bend(&g.Name, 255); why != "" || g.Name == "" {
		note("name", why)
	}
	if g.Name == "" {
		g.Name = "group-" + g.ID[:8]
	}
	// Two groups that only their case tells apart are never made one.
	for name, n := g.Name, 2; b.groups[Fold(g.Name)]; n++ {
		if g.Name = name + "-" + strconv.Itoa(n); n == 2 {
			note("name", AdjustedTaken)
		}
	}
	if why := bend(&g.FriendlyName, 50); why != "" {
		note("friendly_name", why)
	}
	if b.ldapGroups[g.LDAPID] {
		g.LDAPID = ""
		note("ldap_id", AdjustedTaken)
	}
	var lost []Adjusted
	g.Claims, lost = bringClaims(g.Claims)
	adjusted = append(adjusted, lost...)
	if g.CreatedAt.IsZero() {
		g.CreatedAt = tx.Now()
	}
	if g.UpdatedAt.IsZero() {
		g.UpdatedAt = g.CreatedAt
	}
	g.Members = 0
	b.ids["group "+g.ID], b.groups[Fold(g.Name)] = true, true
	if g.LDAPID != "" {
		b.ldapGroups[g.LDAPID] = true
	}
	tx.Do(`INSERT INTO user_groups (`+groupColumns+`) VALUES (`+db.Marks(groupColumnCount)+`)`, g.fields()...)
	audit.Learn(tx, groupObject(g))
	return adjusted, nil
}

// Member puts a user into a group, both of whom came, and says whether both did.
func (b *Bringer) Member(tx *db.Tx, groupID, userID string) bool {
	key := "member " + groupID + " " + userID
	if !b.ids[userID] || !b.ids["group "+groupID] || b.ids[key] {
		return false
	}
	b.ids[key] = true
	tx.Do(`INSERT INTO user_group_members (group_id, user_id, added_at) VALUES ($1, $2, $3)`, groupID, userID, tx.Now().UnixMicro())
	return true
}

// HasUser says whether a user with this id came.
func (b *Bringer) HasUser(id string) bool { return b.ids[id] }

// HasGroup says whether a group with this id came.
func (b *Bringer) HasGroup(id string) bool { return b.ids["group "+id] }

// Settle counts what came, once all of it is there.
func (b *Bringer) Settle(tx *db.Tx) {
	tx.Do(`UPDATE user_groups SET members = (SELECT count(*) FROM user_group_members m WHERE m.group_id = user_groups.id)`)
}

// BringPicture gives a user who came the picture that they had.
func BringPicture(tx *db.Tx, id string, p images.Picture) {
	images.Put(tx, images.Person, id, p)
	tx.Do(`UPDATE users SET picture_id = $2 WHERE id = $1`, id, p.ETag)
}

// BringSignIn notes when a user who came was last signed in.
func BringSignIn(tx *db.Tx, id string, at time.Time) {
	tx.Do(`UPDATE users SET last_sign_in_at = $2 WHERE id = $1`, id, db.Time(&at))
}

// BringClaim is the value of a claim as another house keeps it, as a text that is JSON
// where it can be read as that. whole is false when it stays a text because the value
// would not be sent as it was written.
func BringClaim(text string) (value any, whole bool) {
	v, err := parseClaimJSON(text)
	switch {
	case err == nil && !deep(v, maxClaimDepth):
		return v, true
	case errors.Is(err, ErrClaimJSON):
		return text, true
	}
	return text, false
}
