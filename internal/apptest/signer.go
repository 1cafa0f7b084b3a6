package apptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha512" // found by crypto.Hash
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/url"
	"sync"
	"testing"
	"time"

	"pocketid/internal/jose"
	"pocketid/internal/oidc"
	"pocketid/internal/secret"
)

// A Signer has a key of its own, as an application or an issuer elsewhere has, and
// signs whatever it is told to.
type Signer struct {
	Alg   jose.Alg
	KeyID string

	t       testing.TB
	private crypto.Signer
}

// rsaKey is the one that all signers of the RS and PS algorithms have: making one takes
// longer than most tests.
var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// curves are those of the ES algorithms, and hashes those of all that hash.
var (
	curves = map[jose.Alg]elliptic.Curve{jose.ES256: elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}
	hashes = map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}
)

// NewSigner makes a key for one of the RS, PS and ES algorithms, or for EdDSA.
func NewSigner(t testing.TB, alg jose.Alg, kid string) *Signer {
	t.Helper()
	s := &Signer{Alg: alg, KeyID: kid, t: t}
	var err error
	switch {
	case alg[:2] == "RS" || alg[:2] == "PS":
		s.private, err = rsaKey()
	case curves[alg] != nil:
		s.private, err = ecdsa.GenerateKey(curves[alg], rand.Reader)
	case alg == jose.EdDSA:
		_, s.private, err = ed25519.GenerateKey(rand.Reader)
	default:
		t.Fatalf("no signer for %s", alg)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// JWK is the public key, as a set has it.
func (s *Signer) JWK() map[string]any {
	k := map[string]any{"kid": s.KeyID, "alg": string(s.Alg), "use": "sig"}
	set := func(name string, value []byte) { k[name] = base64.RawURLEncoding.EncodeToString(value) }
	switch public := s.private.Public().(type) {
	case *rsa.PublicKey:
		k["kty"] = "RSA"
		set("n", public.N.Bytes())
		set("e", big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		k["kty"], k["crv"] = "EC", public.Curve.Params().Name
		point, err := public.Bytes()
		if err != nil {
			s.t.Fatal(err)
		}
		size := (len(point) - 1) / 2
		set("x", point[1:1+size])
		set("y", point[1+size:])
	case ed25519.PublicKey:
		k["kty"], k["crv"] = "OKP", "Ed25519"
		set("x", public)
	}
	return k
}

// KeySet is the JWK Set of signers.
func KeySet(signers ...*Signer) string {
	keys := []map[string]any{}
	for _, s := range signers {
		keys = append(keys, s.JWK())
	}
	return toJSON(map[string]any{"keys": keys})
}

// Sign makes a compact JWS of claims. Members of header are added to alg and kid or
// stand in their place; one that is nil is left out.
func (s *Signer) Sign(header, claims map[string]any) string {
	s.t.Helper()
	h := map[string]any{"alg": string(s.Alg), "kid": s.KeyID}
	for name, value := range header {
		if h[name] = value; value == nil {
			delete(h, name)
		}
	}
	input := base64.RawURLEncoding.EncodeToString([]byte(toJSON(h))) + "." + base64.RawURLEncoding.EncodeToString([]byte(toJSON(claims)))
	return input + "." + base64.RawURLEncoding.EncodeToString(s.signature(input))
}

func (s *Signer) signature(input string) []byte {
	s.t.Helper()
	if s.Alg == jose.EdDSA {
		return ed25519.Sign(s.private.(ed25519.PrivateKey), []byte(input))
	}
	hash := hashes[string(s.Alg[2:])]
	h := hash.New()
	h.Write([]byte(input))
	digest := h.Sum(nil)
	var out []byte
	var err error
	switch s.Alg[:2] {
	case "RS":
		out, err = rsa.SignPKCS1v15(rand.Reader, s.private.(*rsa.PrivateKey), hash, digest)
	case "PS":
		out, err = rsa.SignPSS(rand.Reader, s.private.(*rsa.PrivateKey), hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	case "ES":
		key := s.private.(*ecdsa.PrivateKey)
		var r, z *big.Int
		if r, z, err = ecdsa.Sign(rand.Reader, key, digest); err == nil {
			size := (key.Params().BitSize + 7) / 8 // of each half (RFC 7518 §3.4)
			out = make([]byte, 2*size)
			r.FillBytes(out[:size])
			z.FillBytes(out[size:])
		}
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("apptest: a map does not marshal: " + err.Error())
	}
	return string(b)
}

// PrivateKey lets the application prove itself by assertions that s signs: its public
// key is one of the client's, and its audience is that of the certification suite, the
// token endpoint.
func PrivateKey(s *Signer) func(*oidc.ClientEdit) {
	return func(e *oidc.ClientEdit) {
		e.AuthMethod, e.AssertionAudience, e.JWKS = oidc.AuthPrivateKey, oidc.AudienceLenient, KeySet(s)
	}
}

// By is the same application, which proves itself by assertions of s from now on.
func (c *Client) By(s *Signer) *Client {
	other := *c
	other.signer = s
	return &other
}

// Assertion is the form by which the application proves itself: claims as the
// certification suite sends them, changed as for Signer.Sign.
func (c *Client) Assertion(changes map[string]any) url.Values {
	c.t.Helper()
	now := time.Now().Unix()
	claims := map[string]any{"iss": c.ID, "sub": c.ID, "aud": URL + "/api/oidc/token", "iat": now, "exp": now + 60, "jti": secret.ID()}
	for name, value := range changes {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	return AssertionForm(c.signer.Sign(nil, claims))
}

// AssertionForm is the form that carries an assertion (RFC 7523 §2.2).
func AssertionForm(assertion string) url.Values {
	return url.Values{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion}}
}

// SignText makes a compact JWS of a payload as it stands.
func (s *Signer) SignText(payload string) string {
	s.t.Helper()
	input := base64.RawURLEncoding.EncodeToString([]byte(toJSON(map[string]any{"alg": string(s.Alg), "kid": s.KeyID}))) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	return input + "." + base64.RawURLEncoding.EncodeToString(s.signature(input))
}
