package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/sidecar/sidecartest"
)

const testWindow = 40 * time.Millisecond

// slowState is a store whose calls take two milliseconds.
func slowState() *sidecartest.State {
	state := sidecartest.NewState()
	state.Before = func(context.Context, sidecartest.Op, string) error {
		time.Sleep(2 * time.Millisecond)
		return nil
	}
	return state
}

// ready starts a journal on a slow store.
func ready(t *testing.T, cfg Config) (*Journal, func()) {
	t.Helper()
	j, stop := runAnyway(t, cfg, SettlerFunc(nobody))
	for j.Ready() != nil {
		time.Sleep(time.Millisecond)
	}
	return j, stop
}

// crowd begins an id of its own at every tick, and returns how long each Begin took.
func crowd(t *testing.T, j *Journal, name string, begins int, tick time.Duration) []time.Duration {
	t.Helper()
	took := make([]time.Duration, begins)
	var all sync.WaitGroup
	for n := range begins {
		all.Go(func() {
			at := time.Now()
			ticket, err := j.Begin(t.Context(), fmt.Sprint(name, n))
			if err != nil {
				t.Errorf("Begin: %v", err)
				return
			}
			took[n] = time.Since(at)
			ticket.Wrote()
		})
		time.Sleep(tick)
	}
	all.Wait()
	return took
}

func TestBeginsThatComeDenselyShareSegmentsThoughTheyDoNotMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := slowState()
		j, stop := ready(t, Config{State: state, Window: testWindow})
		defer stop()
		crowd(t, j, "at-once", 4, 0)
		before := len(segments(state))
		for _, took := range crowd(t, j, "dense", 200, 8*time.Millisecond) {
			if took > testWindow+10*time.Millisecond {
				t.Errorf("a Begin took %v with a window of %v", took, testWindow)
			}
		}
		if n := len(segments(state)) - before; n > 200/3 {
			t.Errorf("200 Begins, one every 8 ms, made %d segments; at least 3 were to share one on average",
				n)
		}
	})
}

func TestALonelyBeginGoesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, stop := ready(t, Config{State: slowState(), Window: testWindow})
		defer stop()
		for n := range 500 { // one after the other, without a pause: dense, but always the same caller
			at := time.Now()
			begin(t, j, fmt.Sprint("lonely-", n)).Wrote()
			if took := time.Since(at); took > 10*time.Millisecond {
				t.Fatalf("Begin %d took %v, with nobody else about", n, took)
			}
		}
	})
}

func TestABeginThatIsGivenUpSpoilsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := slowState()
		j, stop := ready(t, Config{State: state, Window: testWindow})
		defer stop()
		crowd(t, j, "dense", 40, 8*time.Millisecond)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := j.Begin(ctx, "given-up"); !errors.Is(err, context.Canceled) {
				t.Errorf("a Begin whose caller went away: %v", err)
			}
		})
		all.Go(func() { begin(t, j, "stays").Wrote() })
		synctest.Wait()
		cancel()
		all.Wait()
		if !durable(t, state, "stays") {
			t.Error("the other Begin is not durable")
		}
		if n := j.Stats().Waiting; n != 0 {
			t.Errorf("%d Begins still wait", n)
		}
	})
}

func TestAStoppedJournalWritesAtOnceWhatWaitsForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := slowState()
		j, stop := ready(t, Config{State: state, Window: time.Second, lease: time.Minute})
		crowd(t, j, "at-once", 8, 0)
		crowd(t, j, "dense", 20, 100*time.Millisecond)
		var last sync.WaitGroup
		last.Go(func() { begin(t, j, "last").Wrote() })
		synctest.Wait()
		if j.Stats().Waiting != 1 {
			t.Fatal("the Begin does not wait for others")
		}
		at := time.Now()
		stop()
		last.Wait()
		if took := time.Since(at); took > 100*time.Millisecond {
			t.Errorf("stopping took %v", took)
		}
		if !durable(t, state, "last") {
			t.Error("what waited was not written")
		}
	})
}

// nobody settles nothing.
func nobody(context.Context, []Entry) ([]string, error) { return nil, nil }
