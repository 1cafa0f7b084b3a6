package signin

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"pocketid/internal/fault"
)

// What is said about the answer of an authenticator. The codes are those that
// scripts of the incumbent know.
var (
	// ErrAnswer refuses what is no answer at all.
	ErrAnswer = fault.New(fault.Invalid, "invalid_webauthn_response")
	// ErrProof refuses an answer that does not prove what it should.
	ErrProof = fault.New(fault.Unauthenticated, "webauthn_authentication_failed")
	// ErrPasskeyUnknown refuses a passkey that is not known here (any more); the
	// page may tell the passkey manager so.
	ErrPasskeyUnknown = fault.New(fault.Unauthenticated, "passkey_unknown")
	// ErrUserVerification refuses an authenticator that did not check who used it.
	ErrUserVerification = fault.New(fault.Invalid, "passkey_user_verification_required")
	// ErrSynced refuses a passkey that is copied between devices where the
	// settings ask for ones that stay.
	ErrSynced = fault.New(fault.Invalid, "synced_passkey_not_allowed")
	// ErrAttachment refuses an authenticator of the kind that the settings exclude.
	ErrAttachment = fault.New(fault.Invalid, "passkey_attachment_not_allowed")
	// ErrNotDiscoverable refuses a passkey that could not be found at sign-in.
	ErrNotDiscoverable = fault.New(fault.Invalid, "passkey_not_discoverable")
	// ErrModel refuses a model that the settings exclude.
	ErrModel = fault.New(fault.Invalid, "passkey_model_not_allowed")
	// ErrAlgorithm refuses a key that is of no kind used here.
	ErrAlgorithm = fault.New(fault.Invalid, "passkey_algorithm_not_allowed")
)

// algorithms are the signatures that passkeys may make, in the order in which
// authenticators are asked for them.
var algorithms = []protocol.CredentialParameter{
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgEdDSA},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
}

const (
	maxAnswer       = 32 << 10
	maxCredentialID = 1023 // WebAuthn §5.8.3
	minRSABytes     = 2048 / 8
	maxRSABytes     = 4096 / 8
	maxTransports   = 8
)

// hints are what a page may say about the authenticator it expects, with what
// the browser is told then (WebAuthn §5.8.7). Who has the passkey elsewhere may
// have it on a phone or on a key. Others are ignored.
var hints = map[string][]protocol.PublicKeyCredentialHints{
	"client-device": {protocol.PublicKeyCredentialHintClientDevice},
	"hybrid":        {protocol.PublicKeyCredentialHintHybrid, protocol.PublicKeyCredentialHintSecurityKey},
	"security-key":  {protocol.PublicKeyCredentialHintSecurityKey, protocol.PublicKeyCredentialHintHybrid},
}

// requestOptions are the options of an assertion: by any passkey of this house
// when none are listed.
func (s *SignIn) requestOptions(t terms, passkeys []Passkey, hint string) protocol.PublicKeyCredentialRequestOptions {
	return protocol.PublicKeyCredentialRequestOptions{Challenge: challenge(t), Timeout: int(ceremonyLife.Milliseconds()),
		RelyingPartyID: s.rpID, AllowedCredentials: descriptors(passkeys), Hints: hints[hint],
		UserVerification: protocol.UserVerificationRequirement(t.UserVerification)}
}

// person is for whom a passkey is made, as authenticators show it.
type person struct{ id, username, name string }

// creationOptions are the options of a registration. The user handle is the
// text of the user's id, so that passkeys of an imported house go on working.
// hint is what the person would like; the attachment of the terms is the rule
// and comes before it. Browsers that know no hints go by the attachment.
func (s *SignIn) creationOptions(t terms, appName string, of person, exclude []Passkey, hint string) protocol.PublicKeyCredentialCreationOptions {
	attachment := protocol.PublicKeyCredentialHints(hint).AuthenticatorAttachment()
	if rule := protocol.AuthenticatorAttachment(t.Attachment); rule != "" && rule != attachment {
		attachment, hint = rule, map[protocol.AuthenticatorAttachment]string{protocol.Platform: "client-device", protocol.CrossPlatform: "security-key"}[rule]
	}
	return protocol.PublicKeyCredentialCreationOptions{
		RelyingParty:          protocol.RelyingPartyEntity{CredentialEntity: protocol.CredentialEntity{Name: appName}, ID: s.rpID},
		User:                  protocol.UserEntity{CredentialEntity: protocol.CredentialEntity{Name: of.username}, DisplayName: of.name, ID: protocol.URLEncodedBase64(of.id)},
		Challenge:             challenge(t),
		Parameters:            algorithms,
		Timeout:               int(ceremonyLife.Milliseconds()),
		CredentialExcludeList: descriptors(exclude),
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			AuthenticatorAttachment: attachment,
			RequireResidentKey:      protocol.ResidentKeyRequired(),
			ResidentKey:             protocol.ResidentKeyRequirementRequired,
			UserVerification:        protocol.UserVerificationRequirement(t.UserVerification)},
		Hints:       hints[hint],
		Attestation: protocol.PreferNoAttestation,
		Extensions:  protocol.AuthenticationExtensions{CredProps: true},
	}
}

