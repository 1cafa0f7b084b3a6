package api

import (
	"net/http"
	"time"

	"pocketid/internal/edge"
	"pocketid/internal/i18n"
	"pocketid/internal/oidc"
)

func (a *API) houseOperations() []Operation {
	return []Operation{
		open("GET /api/version/latest", "Tells the newest version there is, if the house knows it: it asks nobody.", a.latest).answers(http.StatusOK, latest{}),
		admins("GET /api/signing-keys", "settings:read", "Lists the keys that tokens are signed with, without their private halves.", a.signingKeys).answers(http.StatusOK, []signingKey{}),
		admins("POST /api/signing-keys/rotate", "settings:write", "Replaces the signing key of an algorithm.", a.signingKeyRotate).takes(rotateIn{}).answers(http.StatusOK, rotation{}),
		admins("POST /api/signing-keys/{id}/compromise", "settings:write", "Ends a signing key that somebody else may have: nothing that it signed verifies any more.", a.signingKeyCompromise),
		admins("GET /api/jobs", "settings:read", "Lists the jobs that failed too often to be tried again by themselves.", a.jobs).answers(http.StatusOK, []job{}),
		admins("POST /api/jobs/{id}/retry", "settings:write", "Lets a job run anew that had given up.", a.jobRetry),
		admins("DELETE /api/jobs/{id}", "settings:write", "Drops a job that had given up.", a.jobForget),
		admins("GET /api/health-checks", "settings:read", "Tells what was found to be right and wrong about the installation.", a.healthChecks).answers(http.StatusOK, []healthCheck{}),
	}
}

// latest is the newest version; null is that the house does not know.
type latest struct {
	Version *string `json:"latestVersion"`
}

func (a *API) latest(w http.ResponseWriter, r *http.Request) error {
	return edge.WriteJSON(w, http.StatusOK, latest{})
}

// A signingKey is a key that tokens are signed with.
type signingKey struct {
	ID           string     `json:"id"`
	Alg          string     `json:"alg"`
	State        string     `json:"state"`
	CreatedAt    time.Time  `json:"createdAt"`
	ActiveAt     *time.Time `json:"activeAt"`
	RetiringAt   *time.Time `json:"retiringAt"`
	VerifiesTill *time.Time `json:"verifiesUntil"`
	RetiredAt    *time.Time `json:"retiredAt"`
}

func (a *API) signingKeys(w http.ResponseWriter, r *http.Request) error {
	all, err := a.oidc.Keys().List(r.Context(), actor(r))
	if err != nil {
		return err
	}
	list := []signingKey{}
	for _, k := range all {
		list = append(list, signingKey{k.ID, string(k.Alg), k.State, k.CreatedAt.UTC(), instant(k.ActiveAt), instant(k.RetiringAt), instant(k.Until), instant(k.RetiredAt)})
	}
	return edge.WriteJSON(w, http.StatusOK, list)
}

// rotateIn says which key is replaced.
type rotateIn struct {
	Alg string `json:"alg" doc:"required"`
	// Now lets the new key sign as soon as every process knows it.
	Now bool `json:"now"`
}

// A rotation is what became of it.
type rotation struct {
	Alg     string    `json:"alg"`
	KeyID   string    `json:"keyId"`
	Signs   bool      `json:"signs"`
	SignsAt time.Time `json:"signsAt"`
	Before  *string   `json:"previousKeyId"`
	Waiting bool      `json:"alreadyBegun"`
}

func (a *API) signingKeyRotate(w http.ResponseWriter, r *http.Request) error {
	var in rotateIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	rotate := a.oidc.Keys().Rotate
	if in.Now {
		rotate = a.oidc.Keys().RotateNow
	}
	alg, known := oidc.KnownAlg(in.Alg)
	if !known {
		return oidc.ErrKeyAlg
	}
	done, err := rotate(r.Context(), actor(r), alg)
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, rotation{string(done.Alg), done.KeyID, done.Signs, done.SignsAt.UTC(), maybe(done.Before), done.Waiting})
}

func (a *API) signingKeyCompromise(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.oidc.Keys().Compromise(r.Context(), actor(r), r.PathValue("id")))
}

// A job is one that gave up.
type job struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	Tries     int       `json:"tries"`
	Error     string    `json:"error"`
	TriedAt   time.Time `json:"lastTriedAt"`
	CreatedAt time.Time `json:"createdAt"`
}

func (a *API) jobs(w http.ResponseWriter, r *http.Request) error {
	all, err := a.overview.Resting(r.Context(), actor(r))
	if err != nil {
		return err
	}
	list := []job{}
	for _, j := range all {
		list = append(list, job{j.ID, j.Kind, j.Tries, j.Error, j.RunAt.UTC(), j.CreatedAt.UTC()})
	}
	return edge.WriteJSON(w, http.StatusOK, list)
}

func (a *API) jobRetry(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.overview.TryAgain(r.Context(), actor(r), r.PathValue("id")))
}

func (a *API) jobForget(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.overview.Forget(r.Context(), actor(r), r.PathValue("id")))
}

// A healthCheck is what was found about one thing, in the words of the pages.
type healthCheck struct {
	Name    string `json:"name"`
	Finding string `json:"finding"`
	State   string `json:"state"`
	Title   string `json:"title"`
	Text    string `json:"text"`
	Cure    string `json:"cure"`
}

func (a *API) healthChecks(w http.ResponseWriter, r *http.Request) error {
	found, err := a.overview.Checks(r.Context(), actor(r), edge.WayOf(r.Context()))
	if err != nil {
		return err
	}
	words := i18n.For(edge.Locale(r, ""))
	list := []healthCheck{}
	for i := range found {
		c := &found[i]
		said := c.Say(words)
		list = append(list, healthCheck{c.Name, c.Finding, string(c.State), said.Title, said.Text, said.Cure})
	}
	return edge.WriteJSON(w, http.StatusOK, list)
}
