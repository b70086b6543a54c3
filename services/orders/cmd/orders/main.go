// Command orders runs the orders service beside its sidecar. It is configured by the environment;
// see the README.
package main

import (
	"context"

	"sidecart.dev/kit/chassis"
	"sidecart.dev/kit/config"
	"sidecart.dev/kit/heard"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/service"
	"sidecart.dev/orders"
	"sidecart.dev/orders/http"
	"sidecart.dev/orders/peers"
	"sidecart.dev/orders/store"
)

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
	s, err := service.New(ctx, "orders", cfg.Config)
	if err != nil {
		return err
	}
	wire(s, cfg, seed)
	return s.Run(ctx)
}

// wire says what the service is made of, which events it hears and which routes it has.
func wire(s *service.Service, cfg Config, seed orders.Catalogue) {
	domain := orders.New(cfg.domain(s.Metrics), orders.Deps{
		State: s.State, Bus: s.Bus, Journal: s.Intents(), Ready: s.Journal.Ready,
		Products: store.NewProducts(s.State, seed, nil, nil),
		Payments: peers.Payments{Caller: s.Peers}, Notifications: peers.Notifications{Caller: s.Peers},
		Letters: s.Letters,
	})
	s.Settles(orders.Kind, domain)
	s.Settles(orders.ErasureKind, journal.SettlerFunc(domain.SettleErasures))
	s.Drains(domain.Drain)
	known := heard.New(s.State)
	domain.Hears(known.Registrar(s.Events, orders.UserDeletedEvent))
	http.Routes(s.ThroughSidecar(), domain, s.Users, s.Key, known)
}
