// Package peers has the questions that services ask each other through the sidecar, one client for each.
package peers

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// maxEvents is the number of events that notifications may be asked about in one call.
const maxEvents = 500

// atOnce bounds the calls of one question.
const atOnce = 4

// Accepted asks notifications which of the events it has accepted: their customers will be told, whatever happens here. It may be asked
// about any number of events. What was answered counts also if there is an error.
func Accepted(ctx context.Context, caller sidecar.Caller, eventIDs []string) (map[string]bool, error) {
	var (
		mu       sync.Mutex
		errs     []error
		accepted = make(map[string]bool, len(eventIDs))
		slots    = make(chan struct{}, atOnce)
		calls    sync.WaitGroup
	)
	for part := range slices.Chunk(eventIDs, maxEvents) {
		slots <- struct{}{}
		calls.Go(func() {
			defer func() { <-slots }()
			var answer struct {
				Accepted []string `json:"accepted"`
			}
			err := fault.Guard(ctx, func() error {
				asked := map[string][]string{"event_ids": part}
				return caller.Call(ctx, "notifications", http.MethodPost, "/internal/notifications/accepted", asked, &answer)
			})
			mu.Lock()
			defer mu.Unlock()
			for _, id := range answer.Accepted {
				accepted[id] = true
			}
			errs = append(errs, err)
		})
	}
	calls.Wait()
	return accepted, errors.Join(errs...)
}
