package api

import (
	"net/http"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/fault"
)

// errMember refuses a body without a member that it must have: a list that is forgotten
// would empty what there is.
var errMember = fault.New(fault.Invalid, "invalid_request_body")

func (a *API) claimOperations() []Operation {
	return []Operation{
		admins("GET /api/custom-claims/suggestions", "users:read", "Lists the names of claims that are in use, those used most first.", a.claimNames).answers(http.StatusOK, []string{}),
		admins("PUT /api/custom-claims/user/{id}", "users:write", "Replaces the claims of an account.", a.userClaims).takes([]claim{}).answers(http.StatusOK, []claim{}).holds(a.userState),
		admins("PUT /api/custom-claims/user-group/{id}", "groups:write", "Replaces the claims of a group.", a.groupClaims).takes([]claim{}).answers(http.StatusOK, []claim{}).holds(a.groupState),
	}
}

func (a *API) claimNames(w http.ResponseWriter, r *http.Request) error {
	names, err := a.directory.ClaimNames(r.Context(), actor(r))
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, some(names))
}

// some is a list that is empty rather than null.
func some(names []string) []string { return append([]string{}, names...) }

// writtenClaims are the claims in the body.
func writtenClaims(r *http.Request) ([]directory.WrittenClaim, error) {
	var in []claim
	if err := edge.ReadJSON(r, &in); err != nil {
		return nil, err
	}
	if in == nil {
		return nil, errMember
	}
	list := make([]directory.WrittenClaim, 0, len(in))
	for _, c := range in {
		list = append(list, directory.WrittenClaim{Name: c.Key, Text: c.Value})
	}
	return list, nil
}

func (a *API) userClaims(w http.ResponseWriter, r *http.Request) error {
	list, err := writtenClaims(r)
	if err != nil {
		return err
	}
	u, err := a.directory.WriteClaims(r.Context(), actor(r), r.PathValue("id"), list)
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, claimsOf(u.ClaimTexts()))
}

func (a *API) groupClaims(w http.ResponseWriter, r *http.Request) error {
	list, err := writtenClaims(r)
	if err != nil {
		return err
	}
	g, err := a.directory.WriteGroupClaims(r.Context(), actor(r), r.PathValue("id"), list)
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, claimsOf(g.ClaimTexts()))
}
