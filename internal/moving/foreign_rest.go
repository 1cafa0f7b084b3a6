package moving

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/images"
	"pocketid/internal/oidc"
	"pocketid/internal/settings"
)

// scim brings where accounts are sent to, with the tokens for it, and says what is not
// brought of what waits for somebody.
func (w *filling) scim() error {
	w.each("scim_service_providers", "SCIM providers", func(r *rowReader) {
		s := oidc.BroughtSCIM{ID: r.must("id"), ClientID: r.must("oidc_client_id"), Endpoint: r.must("endpoint"), CreatedAt: r.time("created_at"), LastSyncedAt: r.time("last_synced_at")}
		sealed := r.text("token")
		if r.err != nil {
			return
		}
		if sealed != "" {
			token, err := foreignKey(w.o.Key).text(sealed)
			if err != nil {
				w.leave("SCIM providers", s.Endpoint, "its token cannot be opened with the encryption key")
				return
			}
			s.Token = token
		}
		if came, err := w.apps.SCIM(w.tx, s); err != nil {
			r.err = err
		} else if !came {
			w.leave("SCIM providers", s.Endpoint, "its client is not there")
		} else {
			w.came("SCIM providers")
		}
	})
	if w.counts["SCIM providers"] > 0 {
		w.note("SCIM providers are kept with their tokens, and nothing is sent to them yet.")
	}
	now, waiting := w.tx.Now(), 0
	for _, s := range w.house.states {
		if s.kind == "SignupToken" && (s.expires.IsZero() || now.Before(s.expires)) {
			waiting++
		}
	}
	w.each("signup_tokens", "sign-up tokens", func(r *rowReader) {
		if now.Before(r.time("expires_at")) && r.err == nil {
			waiting++
		}
	})
	frozen := rowReader{row: foreignRow{"value": w.house.values["signup_tokens_migrated"]}}
	var list []struct {
		ExpiresAt time.Time `json:"expiresAt"`
	}
	if frozen.json("value", &list) {
		for _, t := range list {
			if now.Before(t.ExpiresAt) {
				waiting++
			}
		}
	}
	for range waiting {
		w.leave("sign-up tokens", "", "people cannot sign up by themselves yet; make accounts and login links instead")
	}
	return nil
}

// Directories of uploaded files, and what the pictures of the instance are called in theirs.
const (
	appImages     = "application-images/"
	profileImages = "profile-pictures/"
	defaultImages = profileImages + "defaults/"
	clientImages  = "oidc-client-images/"
)

var appImageNames = map[string]string{"logoLight": images.LogoLight, "logoDark": images.LogoDark, "background": images.Background,
	"favicon": images.Favicon, "default-profile-picture": images.DefaultPerson}

// pictures brings the pictures, each drawn anew.
func (w *filling) pictures() error {
	files, err := w.src.files(w.ctx)
	if err != nil {
		return err
	}
	logos := w.logoPaths()
	instance := map[string]images.Picture{}
	for _, file := range files {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		stem := strings.TrimSuffix(path.Base(file), path.Ext(file))
		switch {
		case strings.HasPrefix(file, defaultImages), strings.HasPrefix(file, appImages+".deleted/"):
			continue // letters for those who have no picture; marks that the program makes for itself
		case strings.HasPrefix(file, appImages):
			name, ok := appImageNames[stem]
			if !ok {
				w.leave("pictures", file, "nothing shows it yet")
				continue
			}
			if p, ok := w.picture(file, images.InstanceWants[name]); ok {
				instance[name] = p
			}
		case strings.HasPrefix(file, profileImages):
			id := strings.ToLower(stem)
			if !w.people.HasUser(id) {
				w.leave("pictures", file, "its user is not there")
				continue
			}
			if p, ok := w.picture(file, images.ForPerson); ok {
				directory.BringPicture(w.tx, id, p)
			}
		case strings.HasPrefix(file, clientImages):
			l, ok := logos[file]
			if !ok {
				w.leave("pictures", file, "its client is not there, or shows another logo")
				continue
			}
			delete(logos, file)
			if p, ok := w.picture(file, images.ForLogo); ok {
				w.apps.BringLogo(w.tx, l.client, l.kind, p)
			}
		default:
			w.leave("pictures", file, "nothing shows it")
		}
		if n := w.counts["pictures"]; n > 0 && n%1000 == 0 {
			w.progress("pictures", n)
		}
	}
	for _, file := range slices.Sorted(maps.Keys(logos)) {
		w.leave("pictures", file, "its file is not where it was read from")
	}
	if len(files) == 0 {
		w.note("There were no uploaded files to read, so nobody and nothing has a picture here. A house that keeps them in S3 brings them by an archive alone, which its own pocket-id export writes.")
	}
	return settings.BringPictures(w.tx, instance)
}

