package oidc

// subject is what c knows the user by (OpenID Connect Core §8). All that names a user to a
// client asks here.
func (p *Provider) subject(_ *Client, userID string) string {
	return userID
}
