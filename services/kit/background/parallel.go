package background

import (
	"context"
	"sync"

	"sidecart.dev/kit/fault"
)

// Beside starts work whose caller goes on meanwhile. The function that it returns waits for the
// work to end, and returns its error; it is called once. A panic is an Internal fault.
func Beside(ctx context.Context, work func() error) (wait func() error) {
	ended := make(chan error, 1)
	go func() { ended <- fault.Guard(ctx, work) }()
	return func() error { return <-ended }
}

// Each does work for every item, at most limit of them at once, and returns the errors there were
// when all is done. What fails for one item keeps no other from being worked on. A panic is an
// Internal fault.
func Each[I any](ctx context.Context, limit int, items []I, work func(item I) error) []error {
	var (
		all   sync.WaitGroup
		mu    sync.Mutex
		errs  []error
		slots = make(chan struct{}, limit)
	)
	for _, item := range items {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if err := fault.Guard(ctx, func() error { return work(item) }); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	all.Wait()
	return errs
}
