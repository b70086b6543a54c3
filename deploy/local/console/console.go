package console

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"

	"sidecart.dev/local/console/logs"
	"sidecart.dev/local/console/metrics"
	"sidecart.dev/local/console/otlp"
	"sidecart.dev/local/console/traces"
)

// Default addresses. The second is OpenTelemetry's own port for its protocol over gRPC.
const (
	DefaultAddr     = "127.0.0.1:8026"
	DefaultOTLPAddr = "127.0.0.1:4317"
)

// App is an app with its sidecar, as the console shows it. A pid is 0 while nothing runs, and all
// are where the processes are not the launcher's.
type App struct {
	ID              string
	Front           bool // the system's way in
	Foreign         bool // started by somebody else, who alone can stop it
	Stopped         bool // on purpose
	PID             int
	Restarts        int
	Port            int
	URL             string
	SidecarPID      int
	SidecarRestarts int
	SidecarHTTPPort int
	SidecarGRPCPort int
	MetricsPort     int
	SidecarURL      string
	SidecarToken    string
}

// Server is something that runs beside the apps.
type Server struct {
	Name, Kind, Addr string
	PID              int // 0 where it is unknown
}

// System is what a console shows and drives. Its methods are safe for concurrent use.
type System interface {
	Apps() []App
	Servers() []Server
	// InboxURL and MetricsToken may be empty.
	InboxURL() string
	MetricsToken() string
	// Restart, StopApp and StartApp act on an app and its sidecar, and return when it is done.
	Restart(ctx context.Context, id string) error
	StopApp(id string) error
	StartApp(id string) error
}

// Config says where a console listens. The zero value of each address means its default.
type Config struct {
	// Addr and OTLPAddr are TCP addresses on loopback; port 0 takes a free port. OTLPAddr is for
	// gRPC; over HTTP spans are taken on Addr.
	Addr, OTLPAddr string
	System         System
	Traces         traces.Limits
	Logs           logs.Limits
}

// Console is a web server and a receiver of spans. Its methods are safe for concurrent use.
type Console struct {
	system    System
	token     string
	born      string // tells this console from another one at the same address
	traces    *traces.Store
	logs      *logs.Store
	metrics   *metrics.Store
	scraper   *metrics.Scraper
	usage     *usage
	actions   actions
	book      book
	headers   headers
	probes    latest[map[string]readiness]
	listed    latest[[]row]     // the orders of the book
	inbox     latest[[]message] // its newest messages
	web, otlp net.Listener
	server    *http.Server
	receiver  *grpc.Server
	closing   chan struct{}
	cancel    context.CancelFunc
	running   sync.WaitGroup
	closeOnce sync.Once
}

// Start listens and serves until Close.
func Start(cfg Config) (*Console, error) {
	c := &Console{
		system: cfg.System, token: rand.Text(), born: rand.Text(),
		traces: traces.New(cfg.Traces), logs: logs.New(cfg.Logs),
		metrics: metrics.NewStore(), usage: newUsage(), closing: make(chan struct{}),
	}
	c.book.entries = map[string]*entry{}
	c.probes.ask, c.listed.ask, c.inbox.ask = c.probe, c.orders, c.newestMessages
	var err error
	if c.web, err = listen(cmp.Or(cfg.Addr, DefaultAddr)); err != nil {
		return nil, err
	}
	if c.otlp, err = listen(cmp.Or(cfg.OTLPAddr, DefaultOTLPAddr)); err != nil {
		return nil, errors.Join(err, c.web.Close())
	}
	c.scraper = metrics.NewScraper(c.metrics, c.targets)
	receiver := otlp.New(c.traces)
	c.receiver = receiver.GRPC()
	c.server = &http.Server{
		Handler:           c.routes(receiver),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.running.Go(func() { _ = c.server.Serve(c.web) })
	c.running.Go(func() { _ = c.receiver.Serve(c.otlp) })
	c.running.Go(func() { c.scraper.Run(ctx) })
	return c, nil
}

func listen(addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("console: %s is not an address of loopback", addr)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	return listener, nil
}

// URL is the page's address, without the token.
func (c *Console) URL() string { return "http://" + c.web.Addr().String() + "/" }

// Link is the page's address with the token behind the #, which browsers send to nobody.
func (c *Console) Link() string { return c.URL() + "#token=" + c.token }

// OTLPAddr is where spans are received over gRPC.
func (c *Console) OTLPAddr() string { return c.otlp.Addr().String() }

// Log takes a line of an app, of a sidecar ("app/daprd") or of a server. A nil Console drops it.
func (c *Console) Log(source, line string) {
	if c != nil {
		c.logs.Add(source, line)
	}
}

// Close ends the servers and returns when nothing of them runs any more. A nil Console is closed.
func (c *Console) Close() {
	if c == nil {
		return
	}
	c.closeOnce.Do(func() {
		close(c.closing)
		c.cancel()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if c.server.Shutdown(ctx) != nil {
			_ = c.server.Close()
		}
		c.receiver.Stop()
		c.running.Wait()
	})
}

func (c *Console) targets() []metrics.Target {
	var all []metrics.Target
	for _, app := range c.system.Apps() {
		if app.Port > 0 && (app.PID > 0 || app.Foreign) {
			url := app.URL + "/metrics"
			all = append(all, metrics.Target{App: app.ID, URL: url, Token: c.system.MetricsToken()})
		}
		if app.MetricsPort > 0 && (app.SidecarPID > 0 || app.Foreign) {
			url := fmt.Sprintf("http://127.0.0.1:%d/metrics", app.MetricsPort)
			all = append(all, metrics.Target{App: app.ID, Sidecar: true, URL: url})
		}
	}
	return all
}
