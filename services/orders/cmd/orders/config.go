package main

import (
	"fmt"
	"maps"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidecart.dev/kit/config"
	"sidecart.dev/kit/service"
	"sidecart.dev/orders"
)

// Config is what the service reads from the environment.
type Config struct {
	service.Config

	// ProductsFile has the products of the first start. Empty: the built-in ones.
	ProductsFile string `env:"PRODUCTS_FILE"`
	// Limit is the largest total of an order, in whole units of its currency.
	Limit int64 `env:"ORDER_LIMIT" envDefault:"10000"`
	// Limits are those of single currencies, such as HUF:4000000,JPY:1500000.
	Limits map[string]int64 `env:"ORDER_LIMITS"`
	// DelayedAfter is how long a payment may be undecided before the customer is told that the order
	// has come in.
	DelayedAfter time.Duration `env:"ORDER_DELAYED_AFTER" envDefault:"10s"`
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

func (c *Config) domain(reg prometheus.Registerer) orders.Config {
	return orders.Config{
		Limits: c.limits(), DelayedAfter: c.DelayedAfter,
		Observe: transitionMetric(reg), Finished: finishMetric(reg),
	}
}

// readProducts reads the products of the first start. Later ones are the operators', and the file
// is not read again.
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
