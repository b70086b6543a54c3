// Command users runs the users service beside its sidecar. It is configured by the environment; see
// the README.
package main

import (
	"context"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/service"
	"sidecart.dev/users"
	"sidecart.dev/users/argon2"
	"sidecart.dev/users/http"
	"sidecart.dev/users/peers"
)

func main() { service.Main("users", &settings{}, wire, service.OwnUsers()) }

// wire says what the service is made of and which routes it has. It hears no events.
func wire(s *service.Service, cfg *settings) error {
	hasher, err := argon2.New(argon2.Params{Memory: cfg.HashMemory, Time: cfg.HashTime, Threads: 1},
		cfg.HashAtOnce, cfg.HashWaiting)
	if err != nil {
		return err
	}
	secret := func(ctx context.Context) (string, error) { return s.Secret(ctx, "token-signing-keys") }
	keys := users.NewKeyRing(secret, s.State, nil)
	domain := users.NewService(users.Config{
		State: s.State, Bus: s.Bus, Journal: s.Intents(), Peers: peers.Peers{Caller: s.Peers},
		Hasher: hasher, Signer: keys, Closing: s.Closing,
	})
	s.Users = auth.NewVerifier(keys, nil)
	s.Settles(users.AccountKind, domain)
	s.Settles(users.ResetKind, journal.SettlerFunc(domain.SettleResets))
	s.Drains(domain.Drain)
	http.Routes(s.Access(), domain, keys)

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
