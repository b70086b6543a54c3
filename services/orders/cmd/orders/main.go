// Command orders runs the orders service beside its sidecar. It is configured by the environment;
// see the README.
package main

import (
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/service"
	"sidecart.dev/orders"
	"sidecart.dev/orders/http"
	"sidecart.dev/orders/peers"
	"sidecart.dev/orders/store"
)

func main() { service.Main("orders", &Config{}, wire) }

// wire says what the service is made of, which events it hears and which routes it has.
func wire(s *service.Service, cfg *Config) error {
	seed, err := readProducts(cfg.ProductsFile)
	if err != nil {
		return err
	}
	domain := orders.New(cfg.domain(s.Metrics), orders.Deps{
		State: s.State, Bus: s.Bus, Journal: s.Intents(), Ready: s.Journal.Ready,
		Products: store.NewProducts(s.State, seed, nil, nil),
		Payments: peers.Payments{Caller: s.Peers}, Notifications: peers.Notifications{Caller: s.Peers},
		Letters: s.Letters,
	})
	s.Settles(orders.Kind, domain)
	s.Settles(orders.ErasureKind, journal.SettlerFunc(domain.SettleErasures))
	s.Drains(domain.Drain)
	domain.Hears(s.Remembering("users", orders.UserDeletedEvent))
	http.Routes(s.Access(), domain)
	return nil
}
