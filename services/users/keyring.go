package users

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/document"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// Rotation of the keys that sign access tokens.
const (
	// keysEvery is how often the secret is read again.
	keysEvery = 30 * time.Second
	// publishedFor is how long every replica publishes a key before any signs with it: longer than
	// verifiers keep a key set (5 minutes) and than replicas take to notice a new secret.
	publishedFor = 6 * time.Minute
	// keysKey is the document that says since when each key is published.
	keysKey = "published"
)

// PublishedKeys says since when keys have been published. It is shared by all replicas, so that one
// which starts in the middle of a rotation does as the others do.
type PublishedKeys struct {
	Since map[string]time.Time `json:"since"` // by key id
}

// KeyRing holds the keys that sign access tokens. It is safe for concurrent use.
//
// To rotate, add a key to the secret and make it current, in one step or two: every replica
// publishes it within half a minute and signs with it from 6 minutes after it was first seen; until
// then the key before goes on. Take the old key out of the secret 12 minutes after the new one came
// in: by then its last token has expired. Nothing is restarted.
type KeyRing struct {
	secret    func(ctx context.Context) (string, error)
	published *document.Documents[PublishedKeys] // one: see [keysKey]
	now       func() time.Time

	mu   sync.RWMutex
	keys keySet
}

// keySet is the secret as it is, and as it was understood.
type keySet struct {
	raw     string
	signing string // key id
	ids     []string
	private map[string]ed25519.PrivateKey
}

// secretKeys is the form of the secret token-signing-keys.
type secretKeys struct {
	Current string `json:"current"`
	Keys    []struct {
		ID   string `json:"kid"`
		Seed []byte `json:"seed"` // 32 bytes; base64 in JSON
	} `json:"keys"`
}

// NewKeyRing makes a key ring over a secret, which notes in the store since when it publishes each
// key. It is empty until [KeyRing.Reload]. A nil now means time.Now.
func NewKeyRing(secret func(ctx context.Context) (string, error), state sidecar.State,
	now func() time.Time,
) *KeyRing {
	if now == nil {
		now = time.Now
	}
	return &KeyRing{
		secret: secret, now: now,
		published: document.New[PublishedKeys](state, "signing-keys"),
	}
}

// Run reads the secret again and again until ctx ends. A secret that cannot be read or is malformed
// changes nothing.
func (k *KeyRing) Run(ctx context.Context) error {
	ticker := time.NewTicker(keysEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := k.Reload(ctx); err != nil {
				slog.WarnContext(ctx, "signing keys not read again", "error", err.Error())
			}
		}
	}
}

// Reload reads the secret once.
func (k *KeyRing) Reload(ctx context.Context) error {
	raw, err := k.secret(ctx)
	if err != nil {
		return err
	}
	current, set, err := parseKeys(raw)
	if err != nil {
		return fmt.Errorf("secret token-signing-keys: %w", err)
	}
	since, err := k.publish(ctx, set)
	if err != nil {
		return err
	}
	set.signing = choose(current, set.ids, since, k.now())
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys.signing != "" && k.keys.signing != set.signing {
		slog.InfoContext(ctx, "signing key changed", "kid", set.signing)
	}
	k.keys = set
	return nil
}

func parseKeys(raw string) (current string, set keySet, err error) {
	var s secretKeys
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		return "", set, errors.New("not the expected JSON") // the cause could quote the secret
	}
	set = keySet{raw: raw, private: map[string]ed25519.PrivateKey{}}
	for _, key := range s.Keys {
		if key.ID == "" || len(key.Seed) != ed25519.SeedSize || set.private[key.ID] != nil {
			return "", set, errors.New("a key has no id, an id of another, or not a seed of 32 bytes")
		}
		set.ids = append(set.ids, key.ID)
		set.private[key.ID] = ed25519.NewKeyFromSeed(key.Seed)
	}
	if set.private[s.Current] == nil {
		return "", set, errors.New("the current key is not among the keys")
	}
	return s.Current, set, nil
}

// publish notes keys that are new and returns since when each has been published. The first keys
// ever are good at once.
func (k *KeyRing) publish(ctx context.Context, set keySet) (map[string]time.Time, error) {
	doc, err := k.published.Change(ctx, keysKey, func(doc PublishedKeys, exists bool) (
		PublishedKeys, error,
	) {
		since, changed := map[string]time.Time{}, len(doc.Since) != len(set.ids)
		for _, id := range set.ids {
			at, known := doc.Since[id]
			if !known && exists {
				at = k.now().UTC()
			}
			since[id], changed = at, changed || !known
		}
		if !changed {
			return doc, document.ErrUnchanged
		}
		return PublishedKeys{Since: since}, nil
	})
	return doc.Since, err
}

// choose returns the key to sign with: the current one once it has been published for long enough,
// until then the last one that has. If there is none, every key is new and the current one is as
// good as any.
func choose(current string, ids []string, since map[string]time.Time, now time.Time) string {
	ripe := func(id string) bool { return now.Sub(since[id]) >= publishedFor }
	if ripe(current) {
		return current
	}
	best := ""
	for _, id := range ids {
		if ripe(id) && (best == "" || since[id].After(since[best])) {
			best = id
		}
	}
	if best == "" {
		return current
	}
	return best
}

// Sign implements [Signer].
func (k *KeyRing) Sign(claims auth.Claims) (string, error) {
	k.mu.RLock()
	id := k.keys.signing
	key := k.keys.private[id]
	k.mu.RUnlock()
	if key == nil {
		return "", errNoKeys()
	}
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	t.Header["typ"], t.Header["kid"] = auth.AccessType, id
	return t.SignedString(key)
}

// Key implements [auth.KeySource], so that this service verifies tokens without asking itself over
// the network.
func (k *KeyRing) Key(_ context.Context, kid string) (ed25519.PublicKey, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.keys.signing == "" {
		return nil, errNoKeys()
	}
	key := k.keys.private[kid]
	if key == nil {
		return nil, fault.New(fault.NotFound, "not_found", "There is no such signing key.")
	}
	return key.Public().(ed25519.PublicKey), nil
}

// JWKS returns the public keys, including those that do not sign yet or any more.
func (k *KeyRing) JWKS() (auth.JWKS, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.keys.signing == "" {
		return auth.JWKS{}, errNoKeys()
	}
	set := auth.JWKS{Keys: make([]auth.JWK, 0, len(k.keys.ids))}
	for _, id := range k.keys.ids {
		set.Keys = append(set.Keys, auth.NewJWK(id, k.keys.private[id].Public().(ed25519.PublicKey)))
	}
	return set, nil
}

// Ready fails until there are keys.
func (k *KeyRing) Ready(context.Context) error {
	_, err := k.JWKS()
	return err
}

func errNoKeys() error {
	return fault.New(fault.Unavailable, "unavailable", "The signing keys have not been read yet.")
}
