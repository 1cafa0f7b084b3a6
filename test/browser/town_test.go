package browser

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/images"
	"pocketid/internal/oidc"
	"pocketid/internal/settings"
	"pocketid/internal/signin"
)

// house opens the installation beside its server, to fill it.
func (s *server) house(t *testing.T, fn func(ctx context.Context, by audit.Actor, a *app.App)) {
	t.Helper()
	var beside []string
	if s.dsn == "" {
		beside = []string{"DB_CONNECTION_STRING=" + filepath.Join(s.Dir, "data", "pocket-id.db")}
	}
	c, err := app.Load(s.env(beside...), "")
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.Beside(t.Context(), c, c.Logger(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	fn(t.Context(), audit.System("cli"), a)
}

// longName is as long as a name may be, without a place to break it.
var longName = strings.Repeat("Wolfeschlegelsteinhausenbergerdorff", 3)[:50]

// names are those of a house in which many languages meet.
var names = [][2]string{
	{"Mia", "Lindqvist"}, {"李", "伟"}, {"محمد", "عبد الرحمن"}, {"Jonas", "Weber-Hohenstaufen"}, {"Amara", "Okafor"}, {"さくら", "田中"},
	{"Noé", "Garnier"}, {"Світлана", "Петрова"}, {"𠮷野", "家🪡"}, {longName, longName}, {"O’Brien", "<b>&amp;"}, {"Hanna", "Virtanen"},
}

// manyGroups is how many groups the person with the longest name is in.
const manyGroups = 60

// A town is what a house has been filled with: the ids of what some pages are about.
type town struct {
	Consents string // a client that asks for consent
	Branded  string // a client with a look of its own
	Crowded  string // somebody in manyGroups groups, with the longest name
	Deleted  string // somebody who is deleted
}

// town fills the house with people, groups, clients and an API, with work that was done to
// many, jobs that rest and an account that is deleted.
func (s *server) town(t *testing.T) (made town) {
	t.Helper()
	s.house(t, func(ctx context.Context, by audit.Actor, a *app.App) {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		_, err := a.Settings.Change(ctx, by, settings.Accounts{AllowOwnAccountEdit: true, RequireUserEmail: true, AllowAccountDelete: true})
		must(err)
		_, err = a.Settings.Change(ctx, by, settings.Details{OwnClaimNames: []string{"phone_number", "birthdate", "address"}})
		must(err)

		var people []string
		for i, n := range names {
			u, err := a.Directory.AddUserAs(ctx, by, directory.NewUser{Username: fmt.Sprintf("person-%02d", i), Email: fmt.Sprintf("person-%02d@example.test", i), FirstName: n[0], LastName: n[1], Admin: i == 4, Disabled: i == 6})
			must(err)
			people = append(people, u.ID)
		}
		portrait, err := images.Read(ctx, landscape(t, 400, 400), images.ForPerson)
		must(err)
		_, err = a.Directory.SetPicture(ctx, by, people[0], portrait)
		must(err)
		_, err = a.Directory.SetClaims(ctx, by, people[9], map[string]any{"department": longName, "floor": 3})
		must(err)
		made.Crowded = people[9]

		for i, name := range []string{"Cluster backup", longName + longName} {
			u, err := a.Directory.AddService(ctx, by, "", directory.ServiceEdit{Username: fmt.Sprintf("robot-%d", i), DisplayName: name, Description: longName + longName, Owner: people[i]})
			must(err)
			_, _, err = a.SignIn.IssueKey(ctx, by, u.ID, signin.KeyEdit{Name: "Nightly", ExpiresAt: time.Now().AddDate(0, 1, 0)})
			must(err)
			if i > 0 {
				must(a.Directory.DisableServices(ctx, by, u.ID))
			}
		}
		var groups []string
		for i, name := range []string{"Operations", "设计", longName[:50]} {
			g, err := a.Directory.AddGroup(ctx, by, directory.GroupEdit{Name: fmt.Sprintf("group-%d", i), FriendlyName: name})
			must(err)
			must(a.Directory.AddMembers(ctx, by, g.ID, people[i:i+8]))
			groups = append(groups, g.ID)
		}
		var of []string
		for i := range manyGroups {
			g, err := a.Directory.AddGroup(ctx, by, directory.GroupEdit{Name: fmt.Sprintf("team-%02d", i), FriendlyName: fmt.Sprintf("Team %d", i+1)})
			must(err)
			of = append(of, g.ID)
		}
		must(a.Directory.SetGroups(ctx, by, people[9], of))

		last := ""
		for i, name := range []string{"Grafana", "Nextcloud", "照片", longName[:50], "Forgejo"} {
			edit := oidc.NewClientEdit()
			edit.Name, edit.Description, edit.LaunchURL = name, "What people do with it, in a sentence", fmt.Sprintf("https://app-%d.example.com/", i)
			edit.RedirectURIs = []oidc.URI{{URI: fmt.Sprintf("https://app-%d.example.com/callback", i)}}
			switch i {
			case 1:
				edit.Accent, edit.Greeting = "#0b6e4f", "The files of everybody in the house"
			case 3:
				edit.GroupRestricted, edit.AllowedGroups = true, groups[:2]
			}
			edit.Public = i == 2
			c, _, err := a.OIDC.AddClient(ctx, by, edit)
			must(err)
			switch last = c.ID; i {
			case 0:
				made.Consents = c.ID
			case 1:
				made.Branded = c.ID
				behind, err := images.Read(ctx, landscape(t, 1600, 1000), images.ForBackground)
				must(err)
				must(a.OIDC.SetClientLogo(ctx, by, c.ID, images.ClientBackground, behind))
				logo, err := images.Read(ctx, landscape(t, 200, 200), images.ForLogo)
				must(err)
				must(a.OIDC.SetClientLogo(ctx, by, c.ID, images.ClientLight, logo))
			}
		}
		weather, err := a.OIDC.AddAPI(ctx, by, "https://api.example.com/weather", oidc.APIEdit{Name: "Weather station"})
		must(err)
		_, err = a.OIDC.SetPermissions(ctx, by, weather.ID, []oidc.Permission{{Name: "readings:read", Title: "Read measurements"}, {Name: "readings:write", Title: "Send measurements"}})
		must(err)
		_, err = a.OIDC.DisableClient(ctx, by, last)
		must(err)
		_, _, err = a.OIDC.AddRegistrationToken(ctx, by, oidc.RegistrationTokenEdit{Name: "Build server", Uses: 5, ExpiresAt: time.Now().AddDate(0, 1, 0)})
		must(err)
		must(a.OIDC.SetAPIClient(ctx, by, weather.ID, made.Consents, oidc.APIGrant{ForUsers: true, UserPermissions: []string{"readings:read"}}))

		_, err = a.Directory.StartBatch(ctx, by, directory.BatchOrder{Deed: directory.DeedJoin, GroupID: groups[0], IDs: people[6:11]})
		must(err)
		gone, err := a.Directory.AddUserAs(ctx, by, directory.NewUser{Username: "gone", Email: "gone@example.test", FirstName: "Ines", LastName: "Duarte"})
		must(err)
		must(a.Directory.Delete(ctx, by, gone.ID))
		made.Deleted = gone.ID
		must(a.DB.Write(ctx, func(tx *db.Tx) error {
			for id, kind := range map[string]string{"rests-1": "oidc.tell_client", "rests-2": "user.expire", "rests-3": "something.unknown"} {
				tx.Do(`INSERT INTO jobs (id, kind, body, run_at, tries, rests, error, created_at) VALUES ($1, $2, 'x', $3, 10, TRUE, 'dial tcp 192.0.2.7:443: connection refused', $3)`,
					id, kind, tx.Now().UnixMicro())
			}
			return nil
		}))
	})
	return made
}

// landscape is a PNG with sky, a sun and hills: something like a photograph, with light and
// dark parts.
func landscape(t *testing.T, width, height int) []byte {
	t.Helper()
	p := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			fx, fy := float64(x)/float64(width), float64(y)/float64(height)
			c := color.NRGBA{uint8(240 - 90*(1-fy)), uint8(170 + 30*(1-fy)), uint8(120 + 110*(1-fy)), 255}
			if math.Hypot((fx-.72)*float64(width)/float64(height), fy-.3) < .12 {
				c = color.NRGBA{255, 244, 214, 255}
			}
			for i, base := range []float64{.62, .74, .86} {
				if fy > base+.06*math.Sin(fx*(5+3*float64(i))+float64(i)*2) {
					c = color.NRGBA{uint8(70 - 22*i), uint8(104 - 30*i), uint8(96 - 22*i), 255}
				}
			}
			p.SetNRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
