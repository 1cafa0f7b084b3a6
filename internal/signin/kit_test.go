package signin

import "github.com/descope/virtualwebauthn"

var _ = virtualwebauthn.NewAuthenticator
