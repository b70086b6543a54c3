package chassis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/web"
)

// startup is what a service's address answers from the moment it is listened on: at first that the
// process is live, not ready, and what it waits for; once the service is wired, the service's own
// routes.
type startup struct {
	mu      sync.Mutex
	waits   error // what the wiring waits for; nil while nothing is amiss
	wired   chan struct{}
	ended   chan struct{}
	before  http.Handler // until wired is closed
	service http.Handler // from then on
}

func newStartup(around mux.MiddlewareFunc) *startup {
	s := &startup{wired: make(chan struct{}), ended: make(chan struct{})}
	r := mux.NewRouter()
	r.Use(around)
	r.Handle("/healthz", web.Handler(healthz)).Methods(http.MethodGet)
	r.NotFoundHandler = around(web.Handler(s.notYet))
	r.MethodNotAllowedHandler = r.NotFoundHandler
	r.Handle("/readyz", r.NotFoundHandler)
	s.before = r
	return s
}

// ServeHTTP implements [http.Handler].
func (s *startup) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-s.wired:
		s.service.ServeHTTP(w, r)
	default:
		if r.URL.Path == sidecarAsks {
			s.hold(w, r)
			return
		}
		s.before.ServeHTTP(w, r)
	}
}

// hold answers the sidecar's first question when the service is wired. The sidecar asks it before
// it subscribes to topics, so no event is delivered to, and given up for, a service that cannot
// take any yet. A sidecar that hung up is not noticed before that.
func (s *startup) hold(w http.ResponseWriter, r *http.Request) {
	select {
	case <-s.wired:
		s.service.ServeHTTP(w, r)
	case <-s.ended: // and so is the connection
	}
}

// notYet refuses with what the service waits for.
func (s *startup) notYet(http.ResponseWriter, *http.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waits == nil {
		return fault.New(fault.Unavailable, "unavailable", "The service is starting.")
	}
	return fault.Wrap(s.waits, fault.Unavailable, "unavailable",
		"The service is starting: "+reasonOf(s.waits))
}

// waitsFor notes what the wiring waits for; nil: nothing any more.
func (s *startup) waitsFor(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits = err
}

// become lets the service answer from now on.
func (s *startup) become(service http.Handler) {
	s.service = service
	close(s.wired)
}

// reasonOf is the message of the innermost fault, which names what is amiss and carries no
// internals.
func reasonOf(err error) string {
	reason := "Something unexpected failed."
	for f, ok := errors.AsType[*fault.Error](err); ok; f, ok = errors.AsType[*fault.Error](f.Err) {
		reason = f.Message
	}
	return reason
}

// Open listens at the service's address, before the service is wired: until [Chassis.Run] its
// /healthz says that the process is live, its /readyz that it is not ready and what it waits for,
// and everything else is refused as unavailable.
func (c *Chassis) Open() error {
	listener, err := net.Listen("tcp", net.JoinHostPort(c.cfg.Host, strconv.Itoa(c.cfg.Port)))
	if err != nil {
		return fmt.Errorf("APP_PORT %d: %w", c.cfg.Port, err)
	}
	c.listen(web.Refusals(listener))
	return nil
}

func (c *Chassis) listen(listener net.Listener) {
	c.server = &http.Server{
		Handler: c.startup,
		// OPTIONS * goes through the handler like any other request.
		DisableGeneralOptionsHandler: true,

		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
	c.listener = listener
	go c.answer()
}

// answer runs the HTTP server, which recovers from panics by itself.
func (c *Chassis) answer() { c.served <- c.server.Serve(c.listener) }

// Close ends what [Chassis.Open] began, for a service that cannot be wired. It is not for use after
// Run.
func (c *Chassis) Close() error {
	var err error
	if c.server != nil {
		err = c.server.Close()
	}
	close(c.startup.ended)
	ctx, cancel := context.WithTimeout(context.Background(), c.cfg.DrainTimeout)
	defer cancel()
	return errors.Join(err, c.flush(ctx), c.Sidecar.Close())
}
