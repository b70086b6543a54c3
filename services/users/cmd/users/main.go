// Command users runs the users service beside its sidecar. It is configured by the environment; see
// the README.
package main

import (
	"context"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/chassis"
	"sidecart.dev/kit/config"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/service"
	"sidecart.dev/users"
	"sidecart.dev/users/argon2"
	"sidecart.dev/users/http"
	"sidecart.dev/users/peers"
)

func main() { chassis.Main(run) }

func run(ctx context.Context) error {
	var cfg settings
	if err := config.Load(&cfg); err != nil {
		return err
	}
	s, err := service.New(ctx, "users", cfg.Config, service.OwnUsers())
	if err != nil {
		return err
	}
	if err := wire(s, cfg, ctx.Done()); err != nil {
		return err
	}
	return s.Run(ctx)
}

// wire says what the service is made of and which routes it has. It hears no events. Closing is
// closed when the process is about to end.
func wire(s *service.Service, cfg settings, closing <-chan struct{}) error {
	hasher, err := argon2.New(argon2.Params{Memory: cfg.HashMemory, Time: cfg.HashTime, Threads: 1},
		cfg.HashAtOnce, cfg.HashWaiting)
	if err != nil {
		return err
	}
	secret := func(ctx context.Context) (string, error) { return s.Secret(ctx, "token-signing-keys") }
	keys := users.NewKeyRing(secret, s.State, nil)
	domain := users.NewService(users.Config{
		State: s.State, Bus: s.Bus, Journal: s.Intents(), Peers: peers.Peers{Caller: s.Peers},
		Hasher: hasher, Signer: keys, Closing: closing,
	})
	s.Users = auth.NewVerifier(keys, nil)
	s.Settles(users.AccountKind, domain)
	s.Settles(users.ResetKind, journal.SettlerFunc(domain.SettleResets))
	s.Drains(domain.Drain)
	api := &http.API{Service: domain, Keys: keys, Verifier: s.Users, Services: s.Key}
	api.Routes(s.ThroughSidecar())

	first := &operator{secret: s.Secret, service: domain}
	s.ReadyWhen(keys.Ready)
	s.ReadyWhen(first.Ready)
	s.Background("signing keys", func(ctx context.Context) error {
		if err := insist(ctx, "reading the signing keys", keys.Reload); err != nil {
			return err
		}
		return keys.Run(ctx)
	})
	s.Background("operator", first.Run)
	return nil
}
