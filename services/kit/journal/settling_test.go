package journal

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/sidecar/sidecartest"
)

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
		for id, fence := range map[string]bool{
			"released": true, "wrote": false, "wrote, then released": false,
		} {
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
			t.Errorf("the settler was called %d times, want 2: the second Begin is a business of its own",
				calls)
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
		slow := func(ctx context.Context, _ []Entry) ([]string, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		j, stop := run(t, Config{State: state, settleBatch: 1}, SettlerFunc(slow))
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
