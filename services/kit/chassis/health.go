package chassis

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/web"
)

func healthz(w http.ResponseWriter, _ *http.Request) error {
	return web.WriteJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz answers whether the service takes requests. If not, the answer and a line in the log say
// why.
func (c *Chassis) readyz(w http.ResponseWriter, r *http.Request) error {
	if c.draining.Load() {
		return fault.New(fault.Unavailable, "unavailable", "The service is shutting down.")
	}
	for _, check := range c.ready {
		if err := check(r.Context()); err != nil {
			c.standing.not(r.Context(), err)
			return fault.Wrap(err, fault.Unavailable, "unavailable",
				"The service is not ready: "+reasonOf(err))
		}
	}
	c.standing.ready(r.Context())
	return web.WriteJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// standing is how readiness was answered last, so that the log has one line for each change and not
// one for each probe.
type standing struct {
	mu     sync.Mutex
	reason string // why the service was not ready; empty: it was, or was never asked
}

func (s *standing) not(ctx context.Context, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if reason := reasonOf(err); reason != s.reason {
		s.reason = reason
		slog.WarnContext(ctx, "not ready", "reason", reason, "error", err.Error())
	}
}

func (s *standing) ready(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason != "" {
		s.reason = ""
		slog.InfoContext(ctx, "ready")
	}
}

// sidecarAsks is the address that a sidecar asks first, when it has found the app's port, and
// before it subscribes to topics.
const sidecarAsks = "/dapr/config"

// KnowsSidecar makes it a condition of readiness that the sidecar, when it asked for its
// configuration, showed the APP_API_TOKEN that this app was given. It is for a service that nobody
// but its sidecar can reach: whoever else asks from this host is taken for it.
func (c *Chassis) KnowsSidecar() {
	if c.cfg.AppAPIToken == "" {
		return
	}
	known := web.RequireAppToken(c.cfg.AppAPIToken)(web.NotFound)
	c.router.HandleFunc(sidecarAsks, func(w http.ResponseWriter, r *http.Request) {
		if fromThisHost(r) {
			c.stranger.Store(!web.FromSidecar(r, c.cfg.AppAPIToken))
		}
		known.ServeHTTP(w, r)
	}).Methods(http.MethodGet)
	c.ReadyWhen(func(context.Context) error {
		if c.stranger.Load() {
			return fault.New(fault.Unavailable, "unavailable",
				"The sidecar shows another APP_API_TOKEN than this app was given, or none.")
		}
		return nil
	})
}

func fromThisHost(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
