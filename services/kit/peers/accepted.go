// Package peers has the questions that services ask each other through the sidecar, one client for
// each.
package peers

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"sidecart.dev/kit/background"
	"sidecart.dev/kit/sidecar"
)

// maxEvents is the number of events that a service may be asked about in one call.
const maxEvents = 500

// atOnce bounds the calls of one question.
const atOnce = 4

// Accepted asks notifications which of the events it has accepted: their customers will be told,
// whatever happens here. It is [AcceptedBy] of notifications.
func Accepted(ctx context.Context, caller sidecar.Caller, eventIDs []string,
) (map[string]bool, error) {
	return AcceptedBy(ctx, caller, "notifications", eventIDs)
}

// AcceptedBy asks a service which of the events it has accepted: it will do its part, and need
// never be told again. It may be asked about any number of events. What was answered counts also if
// there is an error.
func AcceptedBy(ctx context.Context, caller sidecar.Caller, service string, eventIDs []string,
) (map[string]bool, error) {
	var mu sync.Mutex
	accepted := make(map[string]bool, len(eventIDs))
	parts := slices.Collect(slices.Chunk(eventIDs, maxEvents))
	errs := background.Each(ctx, atOnce, parts, func(part []string) error {
		var answer struct {
			Accepted []string `json:"accepted"`
		}
		path, asked := "/internal/"+service+"/accepted", map[string][]string{"event_ids": part}
		err := caller.Call(ctx, service, http.MethodPost, path, asked, &answer)
		mu.Lock()
		defer mu.Unlock()
		for _, id := range answer.Accepted {
			accepted[id] = true
		}
		return err
	})
	return accepted, errors.Join(errs...)
}
