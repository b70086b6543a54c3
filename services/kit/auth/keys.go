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
	return JWK{
		KeyType: "OKP", Curve: "Ed25519", KeyID: kid, Algorithm: "EdDSA", Use: "sig",
		X: base64.RawURLEncoding.EncodeToString(key),
	}
}

// KeyCache is a [KeySource] over a remote key set. It is safe for concurrent use.
//
// Keys once fetched stay good while the remote is down; they are refreshed when they are old or
// when an unknown key id turns up, which is how a rotation is noticed, but never more often than
// every few seconds. Only who needs a key that is not known waits for a refresh: a remote that
// hangs holds up nobody whose key is at hand.
type KeyCache struct {
	fetch func(ctx context.Context) (JWKS, error)
	now   func() time.Time

	mu         sync.Mutex
	keys       map[string]ed25519.PublicKey
	fetched    time.Time     // last success
	tried      time.Time     // last attempt
	refreshing chan struct{} // closed when the refresh under way has ended; nil: none is
	lastErr    error
}

const (
	keysMaxAge   = 5 * time.Minute
	keysMinRetry = 2 * time.Second
	keysTimeout  = 3 * time.Second // of one refresh
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
	key, refreshed := c.lookup(ctx, kid)
	if key == nil && refreshed != nil {
		select {
		case <-refreshed:
		case <-ctx.Done():
		}
		c.mu.Lock()
		key = c.keys[kid]
		c.mu.Unlock()
	}
	if key != nil {
		return key, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil {
		return nil, &fault.Error{
			Kind: fault.Unavailable, Code: "unavailable", Err: c.lastErr, RetryAfter: keysMinRetry,
			Message: "Access tokens cannot be verified right now.",
		}
	}
	return nil, fault.New(fault.NotFound, "not_found", "There is no such signing key.")
}

// lookup returns a known key, nil if it is not known, and the refresh under way, if one is needed
// and may be made.
func (c *KeyCache) lookup(ctx context.Context, kid string) (ed25519.PublicKey, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key, ok := c.keys[kid]
	now := c.now()
	if ok && now.Sub(c.fetched) <= keysMaxAge {
		return key, nil
	}
	// While nothing can be verified yet, every caller tries; afterwards a storm of unknown key ids is
	// not passed on.
	if c.refreshing == nil && (c.keys == nil || now.Sub(c.tried) >= keysMinRetry) {
		c.tried, c.refreshing = now, make(chan struct{})
		go c.refresh(context.WithoutCancel(ctx), c.refreshing)
	}
	return key, c.refreshing
}

// refresh asks the remote on behalf of everybody who waits for done.
func (c *KeyCache) refresh(ctx context.Context, done chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	var set JWKS
	err := fault.Guard(ctx, func() (err error) {
		set, err = c.fetch(ctx)
		return err
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(done)
	c.refreshing, c.lastErr = nil, err
	if err != nil {
		return
	}
	keys := make(map[string]ed25519.PublicKey, len(set.Keys))
	for _, jwk := range set.Keys {
		raw, err := base64.RawURLEncoding.DecodeString(jwk.X)
		isKey := err == nil && len(raw) == ed25519.PublicKeySize
		if isKey && jwk.KeyType == "OKP" && jwk.Curve == "Ed25519" {
			keys[jwk.KeyID] = raw
		}
	}
	c.keys, c.fetched = keys, c.now()
}