func challenge(t terms) protocol.URLEncodedBase64 {
	b, _ := base64.RawURLEncoding.DecodeString(t.Challenge) // it came from secret.Token
	return b
}

func descriptors(passkeys []Passkey) []protocol.CredentialDescriptor {
	var out []protocol.CredentialDescriptor
	for _, p := range passkeys {
		d := protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: p.CredentialID}
		for _, t := range p.Transports {
			d.Transport = append(d.Transport, protocol.AuthenticatorTransport(t))
		}
		out = append(out, d)
	}
	return out
}

// An assertion is a parsed answer to requestOptions that nothing has been
// checked of.
type assertion struct {
	*protocol.ParsedCredentialAssertionData
}

func parseAssertion(answer []byte) (assertion, error) {
	if len(answer) > maxAnswer {
		return assertion{}, ErrAnswer.Because("the answer has %d bytes", len(answer))
	}
	p, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return assertion{}, ErrAnswer.Because("parse the assertion: %w", err)
	}
	if len(p.RawID) > maxCredentialID {
		return assertion{}, ErrAnswer.Because("the credential id has %d bytes", len(p.RawID))
	}
	return assertion{p}, nil
}

// check says whether a proves, under the terms t, that the holder of p is
// there (WebAuthn §7.2).
func (s *SignIn) check(a assertion, t terms, p *Passkey) error {
	flags := a.Response.AuthenticatorData.Flags
	if err := s.checkOrigin(&a.Response.CollectedClientData, t); err != nil {
		return err
	}
	if t.UserVerification == "required" && !flags.HasUserVerified() {
		return ErrUserVerification
	}
	if err := a.Verify(t.Challenge, s.rpID, "", s.originsOf(t), nil, nil, protocol.TopOriginExplicitVerificationMode,
		false, t.UserVerification == "required", true, p.PublicKey, protocol.SignaturePolicy{}); err != nil {
		return ErrProof.Because("verify the assertion: %w", err)
	}
	if flags.HasBackupState() && !flags.HasBackupEligible() { // §6.1.3: impossible
		return ErrProof.Because("a passkey is backed up that cannot be")
	}
	return nil
}

// signed reports whether a has a signature by the key of p, whatever it says.
func (a assertion) signed(p *Passkey) bool {
	key, err := webauthncose.ParsePublicKey(p.PublicKey)
	if err != nil {
		return false
	}
	raw := &a.Raw.AssertionResponse
	hash := sha256.Sum256(raw.ClientDataJSON)
	ok, err := webauthncose.VerifySignature(key, slices.Concat([]byte(raw.AuthenticatorData), hash[:]), raw.Signature)
	return ok && err == nil
}

// originsOf are the pages whose ceremonies count: ours, and those that the
// settings named when the ceremony began (WebAuthn §5.11). Nothing else in the
// house asks for related origins: they open no cookie, no redirect and no page.
func (s *SignIn) originsOf(t terms) []string { return slices.Concat(s.origins, t.Related) }

// checkOrigin wants the origin exactly as this house writes it and a page that
// is in nobody else's frame. The library compares more leniently.
func (s *SignIn) checkOrigin(c *protocol.CollectedClientData, t terms) error {
	if !slices.Contains(s.originsOf(t), c.Origin) {
		return ErrProof.Because("the ceremony ran on %q", c.Origin)
	}
	if c.CrossOrigin || c.TopOrigin != "" {
		return ErrProof.Because("the ceremony ran in a frame of another site (%q)", c.TopOrigin)
	}
	return nil
}

// A creation is a parsed answer to creationOptions that nothing has been
// checked of.
type creation struct {
	*protocol.ParsedCredentialCreationData
}

func parseCreation(answer []byte) (creation, error) {
	if len(answer) > maxAnswer {
		return creation{}, ErrAnswer.Because("the answer has %d bytes", len(answer))
	}
	p, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return creation{}, ErrAnswer.Because("parse the new credential: %w", err)
	}
	return creation{p}, nil
}

