package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/sidecartest"
)

// recorder is a settler that remembers what it was offered and when.
type recorder struct {
	mu      sync.Mutex
	start   time.Time
	offers  []Entry
	at      []time.Duration
	finish  func(Entry) bool // nil: finish everything
	failing func([]Entry) error
}

func newRecorder() *recorder { return &recorder{start: time.Now()} }

func (r *recorder) Settle(_ context.Context, entries []Entry) (finished []string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failing != nil {
		if err := r.failing(entries); err != nil {
			return nil, err
		}
	}
	for _, e := range entries {
		r.offers, r.at = append(r.offers, e), append(r.at, time.Since(r.start))
		if r.finish == nil || r.finish(e) {
			finished = append(finished, e.ID)
		}
	}
	return finished, nil
}

func (r *recorder) offered(id string) (entries []Entry, at []time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, e := range r.offers {
		if e.ID == id {
			entries, at = append(entries, e), append(at, r.at[i])
		}
	}
	return entries, at
}

func never(Entry) bool { return false }

// run starts a journal and waits until it is ready. The returned function stops it and waits.
func run(t *testing.T, cfg Config, settler Settler) (*Journal, func()) {
	t.Helper()
	j, stop := runAnyway(t, cfg, settler)
	if err := j.Ready(); err != nil {
		t.Fatalf("the journal is not ready: %v", err)
	}
	return j, stop
}

func runAnyway(t *testing.T, cfg Config, settler Settler) (*Journal, func()) {
	t.Helper()
	cfg.Name = "test"
	cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	j, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx, settler) }()
	synctest.Wait()
	return j, sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
}

func begin(t *testing.T, j *Journal, id string) *Ticket {
	t.Helper()
	ticket, err := j.Begin(t.Context(), id)
	if err != nil {
		t.Fatalf("Begin(%s): %v", id, err)
	}
	return ticket
}

// segments returns the keys of all segments in the store.
func segments(state *sidecartest.State) (keys []string) {
	for _, key := range state.Keys() {
		if strings.Count(key, "/") == 3 {
			keys = append(keys, key)
		}
	}
	return keys
}

// durable reports whether an id stands in some segment.
func durable(t *testing.T, state *sidecartest.State, id string) bool {
	t.Helper()
	for _, key := range segments(state) {
		item, err := state.Get(t.Context(), key)
		if err == nil && strings.Contains(string(item.Value), `"`+id+`"`) {
			return true
		}
	}
	return false
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
				t.Errorf("with MaxBatch %d, 100 concurrent Begins cost %d inserts, want at most %d", batch, n, want)
			}
		})
	}
}

func TestHowATicketEndsDecidesWhatTheSettlerSees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, rec := sidecartest.NewState(), newRecorder()
		j, stop := run(t, Config{State: state}, rec)
		defer stop()
		begin(t, j, "released").Release()
		begin(t, j, "wrote").Wrote()
		begin(t, j, "finished").Finish()
		both := begin(t, j, "wrote, then released")
		both.Wrote()
		both.Release() // a deferred one
		time.Sleep(10 * time.Second)
		for id, fence := range map[string]bool{"released": true, "wrote": false, "wrote, then released": false} {
			offers, at := rec.offered(id)
			if len(offers) != 1 {
				t.Fatalf("%s was offered %d times, want once", id, len(offers))
			}
			if offers[0].Fence != fence || offers[0].Attempt != 1 {
				t.Errorf("%s was offered as %+v, want Fence %t, Attempt 1", id, offers[0], fence)
			}
			if at[0] < 2*time.Second || at[0] > 4*time.Second {
				t.Errorf("%s was offered after %v, want 2 s after its release or soon after", id, at[0])
			}
		}
		if offers, _ := rec.offered("finished"); len(offers) > 0 {
			t.Error("a finished id was offered to the settler")
		}
		if s := j.Stats(); s.Backlog != 0 {
			t.Errorf("everything was finished, but the backlog is %d", s.Backlog)
		}
	})
}

func TestAnIDInFlightIsOfferedOnlyWhenItsGraceIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, rec := sidecartest.NewState(), newRecorder()
		j, stop := run(t, Config{State: state, grace: 20 * time.Second}, rec)
		defer stop()
		ticket := begin(t, j, "slow")
		j.Poke("slow")
		time.Sleep(19 * time.Second)
		if offers, _ := rec.offered("slow"); len(offers) > 0 {
			t.Fatal("the id was offered while its handler was at work")
		}
		time.Sleep(3 * time.Second)
		if offers, _ := rec.offered("slow"); len(offers) != 1 || !offers[0].Fence {
			t.Fatalf("after its grace the id was offered as %+v, want once with Fence", offers)
		}
		ticket.Release() // late, and harmless
		time.Sleep(10 * time.Second)
		if offers, _ := rec.offered("slow"); len(offers) != 1 {
			t.Errorf("a finished id was offered again: %+v", offers)
		}
	})
}

