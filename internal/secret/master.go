package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
)

// MinKey is the least number of bytes of a master key.
const MinKey = 16

var (
	// ErrShortKey says that a master key has fewer than MinKey bytes.
	ErrShortKey = errors.New("the key has fewer than 16 bytes")

	// ErrSealed says that a sealed value does not open: it was sealed under
	// another key or for another purpose, or it was changed.
	ErrSealed = errors.New("the sealed value does not open with this key for this purpose")

	// ErrWrongKey says that a check value was made with another key.
	ErrWrongKey = errors.New("the check value was made with another key")
)

// Master is the master key. Nothing is sealed with it directly: each purpose
// has its own subkey by HKDF-SHA256 (RFC 5869), so that a value made for one
// purpose is worth nothing for another.
type Master struct {
	key []byte
	// root is what the keys of MAC come from when that is another key: the one of before a
	// rotation. What was hashed under it cannot be hashed anew, and people are known to
	// applications by some of it.
	root []byte
	// aeads and macs hold the derived keys. Purposes are constants of the
	// program, so there are few.
	aeads sync.Map // purpose -> cipher.AEAD
	macs  sync.Map // purpose -> []byte
}

// NewMaster takes the master key as it was configured, byte for byte.
func NewMaster(key []byte) (*Master, error) {
	if len(key) < MinKey {
		return nil, ErrShortKey
	}
	return &Master{key: append([]byte(nil), key...)}, nil
}

func (m *Master) subkey(use, purpose string) []byte {
	from := m.key
	if use == useMAC && m.root != nil {
		from = m.root
	}
	k, err := hkdf.Key(sha256.New, from, nil, "pocketid "+use+" "+purpose, 32)
	if err != nil {
		panic("secret: HKDF gives 32 bytes for every input: " + err.Error())
	}
	return k
}

func (m *Master) aead(purpose string) cipher.AEAD {
	if a, ok := m.aeads.Load(purpose); ok {
		return a.(cipher.AEAD)
	}
	block, err := aes.NewCipher(m.subkey("seal", purpose))
	if err != nil {
		panic("secret: 32 bytes are an AES key: " + err.Error())
	}
	a, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("secret: AES has a GCM: " + err.Error())
	}
	m.aeads.Store(purpose, a)
	return a
}

// sealVersion is the first byte of a sealed value and says how to read the
// rest: 1 is a 12-byte nonce, the AES-256-GCM ciphertext and its tag.
const sealVersion = 1

// additional is what a sealed value is bound to beside its key.
func additional(purpose string) []byte {
	return append([]byte{sealVersion}, purpose...)
}

// Seal encrypts plain for a purpose, such as "signing key". The purpose is not
// secret, and a value opens only for the purpose it was sealed for.
func (m *Master) Seal(purpose string, plain []byte) ([]byte, error) {
	out := make([]byte, 1, 1+len(plain)+28)
	out[0] = sealVersion
	return m.aead(purpose).Seal(out, nil, plain, additional(purpose)), nil
}

// Open decrypts what Seal made for the same purpose under the same key, and
// returns ErrSealed for everything else.
func (m *Master) Open(purpose string, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, ErrSealed
	}
	if sealed[0] != sealVersion {
		return nil, fmt.Errorf("%w: it has version %d, this program knows %d", ErrSealed, sealed[0], sealVersion)
	}
	plain, err := m.aead(purpose).Open(nil, nil, sealed[1:], additional(purpose))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// MAC is how a secret that may be short is stored: HMAC-SHA-256 under a key
// that the database does not hold, so that who reads the database cannot try
// guesses against it.
func (m *Master) MAC(purpose string, msg string) []byte {
	k, ok := m.macs.Load(purpose)
	if !ok {
		k = m.subkey(useMAC, purpose)
		m.macs.Store(purpose, k)
	}
	h := hmac.New(sha256.New, k.([]byte))
	h.Write([]byte(msg))
	return h.Sum(nil)
}

const (
	useMAC       = "mac"
	rootPurpose  = "mac root"
	checkPurpose = "key check"
	checkPlain   = "this key belongs to this database"
)

// CheckValue is a known text, sealed: kept in the database, it tells a wrong
// key at start, before anything is touched.
func (m *Master) CheckValue() (string, error) {
	b, err := m.Seal(checkPurpose, []byte(checkPlain))
	return base64.RawStdEncoding.EncodeToString(b), err
}

// VerifyCheck returns ErrWrongKey unless check was made by CheckValue with the
// same master key.
func (m *Master) VerifyCheck(check string) error {
	b, err := base64.RawStdEncoding.DecodeString(check)
	if err != nil {
		return fmt.Errorf("%w: it is not base64", ErrWrongKey)
	}
	if plain, err := m.Open(checkPurpose, b); err != nil || string(plain) != checkPlain {
		return ErrWrongKey
	}
	return nil
}

// Rotated is a master key of other bytes that makes the same MACs as m, and a text from
// which Root lets a Master of these bytes do so again.
func (m *Master) Rotated(key []byte) (*Master, string, error) {
	next, err := NewMaster(key)
	if err != nil {
		return nil, "", err
	}
	next.root = m.key
	if m.root != nil {
		next.root = m.root
	}
	b, err := next.Seal(rootPurpose, next.root)
	return next, base64.RawStdEncoding.EncodeToString(b), err
}

// Root takes the text of Rotated, before the first MAC.
func (m *Master) Root(text string) error {
	b, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("%w: it is not base64", ErrSealed)
	}
	m.root, err = m.Open(rootPurpose, b)
	return err
}
