package web

import (
	"net/url"
	"strings"
	"testing"

	"pocketid/internal/directory"
	"pocketid/internal/i18n"
	"pocketid/internal/oidc"
)

// People without a picture are shown by that of the house, and by letters where it has none.
func TestFace(t *testing.T) {
	plain, own := badgeOf(&directory.User{ID: "a", DisplayName: "李 伟"}), badgeOf(&directory.User{ID: "a/b", DisplayName: "Ada", PictureID: "x y"})
	house, bare := Frame{StandIn: "/house"}, Frame{}
	for _, c := range []struct{ name, got, want string }{
		{"is that of the house", house.Face(plain).Picture, "/house"},
		{"is nothing where the house has none", bare.Face(plain).Picture, ""},
		{"is letters then", bare.Face(plain).Initials, "李"},
		{"is their own", house.Face(own).Picture, "/api/users/a%2Fb/profile-picture.png?v=x+y"},
	} {
		if c.got != c.want {
			t.Errorf("the picture %s: got %q, want %q", c.name, c.got, c.want)
		}
	}
}

// What is not there leads back to its list, if whoever asks may see that.
func TestWayBackFromWhatIsGone(t *testing.T) {
	for _, c := range []struct {
		path  string
		admin bool
		want  string
	}{
		{usersPath + "/nobody", true, usersPath},
		{usersPath + "/nobody/passkeys/x/remove", true, usersPath},
		{usersPath + "/nobody", false, ""},
		{auditPath + "/x", false, ""},
		{auditPath + "/x", true, auditPath},
		{keysPath + "/none/revoke", false, keysPath},
		{usersPath, true, ""},
		{"/settings/nowhere", true, ""},
	} {
		list, name := listOf(i18n.For("zh-CN"), c.path, c.admin)
		if list != c.want || (name == "") != (c.want == "") || strings.HasPrefix(name, "frame.") {
			t.Errorf("%s (admin %v) leads to %q, %q; want %q", c.path, c.admin, list, name, c.want)
		}
	}
}

// A swatch counts unless another colour is typed beside it.
func TestColourOfAClient(t *testing.T) {
	const pine = "oklch(.46 .09 165)"
	for _, c := range []struct{ name, is, swatch, typed, want string }{
		{"is the swatch", "", "pine", "", pine},
		{"is the swatch where the old colour still stands in the field", "#0b6e4f", "pine", "#0b6e4f", pine},
		{"is what was typed beside the old swatch", pine, "pine", "#0b6e4f", "#0b6e4f"},
		{"is what was typed beside that of the house", "", asEverywhere, "#0b6e4f", "#0b6e4f"},
		{"is that of the house", "#0b6e4f", asEverywhere, "#0b6e4f", ""},
		{"is that of the house once the field is empty", "#0b6e4f", "own", "", ""},
		{"is what was typed where there are no swatches", pine, "", "#0b6e4f", "#0b6e4f"},
	} {
		f := clientFormOf(&oidc.Client{})
		f.Accent = c.is
		form := url.Values{"accent": {c.typed}}
		if c.swatch != "" {
			form.Set("swatch", c.swatch)
		}
		if f.read(form); f.Accent != c.want {
			t.Errorf("the colour %s: got %q, want %q", c.name, f.Accent, c.want)
		}
	}
}
