package journal

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/sidecar/sidecartest"
)

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
			t.Errorf("after 500 finished ids the store holds %d segments because of one straggler, "+
				"want at most 30", n)
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
		cfg := Config{
			State: state, maxSegments: 20, maxBackoff: 10 * time.Second, lease: 3 * time.Second,
			dense: 20, moveLimit: 40,
		}
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
