package dapr

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidecart.dev/kit/consumer"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/orders"
)

// Config says what a replica of the service stands on. State, Bus, Peers and Letters are required; a test gives fakes.
type Config struct {
	State   sidecar.State
	Bus     sidecar.Publisher
	Peers   sidecar.Caller // calls payments and notifications
	Letters Letters

	Service orders.Config
	Seed    orders.Catalogue // written when the store has no products; empty: [orders.DefaultCatalogue]
	Journal journal.Config   // Name, State, Registerer and Logger are filled in

	Registerer prometheus.Registerer // nil for no metrics
}

// Letters keeps dead letters, and erases from them.
type Letters interface {
	event.DeadLetters
	orders.Letters
}

// Node is one replica of the service without its HTTP API.
type Node struct {
	Service  *orders.Service
	Consumer *consumer.Consumer
	Journal  *journal.Journal
}

// New puts a replica together. It does nothing before [Node.Run] is called.
func New(cfg Config) (*Node, error) {
	if cfg.Service.Logger == nil {
		cfg.Service.Logger = slog.Default()
	}
	if cfg.Service.Now == nil {
		cfg.Service.Now = time.Now
	}
	if cfg.Service.Observe == nil && cfg.Registerer != nil {
		cfg.Service.Observe = observer(cfg.Registerer)
	}
	if cfg.Seed.Len() == 0 {
		cfg.Seed = orders.DefaultCatalogue()
	}
	jc := cfg.Journal
	jc.Name, jc.State, jc.Registerer, jc.Logger = "orders", cfg.State, cfg.Registerer, cfg.Service.Logger
	j, err := journal.New(jc)
	if err != nil {
		return nil, err
	}
	n := &Node{Journal: j, Consumer: consumer.New("orders", cfg.Letters)}
	n.Service = orders.New(cfg.Service, orders.Deps{
		Repository:    NewRepository(cfg.State),
		Products:      NewProducts(cfg.State, cfg.Seed, cfg.Service.Now, cfg.Service.Logger),
		Journal:       intents{j},
		Bus:           bus{cfg.Bus},
		Payments:      payments{cfg.Peers},
		Notifications: notifications{cfg.Peers},
		Letters:       cfg.Letters,
	})
	consume(n.Consumer, n.Service, cfg.Service.Now)
	return n, nil
}

// Run keeps the journal and drives unfinished orders on until ctx ends; then it lets publishing finish and hands its lanes over.
func (n *Node) Run(ctx context.Context) error {
	stopped := make(chan error, 1)
	journalCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go func() {
		stopped <- fault.Guard(journalCtx, func() error { return n.Journal.Run(journalCtx, n.Service) })
	}()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	n.Service.Drain(drain)
	stop()
	return <-stopped
}

// Ready fails while orders cannot be placed.
func (n *Node) Ready(context.Context) error { return n.Journal.Ready() }

func observer(reg prometheus.Registerer) func(orders.Trigger, orders.Verdict) {
	decisions := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "orders_transitions_total",
		Help: "What the state machine said to each trigger.",
	}, []string{"trigger", "verdict"})
	reg.MustRegister(decisions)
	return func(t orders.Trigger, v orders.Verdict) { decisions.WithLabelValues(string(t), v.String()).Inc() }
}
