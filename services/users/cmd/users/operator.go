package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/users"
)

// operator makes the first operator, from the secret store.
type operator struct {
	secret  func(ctx context.Context, name string) (string, error)
	service *users.Service
	done    atomic.Bool
}

// Ready returns nil once the first operator can log in: whoever starts the system is told that
// login as soon as it is ready.
func (o *operator) Ready(context.Context) error {
	if !o.done.Load() {
		return fault.New(fault.Unavailable, "unavailable", "The first operator is not there yet.")
	}
	return nil
}

// Run makes the operator's account, and ends when it is there.
func (o *operator) Run(ctx context.Context) error {
	email, err := o.secret(ctx, "operator-email")
	if err != nil {
		return fmt.Errorf("secret operator-email: %w", err)
	}
	password, err := o.secret(ctx, "operator-password")
	if err != nil {
		return fmt.Errorf("secret operator-password: %w", err)
	}
	err = insist(ctx, "making the first operator", func(ctx context.Context) error {
		return o.service.EnsureOperator(ctx, email, password)
	})
	o.done.Store(err == nil)
	return err
}

// insist calls try until it succeeds or ctx ends. Faults that will not pass by themselves are
// returned.
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
