package journal

import (
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/sidecartest"
)

func TestAnAppendOfUnknownOutcomeIsResolved(t *testing.T) {
	for name, arrange := range map[string]func(l *link){
		"it took effect":    func(l *link) { l.after = once(sidecartest.OpInsert) },
		"it took no effect": func(l *link) { l.before = once(sidecartest.OpInsert) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				state := sidecartest.NewState()
				l := &link{State: state}
				j, stop := run(t, Config{State: l}, newRecorder())
				defer stop()
				arrange(l)
				begin(t, j, "a").Finish()
				if !durable(t, state, "a") {
					t.Error("Begin succeeded, but no segment holds the id")
				}
			})
		})
	}
}

func TestAStoreThatPanicsIsOneThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := sidecartest.NewState()
		l := &link{State: state}
		j, stop := run(t, Config{State: l}, newRecorder())
		defer stop()
		fails := once(sidecartest.OpInsert)
		l.before = func(op sidecartest.Op, key string) error {
			if fails(op, key) != nil {
				panic("index out of range")
			}
			return nil
		}
		begin(t, j, "a").Finish()
		if !durable(t, state, "a") {
			t.Error("Begin succeeded, but no segment holds the id")
		}
	})
}

func TestAnOutageLeavesNoHoleInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := sidecartest.NewState()
		l := &link{State: state}
		rec := newRecorder()
		j, stop := run(t, Config{State: l}, rec)
		defer stop()
		begin(t, j, "before").Finish()
		// Writes arrive, answers do not.
		l.after = func(sidecartest.Op, string) error { return errInjected }
		if _, err := j.Begin(t.Context(), "unknown"); !fault.Is(err, fault.Unavailable) {
			t.Fatalf("Begin without an answer of the store returned %v, want Unavailable", err)
		}
		l.after = nil
		begin(t, j, "after").Finish()
		time.Sleep(10 * time.Second)
		if offers, _ := rec.offered("unknown"); len(offers) != 1 || offers[0].Fence {
			t.Errorf("the id of the failed Begin was offered as %+v, want once without Fence", offers)
		}
		stop()
		w := &world{state: state, lanes: 16}
		if left := w.liveIDs(); len(left) > 0 || len(w.broken) > 0 {
			t.Errorf("after an orderly stop the log still holds %v %v", left, w.broken)
		}
	})
}
