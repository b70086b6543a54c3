package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/users"
	"sidecart.dev/users/argon2"
	"sidecart.dev/users/dapr"
	"sidecart.dev/users/http"
)

// outside is everything the service reaches beyond its own process; a test gives fakes.
type outside struct {
	state    sidecar.State
	bus      sidecar.Publisher
	secret   func(ctx context.Context, name string) (string, error)
	services *auth.ServiceKey
	caller   sidecar.Caller
	metrics  prometheus.Registerer
}

// program is the assembled service.
type program struct {
	outside
	service *users.Service
	keys    *users.KeyRing
	journal *journal.Journal
	api     *http.API
	// operator is true once the first operator can log in.
	operator atomic.Bool
}

func assemble(cfg settings, out outside) (*program, error) {
	hasher, err := argon2.New(argon2.Params{Memory: cfg.HashMemory, Time: cfg.HashTime, Threads: 1}, cfg.HashAtOnce, cfg.HashWaiting)
	if err != nil {
		return nil, err
	}
	j, err := journal.New(journal.Config{Name: "users", State: out.state, Instance: cfg.Instance, Registerer: out.metrics})
	if err != nil {
		return nil, err
	}
	p := &program{outside: out, journal: j}
	p.keys = users.NewKeyRing(func(ctx context.Context) (string, error) { return out.secret(ctx, "token-signing-keys") },
		dapr.NewDocs[users.PublishedKeys](out.state, "signing-keys"), nil)
	p.service = users.NewService(users.Config{
		Users:     dapr.NewDocs[users.User](out.state, "user"),
		Claims:    dapr.NewDocs[users.Claim](out.state, "email"),
		Sessions:  dapr.NewDocs[users.Session](out.state, "session"),
		Attempts:  dapr.NewDocs[users.Attempts](out.state, "attempts"),
		Networks:  dapr.NewDocs[users.KnownNetwork](out.state, "network"),
		Endings:   dapr.NewDocs[users.Ended](out.state, "ended"),
		Journal:   dapr.Journal{Journal: j},
		Announcer: dapr.Announcer{Bus: out.bus},
		Peers:     dapr.Peers{Caller: out.caller},
		Hasher:    hasher,
		Signer:    p.keys,
	})
	p.api = &http.API{Service: p.service, Keys: p.keys, Verifier: auth.NewVerifier(p.keys, nil), Services: out.services}
	return p, nil
}

// runJournal settles what is unfinished, and on shutdown waits for the announcements under way.
func (p *program) runJournal(ctx context.Context) error {
	defer p.service.Wait()
	return p.journal.Run(ctx, p.service)
}

// runKeys reads the signing keys, and reads them again now and then.
func (p *program) runKeys(ctx context.Context) error {
	if err := insist(ctx, "reading the signing keys", p.keys.Reload); err != nil {
		return err
	}
	return p.keys.Run(ctx)
}

// operatorReady returns nil once the first operator can log in: whoever starts the system is told that login as soon as it is ready.
func (p *program) operatorReady(context.Context) error {
	if !p.operator.Load() {
		return fault.New(fault.Unavailable, "unavailable", "The first operator is not there yet.")
	}
	return nil
}

// ensureOperator makes the first operator.
func (p *program) ensureOperator(ctx context.Context) error {
	email, err := p.secret(ctx, "operator-email")
	if err != nil {
		return fmt.Errorf("secret operator-email: %w", err)
	}
	password, err := p.secret(ctx, "operator-password")
	if err != nil {
		return fmt.Errorf("secret operator-password: %w", err)
	}
	err = insist(ctx, "making the first operator", func(ctx context.Context) error {
		return p.service.EnsureOperator(ctx, email, password)
	})
	p.operator.Store(err == nil)
	return err
}
