// Package http is the gateway's HTTP side: it authenticates, limits and forwards the requests of
// the routing table, streams order status, and serves the contract and the browser client.
package http

import (
	"context"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/gorilla/mux"
	"github.com/klauspost/compress/gzhttp"

	"sidecart.dev/gateway"
	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/web"
)

// Deps is what the gateway needs of the world.
type Deps struct {
	Config      gateway.Config
	Verifier    *auth.Verifier
	SidecarAddr string            // host:port of the sidecar's HTTP API
	Transport   http.RoundTripper // to the sidecar
	Now         func() time.Time  // nil: time.Now
	// Closing is closed when the program is about to end: streams end, for their clients to resume
	// elsewhere. It may be nil.
	Closing <-chan struct{}
}

// Server serves the routing table.
type Server struct {
	deps      Deps
	proxies   []netip.Prefix
	upstreams *upstreams
	streams   *streams
	address   *limiter
	user      *limiter
	sensitive *limiter
}

// New makes a server. It fails on an unusable configuration.
func New(deps Deps) (*Server, error) {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	proxies, err := deps.Config.Proxies()
	if err != nil {
		return nil, err
	}
	s := &Server{
		deps:      deps,
		proxies:   proxies,
		upstreams: newUpstreams(deps.SidecarAddr, deps.Transport),
		address:   newLimiter("address", deps.Config.AddressRate, deps.Now),
		user:      newLimiter("user", deps.Config.UserRate, deps.Now),
		sensitive: newLimiter("sensitive", deps.Config.SensitiveRate, deps.Now),
	}
	s.streams = newStreams(s.upstreams, deps)
	return s, nil
}

// Routes adds the routing table, the contract and the browser client to a router.
func (s *Server) Routes(r *mux.Router) {
	for _, route := range gateway.Routes {
		r.Handle(route.Path, s.guard(route, s.handler(route))).Methods(route.Method)
	}
	pages(r, s.byAddress)
}

// Around is the middleware of every answer, that of a path which does not exist included.
func (s *Server) Around(next http.Handler) http.Handler {
	return s.locate(s.securityHeaders(s.cors(next)))
}

func (s *Server) handler(route gateway.Route) http.Handler {
	if route.App != gateway.Own {
		h := s.bounded(s.upstreams.forward(route.App, route.Keyed()))
		if route.Method == http.MethodGet {
			// Answers to other methods may carry tokens, whose length compression would give away.
			return gzhttp.GzipHandler(h)
		}
		return h
	}
	if own, ok := s.own()[route.Method+" "+route.Path]; ok {
		return own
	}
	panic("the routing table names a route that nobody serves: " + route.Method + " " + route.Path)
}

// own returns the handlers of the routes that the gateway answers itself, by operation.
func (s *Server) own() map[string]http.Handler {
	return map[string]http.Handler{
		"GET " + gateway.OrderEvents:       web.Handler(s.streams.serve),
		"GET " + gateway.DeadLetters:       s.bounded(web.Handler(s.listDeadLetters)),
		"GET " + gateway.DeadLetter:        s.bounded(web.Handler(s.oneDeadLetter)),
		"DELETE " + gateway.DeadLetter:     s.bounded(web.Handler(s.oneDeadLetter)),
		"POST " + gateway.DeadLetterReplay: s.bounded(web.Handler(s.oneDeadLetter)),
	}
}

func (s *Server) bounded(h http.Handler) http.Handler {
	return web.LimitBody(web.MaxBody)(web.Deadline(s.deps.Config.Timeout)(h))
}

// byAddress limits what anyone may have, such as pages, by address.
func (s *Server) byAddress(next http.Handler) http.Handler {
	return web.Handler(func(w http.ResponseWriter, r *http.Request) error {
		if err := s.address.allow(w, limitKey(addressFrom(r.Context()))); err != nil {
			return err
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// guard applies a route's limits and access. The cheap checks by address come before any token is
// looked at.
func (s *Server) guard(route gateway.Route, next http.Handler) http.Handler {
	return web.Handler(func(w http.ResponseWriter, r *http.Request) error {
		key := limitKey(addressFrom(r.Context()))
		if err := s.address.allow(w, key); err != nil {
			return err
		}
		if err := checkQuery(r, route.Query); err != nil {
			return err
		}
		if route.Limit == gateway.Sensitive {
			if err := s.sensitive.allow(w, key); err != nil {
				return err
			}
		}
		if route.Access == gateway.Public {
			next.ServeHTTP(w, r)
			return nil
		}
		return s.guardUser(w, r, route, next)
	})
}

// checkQuery refuses query parameters that the route does not have, and those that are given more
// than once.
func checkQuery(r *http.Request, known []string) error {
	if r.URL.RawQuery == "" {
		return nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return malformedQuery()
	}
	var wrong fault.Fields
	for _, name := range slices.Sorted(maps.Keys(values)) {
		message := ""
		switch {
		case !slices.Contains(known, name):
			message = "is not a query parameter of this address"
		case len(values[name]) > 1:
			message = "must be given once"
		case !utf8.ValidString(values[name][0]):
			message = "must be UTF-8"
		default:
			continue
		}
		wrong.Add(name, message)
	}
	return wrong.Err()
}

// roles are those that a user needs one of, by access; none named means any user.
var roles = map[gateway.Access][]auth.Role{gateway.Operator: {auth.Operator}}

func (s *Server) guardUser(
	w http.ResponseWriter, r *http.Request, route gateway.Route, next http.Handler,
) error {
	p, err := s.deps.Verifier.Authenticate(r, roles[route.Access]...)
	if err != nil {
		return err
	}
	if route.Limit == gateway.Normal {
		if err := s.user.allow(w, p.UserID); err != nil {
			return err
		}
	}
	next.ServeHTTP(w, r.WithContext(auth.With(r.Context(), p)))
	return nil
}

type addressKey struct{}

// answerTime is how long a client may take to read an answer once it is complete.
const answerTime = 30 * time.Second

// locate notes the client's address, removes headers that only the gateway may set, and bounds the
// life of an answer that its client does not read.
func (s *Server) locate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addr := clientIP(r, s.proxies, s.deps.Config.ForwardedHeader)
		over := time.Now().Add(s.deps.Config.Timeout + answerTime)
		_ = http.NewResponseController(w).SetWriteDeadline(over) // a recorder has none to be set
		r.Header.Del(web.TimeoutHeader)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), addressKey{}, addr)))
	})
}

func addressFrom(ctx context.Context) netip.Addr {
	addr, _ := ctx.Value(addressKey{}).(netip.Addr)
	return addr
}
