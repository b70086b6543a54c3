// Command gateway is the only way into the system.
package main

import (
	"context"

	"sidecart.dev/gateway"
	gatewayhttp "sidecart.dev/gateway/http"
	"sidecart.dev/kit/chassis"
	"sidecart.dev/kit/config"
)

func main() { chassis.Main(run) }

func run(ctx context.Context) error {
	var cfg gateway.Config
	if err := config.Load(&cfg); err != nil {
		return err
	}
	c, err := chassis.New(ctx, "gateway", cfg.Config)
	if err != nil {
		return err
	}
	if err := wire(c, cfg, ctx.Done()); err != nil {
		return err
	}
	return c.Run(ctx)
}

// wire says what the gateway answers. closing is closed when the program is about to end.
func wire(c *chassis.Chassis, cfg gateway.Config, closing <-chan struct{}) error {
	server, err := gatewayhttp.New(gatewayhttp.Deps{
		Config:      cfg,
		Verifier:    c.UserVerifier(),
		SidecarAddr: c.Sidecar.HTTPAddr(),
		Transport:   c.Sidecar.Transport(),
		Closing:     closing,
	})
	if err != nil {
		return err
	}
	server.Routes(c.Router())
	c.Around(server.Around)
	return nil
}
