package moving

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha3"
	"encoding/base64"
	"errors"
	"hash"

	"pocketid/internal/jose"
	"pocketid/internal/oidc"
)

// errForeignKey is said of what the encryption key does not open.
var errForeignKey = errors.New("it was sealed with another key, or is damaged")

// A foreignKey is the ENCRYPTION_KEY of the incumbent, as it was given to it. What it is
// made into is for one purpose each.
type foreignKey []byte

// signingKeyName is where the signing key lies in the table kv.
const signingKeyName = "jwt_private_key.json"

// signingKey opens the key with which the incumbent signed. Which installation it is of is
// part of what it is sealed with.
func (k foreignKey) signingKey(sealed, instanceID string) (*jose.Key, error) {
	h := hmac.New(func() hash.Hash { return sha3.New256() }, k)
	h.Write([]byte("pocketid/" + instanceID + "/jwk-kek"))
	plain, err := open(h.Sum(nil), sealed, nil)
	if err != nil {
		return nil, err
	}
	return oidc.ParseKey(plain)
}

// columnKey is the key of texts that lie sealed in columns.
func (k foreignKey) columnKey() ([]byte, error) {
	return hkdf.Key(sha256.New, k, nil, "pocketid/encrypted_string", 32)
}

// text opens a text that lies sealed in a column.
func (k foreignKey) text(sealed string) (string, error) {
	key, err := k.columnKey()
	if err != nil {
		return "", err
	}
	plain, err := open(key, sealed, []byte("encrypted_string"))
	return string(plain), err
}

// open decrypts base64 of a nonce and what AES-256-GCM made.
func open(key []byte, sealed string, additional []byte) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return nil, errForeignKey
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	if len(b) < gcm.NonceSize() {
		return nil, errForeignKey
	}
	plain, err := gcm.Open(nil, b[:gcm.NonceSize()], b[gcm.NonceSize():], additional)
	if err != nil {
		return nil, errForeignKey
	}
	return plain, nil
}
