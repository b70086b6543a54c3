package auth_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/fault"
)

var epoch = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

func claims(change func(*auth.Claims)) auth.Claims {
	c := auth.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: auth.Issuer, Audience: jwt.ClaimStrings{auth.Issuer}, Subject: "usr_1", ID: "1",
			IssuedAt: jwt.NewNumericDate(epoch), ExpiresAt: jwt.NewNumericDate(epoch.Add(5 * time.Minute)),
		},
		Role: auth.Customer, SessionID: "s",
	}
	if change != nil {
		change(&c)
	}
	return c
}

func sign(t *testing.T, method jwt.SigningMethod, key any, header map[string]any, c auth.Claims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	token.Header["typ"], token.Header["kid"] = auth.AccessType, "k1"
	for k, v := range header {
		token.Header[k] = v
	}
	signed, err := token.SignedString(key)
	require.NoError(t, err)
	return signed
}

func TestOnlyGenuineAccessTokensAreAccepted(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	_, foreign, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	keys := auth.NewKeyCache(func(context.Context) (auth.JWKS, error) {
		return auth.JWKS{Keys: []auth.JWK{auth.NewJWK("k1", public)}}, nil
	}, func() time.Time { return epoch })
	v := auth.NewVerifier(keys, func() time.Time { return epoch })
	ed := jwt.SigningMethodEdDSA
	good := sign(t, ed, private, nil, claims(nil))

	p, err := v.Verify(t.Context(), good)
	require.NoError(t, err)
	assert.Equal(t, auth.Principal{UserID: "usr_1", Role: auth.Customer, SessionID: "s"}, p)

	refused := map[string]string{
		"empty":               "",
		"not a token":         "a.b.c",
		"another key":         sign(t, ed, foreign, nil, claims(nil)),
		"unknown key id":      sign(t, ed, private, map[string]any{"kid": "k2"}, claims(nil)),
		"alg none":            sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, claims(nil)),
		"public key as HMAC":  sign(t, jwt.SigningMethodHS256, []byte(public), nil, claims(nil)),
		"another type":        sign(t, ed, private, map[string]any{"typ": "JWT"}, claims(nil)),
		"service token type":  sign(t, ed, private, map[string]any{"typ": auth.ServiceType}, claims(nil)),
		"another issuer":      sign(t, ed, private, nil, claims(func(c *auth.Claims) { c.Issuer = "x" })),
		"another audience":    sign(t, ed, private, nil, claims(func(c *auth.Claims) { c.Audience = jwt.ClaimStrings{"x"} })),
		"no expiry":           sign(t, ed, private, nil, claims(func(c *auth.Claims) { c.ExpiresAt = nil })),
		"issued in future":    sign(t, ed, private, nil, claims(func(c *auth.Claims) { c.IssuedAt = jwt.NewNumericDate(epoch.Add(time.Hour)) })),
		"no subject":          sign(t, ed, private, nil, claims(func(c *auth.Claims) { c.Subject = "" })),
		"unknown role":        sign(t, ed, private, nil, claims(func(c *auth.Claims) { c.Role = "root" })),
		"signature cut":       good[:len(good)-4],
		"payload from others": sign(t, ed, foreign, nil, claims(func(c *auth.Claims) { c.Role = auth.Operator })),
	}
	for name, token := range refused {
		t.Run(name, func(t *testing.T) {
			_, err := v.Verify(t.Context(), token)
			require.Error(t, err)
			assert.Equal(t, fault.Unauthenticated, fault.KindOf(err), "%v", err)
		})
	}
	_, err = v.Verify(t.Context(), sign(t, ed, private, nil, claims(func(c *auth.Claims) {
		c.ExpiresAt = jwt.NewNumericDate(epoch.Add(-time.Minute))
	})))
	assert.Equal(t, "token_expired", fault.CodeOf(err))
}

func TestKeysOutliveTheirSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		public, _, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(t, err)
		var down atomic.Bool
		var calls atomic.Int32
		down.Store(true)
		keys := auth.NewKeyCache(func(context.Context) (auth.JWKS, error) {
			calls.Add(1)
			if down.Load() {
				return auth.JWKS{}, errors.New("down")
			}
			return auth.JWKS{Keys: []auth.JWK{auth.NewJWK("k1", public)}}, nil
		}, nil)

		_, err = keys.Key(t.Context(), "k1")
		assert.Equal(t, fault.Unavailable, fault.KindOf(err), "without any keys nobody can be judged")
		down.Store(false)
		_, err = keys.Key(t.Context(), "k1")
		require.NoError(t, err, "the first success is not held up by the failures before it")
		down.Store(true)
		time.Sleep(time.Hour)
		_, err = keys.Key(t.Context(), "k1")
		require.NoError(t, err, "known keys stay good while their source is down")
		synctest.Wait()
		before := calls.Load()
		for range 10 {
			_, err = keys.Key(t.Context(), "unknown")
			assert.Equal(t, fault.NotFound, fault.KindOf(err))
		}
		assert.Equal(t, before, calls.Load(), "unknown key ids do not make a storm of requests")
	})
}

