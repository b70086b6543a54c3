// Package heard remembers which events a service has accepted, and answers whoever published them:
// they may be forgotten there. It is for events that leave no document of their own behind, and
// that are few, since each costs one write.
package heard

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"

	"sidecart.dev/kit/background"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/web"
)

const (
	maxEvents  = 500 // of one question
	maxEventID = 256
	atOnce     = 8 // reads of the store for one question

	// life is how long an event is remembered. Who publishes asks within seconds. Should it ask later
	// than this, the event is published once more, and its handler has to bear that as it has to bear
	// every repetition.
	life = 30 * 24 * time.Hour
)

// Events are the events that one service has accepted. It is safe for concurrent use.
type Events struct{ state sidecar.State }

// New keeps the events in a service's store.
func New(state sidecar.State) *Events { return &Events{state: state} }

// Noting returns the handler, after which an event is remembered: when it returns nil, both is
// done.
func (s *Events) Noting(h event.Handler) event.Handler {
	return func(ctx context.Context, e event.Event) error {
		if err := h(ctx, e); err != nil {
			return err
		}
		return s.note(ctx, e)
	}
}

// Registrar registers handlers at another registrar. Those of the named event types remember what
// they have accepted.
func (s *Events) Registrar(r event.Registrar, eventTypes ...string) event.Registrar {
	noted := map[string]bool{}
	for _, t := range eventTypes {
		noted[t] = true
	}
	return registrar{to: r, events: s, noted: noted}
}

type registrar struct {
	to     event.Registrar
	events *Events
	noted  map[string]bool
}

func (r registrar) On(topic, eventType string, h event.Handler) {
	if r.noted[eventType] {
		h = r.events.Noting(h)
	}
	r.to.On(topic, eventType, h)
}

func key(eventID string) string { return "heard/" + eventID }

func (s *Events) note(ctx context.Context, e event.Event) error {
	raw, err := json.Marshal(map[string]string{"type": e.Type})
	if err != nil {
		return err
	}
	err = s.state.Insert(ctx, key(e.ID), raw, sidecar.WithTTL(life))
	if sidecar.IsExists(err) {
		return nil
	}
	return err
}

// Accepted returns those of the events that were accepted.
func (s *Events) Accepted(ctx context.Context, eventIDs []string) ([]string, error) {
	var unknown sync.Map
	errs := background.Each(ctx, atOnce, eventIDs, func(id string) error {
		_, err := s.state.Get(ctx, key(id))
		if sidecar.IsMissing(err) {
			unknown.Store(id, true)
			return nil
		}
		return err
	})
	if len(errs) > 0 {
		return nil, errs[0]
	}
	accepted := []string{}
	for _, id := range eventIDs {
		if _, is := unknown.Load(id); !is {
			accepted = append(accepted, id)
		}
	}
	return accepted, nil
}

// Answer answers the question which events are accepted:
// {"event_ids": […≤500]} → {"accepted": […]}.
func Answer(accepted func(ctx context.Context, eventIDs []string) ([]string, error)) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var in struct {
			EventIDs []string `json:"event_ids"`
		}
		if err := web.Decode(r, &in); err != nil {
			return err
		}
		if len(in.EventIDs) > maxEvents {
			return wrong("must not have more than " + strconv.Itoa(maxEvents) + " ids")
		}
		for _, id := range in.EventIDs {
			if id == "" || len(id) > maxEventID {
				return wrong("must have ids of 1 to " + strconv.Itoa(maxEventID) + " characters")
			}
		}
		known, err := accepted(r.Context(), in.EventIDs)
		if err != nil {
			return err
		}
		return web.WriteJSON(w, http.StatusOK, map[string][]string{"accepted": known})
	}
}

func wrong(message string) error {
	return fault.InvalidField("event_ids", message)
}
