package signin

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
)

// What is said to a program that asks again for what it named by a key of its own.
var (
	ErrReplyKey   = fault.New(fault.Invalid, "idempotency_key_malformed")
	ErrReplyOther = fault.New(fault.Conflict, "idempotency_key_reused")
	// ErrReplyBegun is said while the first request is under way, and also when it was done
	// and nobody knows any more what was answered: it is not done again.
	ErrReplyBegun = fault.New(fault.Conflict, "idempotency_key_begun")
)

const (
	replyTTL      = 24 * time.Hour
	maxReplyKey   = 255  // characters
	maxRepliesOf  = 1000 // of one account; the oldest give way
	sealedReplies = "replies"
)

// A Reply is what was answered to a creation that a program may repeat.
type Reply struct {
	Status int
	Body   []byte
}

// A Deed is a creation under way, of the request that claimed its key.
type Deed struct{ userID, key, claim string }

// Once makes a context in which the next change is done once for a key that the one who
// asks made up: who asks for the same again gets the answer of the first time, if there is
// one. asked is what was asked, so that the key is not taken for something else. That it
// was done is written in the transaction of the deed.
func (s *SignIn) Once(ctx context.Context, by audit.Actor, key string, asked []byte) (context.Context, Deed, *Reply, error) {
	if key == "" || len(key) > maxReplyKey || !printable(key) {
		return ctx, Deed{}, nil, ErrReplyKey
	}
	deed := Deed{by.UserID, key, secret.ID()}
	var reply *Reply
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		reply, err = s.replyTo(tx, by.UserID, key, asked)
		return err
	})
	if err != nil || reply != nil {
		return ctx, deed, reply, err
	}
	return db.Before(ctx, func(tx *db.Tx) error {
		now := tx.Now()
		end := now.Add(replyTTL)
		tx.Do(`DELETE FROM replies WHERE user_id = $1 AND key_hash = $2 AND expires_at <= $3`, by.UserID, secret.Hash(key), db.Time(&now))
		tx.Do(`DELETE FROM replies WHERE user_id = $1 AND key_hash IN (SELECT key_hash FROM replies WHERE user_id = $1
			ORDER BY created_at DESC NULLS LAST, key_hash NULLS LAST LIMIT 100 OFFSET $2)`, by.UserID, maxRepliesOf-1)
		n, err := tx.Exec(`INSERT INTO replies (user_id, key_hash, asked_hash, status, claim, created_at, expires_at)
			VALUES ($1, $2, $3, 0, $4, $5, $6) ON CONFLICT (user_id, key_hash) DO NOTHING`, by.UserID, secret.Hash(key), secret.Hash(string(asked)), deed.claim, db.Time(&now), db.Time(&end))
		if err == nil && n == 0 {
			return ErrReplyBegun
		}
		return err
	}), deed, nil, nil
}

// replyTo is what was answered to key, or nil.
func (s *SignIn) replyTo(tx *db.Tx, userID, key string, asked []byte) (*Reply, error) {
	var reply Reply
	var hash, sealed []byte
	now := tx.Now()
	err := tx.One([]any{&hash, &reply.Status, &sealed}, `SELECT asked_hash, status, sealed FROM replies
		WHERE user_id = $1 AND key_hash = $2 AND expires_at > $3`, userID, secret.Hash(key), db.Time(&now))
	switch {
	case errors.Is(err, db.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case subtle.ConstantTimeCompare(hash, secret.Hash(string(asked))) != 1:
		return nil, ErrReplyOther
	case reply.Status == 0 || sealed == nil:
		return nil, ErrReplyBegun
	}
	if reply.Body, err = s.master.Open(replyPurpose(userID, key), sealed); err != nil {
		return nil, ErrReplyBegun.Because("open a reply: %w", err) // sealed with a key of before
	}
	return &reply, nil
}

// replyPurpose binds a sealed answer to its row.
func replyPurpose(userID, key string) string {
	return sealedReplies + ":" + userID + ":" + hex.EncodeToString(secret.Hash(key))
}

// Answered remembers what was answered to a deed, for those who ask again. What carries a
// secret is not remembered: its body is nil, and it is told once.
func (s *SignIn) Answered(ctx context.Context, d Deed, reply Reply) error {
	if reply.Body == nil {
		return nil
	}
	sealed, err := s.master.Seal(replyPurpose(d.userID, d.key), reply.Body)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		tx.Do(`UPDATE replies SET status = $4, sealed = $5 WHERE user_id = $1 AND key_hash = $2 AND claim = $3`, d.userID, secret.Hash(d.key), d.claim, reply.Status, sealed)
		return nil
	})
}

// Refused forgets a deed that was refused after all, so that it can be asked for again.
func (s *SignIn) Refused(ctx context.Context, d Deed) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		tx.Do(`DELETE FROM replies WHERE user_id = $1 AND key_hash = $2 AND claim = $3`, d.userID, secret.Hash(d.key), d.claim)
		return nil
	})
}

// printable reports whether s is of the visible characters of ASCII.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < '!' || s[i] > '~' {
			return false
		}
	}
	return true
}