func TestASourceThatHangsHoldsUpNobodyWhoseKeyIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		public, _, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(t, err)
		var hangs atomic.Bool
		keys := auth.NewKeyCache(func(ctx context.Context) (auth.JWKS, error) {
			if hangs.Load() {
				<-ctx.Done()
				return auth.JWKS{}, ctx.Err()
			}
			return auth.JWKS{Keys: []auth.JWK{auth.NewJWK("k1", public)}}, nil
		}, nil)
		_, err = keys.Key(t.Context(), "k1")
		require.NoError(t, err)
		hangs.Store(true)
		time.Sleep(time.Hour)
		go func() { _, _ = keys.Key(t.Context(), "unknown") }()
		synctest.Wait() // the refresh is under way
		start := time.Now()
		_, err = keys.Key(t.Context(), "k1")
		require.NoError(t, err)
		assert.Zero(t, time.Since(start), "an old key is used at once")
		_, err = keys.Key(t.Context(), "unknown")
		assert.Equal(t, fault.NotFound, fault.KindOf(err))
		assert.LessOrEqual(t, time.Since(start), 3*time.Second, "who needs the answer shares the wait for it")
	})
}

func TestServiceTokensAreForOneServiceFromKnownCallers(t *testing.T) {
	key := make([]byte, 32)
	now := epoch
	clock := func() time.Time { return now }
	orders, err := auth.NewServiceKey("orders", key, clock)
	require.NoError(t, err)
	payments, err := auth.NewServiceKey("payments", key, clock)
	require.NoError(t, err)
	users, err := auth.NewServiceKey("users", key, clock)
	require.NoError(t, err)
	header, err := orders.Authorize("payments")
	require.NoError(t, err)
	token := header[len("Bearer "):]

	caller, err := payments.Verify(token, "orders")
	require.NoError(t, err)
	assert.Equal(t, "orders", caller)
	_, err = payments.Verify(token, "notifications")
	assert.Equal(t, fault.Forbidden, fault.KindOf(err))
	_, err = users.Verify(token, "orders")
	assert.Equal(t, fault.Unauthenticated, fault.KindOf(err), "a token is good for the service it was made for only")
	now = now.Add(2 * time.Minute)
	_, err = payments.Verify(token, "orders")
	assert.Equal(t, fault.Unauthenticated, fault.KindOf(err), "it expires")
	for _, keys := range [][][]byte{{make([]byte, 16)}, {key, make([]byte, 31)}} {
		_, err = auth.NewServiceKey("orders", keys[0], nil, keys[1:]...)
		require.Error(t, err, "a key that is too short")
	}
}

// TestAServiceKeyIsReplacedInStepsOfWhichEachLetsTheOneBeforeIn goes through a rotation: at each
// step some services have the secret already as it will be, and others still as it was.
func TestAServiceKeyIsReplacedInStepsOfWhichEachLetsTheOneBeforeIn(t *testing.T) {
	before, after := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	steps := [][][]byte{{before}, {before, after}, {after, before}, {after}}
	asks := func(from, to [][]byte) error {
		orders, err := auth.NewServiceKey("orders", from[0], nil, from[1:]...)
		require.NoError(t, err)
		payments, err := auth.NewServiceKey("payments", to[0], nil, to[1:]...)
		require.NoError(t, err)
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		header, err := orders.Authorize("payments")
		require.NoError(t, err)
		r.Header.Set("Authorization", header)
		_, err = payments.Authenticate(r, "orders")
		return err
	}
	for i, step := range steps {
		require.NoError(t, asks(step, step))
		if i > 0 {
			assert.NoError(t, asks(steps[i-1], step), "step %d", i)
			assert.NoError(t, asks(step, steps[i-1]), "step %d", i)
		}
	}
	assert.Equal(t, fault.Unauthenticated, fault.KindOf(asks(steps[0], steps[3])), "it is out of use")
	assert.Equal(t, fault.Unauthenticated, fault.KindOf(asks(steps[3], steps[0])))
}
