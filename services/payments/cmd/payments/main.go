// Payments is the payments service.
package main

import (
	"context"

	"sidecart.dev/kit/chassis"
	"sidecart.dev/kit/config"
	"sidecart.dev/kit/service"
	"sidecart.dev/payments"
)

func main() { chassis.Main(run) }

func run(ctx context.Context) error {
	var cfg settings
	if err := config.Load(&cfg); err != nil {
		return err
	}
	s, err := service.New(ctx, payments.App, cfg.Config)
	if err != nil {
		return err
	}
	wire(s, cfg)
	return s.Run(ctx)
}
