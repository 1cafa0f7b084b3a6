package directory

import (
	"fmt"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"pocketid/internal/db"
	"pocketid/internal/fault"
)

// What is refused about names and addresses. Each names its field.
var (
	ErrUsernameTaken     = fault.New(fault.Conflict, "username_taken").At("username")
	ErrUsernameMalformed = fault.New(fault.Invalid, "username_malformed").At("username")
	ErrEmailTaken        = fault.New(fault.Conflict, "email_taken").At("email")
	ErrEmailMalformed    = fault.New(fault.Invalid, "email_malformed").At("email")
	ErrEmailRequired     = fault.New(fault.Invalid, "email_required").At("email")
	ErrNameTooLong       = fault.New(fault.Invalid, "name_too_long")
	ErrNameUnprintable   = fault.New(fault.Invalid, "name_unprintable")
)

// How long names may be, in characters.
const (
	maxUsername    = 50
	maxName        = 50
	maxDisplayName = 100
	maxEmail       = 254 // RFC 5321 §4.5.3.1.3, without the angle brackets
)

// Fold brings s into the form in which names are compared and sorted: Unicode
// case folding over NFC, so that neither case nor the way an accent is encoded
// makes two names of one. The database never folds (its lower() minds ASCII
// alone on SQLite).
func Fold(s string) string {
	if ascii(s) {
		return strings.ToLower(s)
	}
	return norm.NFC.String(cases.Fold().String(norm.NFC.String(s)))
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// parseUsername accepts what the incumbent does, so that every name that is in
// use passes: letters, digits, and within them dots, hyphens, underscores, @.
func parseUsername(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > maxUsername || !alphanumeric(s[0]) || !alphanumeric(s[len(s)-1]) {
		return "", ErrUsernameMalformed
	}
	for i := range len(s) {
		if !alphanumeric(s[i]) && !strings.Contains("_.@-", s[i:i+1]) {
			return "", ErrUsernameMalformed
		}
	}
	return s, nil
}

func alphanumeric(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

// parseEmail accepts one bare address; an empty one is nobody's.
func parseEmail(s string) (string, error) {
	s = norm.NFC.String(strings.TrimSpace(s))
	if s == "" {
		return "", nil
	}
	if len(s) > maxEmail || strings.ContainsFunc(s, func(r rune) bool { return r == '[' || r == '"' || !printable(r) || r == ' ' }) {
		return "", ErrEmailMalformed
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" {
		return "", ErrEmailMalformed
	}
	return s, nil
}

// parseName accepts any printable text of at most max characters on one line.
func parseName(field, s string, max int) (string, error) {
	s = norm.NFC.String(strings.TrimSpace(s))
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !printable(r) }) {
		return "", ErrNameUnprintable.At(field)
	}
	if utf8.RuneCountInString(s) > max {
		return "", ErrNameTooLong.At(field).With("max", strconv.Itoa(max))
	}
	return s, nil
}

// Line is s as a name is stored, and whether it is printable text on one line.
func Line(s string) (string, bool) {
	s = norm.NFC.String(strings.TrimSpace(s))
	return s, utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !printable(r) })
}

// printable refuses control characters and the invisible ones that make text
// run the other way, so that one name cannot be drawn as another.
func printable(r rune) bool {
	switch {
	case r == utf8.RuneError, unicode.IsControl(r):
		return false
	case r == '\u2028' || r == '\u2029' || r == '\ufeff':
		return false
	case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
		return false
	}
	return true
}

// clash refuses a username that is somebody's e-mail address and an address
// that is somebody's username, because both are asked for in one field.
func clash(tx *db.Tx, u *User) error {
	var other bool
	if strings.Contains(u.Username, "@") {
		if err := tx.One([]any{&other}, `SELECT EXISTS (SELECT 1 FROM users WHERE email_key = $1 AND id <> $2)`,
			Fold(u.Username), u.ID); err != nil {
			return err
		}
		if other {
			return ErrUsernameTaken
		}
	}
	if u.Email != "" {
		if err := tx.One([]any{&other}, `SELECT EXISTS (SELECT 1 FROM users WHERE username_key = $1 AND id <> $2)`,
			Fold(u.Email), u.ID); err != nil {
			return err
		}
		if other {
			return ErrEmailTaken
		}
	}
	return nil
}

// The bounds of what search keeps about one user.
const (
	maxWords = 40
	maxWord  = 64 // characters
)

// words are the beginnings by which u is found.
func words(u *User) []string {
	return Beginnings(u.Username, u.Email, u.FirstName, u.LastName, u.DisplayName)
}

// Beginnings are the folded beginnings by which something with these names is found:
// each name as a whole and from each word in it on. Scripts without spaces have a word
// at each character.
func Beginnings(names ...string) []string {
	var out []string
	add := func(s string) {
		r := []rune(s)
		if len(r) > maxWord {
			s = string(r[:maxWord])
		}
		if s != "" && !slices.Contains(out, s) && len(out) < maxWords {
			out = append(out, s)
		}
	}
	for _, s := range names {
		s = Fold(s)
		add(s)
		inWord := true // the whole is already there
		for i, r := range s {
			switch {
			case !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r):
				inWord = false
			case !inWord || i > 0 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai):
				add(s[i:])
				inWord = true
			}
		}
	}
	return out
}

func insertWords(tx *db.Tx, u *User) {
	list := words(u)
	if len(list) == 0 || u.Kind != kindPerson || !u.DeletedAt.IsZero() {
		return
	}
	slices.Sort(list)
	args := []any{u.ID, Fold(u.Name())}
	var rows strings.Builder
	before := ""
	for i, w := range list {
		if i > 0 {
			rows.WriteString(", ")
		}
		args = append(args, w, sharedStart(before, w))
		fmt.Fprintf(&rows, "($%d, $1, $2, $%d)", len(args)-1, len(args))
		before = w
	}
	tx.Do(`INSERT INTO user_words (word, user_id, display_key, shared) VALUES `+rows.String(), args...)
}

// sharedStart is how many characters a and b have in common at their start. Among the
// sorted words of a user, the first that begins with something is the one that shares
// less with the word before it; so a search finds each user once without comparing ids.
func sharedStart(a, b string) int {
	n, left := 0, []rune(a)
	for _, r := range b {
		if n == len(left) || left[n] != r {
			break
		}
		n++
	}
	return n
}
