// Package chassis is what every service stands on: one HTTP server behind the common middleware, a
// connection to the sidecar, health, metrics, and a lifecycle that starts together and drains in
// order.
//
// A service's main makes a chassis, adds its routes and its background work, and runs it:
//
//	c, err := chassis.New(ctx, "orders", cfg.Config)
//	…
//	c.Router().Handle(…)
//	c.Background("journal", journal.Run)
//	return c.Run(ctx)
//
// Shutdown, when Run's context ends: readiness goes off; after the drain delay the listener closes
// and requests in flight finish; then background work is told to stop, which may still use the
// sidecar; then telemetry is flushed.
package chassis

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/daprclient"
	"sidecart.dev/kit/telemetry"
	"sidecart.dev/kit/web"
)

// Chassis is one running service. Its methods other than Run are for the time before Run.
type Chassis struct {
	Sidecar *daprclient.Client
	Metrics *prometheus.Registry

	name       string
	cfg        Config
	root       *mux.Router
	router     *mux.Router
	around     []func(http.Handler) http.Handler
	background []task
	ready      []func(context.Context) error
	draining   atomic.Bool
	flush      func(context.Context) error

	startup  *startup
	standing standing
	stranger atomic.Bool // the sidecar was given another APP_API_TOKEN
	listener net.Listener
	server   *http.Server // nil until the address is listened on
	served   chan error   // how the server ended
}

type task struct {
	name string
	run  func(context.Context) error
}

// New makes the chassis of the named service, sets the process's default logger and tracer, and
// connects lazily to the sidecar.
func New(ctx context.Context, name string, cfg Config) (*Chassis, error) {
	log, err := telemetry.NewLogger(os.Stderr, name, cfg.LogLevel, cfg.LogFormat)
	if err != nil {
		return nil, err
	}
	slog.SetDefault(log)
	flush, err := telemetry.StartTracing(ctx, name, cfg.Tracing)
	if err != nil {
		return nil, err
	}
	sidecar := daprclient.Ports(cfg.DaprGRPCPort, cfg.DaprHTTPPort, cfg.DaprAPIToken)
	sidecar.Window = cfg.BatchWindow
	client, err := daprclient.Dial(sidecar)
	if err != nil {
		return nil, err
	}
	c := &Chassis{
		Sidecar: client, Metrics: telemetry.NewRegistry(), name: name, cfg: cfg,
		root: mux.NewRouter(), flush: flush, served: make(chan error, 1),
	}
	c.ready = append(c.ready, client.Ready)
	c.routes()
	if cfg.AppAPIToken == "" {
		log.Warn("APP_API_TOKEN is not set: calls that do not come through the sidecar are not refused")
	}
	return c, nil
}

func (c *Chassis) routes() {
	r := c.root
	r.UseEncodedPath()
	r.SkipClean(true)
	observe := web.NewMetrics(c.Metrics)
	trace := web.Trace(c.cfg.AppAPIToken)
	r.Use(trace, observe.Observe, web.Recover)
	wrap := func(h http.Handler) http.Handler { return trace(observe.Observe(h)) }
	c.startup = newStartup(wrap)
	r.NotFoundHandler, r.MethodNotAllowedHandler = wrap(web.NotFound), wrap(web.MethodNotAllowed(r))
	r.Handle("/healthz", web.Handler(healthz)).Methods(http.MethodGet)
	r.Handle("/readyz", web.Handler(c.readyz)).Methods(http.MethodGet)
	r.Handle("/metrics", c.metrics()).Methods(http.MethodGet)
	c.router = r.NewRoute().Subrouter()
}

// Router returns where the service adds its routes. They stand behind tracing, logging, metrics and
// recovery.
func (c *Chassis) Router() *mux.Router { return c.router }

// ThroughSidecar returns a subrouter whose routes answer only this app's own sidecar, within the
// request timeout.
func (c *Chassis) ThroughSidecar() *mux.Router {
	r := c.router.NewRoute().Subrouter()
	r.Use(web.RequireAppToken(c.cfg.AppAPIToken), web.Deadline(c.cfg.Timeout))
	return r
}

