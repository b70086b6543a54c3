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
	server, err := gatewayhttp.New(gatewayhttp.Deps{
		Config:      cfg,
		Verifier:    c.UserVerifier(),
		SidecarAddr: c.Sidecar.HTTPAddr(),
		Transport:   c.Sidecar.Transport(),
		Closing:     ctx.Done(),
	})
	if err != nil {
		return err
	}
	server.Routes(c.Router())
	c.Around(server.Around)
	return c.Run(ctx)
}
