package signin

import (
	"crypto/sha256"
	"strings"
	"time"
	"unicode/utf8"

	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
)

// Bringing is moving passkeys and API keys in from another house. Passkeys go on working
// because people keep their ids and the host stays the same; of API keys the hash is known,
// which is the one that is used here too. Nothing is recorded for each of them: whoever
// brings a house records that.

// A Bringer remembers what came. It is for one transaction.
type Bringer struct{ credentials, keys, ids map[string]bool }

// NewBringer is for a house in which there is nothing yet.
func NewBringer() *Bringer {
	return &Bringer{map[string]bool{}, map[string]bool{}, map[string]bool{}}
}

// What cannot come.
var (
	errCredentialID = fault.New(fault.Invalid, "passkey_credential_id")
	errKeyHash      = fault.New(fault.Invalid, "api_key_hash")
)

// Passkey brings a passkey of somebody who came. Its backup flags are those of p unless
// BackupKnown is false; then they are taken over at its first use. An error says why it
// cannot come.
func (b *Bringer) Passkey(tx *db.Tx, p *Passkey) (adjusted []directory.Adjusted, err error) {
	switch {
	case len(p.CredentialID) == 0 || len(p.CredentialID) > maxCredentialID:
		return nil, errCredentialID
	case b.credentials[string(p.CredentialID)]:
		return nil, ErrPasskeyExists
	}
	if p.Algorithm, err = checkKey(p.PublicKey); err != nil {
		return nil, err
	}
	if p.BackupState && !p.BackupEligible { // WebAuthn §6.1.3: impossible, so somebody guessed
		p.BackupKnown, p.BackupState = false, false
	}
	if name := shortLine(p.Name, maxPasskeyName); name != p.Name || name == "" {
		if p.Name = name; name == "" {
			p.Name = "Passkey"
		}
		adjusted = append(adjusted, directory.Adjusted{Field: "name", Why: ErrPasskeyName.Code})
	}
	transports := []string{}
	for _, t := range p.Transports {
		if len(transports) < maxTransports && t != "" && len(t) <= 32 {
			transports = append(transports, t)
		}
	}
	if p.Transports = transports; len(p.Attestation) > 32 || p.Attestation == "" {
		p.Attestation = "none"
	}
	if p.ID == "" || b.ids[p.ID] {
		p.ID = secret.ID()
	}
	if p.CreatedAt.IsZero() {
		p.CreatedAt = tx.Now()
	}
	b.credentials[string(p.CredentialID)], b.ids[p.ID] = true, true
	tx.Do(`INSERT INTO passkeys (`+passkeyColumns+`) VALUES (`+db.Marks(passkeyColumnCount)+`)`, p.fields()...)
	directory.GainPasskey(tx, p.UserID)
	return adjusted, nil
}

// Key brings an API key of somebody who came, of which the hash is known. It can do what
// its owner can, as it could. An error says why it cannot come.
func (b *Bringer) Key(tx *db.Tx, k *Key, hash []byte) (adjusted []directory.Adjusted, err error) {
	switch {
	case len(hash) != sha256.Size:
		return nil, errKeyHash
	case b.keys[string(hash)]:
		return nil, errKeyHash
	case k.ExpiresAt.IsZero():
		return nil, ErrKeyExpiry
	}
	for _, text := range []struct {
		field string
		s     *string
		max   int
	}{{"name", &k.Name, maxKeyName}, {"description", &k.Description, maxKeyDescription}} {
		if short := shortLine(*text.s, text.max); short != *text.s {
			*text.s = short
			adjusted = append(adjusted, directory.Adjusted{Field: text.field, Why: directory.AdjustedShortened})
		}
	}
	if k.Name == "" {
		k.Name = "API key"
	}
	if k.ID == "" || b.ids[k.ID] {
		k.ID = secret.ID()
	}
	if k.CreatedAt.IsZero() {
		k.CreatedAt = tx.Now()
	}
	if last := time.Date(lastKeyYear, 12, 31, 0, 0, 0, 0, time.UTC); k.ExpiresAt.After(last) {
		k.ExpiresAt = last
	}
	k.Scopes = []Scope{}
	b.keys[string(hash)], b.ids[k.ID] = true, true
	tx.Do(`INSERT INTO api_keys (`+keyColumns+`, hash) VALUES (`+db.Marks(keyColumnCount+1)+`)`, append(k.fields(), hash)...)
	return adjusted, nil
}

// shortLine is a text as one line of at most so many characters.
func shortLine(s string, longest int) string {
	line, plain := directory.Line(s)
	if !plain {
		line = strings.Map(func(r rune) rune {
			if one, ok := directory.Line("x" + string(r)); !ok || one == "x" {
				return ' '
			}
			return r
		}, strings.ToValidUTF8(s, ""))
		line = strings.Join(strings.Fields(line), " ")
	}
	if utf8.RuneCountInString(line) > longest {
		line = string([]rune(line)[:longest])
	}
	return line
}
