package settings

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"pocketid/internal/fault"
	"pocketid/internal/i18n"
)

// What is said about a setting that cannot be.
var (
	ErrAppName         = fault.New(fault.Invalid, "app_name_malformed").At("appName")
	ErrSessionDuration = fault.New(fault.Invalid, "session_duration_malformed").At("sessionDuration")
	ErrHomePage        = fault.New(fault.Invalid, "home_page_malformed").At("homePageUrl")
	ErrAccentColor     = fault.New(fault.Invalid, "accent_color_malformed").At("accentColor")
	ErrChoice          = fault.New(fault.Invalid, "setting_choice_unknown")
)

// Bounds of settings.
const (
	MaxAppName         = 30        // characters
	MaxSessionDuration = 43200     // minutes: 30 days, which is as old as a session gets
	maxHomePage        = 200       // bytes
	maxColour          = 60        // bytes
	DefaultColour      = "default" // the accent of the house itself
)

// Checked returns s as it is stored, or the first fault of those settings that pages
// and the environment may set: it names the setting as scripts do.
func (s Settings) Checked() (Settings, error) {
	var err error
	if s.AppName, err = checkAppName(s.AppName); err != nil {
		return s, err
	}
	if s.SessionDuration < 1 || s.SessionDuration > MaxSessionDuration {
		return s, ErrSessionDuration
	}
	if s.HomePageURL = strings.TrimSpace(s.HomePageURL); !isPath(s.HomePageURL) {
		return s, ErrHomePage
	}
	if s.AccentColor, err = CheckColour(s.AccentColor); err != nil {
		return s, err
	}
	if s.DefaultLocale != "" && !slices.Contains(i18n.Locales(), s.DefaultLocale) {
		return s, ErrChoice.At("defaultLocale").With("choices", strings.Join(i18n.Locales(), ", "))
	}
	for _, c := range []struct {
		field, value string
		choices      []string
	}{
		{"webauthnUserVerification", s.WebauthnUserVerification, []string{"required", "preferred"}},
		{"webauthnAuthenticatorAttachment", s.WebauthnAuthenticatorAttachment, []string{"any", "platform", "cross-platform"}},
		{"allowUserSignups", s.AllowUserSignups, []string{"disabled", "withToken", "open"}},
		{"clientRegistration", s.ClientRegistration, []string{RegistrationDisabled, RegistrationWithToken, RegistrationOpen}},
		{"smtpTls", s.SMTPTLS, []string{"none", "starttls", "tls"}},
	} {
		if !slices.Contains(c.choices, c.value) {
			return s, ErrChoice.At(c.field).With("choices", strings.Join(c.choices, ", "))
		}
	}
	if s.RelatedOrigins, err = CheckRelatedOrigins(s.RelatedOrigins); err != nil {
		return s, err
	}
	if s.OwnClaimNames, err = checkOwnClaims(s.OwnClaimNames); err != nil {
		return s, err
	}
	if s.WebauthnDeniedAAGUIDs, err = CheckDeniedModels(s.WebauthnDeniedAAGUIDs); err != nil {
		return s, err
	}
	return s.checkRegistration()
}

// PersonalClaims are the claims about a person that people can be allowed to change
// themselves (OpenID Connect Core §5.1), in the order of pages. Names and the e-mail
// address are the account's own.
var PersonalClaims = []string{"nickname", "middle_name", "profile", "website", "picture", "birthdate", "gender", "zoneinfo", "phone_number", "address"}

// OwnClaims are those of PersonalClaims that people may change by themselves as it is now.
func (s Settings) OwnClaims() []string {
	if !s.AllowOwnAccountEdit {
		return nil
	}
	return s.OwnClaimNames
}

