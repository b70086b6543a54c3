// Command orders runs the orders service beside its sidecar. It is configured by the environment; see the README.
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"time"

	"sidecart.dev/kit/chassis"
	"sidecart.dev/kit/config"
	"sidecart.dev/kit/deadletter"
	"sidecart.dev/kit/journal"
	"sidecart.dev/orders"
	"sidecart.dev/orders/dapr"
	"sidecart.dev/orders/http"
)

// Config is what the service reads from the environment.
type Config struct {
	chassis.Config

	StateStore   string        `env:"STATE_STORE"     envDefault:"orders-store"` // state store component
	PubSub       string        `env:"PUBSUB"          envDefault:"bus"`          // pub/sub component
	ProductsFile string        `env:"PRODUCTS_FILE"`                             // products of the first start; empty: the built-in ones
	Limit        int64         `env:"ORDER_LIMIT"     envDefault:"10000"`        // largest total of an order, in whole units of its currency
	Instance     string        `env:"INSTANCE"`                                  // differs between replicas, the same after a restart; empty: host and port
	DelayedAfter time.Duration `env:"ORDER_DELAYED_AFTER" envDefault:"10s"`      // how long a payment may be undecided before the customer is told that the order has come in
	GroupCommit  bool          `env:"JOURNAL_GROUP_COMMIT" envDefault:"true"`    // orders placed at the same time share a write of the journal

	Limits map[string]int64 `env:"ORDER_LIMITS"` // of single currencies, such as HUF:4000000,JPY:1500000
}

// Validate implements [config.Validator].
func (c *Config) Validate() error {
	err := c.limits().Validate()
	if err != nil {
		err = fmt.Errorf("ORDER_LIMIT and ORDER_LIMITS: %w", err)
	}
	return config.All(c.Config.Validate(), err, config.Positive("ORDER_DELAYED_AFTER", c.DelayedAfter))
}

func (c *Config) limits() orders.Limits {
	limits := orders.DefaultLimits()
	limits.Any = c.Limit
	maps.Copy(limits.ByCurrency, c.Limits)
	return limits
}

func main() { chassis.Main(run) }

// run is the whole service, from the environment to the end of its life.
func run(ctx context.Context) error {
	var cfg Config
	if err := config.Load(&cfg); err != nil {
		return err
	}
	seed, err := readProducts(cfg.ProductsFile)
	if err != nil {
		return err
	}
	c, err := chassis.New(ctx, "orders", cfg.Config)
	if err != nil {
		return err
	}
	key, err := c.ServiceKey(ctx)
	if err != nil {
		return err
	}
	state := c.Sidecar.State(cfg.StateStore)
	letters := deadletter.New(state, "orders")
	node, err := dapr.New(dapr.Config{
		State: state, Bus: c.Sidecar.Bus(cfg.PubSub), Peers: c.Sidecar.Caller(key.Authorize), Letters: letters,
		Service: orders.Config{Limits: cfg.limits(), DelayedAfter: cfg.DelayedAfter}, Seed: seed,
		Journal: journal.Config{Instance: instance(cfg), OneByOne: !cfg.GroupCommit}, Registerer: c.Metrics,
	})
	if err != nil {
		return err
	}
	users, r := c.UserVerifier(), c.ThroughSidecar()
	http.Routes(r, node.Service, users, key)
	letters.Routes(r, users, node.Consumer)
	node.Consumer.Routes(r)
	c.Background("orders", node.Run)
	c.ReadyWhen(node.Ready)
	return c.Run(ctx)
}

// readProducts reads the products of the first start. Later ones are the operators', and the file is not read again.
func readProducts(path string) (orders.Catalogue, error) {
	if path == "" {
		return orders.DefaultCatalogue(), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return orders.Catalogue{}, fmt.Errorf("PRODUCTS_FILE: %w", err)
	}
	defer f.Close()
	catalogue, err := orders.ReadCatalogue(f)
	if err != nil {
		return orders.Catalogue{}, fmt.Errorf("PRODUCTS_FILE: %w", err)
	}
	return catalogue, nil
}

func instance(cfg Config) string {
	if cfg.Instance != "" {
		return cfg.Instance
	}
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s:%d", host, cfg.Port)
}
