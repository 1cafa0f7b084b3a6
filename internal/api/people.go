package api

import "slices"

// peopleOperations are those about people, and what they have and did.
func (a *API) peopleOperations() []Operation {
	return slices.Concat(a.userOperations(), a.userEditOperations(), a.serviceOperations(), a.batchOperations(), a.groupOperations(), a.groupEditOperations(),
		a.claimOperations(), a.sessionOperations(), a.passkeyOperations(), a.webauthnOperations(), a.codeOperations(), a.auditOperations())
}
