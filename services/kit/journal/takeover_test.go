package journal

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/sidecartest"
)

func TestAnotherReplicaFinishesWhatAKilledOneBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := sidecartest.NewState()
		dying := &link{State: state}
		a, stopA := run(t, Config{State: dying}, newRecorder())
		defer stopA()
		rec := newRecorder()
		_, stopB := run(t, Config{State: state}, rec)
		defer stopB()
		begin(t, a, "order")
		time.Sleep(time.Second)
		dying.cut.Store(true)
		lease, grace, looking := 6*time.Second, 15*time.Second, 6*time.Second
		time.Sleep(lease + grace + looking)
		offers, at := rec.offered("order")
		if len(offers) != 1 || !offers[0].Fence {
			t.Fatalf("the id was offered to the other replica as %+v, want once with Fence", offers)
		}
		if at[0] < 15*time.Second {
			t.Errorf("the id was offered after %v, while its handler might still have been at work", at[0])
		}
	})
}

func TestAStoppedReplicaHandsItsWorkOverAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := sidecartest.NewState()
		a, stopA := run(t, Config{State: state, lease: time.Hour, grace: time.Second}, newRecorder())
		begin(t, a, "order").Wrote()
		stopA()
		rec := newRecorder()
		b, stopB := run(t, Config{State: state, lease: time.Hour, grace: time.Second}, rec)
		defer stopB()
		begin(t, b, "another").Finish()
		time.Sleep(3 * time.Second)
		if offers, _ := rec.offered("order"); len(offers) != 1 {
			t.Errorf("the id was offered %d times, want once, without waiting for the lease", len(offers))
		}
	})
}

func TestASuccessorOfTheSameInstanceNeedNotWaitForTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := sidecartest.NewState()
		dying := &link{State: state}
		cfg := Config{State: dying, lease: time.Hour, grace: time.Second, Instance: "pod-1"}
		a, stopA := run(t, cfg, newRecorder())
		defer stopA()
		begin(t, a, "order")
		dying.cut.Store(true)
		rec := newRecorder()
		cfg.State = state
		_, stopB := run(t, cfg, rec)
		defer stopB()
		time.Sleep(3 * time.Second)
		if offers, _ := rec.offered("order"); len(offers) != 1 {
			t.Errorf("the id was offered %d times, want once, without waiting for the lease", len(offers))
		}
	})
}

func TestAReplicaThatLosesItsLaneGoesOnWithAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := sidecartest.NewState()
		frozen, recA, recB := &link{State: state}, newRecorder(), newRecorder()
		a, stopA := run(t, Config{State: frozen}, recA)
		defer stopA()
		begin(t, a, "before").Wrote()
		frozen.cut.Store(true)
		_, stopB := run(t, Config{State: state}, recB)
		defer stopB()
		time.Sleep(15 * time.Second) // b takes a's lane over
		if _, err := a.Begin(t.Context(), "meanwhile"); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Begin with an expired lease returned %v, want Unavailable", err)
		}
		if a.Ready() == nil {
			t.Error("a replica whose lease has run out says that it is ready")
		}
		frozen.cut.Store(false)
		begin(t, a, "after").Wrote()
		if !durable(t, state, "after") {
			t.Error("Begin succeeded after the loss of the lane, but no segment holds the id")
		}
		time.Sleep(30 * time.Second)
		if offers, _ := recA.offered("after"); len(offers) != 1 {
			t.Errorf("the id begun after the loss was offered %d times to its replica, want once",
				len(offers))
		}
		if offers, _ := recB.offered("before"); len(offers) != 1 {
			t.Errorf("the id begun before the loss was offered %d times to the new owner, want once",
				len(offers))
		}
	})
}

// TestALateAppendMeetsTheFence is the case that claims are kept for: an append that is under way
// while another replica takes the lane over, finishes everything and deletes the log.
func TestALateAppendMeetsTheFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := sidecartest.NewState()
		slow := &link{State: state}
		held := make(chan struct{})
		slow.before = func(op sidecartest.Op, key string) error {
			if op == sidecartest.OpInsert && isSegment(key) && durable(t, state, "first") {
				<-held
			}
			return nil
		}
		a, stopA := run(t, Config{State: slow}, newRecorder())
		defer stopA()
		release := sync.OnceFunc(func() { close(held) })
		defer release()
		begin(t, a, "first").Finish()
		result := make(chan error, 1)
		go func() {
			_, err := a.Begin(t.Context(), "late")
			result <- err
		}()
		synctest.Wait()
		slow.cut.Store(true)
		b, stopB := run(t, Config{State: state}, newRecorder())
		defer stopB()
		time.Sleep(2 * time.Minute) // b takes the lane over, finishes all and sweeps it
		if b.Stats().Backlog > 0 || durable(t, state, "first") {
			t.Fatal("the test is not where it wants to be: the old segment still stands")
		}
		slow.cut.Store(false)
		release()
		if err := <-result; err != nil {
			t.Fatalf("Begin returned %v, want success through another lane", err)
		}
		live := (&world{state: state, lanes: 16}).liveAnywhere("late")
		if !live {
			t.Error("Begin succeeded, but the id stands where nobody will ever read it")
		}
	})
}

func (w *world) liveAnywhere(id string) bool {
	for n := range w.lanes {
		item, err := w.state.Get(context.Background(), fmt.Sprintf("journal/test/%d", n))
		if err != nil {
			continue
		}
		h, _ := decode[head]("", item.Value)
		for seq := h.Low; ; seq++ {
			item, err := w.state.Get(context.Background(), fmt.Sprintf("journal/test/%d/%d", n, seq))
			if err != nil {
				break
			}
			if strings.Contains(string(item.Value), `"`+id+`"`) {
				return true
			}
		}
	}
	return false
}