// Around puts a middleware around everything the service answers, paths that do not exist included.
func (c *Chassis) Around(mw func(http.Handler) http.Handler) { c.around = append(c.around, mw) }

// Background adds work that lives as long as the service. If it ends with an error, the service
// ends.
func (c *Chassis) Background(name string, run func(context.Context) error) {
	c.background = append(c.background, task{name, run})
}

// ReadyWhen adds a condition of readiness.
func (c *Chassis) ReadyWhen(check func(context.Context) error) { c.ready = append(c.ready, check) }

// metrics serves the metrics to whoever shows the token. They tell how much is sold and what fails,
// and stand on the same port as the public API. Without a token there are none.
func (c *Chassis) metrics() http.Handler {
	metrics := promhttp.HandlerFor(c.Metrics, promhttp.HandlerOpts{})
	return web.Handler(func(w http.ResponseWriter, r *http.Request) error {
		if c.cfg.MetricsToken == "" {
			return fault.New(fault.NotFound, "not_found", "There is nothing at this address.")
		}
		shown, err := auth.Bearer(r)
		if err != nil || subtle.ConstantTimeCompare([]byte(shown), []byte(c.cfg.MetricsToken)) != 1 {
			return fault.New(fault.Unauthenticated, "unauthenticated",
				`Send the token for metrics as "Authorization: Bearer …".`)
		}
		metrics.ServeHTTP(w, r)
		return nil
	})
}

// Handler returns everything the service answers, for a server of the caller's.
func (c *Chassis) Handler() http.Handler {
	h := web.Resources(c.root)
	for _, mw := range c.around {
		h = mw(h)
	}
	return h
}

// Run serves until the context ends or a part fails, then drains. It returns nil after a clean
// drain.
func (c *Chassis) Run(ctx context.Context) error {
	if c.server == nil {
		if err := c.Open(); err != nil {
			return err
		}
	}
	return c.serve(ctx)
}

// Serve is Run on a listener of the caller's.
func (c *Chassis) Serve(ctx context.Context, listener net.Listener) error {
	c.listen(listener)
	return c.serve(ctx)
}

func (c *Chassis) serve(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	go c.watch(fail)
	c.startup.become(c.Handler())
	stopWork, workDone := c.startWork(fail)
	slog.Info("serving", "address", c.listener.Addr().String())

	<-ctx.Done()
	c.draining.Store(true)
	slog.Info("draining")
	pause(c.cfg.DrainDelay)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.DrainTimeout)
	defer cancel()
	err := c.server.Shutdown(drain)
	if err != nil {
		err = fmt.Errorf("requests still in flight after %s: %w",
			c.cfg.DrainTimeout, errors.Join(err, c.server.Close()))
	}
	stopWork()
	err = errors.Join(err, workDone(drain), c.flush(drain), c.Sidecar.Close())
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return err
}

// watch ends the service if its server ends by itself.
func (c *Chassis) watch(fail context.CancelCauseFunc) {
	if err := <-c.served; !errors.Is(err, http.ErrServerClosed) {
		fail(fmt.Errorf("http server: %w", err))
	}
}

// startWork starts the background work with a context of its own, which outlives the requests in
// flight.
func (c *Chassis) startWork(
	fail context.CancelCauseFunc,
) (stop func(), done func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	finished := make(chan struct{}, len(c.background))
	for _, t := range c.background {
		go func() {
			defer func() { finished <- struct{}{} }()
			err := fault.Guard(ctx, func() error { return t.run(ctx) })
			if err != nil && !errors.Is(err, context.Canceled) {
				fail(fmt.Errorf("%s: %w", t.name, err))
			}
		}()
	}
	return stop, func(ctx context.Context) error {
		for range c.background {
			select {
			case <-finished:
			case <-ctx.Done():
				return fmt.Errorf("background work did not stop in time: %w", ctx.Err())
			}
		}
		return nil
	}
}

func pause(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}

// Main runs a service's main function until SIGINT or SIGTERM and exits with 1 if it fails.
func Main(run func(ctx context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		slog.Error("stopped", "error", err.Error())
		os.Exit(1)
	}
}
