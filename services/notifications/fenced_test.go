package notifications_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/notifications"
)

// TestAFenceIsNotTakenForARecord lets an earlier attempt at the event be fenced off just before the
// record is inserted. The event must not count as accepted then, or its publisher would forget it
// and nobody would ever be told.
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
		_, exists, err := journal.Fence(ctx, w.state, key, []byte(`{"tombstone":true}`), time.Hour)
		if exists {
			t.Error("there is a record already")
		}
		other := w.start(nil) // another replica is asked
		if accepted, err := other.Accepted(ctx, []string{e.ID}); err != nil || len(accepted) > 0 {
			t.Errorf("an event without a record counts as accepted: %v, %v", accepted, err)
		}
		return err
	}
	p.accept(e)
	if !fenced.Load() {
		t.Fatal("nothing was fenced")
	}
	if _, ok := w.stored(e); !ok {
		t.Fatal("the event is acknowledged, and there is no record")
	}
	p.finish()
	if d := w.delivery(e, notifications.Email); d.Status != notifications.Sent {
		t.Errorf("the mail is %s", d.Status)
	}
}

// TestAStalledInsertIsFenced lets a process stand still when it is about to insert a record, while
// another one takes its intent over, finds no record and forgets it. What the first one inserts
// then must not be a record that nobody remembers: it dies before its messages are sent.
func TestAStalledInsertIsFenced(t *testing.T) {
	w := newWorld(t)
	w.setOutage(notifications.Email, errRefused)
	p := w.start(nil)
	e := example(t, "payment.confirmed.v1", 1)
	var stalled atomic.Bool
	w.state.Before = func(_ context.Context, op sidecartest.Op, key string) error {
		about := strings.HasSuffix(key, notifications.RecordID(e.ID))
		if op == sidecartest.OpInsert && about && !stalled.Swap(true) {
			w.journal.TakeOver()
			w.start(nil).settle()
			if n := w.unfinished(); n > 0 {
				t.Errorf("%d intents without a record are left", n)
			}
		}
		return nil
	}
	p.accept(e)
	if !stalled.Load() {
		t.Fatal("nothing stood still")
	}
	p.kill()
	w.setOutage(notifications.Email, nil)
	w.journal.TakeOver()
	w.start(nil).finish()
	if d := w.delivery(e, notifications.Email); d.Status != notifications.Sent {
		t.Errorf("the mail is %s: its intent was forgotten", d.Status)
	}
}
