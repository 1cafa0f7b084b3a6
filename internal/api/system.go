package api

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"

	"pocketid/internal/edge"
)

func (a *API) systemOperations() []Operation {
	return []Operation{
		open("GET /api/openapi.json", "Tells what this API can do, as an OpenAPI document.", a.tellDocument).sends(jsonType),
		mine("GET /api/version/current", edge.AnyKey, "Tells which release of the incumbent's API is spoken here, as currentVersion, and the release of this program.", a.current).answers(http.StatusOK, current{}),
	}
}

// speaks is the release of the incumbent whose API this one speaks.
const speaks = "2.14.0"

// current is the version that runs. Programs that were written for the incumbent compare
// currentVersion with its releases to learn what they may ask for, so that is what they are
// told there; the release of this program is beside it.
type current struct {
	Speaks  string `json:"currentVersion"`
	Release string `json:"release"`
}

func (a *API) current(w http.ResponseWriter, r *http.Request) error {
	return edge.WriteJSON(w, http.StatusOK, current{speaks, a.version})
}

// tellDocument answers the document of all operations. It holds no secrets: what may be done here
// is the same in every house.
func (a *API) tellDocument(w http.ResponseWriter, r *http.Request) error {
	c, err := a.document()
	if err != nil {
		return err
	}
	return edge.Serve(w, r, c)
}

// makeDocument makes the document once, when somebody asks for it first.
func (a *API) makeDocument() (edge.Content, error) {
	b, err := Document(a.version, a.Operations(), a.others())
	if err != nil {
		return edge.Content{}, err
	}
	sum := sha256.Sum256(b)
	return edge.Content{Type: jsonType, ETag: base64.RawURLEncoding.EncodeToString(sum[:16]), Data: b}, nil
}
