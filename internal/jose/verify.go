package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// Header is what a verified token says about itself.
type Header struct {
	Alg Alg
	// KeyID is empty only where Want allows that.
	KeyID string
	// Typ is in lower case and without "application/" (RFC 7515 §4.1.9). It is
	// empty only where Want allows that.
	Typ string
}

// Want is what a caller is prepared to accept. Its zero value accepts nothing.
type Want struct {
	// Algs lists the algorithms that may have signed the token (RFC 8725 §3.1).
	Algs []Alg
	// Typs lists the types that the token may have, in lower case and without
	// "application/"; "" allows a token without one. It keeps a token of one
	// kind from being used as another (RFC 8725 §3.11).
	Typs []string
	// Unnamed lets a token name no key: the kid is "" then. Others than we may have one
	// key and no name for it (OpenID Connect Core §10.1).
	Unnamed bool
	// Keys returns the key named kid for alg, or nil. It is asked last of all,
	// when everything but the signature is known to be in order.
	Keys func(kid string, alg Alg) crypto.PublicKey
}

// ErrInvalid is what Verify returns for every token that it refuses. The
// reason is in the text, which is for the log.
var ErrInvalid = errors.New("token refused")

// ErrUnknownKey is an ErrInvalid too: the token is well formed, but Want.Keys
// has no such key.
var ErrUnknownKey = fmt.Errorf("%w: unknown key", ErrInvalid)

// forbidden are header members that change what a verifier would do or where
// it would take the key from. Nobody who sends us a token needs one, so their
// presence is a refusal, not something to ignore (RFC 7515 §4.1, RFC 7797,
// RFC 8725 §3.10).
var forbidden = [...]string{"crit", "jwk", "jku", "x5u", "x5c", "b64", "enc", "zip"}

// Verify checks a JWS in compact form and returns its header and payload. What
// it returns is signed by a key that want gave, with an algorithm and of a type
// that want lists, and is a JSON object without doubtful spellings. Times,
// audience and issuer are the caller's to check.
//
// It refuses the JSON serialisation, every encoding but canonical base64url,
// "none" and HMAC (they have no Alg), a token without kid unless want allows it, keys or their
// addresses inside the header, and members that appear twice.
func Verify(token string, want Want) (Header, json.RawMessage, error) {
	header, payload, err := verify(token, want)
	if err != nil && !errors.Is(err, ErrInvalid) {
		err = fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return header, payload, err
}

func verify(token string, want Want) (Header, json.RawMessage, error) {
	head, body, tail, err := split(token)
	if err != nil {
		return Header{}, nil, err
	}
	header, s, err := readHeader(head, want)
	if err != nil {
		return Header{}, nil, err
	}
	signature, err := decode(tail) // refuses a further dot
	if err != nil {
		return Header{}, nil, fmt.Errorf("signature: %w", err)
	}
	payload, err := decode(body)
	if err != nil {
		return Header{}, nil, fmt.Errorf("payload: %w", err)
	}
	var pub crypto.PublicKey
	if want.Keys != nil {
		pub = want.Keys(header.KeyID, header.Alg)
	}
	if pub == nil {
		return Header{}, nil, ErrUnknownKey
	}
	if !s.fits(pub) {
		return Header{}, nil, fmt.Errorf("the key does not fit %s", header.Alg)
	}
	if !s.verify(pub, token[:len(head)+1+len(body)], signature) {
		return Header{}, nil, errors.New("wrong signature")
	}
	if err := strict(payload); err != nil {
		return Header{}, nil, fmt.Errorf("payload: %w", err)
	}
	return header, payload, nil
}

// Peek reads the header and the payload of a JWS that nobody has verified: to find out
// whose keys it has to be verified with, and for nothing else. It refuses what Verify
// refuses whatever it wants, but for the kid, which may be missing.
func Peek(token string) (Header, json.RawMessage, error) {
	head, body, _, err := split(token)
	if err != nil {
		return Header{}, nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	header, err := parseHeader(head)
	if err != nil {
		return Header{}, nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	payload, err := decode(body)
	if err == nil {
		err = strict(payload)
	}
	if err != nil {
		return Header{}, nil, fmt.Errorf("%w: payload: %w", ErrInvalid, err)
	}
	return header, payload, nil
}

// split is the three parts of a compact JWS.
func split(token string) (head, body, tail string, err error) {
	if len(token) > MaxToken {
		return "", "", "", errors.New("too long")
	}
	head, rest, ok := strings.Cut(token, ".")
	body, tail, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || head == "" || body == "" || tail == "" || len(head) > maxHeader {
		return "", "", "", errors.New("not a compact JWS")
	}
	return head, body, tail, nil
}

func readHeader(segment string, want Want) (Header, *scheme, error) {
	h, err := parseHeader(segment)
	if err != nil {
		return Header{}, nil, err
	}
	s := schemes[h.Alg]
	switch {
	case s == nil || !slices.Contains(want.Algs, h.Alg):
		return Header{}, nil, fmt.Errorf("alg %q is not accepted here", h.Alg)
	case h.KeyID == "" && !want.Unnamed:
		return Header{}, nil, errors.New("no kid")
	case !slices.Contains(want.Typs, h.Typ):
		return Header{}, nil, fmt.Errorf("typ %q is not accepted here", h.Typ)
	}
	return h, s, nil
}

func parseHeader(segment string) (Header, error) {
	plain, err := decode(segment)
	if err != nil {
		return Header{}, fmt.Errorf("header: %w", err)
	}
	var alg, kid, typ string
	err = walk(plain, func(name string, value []byte) (err error) {
		switch name {
		case "alg":
			alg, err = text(name, value)
		case "kid":
			kid, err = text(name, value)
		case "typ":
			typ, err = text(name, value)
		default:
			if slices.Contains(forbidden[:], name) {
				err = fmt.Errorf("has a member %q", name)
			}
		}
		return err
	})
	if err != nil {
		return Header{}, fmt.Errorf("header: %w", err)
	}
	return Header{Alg: Alg(alg), KeyID: kid, Typ: strings.TrimPrefix(strings.ToLower(typ), "application/")}, nil
}

// text reads a member that is a string, short and not empty.
func text(name string, value []byte) (string, error) {
	if value[0] == '"' {
		if s, err := unquote(value); err == nil && len(s) > 0 && len(s) <= maxName {
			return string(s), nil
		}
	}
	return "", fmt.Errorf("member %q is not a short string", name)
}

// decode accepts the one canonical spelling alone: no padding, no line breaks
// (which the standard library would skip), no left-over bits.
func decode(segment string) ([]byte, error) {
	if strings.ContainsAny(segment, "\r\n") {
		return nil, errors.New("not base64url")
	}
	return enc.DecodeString(segment)
}

func (s *scheme) verify(pub crypto.PublicKey, input string, signature []byte) bool {
	if s.kind == okp {
		return ed25519.Verify(pub.(ed25519.PublicKey), []byte(input), signature)
	}
	h := s.hash.New()
	h.Write([]byte(input))
	digest := h.Sum(nil)
	switch s.kind {
	case pkcs1:
		return rsa.VerifyPKCS1v15(pub.(*rsa.PublicKey), s.hash, digest, signature) == nil
	case pss:
		return rsa.VerifyPSS(pub.(*rsa.PublicKey), s.hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
	case ec:
		if len(signature) != 2*s.size {
			return false
		}
		return ecdsa.Verify(pub.(*ecdsa.PublicKey), digest,
			new(big.Int).SetBytes(signature[:s.size]), new(big.Int).SetBytes(signature[s.size:]))
	}
	return false
}
