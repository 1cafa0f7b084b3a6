package oidc

import "pocketid/internal/jose"

// What an application may do that is nothing but a device with a screen, or that acts for
// nobody but itself.
var (
	DeviceGrants  = []string{grantTypeRefresh, grantTypeDevice}
	MachineGrants = []string{grantTypeClient}
)

// AssertionAlgs are the algorithms that a client may sign its assertions with, for a form.
func AssertionAlgs() []string { return algNames(jose.Algs) }

// ObjectAlgs are the algorithms that a client may sign its request objects with, for a form.
func ObjectAlgs() []string { return algNames(objectAlgs) }

func algNames(algs []jose.Alg) []string {
	names := make([]string, len(algs))
	for i, alg := range algs {
		names[i] = string(alg)
	}
	return names
}
