package secret

import (
	"errors"

	"golang.org/x/crypto/bcrypt"
)

// maxBcryptCost bounds the work that somebody else's hash may cause: each step doubles it,
// and 14 takes about a second.
const maxBcryptCost = 14

// ErrBcrypt refuses what is no hash of bcrypt, or one that takes too long to verify.
var ErrBcrypt = errors.New("not a hash of bcrypt that is verified here")

// CheckBcrypt says whether a hash that came from elsewhere can be verified here. No new
// ones are made.
func CheckBcrypt(hash []byte) error {
	cost, err := bcrypt.Cost(hash)
	if err != nil || cost > maxBcryptCost {
		return ErrBcrypt
	}
	return nil
}

// VerifyBcrypt says whether hash is one of text. It takes a tenth of a second of the
// processor, so the caller sees to it that few wait for it at once.
func VerifyBcrypt(hash []byte, text string) bool {
	return CheckBcrypt(hash) == nil && bcrypt.CompareHashAndPassword(hash, []byte(text)) == nil
}