// picture reads a file, and says what is wrong with it if it cannot be shown.
func (w *filling) picture(file string, want images.Want) (images.Picture, bool) {
	data, err := w.src.file(w.ctx, file)
	if err == nil {
		var p images.Picture
		if p, err = images.Read(w.ctx, data, want); err == nil {
			w.came("pictures")
			return p, true
		}
	}
	why := whyNot(err)
	if errors.Is(err, errNoFile) {
		why = "it is not there"
	}
	w.leave("pictures", file, why)
	return images.Picture{}, false
}

type logoOf struct {
	client string
	kind   images.Kind
}

// logoPaths are where the logos of clients are that came.
func (w *filling) logoPaths() map[string]logoOf {
	paths := map[string]logoOf{}
	for _, row := range w.house.tables["oidc_clients"] {
		r := rowReader{row: row}
		id, light, dark := r.text("id"), r.text("image_type"), r.text("dark_image_type")
		if !w.apps.HasClient(id) || r.err != nil {
			continue
		}
		stem := id
		if strings.ContainsAny(id, "/\\:") {
			sum := sha256.Sum256([]byte(id))
			stem = "cimd-" + hex.EncodeToString(sum[:])
		}
		if dark != "" {
			paths[clientImages+stem+"-dark."+dark] = logoOf{id, images.ClientDark}
		}
		if light != "" {
			paths[clientImages+stem+"."+light] = logoOf{id, images.ClientLight}
		}
	}
	return paths
}

// log brings the audit log, entry by entry.
func (w *filling) log() error {
	lastSeen := map[string]time.Time{}
	n := 0
	_, err := w.src.rows(w.ctx, map[string]func(foreignRow) error{"audit_logs": func(row foreignRow) error {
		n++
		r := &rowReader{row: row}
		e := audit.Brought{ID: r.text("id"), At: r.time("created_at"), Event: r.must("event"), User: strings.ToLower(r.text("user_id")),
			Address: r.text("ip_address"), Country: r.text("country"), City: r.text("city"), Agent: r.text("user_agent")}
		r.json("data", &e.Data)
		if r.err == nil && e.At.IsZero() {
			r.fail("created_at", "is empty")
		}
		if len(e.ID) > 64 {
			e.ID = ""
		}
		if len(e.Event) > 100 || len(e.Agent) > 4096 || len(e.Address) > 100 {
			r.fail("event", "is longer than an entry may be")
		}
		if r.err != nil {
			w.leave("audit log entries", fmt.Sprintf("row %d of audit_logs", n), r.err.Error())
			return nil
		}
		w.entry(&e)
		audit.Bring(w.tx, e)
		w.came("audit log entries")
		if e.Event == audit.SignIn.String() || e.Event == audit.TokenSignIn.String() {
			if w.people.HasUser(e.User) && e.At.After(lastSeen[e.User]) {
				lastSeen[e.User] = e.At
			}
		}
		if n%10000 == 0 {
			w.progress("audit log", int64(n))
		}
		return w.ctx.Err()
	}})
	if err != nil {
		return err
	}
	for id, at := range lastSeen {
		directory.BringSignIn(w.tx, id, at)
	}
	return nil
}

// entry fills in what an entry says in the way of this house: who did it, and to what.
func (w *filling) entry(e *audit.Brought) {
	text := func(name string) string { s, _ := e.Data[name].(string); return s }
	e.Actor, e.Name = e.User, w.usernames[e.User]
	if other := strings.ToLower(text("actorUserID")); other != "" {
		e.Actor, e.Name = other, text("actorUsername")
	}
	e.Object = audit.Object{Kind: "user", ID: e.User, Name: w.usernames[e.User]}
	apps := []audit.Name{audit.ClientAuthorization, audit.NewClientAuthorization, audit.DeviceAuthorization, audit.NewDeviceAuthorization}
	passkeys := []audit.Name{audit.PasskeyAdded, audit.PasskeyRemoved}
	is := func(names []audit.Name) bool {
		return slices.ContainsFunc(names, func(n audit.Name) bool { return n.String() == e.Event })
	}
	switch {
	case is(apps):
		e.Client = w.named[text("clientName")]
		e.Object = audit.Object{Kind: "client", ID: e.Client, Name: text("clientName")}
	case is(passkeys):
		e.Object = audit.Object{Kind: "passkey", Name: text("passkeyName")}
	}
	for _, name := range []string{"clientName", "actorUserID", "actorUsername", "credentialID"} {
		delete(e.Data, name) // the entry says it itself
	}
}
