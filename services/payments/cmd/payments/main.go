// Command payments runs the payments service beside its sidecar. It is configured by the
// environment; see the README.
package main

import (
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/list"
	"sidecart.dev/kit/service"
	"sidecart.dev/payments"
	"sidecart.dev/payments/http"
	"sidecart.dev/payments/peers"
	"sidecart.dev/payments/simulated"
	"sidecart.dev/payments/stripe"
)

func main() { service.Main(payments.App, &settings{}, wire) }

// wire says what the service is made of, which events it hears and which routes it has.
func wire(s *service.Service, cfg *settings) error {
	pool := payments.NewPool(cfg.MaxCharges)
	domain := payments.NewService(payments.Config{
		State: s.State, Journal: s.Intents(), Bus: s.Bus, Peers: peers.Peers{Caller: s.Peers},
		Provider: provider(s, cfg), Runner: pool, Letters: s.Letters,
		Index:           list.New(list.Config{State: s.State, Window: cfg.BatchWindow}),
		ProviderTimeout: cfg.ProviderTimeout, Prompt: cfg.prompt(), GiveUpAfter: cfg.GiveUpAfter,
		Seen:      providerMetrics(s.Metrics, pool.Running),
		Attention: attentionMetric(s.Metrics), Decided: outcomeMetric(s.Metrics),
	})
	s.Settles(payments.PaymentKind, domain)
	s.Settles(payments.ErasureKind, journal.SettlerFunc(domain.SettleErasures))
	s.Drains(pool.Drain)
	domain.Hears(s.Remembering("users", payments.TypeUserDeleted))
	http.Routes(s.Access(), domain)
	return nil
}

func provider(s *service.Service, cfg *settings) payments.Provider {
	if cfg.Provider == "stripe" {
		return stripe.New(stripe.Config{
			BaseURL:   "http://" + s.Sidecar.HTTPAddr() + "/v1.0/invoke/" + cfg.StripeEndpoint + "/method",
			Transport: s.Sidecar.Transport(),
		})
	}
	return simulated.New(simulated.Config{State: s.State, SlowDelay: cfg.SlowDelay})
}
