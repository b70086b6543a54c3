// Command users runs the users service.
package main

import (
	"context"
	"log/slog"
	"time"

	"sidecart.dev/kit/chassis"
	"sidecart.dev/kit/config"
	"sidecart.dev/kit/fault"
)

func main() { chassis.Main(run) }

func run(ctx context.Context) error {
	var cfg settings
	if err := config.Load(&cfg); err != nil {
		return err
	}
	c, err := chassis.New(ctx, "users", cfg.Config)
	if err != nil {
		return err
	}
	key, err := c.ServiceKey(ctx)
	if err != nil {
		return err
	}
	p, err := assemble(cfg, outside{
		state:    c.Sidecar.State(cfg.StateStore),
		bus:      c.Sidecar.Bus(cfg.PubSub),
		secret:   c.AwaitSecret,
		services: key,
		caller:   c.Sidecar.Caller(key.Authorize),
		metrics:  c.Metrics,
	})
	if err != nil {
		return err
	}
	p.api.Routes(c.ThroughSidecar())
	c.ReadyWhen(p.keys.Ready)
	c.ReadyWhen(p.operatorReady)
	c.ReadyWhen(func(context.Context) error { return p.journal.Ready() })
	c.Background("journal", p.runJournal)
	c.Background("signing keys", p.runKeys)
	c.Background("operator", p.ensureOperator)
	return c.Run(ctx)
}

// insist calls try until it succeeds or ctx ends. Faults that will not pass by themselves are returned.
func insist(ctx context.Context, what string, try func(context.Context) error) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if fault.KindOf(err) == fault.Internal || !fault.KindOf(err).Transient() {
			return err
		}
		slog.InfoContext(ctx, "not yet done: "+what, "error", err.Error())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}
