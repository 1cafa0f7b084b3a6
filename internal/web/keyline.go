package web

import (
	"slices"
	"strings"
	"time"

	"pocketid/internal/i18n"
	"pocketid/internal/signin"
)

// A keyLine is a passkey as people see it.
type keyLine struct {
	ID, Name, Icon string
	// Mark stands for the maker of the passkey, in colours of ours; without a hue
	// the maker is not known, and the icon says where the passkey lives.
	Mark      Avatar
	Kind      string // where it lives, in words
	CreatedAt time.Time
	UsedAt    time.Time
	UsedOn    string
	Here      bool // this session was opened with it
	Outside   bool // the settings would not accept it as a new one
}

// keyLineOf describes a passkey.
func keyLineOf(words *i18n.Locale, k *signin.Passkey, session signin.Session) keyLine {
	l := keyLine{ID: k.ID, Name: k.Name, CreatedAt: k.CreatedAt, UsedAt: k.LastUsedAt, Here: session.PasskeyID == k.ID}
	model := k.Model()
	switch {
	case k.BackupState && model != "":
		l.Icon, l.Kind = "cloud", words.T("passkeys.kind.synced_by", "model", model)
	case k.BackupState:
		l.Icon, l.Kind = "cloud", words.T("passkeys.kind.synced")
	case k.Attachment == "cross-platform" && (slices.Contains(k.Transports, "usb") || slices.Contains(k.Transports, "nfc")):
		l.Icon, l.Kind = "usbkey", words.T("passkeys.kind.security_key")
	case k.BackupKnown && !k.BackupEligible:
		l.Icon, l.Kind = "laptop", words.T("passkeys.kind.device")
	case k.BackupKnown && model != "":
		l.Icon, l.Kind = "key", words.T("passkeys.kind.kept_by", "model", model)
	default:
		l.Icon, l.Kind = "key", words.T("passkeys.kind.other")
	}
	l.Mark = markOf(model)
	if k.LastUsedOn != "" {
		l.UsedOn = deviceName(words, k.LastUsedOn)
	}
	return l
}

// makers are the marks of those whose passkeys are met most, by how the names of their
// models begin: letters in a colour, drawn by us, because their own marks are theirs.
// One without letters keeps the icon of where the passkey lives.
var makers = []struct {
	name string
	mark Avatar
}{
	{"1Password", Avatar{Initials: "1P", Hue: 4}},
	{"Apple Passwords", Avatar{Initials: "", Hue: 5}},
	{"Bitwarden", Avatar{Initials: "B", Hue: 4}},
	{"Chrome on Mac", Avatar{Initials: "C", Hue: 3}},
	{"Chromium", Avatar{Initials: "C", Hue: 3}},
	{"Dashlane", Avatar{Initials: "D", Hue: 3}},
	{"Edge on Mac", Avatar{Initials: "E", Hue: 4}},
	{"Enpass", Avatar{Initials: "E", Hue: 2}},
	{"Google Password Manager", Avatar{Initials: "G", Hue: 3}},
	{"Google Titan", Avatar{Initials: "", Hue: 3}},
	{"Kaspersky", Avatar{Initials: "K", Hue: 3}},
	{"KeePassDX", Avatar{Initials: "KD", Hue: 3}},
	{"KeePassXC", Avatar{Initials: "KX", Hue: 3}},
	{"KeePass", Avatar{Initials: "KP", Hue: 3}},
	{"Keeper", Avatar{Initials: "K", Hue: 2}},
	{"LastPass", Avatar{Initials: "L", Hue: 1}},
	{"Microsoft Password Manager", Avatar{Initials: "M", Hue: 4}},
	{"Nitrokey", Avatar{Initials: "", Hue: 1}},
	{"NordPass", Avatar{Initials: "N", Hue: 4}},
	{"Norton", Avatar{Initials: "N", Hue: 2}},
	{"Proton Pass", Avatar{Initials: "P", Hue: 5}},
	{"Samsung Pass", Avatar{Initials: "S", Hue: 5}},
	{"Security Key", Avatar{Initials: "", Hue: 2}},
	{"Solo", Avatar{Initials: "", Hue: 5}},
	{"TOKEN2", Avatar{Initials: "", Hue: 1}},
	{"Windows Hello", Avatar{Initials: "", Hue: 4}},
	{"YubiKey", Avatar{Initials: "", Hue: 2}},
}

// markOf is the mark of who made a model; of nobody known it has no hue.
func markOf(model string) Avatar {
	for _, m := range makers {
		if strings.HasPrefix(model, m.name) {
			return m.mark
		}
	}
	return Avatar{}
}