// checkOwnClaims puts claims into the order of PersonalClaims, each of them once.
func checkOwnClaims(names []string) ([]string, error) {
	for _, name := range names {
		if !slices.Contains(PersonalClaims, name) {
			return names, ErrChoice.At("userEditableClaims").With("choices", strings.Join(PersonalClaims, ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(PersonalClaims), func(name string) bool { return !slices.Contains(names, name) }), nil
}

// checkAppName keeps out what would draw one name as another.
func checkAppName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > MaxAppName || !IsLine(name) {
		return name, ErrAppName.With("max", strconv.Itoa(MaxAppName))
	}
	return name, nil
}

// IsLine reports whether s is text of one line that is drawn as it is read: nothing in it
// ends the line, turns the direction around or is not seen.
func IsLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufeff' ||
			r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
	})
}

// isPath reports whether s is a path on this host and nothing that a browser could
// take for another one.
func isPath(s string) bool {
	return len(s) <= maxHomePage && strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//") &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= 0x20 || r >= 0x7f || r == '\\' })
}

// A colour is written as CSS writes it (CSS Color 4). The grammar is narrower: what it
// lets through can stand in a rule and be nothing but one colour that is not see-through.
var (
	hexColour      = regexp.MustCompile(`^#([0-9a-f]{3}|[0-9a-f]{6})$`)
	functionColour = regexp.MustCompile(`^(rgb|hsl|hwb|lab|lch|oklab|oklch)\( ?` + number + separator + number + separator + number + ` ?\)$`)
)

const (
	number    = `-?(\d{1,4}|\d{0,4}\.\d{1,8})(%|deg)?`
	separator = `( | ?, ?)`
)

// CheckColour returns a colour in lower case with single spaces, DefaultColour when there
// is none, or ErrAccentColor.
func CheckColour(c string) (string, error) {
	c = strings.ToLower(strings.Join(strings.Fields(c), " "))
	switch {
	case c == "":
		return DefaultColour, nil
	case len(c) > maxColour:
		return c, ErrAccentColor
	case c == DefaultColour, hexColour.MatchString(c), functionColour.MatchString(c), isNamedColour(c):
		return c, nil
	}
	return c, ErrAccentColor
}

func isNamedColour(c string) bool {
	_, found := slices.BinarySearch(namedColours, c)
	return found
}

// namedColours are the names of CSS Color 4, 6.1, sorted.
var namedColours = strings.Fields(`aliceblue antiquewhite aqua aquamarine azure beige bisque black blanchedalmond blue
	blueviolet brown burlywood cadetblue chartreuse chocolate coral cornflowerblue cornsilk crimson cyan darkblue darkcyan
	darkgoldenrod darkgray darkgreen darkgrey darkkhaki darkmagenta darkolivegreen darkorange darkorchid darkred darksalmon
	darkseagreen darkslateblue darkslategray darkslategrey darkturquoise darkviolet deeppink deepskyblue dimgray dimgrey
	dodgerblue firebrick floralwhite forestgreen fuchsia gainsboro ghostwhite gold goldenrod gray green greenyellow grey
	honeydew hotpink indianred indigo ivory khaki lavender lavenderblush lawngreen lemonchiffon lightblue lightcoral
	lightcyan lightgoldenrodyellow lightgray lightgreen lightgrey lightpink lightsalmon lightseagreen lightskyblue
	lightslategray lightslategrey lightsteelblue lightyellow lime limegreen linen magenta maroon mediumaquamarine mediumblue
	mediumorchid mediumpurple mediumseagreen mediumslateblue mediumspringgreen mediumturquoise mediumvioletred midnightblue
	mintcream mistyrose moccasin navajowhite navy oldlace olive olivedrab orange orangered orchid palegoldenrod palegreen
	paleturquoise palevioletred papayawhip peachpuff peru pink plum powderblue purple rebeccapurple red rosybrown royalblue
	saddlebrown salmon sandybrown seagreen seashell sienna silver skyblue slateblue slategray slategrey snow springgreen
	steelblue tan teal thistle tomato turquoise violet wheat white whitesmoke yellow yellowgreen`)
