package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/sidecar/sidecartest"
)

// link is a process's connection to the store. A cut link is a process that was killed or stands
// still.
type link struct {
	sidecar.State
	cut    atomic.Bool
	before func(op sidecartest.Op, key string) error
	after  func(op sidecartest.Op, key string) error
}

func (l *link) call(op sidecartest.Op, key string, effect func() error) error {
	if l.cut.Load() {
		return errInjected
	}
	if l.before != nil {
		if err := l.before(op, key); err != nil {
			return err
		}
	}
	err := effect()
	if err == nil && l.after != nil {
		err = l.after(op, key)
	}
	return err
}

func (l *link) Get(ctx context.Context, key string) (item sidecar.Item, err error) {
	err = l.call(sidecartest.OpGet, key, func() error { item, err = l.State.Get(ctx, key); return err })
	return item, err
}

func (l *link) BulkGet(ctx context.Context, keys []string) (items map[string]sidecar.Item, err error) {
	err = l.call(sidecartest.OpBulkGet, "", func() error { items, err = l.State.BulkGet(ctx, keys); return err })
	return items, err
}

func (l *link) Insert(ctx context.Context, key string, value []byte, opts ...sidecar.WriteOption) error {
	return l.call(sidecartest.OpInsert, key, func() error { return l.State.Insert(ctx, key, value, opts...) })
}

func (l *link) Update(ctx context.Context, key string, value []byte, etag string, opts ...sidecar.WriteOption) error {
	return l.call(sidecartest.OpUpdate, key, func() error { return l.State.Update(ctx, key, value, etag, opts...) })
}

func (l *link) Delete(ctx context.Context, key, etag string) error {
	return l.call(sidecartest.OpDelete, key, func() error { return l.State.Delete(ctx, key, etag) })
}

func isSegment(key string) bool { return strings.Count(key, "/") == 3 }

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
		time.Sleep(6*time.Second + 15*time.Second + 6*time.Second) // lease, grace, and the periods of looking
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
			t.Errorf("the id begun after the loss was offered %d times to its replica, want once", len(offers))
		}
		if offers, _ := recB.offered("before"); len(offers) != 1 {
			t.Errorf("the id begun before the loss was offered %d times to the new owner, want once", len(offers))
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

func once(op sidecartest.Op) func(sidecartest.Op, string) error {
	var done atomic.Bool
	return func(o sidecartest.Op, key string) error {
		if o == op && isSegment(key) && !done.Swap(true) {
			return errInjected
		}
		return nil
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
		l.after = func(sidecartest.Op, string) error { return errInjected } // writes arrive, answers do not
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

func TestAJournalThatDoesNotRunYetIsUnavailable(t *testing.T) {
	j, err := New(Config{Name: "test", State: sidecartest.NewState()})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Ready(); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Ready before Run returned %v, want Unavailable", err)
	}
}

func TestTheLogStaysShortBehindAStraggler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, rec := sidecartest.NewState(), newRecorder()
		rec.finish = func(e Entry) bool { return e.ID != "straggler" }
		j, stop := run(t, Config{State: state, maxSegments: 10, lease: 3 * time.Second}, rec)
		begin(t, j, "straggler").Wrote()
		for i := range 500 {
			begin(t, j, fmt.Sprint("id-", i)).Finish()
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
		if n := len(segments(state)); n > 30 {
			t.Errorf("after 500 finished ids the store holds %d segments because of one straggler, want at most 30", n)
		}
		if !durable(t, state, "straggler") {
			t.Error("the straggler is not in the store any more")
		}
		stop()
		after := newRecorder()
		_, stop = run(t, Config{State: state, lease: 3 * time.Second}, after)
		defer stop()
		time.Sleep(30 * time.Second)
		offers, _ := after.offered("straggler")
		if len(offers) == 0 || offers[0].Age < 50*time.Second {
			t.Errorf("the next owner was offered the straggler as %+v, want with its real age", offers)
		}
	})
}

