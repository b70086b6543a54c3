package main

import (
	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/heard"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/list"
	"sidecart.dev/kit/service"
	"sidecart.dev/payments"
	paymentshttp "sidecart.dev/payments/http"
	"sidecart.dev/payments/peers"
	"sidecart.dev/payments/simulated"
	"sidecart.dev/payments/stripe"
)

// wire says what the service is made of, which events it hears and which routes it has.
func wire(s *service.Service, cfg settings) {
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
	known := heard.New(s.State)
	domain.Hears(known.Registrar(s.Events, payments.TypeUserDeleted))
	paymentshttp.Routes(s.ThroughSidecar, paymentshttp.Guards{
		User: s.Users.Require(), Operator: s.Users.Require(auth.Operator),
		Orders: s.Key.RequireService("orders"), Users: s.Key.RequireService("users"),
		Services: s.Key.RequireService("orders", "users", "notifications", "payments"),
	}, domain, known)
}

func provider(s *service.Service, cfg settings) payments.Provider {
	if cfg.Provider == "stripe" {
		invoke := "http://" + s.Sidecar.HTTPAddr() + "/v1.0/invoke/"
		return stripe.New(stripe.Config{
			BaseURL: invoke + cfg.StripeEndpoint + "/method", Transport: s.Sidecar.Transport(),
		})
	}
	return simulated.New(simulated.Config{State: s.State, SlowDelay: cfg.SlowDelay})
}
