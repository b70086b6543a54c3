package auth

import (
	"errors"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"sidecart.dev/kit/fault"
)

// ServiceType is the typ header of service tokens.
const ServiceType = "svc+jwt"

const serviceTokenLife = time.Minute

// ServiceKey signs and verifies service tokens: HS256 with a key only the services hold, for one
// called service, for a minute. The gateway does not have it, so nothing outside can be made to
// look like a service. While the key is being replaced, a service accepts others as well as the one
// that it signs with. It is safe for concurrent use.
type ServiceKey struct {
	app      string
	key      []byte
	accepted jwt.VerificationKeySet
	now      func() time.Time
}

// NewServiceKey makes the key of the given app, which signs with key, and accepts also what was
// signed with one of the others. Each needs at least 32 bytes. A nil now means time.Now.
func NewServiceKey(
	app string, key []byte, now func() time.Time, others ...[]byte,
) (*ServiceKey, error) {
	if now == nil {
		now = time.Now
	}
	k := &ServiceKey{app: app, key: key, now: now}
	for _, key := range append([][]byte{key}, others...) {
		if len(key) < 32 {
			return nil, errors.New("a service key needs at least 32 bytes")
		}
		k.accepted.Keys = append(k.accepted.Keys, key)
	}
	return k, nil
}

// Authorize returns the Authorization header for a call to another app. It suits
// daprclient.Client.Caller.
func (k *ServiceKey) Authorize(target string) (string, error) {
	now := k.now()
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer: k.app, Audience: jwt.ClaimStrings{target},
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(serviceTokenLife)),
	})
	t.Header["typ"] = ServiceType
	signed, err := t.SignedString(k.key)
	if err != nil {
		return "", err
	}
	return "Bearer " + signed, nil
}

// Verify returns which app is calling. A token for another app, or from an app that is not among
// the callers, is refused.
func (k *ServiceKey) Verify(token string, callers ...string) (string, error) {
	var claims jwt.RegisteredClaims
	_, err := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithAudience(k.app),
		jwt.WithExpirationRequired(), jwt.WithLeeway(clockSkew), jwt.WithTimeFunc(k.now),
	).ParseWithClaims(token, &claims, func(t *jwt.Token) (any, error) {
		if typ, _ := t.Header["typ"].(string); typ != ServiceType {
			return nil, errors.New("not a service token")
		}
		return k.accepted, nil
	})
	if err != nil {
		return "", fault.Wrap(err, fault.Unauthenticated, "unauthenticated",
			"The service token is not valid.")
	}
	if !slices.Contains(callers, claims.Issuer) {
		return "", fault.New(fault.Forbidden, "forbidden", "This service may not call that.")
	}
	return claims.Issuer, nil
}
