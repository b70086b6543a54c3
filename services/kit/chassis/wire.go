package chassis

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/fault"
)

// UserVerifier returns the verifier of access tokens, with the key set of the users service. It
// refuses changes by sessions and accounts that have ended, which a background task of the chassis
// asks that service for.
func (c *Chassis) UserVerifier() *auth.Verifier {
	caller := c.Sidecar.Caller(nil)
	keys := auth.NewKeyCache(func(ctx context.Context) (auth.JWKS, error) {
		var set auth.JWKS
		err := caller.Call(ctx, "users", http.MethodGet, "/.well-known/jwks.json", nil, &set)
		return set, err
	}, nil)
	ended := auth.NewEnded(func(ctx context.Context, known string) (auth.EndedSet, error) {
		var set auth.EndedSet
		path := "/internal/ended?known=" + url.QueryEscape(known)
		err := caller.Call(ctx, "users", http.MethodGet, path, nil, &set)
		return set, err
	})
	c.Background("ended sessions", ended.Run)
	return auth.NewVerifier(keys, nil).Refusing(ended)
}

// ServiceKey reads this service's key for service tokens from the secret store, waiting for the
// sidecar until ctx ends.
//
// The secret has one key in base64, or several with blanks between them while it is replaced: the
// first signs, and all are accepted.
func (c *Chassis) ServiceKey(ctx context.Context) (*auth.ServiceKey, error) {
	secret, err := c.AwaitSecret(ctx, "service-key")
	if err != nil {
		return nil, err
	}
	key, err := parseServiceKey(c.name, secret)
	if err != nil {
		return nil, fmt.Errorf("secret service-key: %w", err)
	}
	return key, nil
}

func parseServiceKey(app, secret string) (*auth.ServiceKey, error) {
	var keys [][]byte
	for _, encoded := range strings.Fields(secret) {
		key, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("it is empty")
	}
	return auth.NewServiceKey(app, keys[0], nil, keys[1:]...)
}

// SecretStoreName is the component that holds the services' secrets.
const SecretStoreName = "secrets"

// AwaitSecret reads a secret, for up to a minute trying again while the sidecar or the store behind
// it does not answer: an app starts beside its sidecar, not after it. Meanwhile /readyz says what
// is amiss, and so does the log, once, after a while.
func (c *Chassis) AwaitSecret(ctx context.Context, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	store := c.Sidecar.SecretStore(SecretStoreName)
	long := time.After(5 * time.Second)
	for {
		value, err := store.Secret(ctx, name)
		if err == nil || !fault.KindOf(err).Transient() {
			c.startup.waitsFor(nil)
			return value, err
		}
		c.startup.waitsFor(err)
		select {
		case <-long:
			const hint = "`dapr run -f .` needs `make backing` beside it, " +
				"which has the secrets, Redis and inbox"
			slog.WarnContext(ctx, "not ready", "secret", name,
				"reason", reasonOf(err), "error", err.Error(), "hint", hint)
		case <-ctx.Done():
			return "", fmt.Errorf("secret %s: %w", name, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
