// Payments is the payments service.
package main

import (
	"context"

	"sidecart.dev/kit/chassis"
	"sidecart.dev/kit/config"
)

func main() { chassis.Main(run) }

func run(ctx context.Context) error {
	var cfg settings
	if err := config.Load(&cfg); err != nil {
		return err
	}
	c, err := chassis.New(ctx, "payments", cfg.Config)
	if err != nil {
		return err
	}
	key, err := c.ServiceKey(ctx)
	if err != nil {
		return err
	}
	if err := wire(c, cfg, key, connect(c, cfg, key)); err != nil {
		return err
	}
	return c.Run(ctx)
}
