package payments_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/payments"
)

// TestWhereverItDiesTheMoneyIsRight lets the process die at each of the calls that one message,
// request or round of settling makes, before the call has its effect and after it. Then another
// process goes on: the message is delivered again unless it was acknowledged, and the request is
// made again under its key.
func TestWhereverItDiesTheMoneyIsRight(t *testing.T) {
	place, cancel := (*story).place, (*story).cancel
	refund := func(amount int64) step {
		return func(o *story, ctx context.Context, s *payments.Service) error {
			return o.refund(ctx, s, fmt.Sprint("key", amount), amount)
		}
	}
	for name, c := range map[string]struct {
		method string
		before []step
		dying  step // nil: the settler
	}{
		"placed": {"tok_visa", nil, place},
		"placed, with a provider that loses answers":  {"tok_flaky", nil, place},
		"placed, and declined":                        {"tok_declined", nil, place},
		"placed again":                                {"tok_visa", []step{place}, place},
		"cancelled before it was heard of":            {"tok_visa", nil, cancel},
		"placed after it was cancelled":               {"tok_visa", []step{cancel}, place},
		"cancelled when captured":                     {"tok_visa", []step{place}, cancel},
		"cancelled when declined":                     {"tok_declined", []step{place}, cancel},
		"cancelled when a part was refunded":          {"tok_visa", []step{place, refund(1000)}, cancel},
		"refunded in part":                            {"tok_visa", []step{place}, refund(1000)},
		"refunded":                                    {"tok_visa", []step{place}, refund(0)},
		"refunded after a part was":                   {"tok_visa", []step{place, refund(1000)}, refund(0)},
		"settled when placed":                         {"tok_visa", []step{unfinished(place)}, nil},
		"settled when placed and cancelled":           {"tok_visa", []step{unfinished(place), unfinished(cancel)}, nil},
		"settled when refunded in part":               {"tok_visa", []step{place, unfinished(refund(1000))}, nil},
		"settled when refunded in part and cancelled": {"tok_visa", []step{place, unfinished(refund(1000)), unfinished(cancel)}, nil},
	} {
		for _, prompt := range []time.Duration{0, time.Minute} {
			t.Run(fmt.Sprint(name, ", waiting for the provider for ", prompt), func(t *testing.T) {
				sidecartest.EachDeath(t, func(t *testing.T, n int, after bool) (died bool) {
					w, o := newWorld(), newStory(anOrder(n, c.method))
					w.prompt = prompt
					return w.dieAt(t, o, c.before, c.dying, n, after)
				})
			})
		}
	}
}

// step is something that happens to an order.
type step func(o *story, ctx context.Context, s *payments.Service) error

// unfinished is a step after whose acknowledgement the process is gone: what it would go on to do
// is left to the settler.
func unfinished(f step) step {
	return func(o *story, ctx context.Context, s *payments.Service) error {
		s.Runner, s.Prompt = idle{}, 0
		return f(o, ctx, s)
	}
}

type idle struct{}

func (idle) Go(context.Context, string, func(context.Context)) (<-chan struct{}, bool) {
	return nil, false
}

// dieAt plays the steps, the last of which dies at its n-th call, and reports whether it came to
// that.
func (w *world) dieAt(t *testing.T, o *story, before []step, dying step, n int, after bool) bool {
	t.Helper()
	ctx := context.Background()
	for _, step := range before {
		if err := step(o, ctx, w.replica(func(c *payments.Config) { c.RefundWait = -1 })); err != nil {
			t.Fatalf("before: %v", err)
		}
	}
	if dying == nil {
		dying = func(_ *story, ctx context.Context, s *payments.Service) error { return w.intents.settle(ctx, s, 0) }
	}
	process := &act{name: "dying"}
	w.pass = func(ctx context.Context, call string) (before, after_ error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !isDead(ctx) {
			w.trace = append(w.trace, call)
			if n--; n != 0 {
				return nil, nil
			}
			if process.dead = true; after {
				return nil, errDead
			}
		}
		return errDead, nil
	}
	err := dying(o, context.WithValue(ctx, actKey{}, process), w.replica())
	w.pass = nil
	if err != nil {
		if !process.dead {
			t.Fatalf("without dying: %v", err)
		}
		if err := dying(o, ctx, w.replica()); err != nil {
			w.fatal(t, "again: %v", err)
		}
	}
	w.end(t)
	w.check(t, o)
	checkReport(t, w)
	return process.dead
}
