package http

import (
	"net/http"
	"slices"
	"strings"

	"sidecart.dev/kit/web"
)

// securityHeaders are sent with every answer. Pages loosen the content policy for what they need.
func (s *Server) securityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		if overTLS(r, s.proxies, s.deps.Config.ForwardedHeader) {
			h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		}
		next.ServeHTTP(w, r)
	})
}

var (
	corsMethods = strings.Join([]string{
		http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	}, ", ")
	corsHeaders = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, " +
		"Last-Event-ID, X-Request-Id, traceparent"
	corsExposed = "ETag, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id, " +
		"traceparent, Idempotency-Replayed"
)

// cors answers foreign origins that the configuration names. Credentials are never allowed: there
// are no cookies.
func (s *Server) cors(next http.Handler) http.Handler {
	if len(s.deps.Config.CORSOrigins) == 0 {
		return next
	}
	preflight := web.Trace("")(http.HandlerFunc(allowPreflight))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		if !slices.Contains(s.deps.Config.CORSOrigins, origin) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Expose-Headers", corsExposed)
		w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			preflight.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func allowPreflight(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Access-Control-Allow-Methods", corsMethods)
	w.Header().Set("Access-Control-Allow-Headers", corsHeaders)
	w.Header().Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}
