// Package service is what every service with a store is made of, on the chassis: its store, bus and
// peers, the keys to tell who is calling, dead letters, the journal, and one order of shutting
// down. A service's main says what it is made of, which events it hears and which routes it has:
//
//	func main() { service.Main("parcels", &Config{}, wire) }
//
//	func wire(s *service.Service, cfg *Config) error {
//		docs := aggregate.New(aggregate.Config[Parcel]{Kind: "parcel", State: s.State, …})
//		s.Settles("parcel", docs)
//		s.Drains(docs.Drain)
//		…
//		event.On(s.Events, "orders", "order.placed.v1", parcels.Placed)
//		http.Routes(s.Access(), parcels)
//		return nil
//	}
//
// Package servicetest gives the same object over a fake sidecar.
package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/chassis"
	"sidecart.dev/kit/config"
	"sidecart.dev/kit/consumer"
	"sidecart.dev/kit/deadletter"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/heard"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/web"
)

// Config is what every service with a store reads from the environment.
type Config struct {
	chassis.Config

	// StateStore is the state component. Empty, it is the service's name and "-store".
	StateStore string `env:"STATE_STORE"`
	// PubSub is the pub/sub component.
	PubSub string `env:"PUBSUB" envDefault:"bus"`
	// Instance differs between replicas, and is the same after a restart. Empty, it is host and port.
	Instance string `env:"INSTANCE"`
	// GroupCommit lets intents of the same moment share a write of the journal.
	GroupCommit bool `env:"JOURNAL_GROUP_COMMIT" envDefault:"true"`
}

// common is how [Main] finds the Config in what a service has embedded it in.
func (c Config) common() Config { return c }

// instance names this process among its replicas: a successor at the same place takes its lanes
// over at once.
func (c *Config) instance() string {
	if c.Instance != "" {
		return c.Instance
	}
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	return net.JoinHostPort(host, strconv.Itoa(c.Port))
}

// Outside is everything that a service reaches beyond its own process.
type Outside struct {
	State sidecar.State
	Bus   sidecar.Publisher
	Peers sidecar.Caller // calls other services in this one's name
	Bind  sidecar.Binding
	// Secret reads a secret, and waits for the secret store for a while.
	Secret func(ctx context.Context, name string) (string, error)
	Users  *auth.Verifier   // of users' access tokens
	Key    *auth.ServiceKey // of tokens between services
}

// Service is one running service. Its methods other than Run are for the time before Run.
type Service struct {
	*chassis.Chassis
	Outside

	Events  *consumer.Consumer // of the events that the service hears
	Letters *deadletter.Store  // where events that cannot be handled are kept
	Journal *journal.Journal

	Closing <-chan struct{} // closed when the process is about to end; nil if nobody says so

	name     string
	settlers map[string]journal.Settler
	bare     string // the first kind
	drains   []func(ctx context.Context)
}

// Main is the main function of the named service. It reads cfg, which embeds [Config], from the
// environment, makes the service, lets wire say what the service is made of, and runs it until
// SIGINT or SIGTERM. If anything fails it exits with 1.
func Main[C interface{ common() Config }](
	name string, cfg C, wire func(*Service, C) error, opts ...Option,
) {
	chassis.Main(func(ctx context.Context) error {
		if err := config.Load(cfg); err != nil {
			return err
		}
		s, err := New(ctx, name, cfg.common(), opts...)
		if err != nil {
			return err
		}
		if err := wire(s, cfg); err != nil {
			return err
		}
		return s.Run(ctx)
	})
}

// Option changes how a service is made.
type Option func(*options)

type options struct{ ownUsers bool }

// OwnUsers leaves Users empty, for the service that issues access tokens: it sets its own verifier,
// and asks nobody.
func OwnUsers() Option { return func(o *options) { o.ownUsers = true } }

