package notifications_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/notifications"
	"sidecart.dev/notifications/dapr"
)

// TestAFenceIsNotTakenForARecord lets an earlier attempt at the event be fenced off just before the record is inserted. The event must not
// count as accepted then, or its publisher would forget it and nobody would ever be told.
func TestAFenceIsNotTakenForARecord(t *testing.T) {
	w := newWorld(t)
	p := w.start(nil)
	e := example(t, "payment.confirmed.v1", 1)
	id := notifications.RecordID(e.ID)
	var fenced atomic.Bool
	w.state.Before = func(ctx context.Context, op sidecartest.Op, key string) error {
		if op != sidecartest.OpInsert || !strings.HasSuffix(key, id) || fenced.Swap(true) {
			return nil
		}
		_, err := dapr.NewStore(w.state).Fence(ctx, id)
		return err
	}
	if err := p.Accept(t.Context(), e); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Accept of an event that was fenced off returned %v, want Unavailable", err)
	}
	if accepted, err := p.Accepted(t.Context(), []string{e.ID}); err != nil || len(accepted) > 0 {
		t.Errorf("an event without a record counts as accepted: %v, %v", accepted, err)
	}
	p.accept(e) // delivered again
	p.finish()
	if d := w.delivery(e, notifications.Email); d.Status != notifications.Sent {
		t.Errorf("the mail is %s", d.Status)
	}
}
