package journal

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/sidecartest"
)

func TestAReplicaWithoutALaneIsGivenASpareOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := sidecartest.NewState()
		dying := &link{State: state}
		rec := newRecorder()
		rec.finish = never
		a, stopA := run(t, Config{State: dying, lanes: 2}, newRecorder())
		defer stopA()
		begin(t, a, "left behind")
		dying.cut.Store(true)
		_, stopB := run(t, Config{State: state, lanes: 2}, rec)
		defer stopB()
		time.Sleep(20 * time.Second) // b holds both lanes now, one of them because of the id left behind
		c, stopC := runAnyway(t, Config{State: state, lanes: 2}, newRecorder())
		defer stopC()
		time.Sleep(10 * time.Second)
		if err := c.Ready(); err != nil {
			t.Errorf("the replica that came last is not ready: %v", err)
		}
	})
}

func TestBeginFailsWhileAllLanesAreHeldByLivingReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := sidecartest.NewState()
		_, stopA := run(t, Config{State: state, lanes: 1}, newRecorder())
		defer stopA()
		b, stopB := runAnyway(t, Config{State: state, lanes: 1}, newRecorder())
		defer stopB()
		time.Sleep(time.Minute) // a needs its lane, however long b asks for it
		if _, err := b.Begin(t.Context(), "order"); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Begin without a lane returned %v, want Unavailable", err)
		}
		if err := b.Ready(); !fault.Is(err, fault.Unavailable) {
			t.Errorf("a replica without a lane says of its readiness: %v, want Unavailable", err)
		}
	})
}

func TestAProcessOwnsWhatNobodyElseCanBeOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := sidecartest.NewState()
		open := SettlerFunc(func(context.Context, []Entry) ([]string, error) { return nil, nil })
		failing := &link{State: state}
		a, stopA := run(t, Config{State: failing}, open)
		defer stopA()
		b, stopB := run(t, Config{State: state}, open)
		defer stopB()
		ticket := begin(t, a, "order")
		ticket.Wrote()
		if !a.Owns("order") || b.Owns("order") || a.Owns("another") {
			t.Error("an id is not owned by the one who began it")
		}
		time.Sleep(time.Minute)
		if !a.Owns("order") {
			t.Error("an id is not owned any more, though the lease is renewed")
		}
		failing.cut.Store(true)
		time.Sleep(5 * time.Second) // the lease is 6 s
		if a.Owns("order") {
			t.Error("an id is owned though its lease ends in a moment and cannot be renewed")
		}
		failing.cut.Store(false)
		time.Sleep(time.Minute)
		ticket = begin(t, a, "order 2")
		ticket.Finish()
		if a.Owns("order 2") {
			t.Error("an id that is finished is owned")
		}
		if a.Owns("order") && b.Owns("order") {
			t.Error("an id is owned by two processes that did not both begin it")
		}
	})
}