// New makes the named service. It sets the process's logger and tracer, listens, connects lazily to
// the sidecar, and waits for the secret store. Until Run the service is live and not ready: see
// [chassis.Chassis.Open].
func New(ctx context.Context, name string, cfg Config, opts ...Option) (*Service, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	c, err := chassis.New(ctx, name, cfg.Config)
	if err != nil {
		return nil, err
	}
	if err := c.Open(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	key, err := c.ServiceKey(ctx)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if cfg.StateStore == "" {
		cfg.StateStore = name + "-store"
	}
	out := Outside{
		State: c.Sidecar.State(cfg.StateStore), Bus: c.Sidecar.Bus(cfg.PubSub),
		Peers: c.Sidecar.Caller(key.Authorize), Bind: c.Sidecar, Secret: c.AwaitSecret, Key: key,
	}
	if !o.ownUsers {
		out.Users = c.UserVerifier()
	}
	s, err := Assemble(c, name, cfg, out)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	s.Closing = ctx.Done()
	return s, nil
}

// Assemble makes a service of its parts, for who puts other things in the place of its sidecar.
func Assemble(c *chassis.Chassis, name string, cfg Config, out Outside) (*Service, error) {
	j, err := journal.New(journal.Config{
		Name: name, State: out.State, Instance: cfg.instance(), Registerer: c.Metrics,
		OneByOne: !cfg.GroupCommit, Window: cfg.BatchWindow,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	s := &Service{
		Chassis: c, Outside: out, Journal: j, name: name, settlers: map[string]journal.Settler{},
	}
	s.Letters = deadletter.New(out.State, name)
	s.Events = consumer.New(name, s.Letters)
	return s, nil
}

// Access returns what makes the routers of the service.
func (s *Service) Access() web.Access {
	return web.Access{Through: s.ThroughSidecar, Users: s.Users, Key: s.Key}
}

// Accepts lets the named services ask which of their events this one has accepted.
func (s *Service) Accepts(
	accepted func(ctx context.Context, eventIDs []string) ([]string, error), askers ...string,
) {
	s.Access().Service(askers...).
		Handle("/internal/"+s.name+"/accepted", heard.Answer(accepted)).Methods(http.MethodPost)
}

// Remembering returns where the handlers of events are registered, some of which leave no document
// behind: of the named types it is remembered which events were accepted, and the service that
// publishes them may ask.
func (s *Service) Remembering(publisher string, eventTypes ...string) event.Registrar {
	known := heard.New(s.State)
	s.Accepts(known.Accepted, publisher)
	return known.Registrar(s.Events, eventTypes...)
}

// Intents returns the journal as aggregates see it.
func (s *Service) Intents() aggregate.Journal { return aggregate.Of(s.Journal) }

// Settles says who settles the ids of a kind. Ids that were written before there were kinds are of
// the first.
func (s *Service) Settles(kind string, settler journal.Settler) {
	if s.bare == "" {
		s.bare = kind
	}
	s.settlers[kind] = settler
}

// Drains adds work that is to be finished, when no request is served any more, before the journal
// is closed. It must return when its context ends.
func (s *Service) Drains(drain func(ctx context.Context)) { s.drains = append(s.drains, drain) }

// drainTimeout bounds what is finished before the journal is closed. What is left is settled by
// another process, or after a restart.
const drainTimeout = 5 * time.Second

// start adds what the service has by itself to its routes and its background work.
func (s *Service) start() {
	if s.Events.Hears() {
		s.Events.Measure(s.Metrics)
		s.Events.Routes(s.ThroughSidecar())
		s.Letters.Routes(s.Access(), s.Events)
	}
	s.KnowsSidecar()
	s.ReadyWhen(func(context.Context) error { return s.Journal.Ready() })
	kinds := journal.NewKinds(s.bare, s.settlers)
	kinds.Measure(s.Metrics, s.name)
	s.Background("journal", func(ctx context.Context) error { return s.runJournal(ctx, kinds) })
}

// runJournal runs the journal until ctx ends and everything is drained.
func (s *Service) runJournal(ctx context.Context, settler journal.Settler) error {
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- fault.Guard(life, func() error { return s.Journal.Run(life, settler) })
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	s.drain(context.WithoutCancel(ctx))
	stop()
	return <-ended
}

func (s *Service) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	var all sync.WaitGroup
	for _, drain := range s.drains {
		all.Go(func() { _ = fault.Guard(ctx, func() error { drain(ctx); return nil }) })
	}
	all.Wait()
}

// Run serves until the context ends or a part fails. Then, in this order: it is not ready any more,
// requests in flight finish, what is under way in the background is finished, and the journal hands
// its lanes over.
func (s *Service) Run(ctx context.Context) error {
	s.start()
	return s.Chassis.Run(ctx)
}

// Serve is Run on a listener of the caller's.
func (s *Service) Serve(ctx context.Context, listener net.Listener) error {
	s.start()
	return s.Chassis.Serve(ctx, listener)
}
