package protocol

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/images"
	"pocketid/internal/oidc"
)

// painted is a PNG of one colour.
func painted(t *testing.T, c color.NRGBA, w, h int) []byte {
	t.Helper()
	p := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := 0; i < len(p.Pix); i += 4 {
		p.Pix[i], p.Pix[i+1], p.Pix[i+2], p.Pix[i+3] = c.R, c.G, c.B, c.A
	}
	var b bytes.Buffer
	if err := png.Encode(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var red, blue = color.NRGBA{200, 0, 0, 255}, color.NRGBA{0, 0, 200, 255}

// colourOf is what is in the middle of a picture, by its greatest part.
func colourOf(t *testing.T, a *apptest.Answer) string {
	t.Helper()
	m, _, err := image.Decode(strings.NewReader(a.Body))
	if err != nil {
		t.Fatalf("%d %s: %v", a.Status, a.Header.Get("Content-Type"), err)
	}
	if r, _, b, _ := m.At(m.Bounds().Dx()/2, m.Bounds().Dy()/2).RGBA(); r > b {
		return "red"
	}
	return "blue"
}

// An administrator gives an application a logo for each ground; it is seen where people
// sign in and allow, and gone with the application.
func TestLogosOfAClient(t *testing.T) { // threats 29, 74, 78
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss, ada, shop := h.SetUp(), h.User("ada"), h.Client("shop")
		path, at := clientsPath+"/"+shop.ID, oidc.LogoPath(shop.ID)
		get := func(query string, headers ...string) *apptest.Answer {
			t.Helper()
			return h.Program().Get(at+query, headers...)
		}
		if a := get(""); a.Status != http.StatusNotFound || a.JSON()["code"] != "image_not_found" {
			t.Errorf("there is a logo: %d %s", a.Status, a.Body)
		}
		ada.SignIn()
		if page := ada.Upload(path+"/logo/light", url.Values{}, painted(t, red, 8, 8)); page.Status != http.StatusForbidden {
			t.Errorf("somebody gives it a logo: %s", page)
		}
		if page := boss.Upload(path+"/logo/light", url.Values{}, painted(t, red, 600, 300)); page.URL.Path != path {
			t.Fatalf("it got none: %s", page)
		}
		for _, query := range []string{"", "?light=true", "?light=false"} {
			if a := get(query); colourOf(t, a) != "red" || a.Header.Get("Content-Type") != "image/png" || a.Header.Get("Etag") == "" {
				t.Errorf("%s: got %d %v", query, a.Status, a.Header)
			}
		}
		boss.Upload(path+"/logo/dark", url.Values{}, painted(t, blue, 8, 8))
		light, dark := get("?light=true"), get("?light=false")
		if colourOf(t, light) != "red" || colourOf(t, dark) != "blue" {
			t.Error("the grounds are mixed up")
		}
		if a := get("?light=true", "If-None-Match", light.Header.Get("Etag")); a.Status != http.StatusNotModified || a.Body != "" {
			t.Errorf("it is sent again: %d", a.Status)
		}
		// The pages name both, each for ever.
		page := h.Browser().Open(shop.Begin().URL())
		for _, want := range []string{`<source media="(prefers-color-scheme: dark)" srcset="` + at + `?light=false&amp;v=` + strings.Trim(dark.Header.Get("Etag"), `"`),
			`src="` + at + `?light=true&amp;v=` + strings.Trim(light.Header.Get("Etag"), `"`)} {
			if page.URL.Path != "/login" || !strings.Contains(page.Body, want) {
				t.Errorf("the sign-in page lacks %s: %s", want, page.Body)
			}
		}
		if page := boss.Open(clientsPath); !strings.Contains(page.Body, at+"?light=true") {
			t.Errorf("the list does not show it: %s", page)
		}

		// What is no picture is said beside the field, and changes nothing.
		for name, file := range map[string][]byte{"image_missing": nil, "file_type_not_supported": []byte("<html><script>alert(1)</script>"), "image_unreadable": []byte("\x89PNG\r\n\x1a\nx")} {
			if page := boss.Upload(path+"/logo/light", url.Values{}, file); page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, `id="logo-e"`) {
				t.Errorf("%s: %s", name, page)
			}
		}
		if page := boss.Upload(path+"/logo/light", url.Values{}, make([]byte, images.MaxFile+1)); page.Status != http.StatusRequestEntityTooLarge && page.Status != http.StatusUnprocessableEntity {
			t.Errorf("too much: %s", page)
		}
		if page := boss.Upload(path+"/logo/grey", url.Values{}, painted(t, blue, 8, 8)); page.Status != http.StatusNotFound {
			t.Errorf("there is a third ground: %s", page)
		}
		if colourOf(t, get("")) != "red" {
			t.Error("it changed nevertheless")
		}

		// A drawing is written anew, and nobody can run it.
		boss.Upload(path+"/logo/light", url.Values{}, []byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script><rect width="9" height="9"/></svg>`))
		if a := get(""); a.Body != `<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>` || !strings.HasPrefix(a.Header.Get("Content-Security-Policy"), "sandbox; default-src 'none'") ||
			a.Header.Get("Content-Type") != "image/svg+xml" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("got %s %v", a.Body, a.Header)
		}

		// From an address, fetched by the house, once; inside nothing is fetched.
		site := h.Site("pictures.example", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/logo" {
				w.Write(painted(t, blue, 9, 9))
				return
			}
			w.WriteHeader(http.StatusNotFound)
		})
		if page := boss.Upload(path+"/logo/light", url.Values{"address": {site.URL + "/logo"}}, nil); page.URL.Path != path || colourOf(t, get("")) != "blue" {
			t.Errorf("it was not fetched: %s", page)
		}
		for _, bad := range []string{site.URL + "/none", "https://127.0.0.1/logo", "http://169.254.169.254/", "ftp://pictures.example/logo", "javascript:alert(1)", "https://nobody.example/"} {
			page := boss.Upload(path+"/logo/light", url.Values{"address": {bad}}, nil)
			if page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, `id="logo_address-e"`) {
				t.Errorf("%s: %s", bad, page)
			}
		}

		if n := recordedOf(h, audit.ClientLogoEdited, shop.ID, shop.ID); n != 4 {
			t.Errorf("%d changes are recorded", n)
		}
		boss.Upload(path+"/logo/light", url.Values{"picture_remove": {"1"}}, nil)
		if colourOf(t, get("?light=true")) != "blue" || len(h.Rows()["images"]) != 1 {
			t.Errorf("it is not removed: %v", len(h.Rows()["images"]))
		}
		boss.Submit(path+"/delete", url.Values{"name": {"shop"}, "confirm": {"shop"}})
		if a := get(""); a.Status != http.StatusNotFound || len(h.Rows()["images"]) != 0 {
			t.Errorf("pictures of what is deleted: %d, %d rows", a.Status, len(h.Rows()["images"]))
		}
	})
}

// The picture of a person is for everybody who knows their id, which cannot be guessed; it
// is theirs, the one of the instance, or letters.
func TestPictureOfAPerson(t *testing.T) { // threats 78
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss, ada := h.SetUp(), h.User("ada")
		at := "/api/users/" + ada.ID + "/profile-picture.png"
		get := func(headers ...string) *apptest.Answer { t.Helper(); return h.Program().Get(at, headers...) }
		read := func(file []byte, want images.Want) images.Picture {
			p, err := images.Read(t.Context(), file, want)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		by := func(p *apptest.Person) audit.Actor { return audit.Actor{UserID: p.ID, Name: p.Name, Via: "page"} }
		if a := get("Accept", "image/webp,image/svg+xml,*/*"); a.Header.Get("Content-Type") != "image/svg+xml" || !strings.Contains(a.Body, "</text>") || a.Header.Get("Vary") == "" {
			t.Errorf("got %v %s", a.Header, a.Body)
		}
		if a := get(); a.Header.Get("Content-Type") != "image/png" {
			t.Errorf("a program got %v", a.Header)
		}
		if a := h.Program().Get("/api/users/nobody/profile-picture.png"); a.Status != http.StatusNotFound {
			t.Errorf("there is a picture of nobody: %d", a.Status)
		}
		d := h.App.Directory
		if _, err := d.SetPicture(t.Context(), by(ada), boss.ID, read(painted(t, red, 8, 8), images.ForPerson)); err == nil {
			t.Error("somebody changed the picture of another")
		}
		if err := h.App.Settings.SetPicture(t.Context(), audit.System("cli"), images.DefaultPerson, read(painted(t, blue, 8, 8), images.ForPerson)); err != nil {
			t.Fatal(err)
		}
		if colourOf(t, get()) != "blue" {
			t.Error("the default picture does not stand for her")
		}
		u, err := d.SetPicture(t.Context(), by(ada), ada.ID, read(painted(t, red, 400, 300), images.ForPerson))
		if err != nil {
			t.Fatal(err)
		}
		if a := get(); colourOf(t, a) != "red" || a.Header.Get("Etag") != `"`+u.PictureID+`"` || !strings.HasPrefix(a.Header.Get("Cache-Control"), "public, max-age=900") {
			t.Errorf("got %v", a.Header)
		}
		if a := h.Program().Get(at + "?v=" + u.PictureID); !strings.Contains(a.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("got %v", a.Header)
		}
		if _, err := d.RemovePicture(t.Context(), by(ada), ada.ID); err != nil || colourOf(t, get()) != "blue" {
			t.Errorf("hers is not removed: %v", err)
		}
		if _, err := d.SetPicture(t.Context(), audit.System("cli"), ada.ID, read(painted(t, red, 8, 8), images.ForPerson)); err != nil {
			t.Fatal(err)
		}
		if err := d.Delete(t.Context(), audit.System("cli"), ada.ID); err != nil {
			t.Fatal(err)
		}
		if a := get(); a.Status != http.StatusNotFound {
			t.Errorf("somebody who is deleted is shown: %d", a.Status)
		}
	})
}
