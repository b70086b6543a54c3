package auth

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"sync"
	"time"

	"sidecart.dev/kit/fault"
)

// JWK is one public Ed25519 key (RFC 8037).
type JWK struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv"`
	KeyID     string `json:"kid"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
	X         string `json:"x"`
}

// JWKS is a set of public keys (RFC 7517).
type JWKS struct {
	Keys []JWK `json:"keys"`
}

// NewJWK describes a public key.
func NewJWK(kid string, key ed25519.PublicKey) JWK {
	return JWK{KeyType: "OKP", Curve: "Ed25519", KeyID: kid, Algorithm: "EdDSA", Use: "sig", X: base64.RawURLEncoding.EncodeToString(key)}
}

// KeyCache is a [KeySource] over a remote key set. It is safe for concurrent use.
//
// Keys once fetched stay good while the remote is down; they are refreshed when they are old or when an unknown
// key id turns up, which is how a rotation is noticed, but never more often than every few seconds.
type KeyCache struct {
	fetch func(ctx context.Context) (JWKS, error)
	now   func() time.Time

	mu      sync.Mutex
	keys    map[string]ed25519.PublicKey
	fetched time.Time // last success
	tried   time.Time // last attempt
	lastErr error
}

const (
	keysMaxAge   = 5 * time.Minute
	keysMinRetry = 2 * time.Second
)

// NewKeyCache makes a cache over fetch. A nil now means time.Now.
func NewKeyCache(fetch func(ctx context.Context) (JWKS, error), now func() time.Time) *KeyCache {
	if now == nil {
		now = time.Now
	}
	return &KeyCache{fetch: fetch, now: now}
}

// Key implements [KeySource].
func (c *KeyCache) Key(ctx context.Context, kid string) (ed25519.PublicKey, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key, ok := c.keys[kid]
	stale := c.now().Sub(c.fetched) > keysMaxAge
	if (!ok || stale) && c.now().Sub(c.tried) >= keysMinRetry {
		c.refresh(ctx)
		key, ok = c.keys[kid]
	}
	switch {
	case ok:
		return key, nil
	case c.keys == nil:
		return nil, &fault.Error{
			Kind: fault.Unavailable, Code: "unavailable", Err: c.lastErr, RetryAfter: keysMinRetry,
			Message: "Access tokens cannot be verified right now.",
		}
	default:
		return nil, fault.New(fault.NotFound, "not_found", "There is no such signing key.")
	}
}

// refresh runs with the lock held: callers that need the answer wait for it rather than asking as well.
func (c *KeyCache) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	c.tried = c.now()
	set, err := c.fetch(ctx)
	if err != nil {
		c.lastErr = err
		if c.keys == nil {
			c.tried = time.Time{} // nothing can be verified yet, so the next caller tries again
		}
		return
	}
	keys := make(map[string]ed25519.PublicKey, len(set.Keys))
	for _, jwk := range set.Keys {
		raw, err := base64.RawURLEncoding.DecodeString(jwk.X)
		if jwk.KeyType == "OKP" && jwk.Curve == "Ed25519" && err == nil && len(raw) == ed25519.PublicKeySize {
			keys[jwk.KeyID] = raw
		}
	}
	c.keys, c.fetched, c.lastErr = keys, c.now(), nil
}
