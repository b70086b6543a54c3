package auth

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"sidecart.dev/kit/fault"
)

// Bearer returns the bearer token of a request (RFC 6750), or an Unauthenticated fault.
func Bearer(r *http.Request) (string, error) {
	if values := r.Header.Values("Authorization"); len(values) == 1 {
		scheme, token, _ := strings.Cut(values[0], " ")
		if strings.EqualFold(scheme, "Bearer") && token != "" {
			return token, nil
		}
	}
	return "", fault.New(fault.Unauthenticated, "unauthenticated",
		`Send an access token as "Authorization: Bearer …".`)
}

// Authenticate returns the user that a request speaks for. Without one it returns an
// Unauthenticated fault, and for a user who has none of the roles a Forbidden one; no role named
// means any user.
//
// A request that may change something (any method but GET and HEAD) is refused as soon as the
// session or the account has ended; others as soon as the token has expired.
func (v *Verifier) Authenticate(r *http.Request, roles ...Role) (Principal, error) {
	token, err := Bearer(r)
	if err != nil {
		return Principal{}, err
	}
	p, err := v.Verify(r.Context(), token)
	if err != nil {
		return Principal{}, err
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if v.ended != nil && !reads {
		if err := v.ended.Check(p); err != nil {
			return Principal{}, err
		}
	}
	if len(roles) > 0 && !slices.Contains(roles, p.Role) {
		return Principal{}, fault.New(fault.Forbidden, "forbidden", "Your account may not do this.")
	}
	return p, nil
}

// Authenticate returns which of the callers a request comes from; see [ServiceKey.Verify].
func (k *ServiceKey) Authenticate(r *http.Request, callers ...string) (string, error) {
	token, err := Bearer(r)
	if err != nil {
		return "", err
	}
	return k.Verify(token, callers...)
}

type principalKey struct{}

// With returns a context that carries the user.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From returns the user a request was authenticated as. It panics on a route that asks for no user.
func From(ctx context.Context) Principal {
	p, ok := ctx.Value(principalKey{}).(Principal)
	if !ok {
		panic("auth.From on a route that asks for no user")
	}
	return p
}
