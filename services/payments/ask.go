package payments

import (
	"context"
	"fmt"
	"time"

	"sidecart.dev/kit/tracing"
)

// quickTries is how often a call to the provider is made before it is left to the settler, and
// firstPause the first pause between them, which doubles.
const (
	quickTries = 4
	firstPause = 100 * time.Millisecond
)

// ask calls the provider, and asks again with the same key while the outcome is unknown.
func ask[Q, A any](
	ctx context.Context, s *Service, operation string, question Q,
	call func(context.Context, Q) (A, error),
) (answer A, err error) {
	for try := range quickTries {
		if try > 0 && s.Wait(ctx, firstPause<<(try-1)) != nil {
			break
		}
		answer, err = askOnce(ctx, s, s.ProviderTimeout, operation, question, call)
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return answer, fmt.Errorf("provider: %s: %w", operation, err)
	}
	return answer, nil
}

// askOnce calls the provider, and waits no longer than the limit. An error leaves the outcome
// unknown.
func askOnce[Q, A any](
	ctx context.Context, s *Service, limit time.Duration, operation string, question Q,
	call func(context.Context, Q) (A, error),
) (A, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ctx, end := tracing.StartCall(ctx, "provider", operation)
	start := time.Now()
	answer, err := call(ctx, question)
	outcome := "answered"
	if err != nil {
		outcome = "unknown"
	}
	s.Seen(operation, outcome, time.Since(start))
	end(err)
	return answer, err
}

func (p *Payment) charge() Charge {
	return Charge{
		Key: p.ID, OrderID: p.OrderID, Amount: p.Amount, Method: p.Method, CreatedAt: p.CreatedAt,
	}
}
