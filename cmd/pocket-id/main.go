// Command pocket-id is a self-hosted OpenID Connect provider on which people
// sign in with passkeys.
package main

func main() {}
