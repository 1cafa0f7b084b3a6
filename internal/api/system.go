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
		mine("GET /api/version/current", edge.AnyKey, "Tells the version that runs.", a.current).answers(http.StatusOK, current{}),
	}
}

// current is the version that runs.
type current struct {
	Version string `json:"currentVersion"`
}

func (a *API) current(w http.ResponseWriter, r *http.Request) error {
	return edge.WriteJSON(w, http.StatusOK, current{a.version})
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
	b, err := Document(a.version, a.Operations())
	if err != nil {
		return edge.Content{}, err
	}
	sum := sha256.Sum256(b)
	return edge.Content{Type: jsonType, ETag: base64.RawURLEncoding.EncodeToString(sum[:16]), Data: b}, nil
}
