package auth

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/web"
)

type principalKey struct{}

// Bearer returns the bearer token of a request (RFC 6750), or an Unauthenticated fault.
func Bearer(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", fault.New(fault.Unauthenticated, "unauthenticated", "Send an access token as \"Authorization: Bearer …\".")
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", fault.New(fault.Unauthenticated, "unauthenticated", "Send an access token as \"Authorization: Bearer …\".")
	}
	return token, nil
}

// Require lets through users with one of the roles; no role named means any user (see
// [Verifier.Authenticate]).
func (v *Verifier) Require(roles ...Role) mux.MiddlewareFunc {
	return func(next http.Handler) http.Handler {
		return web.Handler(func(w http.ResponseWriter, r *http.Request) error {
			p, err := v.Authenticate(r)
			if err != nil {
				return err
			}
			if len(roles) > 0 && !slices.Contains(roles, p.Role) {
				return fault.New(fault.Forbidden, "forbidden", "Your account may not do this.")
			}
			next.ServeHTTP(w, r.WithContext(With(r.Context(), p)))
			return nil
		})
	}
}

// With returns a context that carries the user.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From returns the user a request was authenticated as. It must stand behind [Verifier.Require];
// without it, From panics.
func From(ctx context.Context) Principal {
	p, ok := ctx.Value(principalKey{}).(Principal)
	if !ok {
		panic("auth.From on a route without Require")
	}
	return p
}

// RequireService lets through calls of the named apps.
func (k *ServiceKey) RequireService(callers ...string) mux.MiddlewareFunc {
	return func(next http.Handler) http.Handler {
		return web.Handler(func(w http.ResponseWriter, r *http.Request) error {
			token, err := Bearer(r)
			if err != nil {
				return err
			}
			if _, err := k.Verify(token, callers...); err != nil {
				return err
			}
			next.ServeHTTP(w, r)
			return nil
		})
	}
}