func TestABusinessBegunMeanwhileIsNotForgottenWithTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, rec := sidecartest.NewState(), newRecorder()
		rec.finish = never
		j, stop := run(t, Config{State: state}, rec)
		defer stop()
		backlog := func(want int, why string) {
			t.Helper()
			if n := j.Stats().Backlog; n != want {
				t.Fatalf("the backlog is %d, want %d: %s", n, want, why)
			}
		}
		first, second := begin(t, j, "a"), begin(t, j, "a")
		second.Wrote()
		first.Finish()
		backlog(1, "the first handler cannot know whether the second's business is finished")

		first, second = begin(t, j, "b"), begin(t, j, "b")
		first.Release()
		second.Finish()
		backlog(2, "a write of the first handler may be under way")

		asOf := time.Now()
		time.Sleep(time.Millisecond)
		begin(t, j, "c").Wrote()
		j.Finish(asOf, "c", "b")
		backlog(3, "c was begun after the caller looked, and b must be fenced")
		time.Sleep(time.Millisecond)
		j.Finish(time.Now(), "c", "b", "unknown")
		backlog(2, "c was seen finished")
	})
}

func TestASettlersAnswerDoesNotCoverABeginDuringItsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := sidecartest.NewState()
		var j *Journal
		calls := 0
		settler := SettlerFunc(func(context.Context, []Entry) ([]string, error) {
			if calls++; calls == 1 {
				begin(t, j, "a").Wrote() // a handler, while the settler looks at what was before
			}
			return []string{"a"}, nil
		})
		var stop func()
		j, stop = run(t, Config{State: state}, settler)
		begin(t, j, "a").Wrote()
		time.Sleep(20 * time.Second)
		stop()
		if calls != 2 {
			t.Errorf("the settler was called %d times, want 2: the second Begin is a business of its own", calls)
		}
	})
}

func TestUnfinishedIDsAreOfferedAgainMoreAndMoreRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, rec := sidecartest.NewState(), newRecorder()
		rec.finish = never
		j, stop := run(t, Config{State: state, maxBackoff: 16 * time.Second}, rec)
		defer stop()
		begin(t, j, "a").Wrote()
		time.Sleep(5 * time.Minute)
		offers, at := rec.offered("a")
		for i := 1; i < len(at); i++ {
			want := min(time.Second<<(i-1), 16*time.Second)
			if gap := at[i] - at[i-1]; gap < want*3/4 || gap > want*5/4+2*time.Second {
				t.Errorf("attempt %d came %v after the one before, want about %v", i+1, gap, want)
			}
			if offers[i].Attempt != i+1 {
				t.Errorf("attempt %d says it is attempt %d", i+1, offers[i].Attempt)
			}
		}
		before := len(at)
		j.Poke("a")
		synctest.Wait()
		if _, at = rec.offered("a"); len(at) != before+1 {
			t.Error("a poked id was not offered at once")
		}
	})
}

func TestAnIDThatAlwaysFailsStopsNoOther(t *testing.T) {
	for name, failure := range map[string]func() error{
		"error": func() error { return errors.New("poison") },
		"panic": func() error { panic("poison") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				state, rec := sidecartest.NewState(), newRecorder()
				rec.failing = func(entries []Entry) error {
					for _, e := range entries {
						if e.ID == "id-77" {
							return failure()
						}
					}
					return nil
				}
				j, stop := run(t, Config{State: state}, rec)
				defer stop()
				for i := range 150 {
					begin(t, j, fmt.Sprint("id-", i)).Wrote()
				}
				time.Sleep(3 * time.Minute)
				if n := j.Stats().Backlog; n != 1 {
					t.Errorf("%d ids are unfinished, want only the one that fails", n)
				}
			})
		})
	}
}

func TestASlowSettlerDoesNotDelayBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := sidecartest.NewState()
		j, stop := run(t, Config{State: state, settleBatch: 1}, SettlerFunc(func(ctx context.Context, _ []Entry) ([]string, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}))
		defer stop()
		for i := range 20 {
			begin(t, j, fmt.Sprint("id-", i)).Wrote()
		}
		time.Sleep(10 * time.Second) // all settlers are at work now
		start := time.Now()
		begin(t, j, "new").Wrote()
		if d := time.Since(start); d > 0 {
			t.Errorf("Begin took %v while the settler was busy", d)
		}
	})
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
		if _, err := j.Begin(t.Context(), "one more"); !errors.As(err, &f) || f.Kind != fault.Unavailable || f.RetryAfter == 0 {
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
			t.Errorf("the abandoned id was written and then offered as %+v, want once without Fence: nobody worked on it", offers)
		}
	})
}

func TestMetricsAreRegistered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, reg, rec := sidecartest.NewState(), prometheus.NewPedanticRegistry(), newRecorder()
		rec.finish = never
		j, stop := run(t, Config{State: state, Registerer: reg}, rec)
		defer stop()
		begin(t, j, "a").Wrote()
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "sidecart_journal_backlog_ids" && f.Metric[0].Gauge.GetValue() == 1 {
				return
			}
		}
		t.Errorf("no backlog of 1 among %d metrics", len(families))
	})
}
