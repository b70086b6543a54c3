package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/chassis"
	"sidecart.dev/kit/consumer"
	"sidecart.dev/kit/deadletter"
	"sidecart.dev/kit/heard"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/list"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/payments"
	"sidecart.dev/payments/dapr"
	paymentshttp "sidecart.dev/payments/http"
	"sidecart.dev/payments/simulated"
	"sidecart.dev/payments/stripe"
)

// outside is everything beyond this process, so that a test can put fakes in its place.
type outside struct {
	state     sidecar.State
	publisher sidecar.Publisher
	caller    sidecar.Caller
	transport http.RoundTripper // to the sidecar's HTTP API, at address
	address   string
	verifier  *auth.Verifier
}

func connect(c *chassis.Chassis, cfg settings, key *auth.ServiceKey) outside {
	return outside{
		state: c.Sidecar.State(cfg.StateStore), publisher: c.Sidecar.Bus(cfg.PubSub), caller: c.Sidecar.Caller(key.Authorize),
		transport: c.Sidecar.Transport(), address: c.Sidecar.HTTPAddr(), verifier: c.UserVerifier(),
	}
}

// host is what the wiring needs of a chassis.
type host interface {
	ThroughSidecar() *mux.Router
	Background(name string, run func(context.Context) error)
	ReadyWhen(check func(context.Context) error)
}

// wire makes the service of its parts.
func wire(c *chassis.Chassis, cfg settings, key *auth.ServiceKey, out outside) error {
	return assemble(c, c.Metrics, cfg, key, out)
}

// poolGrace is how long charges under way may take to finish when the service stops.
const poolGrace = 4 * time.Second

func assemble(c host, metrics prometheus.Registerer, cfg settings, key *auth.ServiceKey, out outside) error {
	intents, err := journal.New(journal.Config{
		Name: "payments", State: out.state, Instance: cfg.Instance, Registerer: metrics, Logger: slog.Default(),
		OneByOne: !cfg.GroupCommit,
	})
	if err != nil {
		return err
	}
	letters := deadletter.New(out.state, payments.App)
	pool := payments.NewPool(cfg.MaxCharges)
	service := payments.NewService(payments.Config{
		Store: dapr.NewStore(out.state), Intents: dapr.Intents{Journal: intents}, Bus: dapr.Bus{Publisher: out.publisher},
		Notifier: dapr.Notifier{Caller: out.caller}, Orders: dapr.Orders{Caller: out.caller}, Provider: provider(cfg, out),
		Index: dapr.NewIndex(list.New(list.Config{State: out.state})), Runner: pool, Letters: letters,
		ProviderTimeout: cfg.ProviderTimeout, GiveUpAfter: cfg.GiveUpAfter, Seen: dapr.ProviderMetrics(metrics, pool.Running),
		Attention: dapr.AttentionMetric(metrics),
	})

	consumer := consumer.New(payments.App, letters)
	known := heard.New(out.state)
	dapr.Subscribe(known.Registrar(consumer, dapr.UserDeleted), service)
	paymentshttp.HeardRoutes(c.ThroughSidecar, key.RequireService("users"), known)
	consumer.Routes(c.ThroughSidecar())
	letters.Routes(c.ThroughSidecar(), out.verifier, consumer)
	paymentshttp.Routes(c.ThroughSidecar, paymentshttp.Guards{
		User: out.verifier.Require(), Operator: out.verifier.Require(auth.Operator),
		Orders: key.RequireService("orders"), Services: key.RequireService("orders", "users", "notifications", "payments"),
	}, service)

	c.Background("journal", func(ctx context.Context) error { return intents.Run(ctx, service) })
	c.Background("charges", func(ctx context.Context) error { return pool.Run(ctx, poolGrace) })
	c.ReadyWhen(func(context.Context) error { return intents.Ready() })
	return nil
}

func provider(cfg settings, out outside) payments.Provider {
	if cfg.Provider == "stripe" {
		return stripe.New(stripe.Config{
			BaseURL: "http://" + out.address + "/v1.0/invoke/" + cfg.StripeEndpoint + "/method", Transport: out.transport,
		})
	}
	return simulated.New(simulated.Config{State: out.state, SlowDelay: cfg.SlowDelay})
}
