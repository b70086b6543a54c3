// Package auth verifies who is calling: users by access tokens that the users service signed,
// services by service tokens.
//
// Every service verifies for itself. A caller who gets past the gateway, or past a sidecar, gets no
// further than one outside.
package auth

import (
	"context"
	"crypto/ed25519"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"sidecart.dev/kit/fault"
)

// Role is what a user may do.
type Role string

// The roles.
const (
	Customer Role = "customer"
	Operator Role = "operator"
)

// Principal is an authenticated user.
type Principal struct {
	UserID    string
	Role      Role
	SessionID string
	Epoch     int64 // of the account when the token was signed
}

// Issuer is both issuer and audience of access tokens.
const Issuer = "sidecart"

// AccessType is the typ header of access tokens (RFC 9068). Tokens of any other type are refused.
const AccessType = "at+jwt"

// Claims are the claims of an access token.
type Claims struct {
	jwt.RegisteredClaims
	Role      Role   `json:"role"`
	SessionID string `json:"sid"`
	// Epoch rises when all sessions of an account end at once: tokens of earlier epochs change nothing
	// any more.
	Epoch int64 `json:"epoch"`
}

// KeySource finds the public key with which a token was signed.
type KeySource interface {
	// Key returns the key with that id, a NotFound fault if there is none, or a transient one if that
	// cannot be told now.
	Key(ctx context.Context, kid string) (ed25519.PublicKey, error)
}

// Verifier verifies access tokens. It is safe for concurrent use.
type Verifier struct {
	keys  KeySource
	now   func() time.Time
	ended *Ended // nil: every token is good until it expires
}

// NewVerifier makes a verifier. A nil now means time.Now.
func NewVerifier(keys KeySource, now func() time.Time) *Verifier {
	if now == nil {
		now = time.Now
	}
	return &Verifier{keys: keys, now: now}
}

// clockSkew is how far the clocks of two hosts may be apart.
const clockSkew = 5 * time.Second

// Verify returns the user a token speaks for. It accepts nothing but an Ed25519-signed, unexpired
// access token.
func (v *Verifier) Verify(ctx context.Context, token string) (Principal, error) {
	var claims Claims
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
		jwt.WithIssuer(Issuer), jwt.WithAudience(Issuer),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(clockSkew),
		jwt.WithTimeFunc(v.now),
	)
	_, err := parser.ParseWithClaims(token, &claims, func(t *jwt.Token) (any, error) {
		if typ, _ := t.Header["typ"].(string); typ != AccessType {
			return nil, errors.New("not an access token")
		}
		kid, _ := t.Header["kid"].(string)
		return v.keys.Key(ctx, kid)
	})
	if err != nil {
		return Principal{}, tokenFault(err)
	}
	if claims.Subject == "" || claims.Role != Customer && claims.Role != Operator {
		return Principal{}, tokenFault(errors.New("incomplete claims"))
	}
	return Principal{
		UserID: claims.Subject, Role: claims.Role, SessionID: claims.SessionID, Epoch: claims.Epoch,
	}, nil
}

func tokenFault(err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind.Transient() {
		return f // the keys cannot be had: nobody's token can be judged now
	}
	if errors.Is(err, jwt.ErrTokenExpired) {
		return fault.New(fault.Unauthenticated, "token_expired",
			"The access token has expired; refresh it.")
	}
	return fault.Wrap(err, fault.Unauthenticated, "unauthenticated", "The access token is not valid.")
}
