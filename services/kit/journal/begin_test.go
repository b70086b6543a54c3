package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/sidecartest"
)

func TestAJournalThatDoesNotRunYetIsUnavailable(t *testing.T) {
	j, err := New(Config{Name: "test", State: sidecartest.NewState()})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Ready(); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Ready before Run returned %v, want Unavailable", err)
	}
}

func TestBeginMakesTheIDDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := sidecartest.NewState()
		j, stop := run(t, Config{State: state}, newRecorder())
		defer stop()
		before := state.Calls(sidecartest.OpInsert)
		ticket := begin(t, j, "a")
		defer ticket.Release()
		if !durable(t, state, "a") {
			t.Error("Begin returned, but no segment holds the id")
		}
		if n := state.Calls(sidecartest.OpInsert) - before; n != 1 {
			t.Errorf("one Begin cost %d inserts, want 1", n)
		}
	})
}

func TestBeginsThatArriveDuringAnAppendShareTheNext(t *testing.T) {
	for batch, want := range map[int]int{1: 100, 256: 2} {
		synctest.Test(t, func(t *testing.T) {
			state := sidecartest.NewState()
			j, stop := run(t, Config{State: state, maxBatch: batch}, newRecorder())
			defer stop()
			before := state.Calls(sidecartest.OpInsert)
			state.Before = func(_ context.Context, op sidecartest.Op, _ string) error {
				if op == sidecartest.OpInsert {
					time.Sleep(time.Millisecond)
				}
				return nil
			}
			var wg sync.WaitGroup
			for i := range 100 {
				wg.Go(func() { begin(t, j, fmt.Sprint("id-", i)).Finish() })
			}
			wg.Wait()
			if n := state.Calls(sidecartest.OpInsert) - before; n > want {
				t.Errorf("with MaxBatch %d, 100 concurrent Begins cost %d inserts, want at most %d",
					batch, n, want)
			}
		})
	}
}

func TestBeginRefusesWhatCannotBeRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, rec := sidecartest.NewState(), newRecorder()
		rec.finish = never
		j, err := New(Config{Name: "test", State: state})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := j.Begin(t.Context(), "early"); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Begin before Run returned %v, want Unavailable", err)
		}
		j, stop := run(t, Config{State: state, maxBacklog: 3}, rec)
		for _, id := range []string{"", strings.Repeat("x", 257)} {
			if _, err := j.Begin(t.Context(), id); !fault.Is(err, fault.Invalid) {
				t.Errorf("Begin of an id of %d bytes returned %v, want Invalid", len(id), err)
			}
		}
		for i := range 3 {
			begin(t, j, fmt.Sprint("id-", i)).Wrote()
		}
		var f *fault.Error
		_, err = j.Begin(t.Context(), "one more")
		if !errors.As(err, &f) || f.Kind != fault.Unavailable || f.RetryAfter == 0 {
			t.Errorf("Begin over the limit returned %v, want Unavailable with RetryAfter", err)
		}
		stop()
		if _, err := j.Begin(t.Context(), "late"); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Begin after Run returned %v, want Unavailable", err)
		}
		if err := j.Run(t.Context(), rec); err == nil {
			t.Error("a second Run was accepted")
		}
	})
}

func TestBeginGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, rec := sidecartest.NewState(), newRecorder()
		j, stop := run(t, Config{State: state}, rec)
		defer stop()
		state.Before = func(context.Context, sidecartest.Op, string) error {
			time.Sleep(300 * time.Millisecond)
			return nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := j.Begin(ctx, "a"); !fault.Is(err, fault.Timeout) {
			t.Fatalf("Begin returned %v, want Timeout", err)
		}
		if _, err := j.Begin(ctx, "b"); !fault.Is(err, fault.Timeout) {
			t.Fatalf("Begin with an ended context returned %v, want Timeout", err)
		}
		time.Sleep(10 * time.Second)
		if offers, _ := rec.offered("a"); len(offers) != 1 || offers[0].Fence {
			t.Errorf("the abandoned id was written and then offered as %+v, "+
				"want once without Fence: nobody worked on it", offers)
		}
	})
}