func TestALongBacklogIsKeptAndNotWrittenAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, rec := sidecartest.NewState(), newRecorder()
		down := atomic.Bool{}
		down.Store(true)
		rec.finish = func(Entry) bool { return !down.Load() }
		cfg := Config{State: state, maxSegments: 20, maxBackoff: 10 * time.Second, lease: 3 * time.Second, dense: 20, moveLimit: 40}
		j, stop := run(t, cfg, rec)
		for i := range 2000 {
			begin(t, j, fmt.Sprint("id-", i)).Wrote()
			time.Sleep(10 * time.Millisecond)
		}
		written := 0
		for _, key := range segments(state) {
			item, _ := state.Get(t.Context(), key)
			record, _ := decode[segmentRecord](key, item.Value)
			written += len(record.IDs)
		}
		if n := len(segments(state)); written > 6000 || n > 700 {
			t.Errorf("2000 unfinished ids stand in %d segments with %d records", n, written)
		}
		down.Store(false)
		time.Sleep(time.Minute)
		if n := j.Stats().Backlog; n > 0 {
			t.Errorf("%d ids are unfinished a minute after the outage", n)
		}
		if n := len(segments(state)); n > 40 {
			t.Errorf("the store holds %d segments when everything is finished", n)
		}
		stop()
	})
}

func TestFenceStopsEveryWritePreparedBefore(t *testing.T) {
	const tombstone = `{"deleted": true}`
	ctx := context.Background()
	fence := func(t *testing.T, state sidecar.State) (sidecar.Item, bool) {
		t.Helper()
		item, ok, err := Fence(ctx, state, "key", []byte(tombstone), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return item, ok
	}
	t.Run("an insert", func(t *testing.T) {
		state := sidecartest.NewState()
		if _, ok := fence(t, state); ok {
			t.Error("Fence found an aggregate in an empty store")
		}
		if err := state.Insert(ctx, "key", []byte(`{}`)); !sidecar.IsExists(err) {
			t.Errorf("an insert after the fence returned %v", err)
		}
	})
	t.Run("an update of the aggregate", func(t *testing.T) {
		state := sidecartest.NewState()
		_ = state.Insert(ctx, "key", []byte(`{"n":1}`))
		read, _ := state.Get(ctx, "key")
		if item, ok := fence(t, state); !ok || string(item.Value) != `{"n":1}` {
			t.Errorf("Fence found %q, %t; want the aggregate", item.Value, ok)
		}
		if err := state.Update(ctx, "key", []byte(`{"n":2}`), read.ETag); !sidecar.IsConflict(err) {
			t.Errorf("an update after the fence returned %v", err)
		}
	})
	t.Run("an update of a tombstone", func(t *testing.T) {
		state := sidecartest.NewState()
		_ = state.Insert(ctx, "key", []byte("{\"deleted\":\n true}")) // as a store might format it
		read, _ := state.Get(ctx, "key")
		if _, ok := fence(t, state); ok {
			t.Error("Fence took a tombstone for an aggregate")
		}
		if err := state.Update(ctx, "key", []byte(`{"n":2}`), read.ETag); !sidecar.IsConflict(err) {
			t.Errorf("an update after the fence returned %v", err)
		}
	})
	t.Run("but not when the store fails", func(t *testing.T) {
		for _, op := range []sidecartest.Op{sidecartest.OpInsert, sidecartest.OpGet, sidecartest.OpUpdate} {
			state := sidecartest.NewState()
			_ = state.Insert(ctx, "key", []byte(`{}`))
			state.Before = func(_ context.Context, o sidecartest.Op, _ string) error {
				if o == op {
					return errInjected
				}
				return nil
			}
			if _, _, err := Fence(ctx, state, "key", []byte(tombstone), time.Hour); !errors.Is(err, errInjected) {
				t.Errorf("with a failing %s Fence returned %v", op, err)
			}
		}
	})
	t.Run("and gives up when the key never stands still", func(t *testing.T) {
		state := sidecartest.NewState()
		_ = state.Insert(ctx, "key", []byte(`{}`))
		l := &link{State: state}
		l.before = func(op sidecartest.Op, key string) error {
			if op == sidecartest.OpUpdate {
				item, _ := state.Get(ctx, key)
				return state.Update(ctx, key, item.Value, item.ETag)
			}
			return nil
		}
		if _, _, err := Fence(ctx, l, "key", []byte(tombstone), time.Hour); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Fence returned %v, want Unavailable", err)
		}
	})
}

func TestAConfigurationThatCannotWorkIsRefused(t *testing.T) {
	state := sidecartest.NewState()
	for want, cfg := range map[string]Config{
		"Name":     {State: state},
		"State":    {Name: "x"},
		"number":   {Name: "x", State: state, maxBatch: -1},
		"duration": {Name: "x", State: state, lease: -1},
		"lanes":    {Name: "x", State: state, lanes: 2, writers: 3},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New returned %v, want an error about %s", err, want)
		}
	}
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