// passkey is the passkey that c makes, if it is one that the terms t allow
// (WebAuthn §7.1). It has no owner and no name yet.
func (s *SignIn) passkey(c creation, t terms) (Passkey, error) {
	data := &c.Response.AttestationObject.AuthData
	flags := data.Flags
	if err := s.checkOrigin(&c.Response.CollectedClientData, t); err != nil {
		return Passkey{}, err
	}
	if t.UserVerification == "required" && !flags.HasUserVerified() {
		return Passkey{}, ErrUserVerification
	}
	algorithm, err := checkKey(data.AttData.CredentialPublicKey)
	if err != nil {
		return Passkey{}, err
	}
	if _, err := c.Verify(t.Challenge, s.rpID, s.originsOf(t), nil, nil, protocol.TopOriginExplicitVerificationMode,
		false, t.UserVerification == "required", true, nil, algorithms, protocol.AttestationPolicy{}, protocol.SignaturePolicy{}); err != nil {
		return Passkey{}, ErrProof.Because("verify the new credential: %w", err)
	}
	switch {
	case flags.HasBackupState() && !flags.HasBackupEligible():
		return Passkey{}, ErrProof.Because("a passkey is backed up that cannot be")
	case flags.HasBackupEligible() && t.DeviceBoundOnly:
		return Passkey{}, ErrSynced
	case t.Attachment != "" && string(c.AuthenticatorAttachment) != t.Attachment:
		return Passkey{}, ErrAttachment.Because("wanted %s, got %q", t.Attachment, c.AuthenticatorAttachment)
	case slices.Contains(t.Denied, aaguidText(data.AttData.AAGUID)):
		return Passkey{}, ErrModel.Because("the AAGUID is %s", aaguidText(data.AttData.AAGUID))
	case len(c.RawID) == 0 || len(c.RawID) > maxCredentialID:
		return Passkey{}, ErrAnswer.Because("the credential id has %d bytes", len(c.RawID))
	}
	if props := c.ClientExtensionResults.CredProps; props != nil && props.RK != nil && !*props.RK {
		return Passkey{}, ErrNotDiscoverable
	}
	p := Passkey{CredentialID: bytes.Clone(c.RawID), PublicKey: bytes.Clone(data.AttData.CredentialPublicKey), Algorithm: algorithm,
		Attestation: c.Response.AttestationObject.Format, AAGUID: aaguidText(data.AttData.AAGUID), Attachment: string(c.AuthenticatorAttachment),
		BackupKnown: true, BackupEligible: flags.HasBackupEligible(), BackupState: flags.HasBackupState(), SignCount: int64(data.Counter),
		Transports: []string{}}
	for _, tr := range c.Response.Transports {
		if len(p.Transports) < maxTransports && len(tr) <= 32 && !slices.Contains(p.Transports, string(tr)) {
			p.Transports = append(p.Transports, string(tr))
		}
	}
	return p, nil
}

// checkKey returns the algorithm of a COSE key that may be used here. An RSA
// key has from 2,048 to 4,096 bits: less is weak, more makes each sign-in slow.
func checkKey(cose []byte) (int64, error) {
	key, err := webauthncose.ParsePublicKey(cose)
	if err != nil {
		return 0, ErrAlgorithm.Because("parse the public key: %w", err)
	}
	var alg int64
	switch k := key.(type) {
	case webauthncose.EC2PublicKeyData:
		alg = k.Algorithm
	case webauthncose.OKPPublicKeyData:
		alg = k.Algorithm
	case webauthncose.RSAPublicKeyData:
		if n := len(bytes.TrimLeft(k.Modulus, "\x00")); n < minRSABytes || n > maxRSABytes {
			return 0, ErrAlgorithm.Because("an RSA key of %d bytes", n)
		}
		alg = k.Algorithm
	}
	if !slices.ContainsFunc(algorithms, func(p protocol.CredentialParameter) bool { return int64(p.Algorithm) == alg }) {
		return 0, ErrAlgorithm.Because("a key of type %T for algorithm %d", key, alg)
	}
	return alg, nil
}

// aaguidText is an AAGUID as text; the one of all zeros, which says nothing, is
// empty.
func aaguidText(b []byte) string {
	if len(b) != 16 || bytes.Equal(b, make([]byte, 16)) {
		return ""
	}
	h := hex.EncodeToString(b)
	return fmt.Sprintf("%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:])
}
