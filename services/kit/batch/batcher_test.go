package batch_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"sidecart.dev/kit/batch"
)

const (
	window = 40 * time.Millisecond
	hurry  = 5 * time.Millisecond // a call under way is waited for
)

// request is answered by its call, which takes a while.
type request struct {
	n      int
	at     time.Time
	calls  int           // under way when it arrived
	waited time.Duration // until its call began
	last   bool          // of its call
	done   chan struct{}
}

// service is what the calls go to. It runs in a synctest bubble.
type service struct {
	*batch.Batcher[*request]
	took func() time.Duration // how long a call takes

	mu      sync.Mutex
	asked   int
	running int // calls
	calls   [][]*request
}

func newService(window time.Duration, limit int, took func() time.Duration) *service {
	s := &service{took: took}
	s.Batcher = batch.New(window, limit, func(requests []*request) {
		s.mu.Lock()
		s.calls = append(s.calls, requests)
		s.running++
		took := s.took()
		s.mu.Unlock()
		for _, r := range requests {
			r.waited = time.Since(r.at)
		}
		requests[len(requests)-1].last = true
		time.Sleep(took)
	}, func(r *request) {
		if r.last {
			s.mu.Lock()
			s.running--
			s.mu.Unlock()
		}
		close(r.done)
	})
	return s
}

func (s *service) send() *request {
	s.mu.Lock()
	s.asked++
	r := &request{n: s.asked, at: time.Now(), calls: s.running, done: make(chan struct{})}
	s.mu.Unlock()
	s.Add(r)
	return r
}

// ask sends a request, waits for its answer, and returns how long it was kept waiting.
func (s *service) ask() time.Duration {
	r := s.send()
	<-r.done
	return r.waited
}

func always(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

func milliseconds(t *rapid.T, most int, name string) time.Duration {
	return time.Duration(rapid.IntRange(0, most).Draw(t, name)) * time.Millisecond
}

func TestWhoAsksAloneNeverWaits(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		pauses := rapid.SliceOfN(rapid.IntRange(0, 100), 1, 200).Draw(rt, "pauses")
		took := milliseconds(rt, 20, "call")
		var waited time.Duration
		synctest.Test(t, func(*testing.T) {
			s := newService(window, 64, always(took))
			for _, pause := range pauses {
				waited += s.ask()
				time.Sleep(time.Duration(pause) * time.Millisecond)
			}
		})
		if waited > 0 {
			rt.Fatalf("the only caller was kept waiting for %v", waited)
		}
	})
}

func TestTwoCallersWaitForNoMoreThanTheCallUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(window, 64, always(3*time.Millisecond))
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				for range 500 {
					assert.LessOrEqual(t, s.ask(), hurry)
				}
			})
		}
		both.Wait()
	})
}

func TestEachRequestIsInOneCallAndWaitsNoLongerThanTheWindow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.IntRange(1, 20).Draw(rt, "limit")
		length := milliseconds(rt, 60, "window")
		random := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(rt, "seed")))
		slow := rapid.IntRange(1, 200).Draw(rt, "slowest call")
		pause := rapid.SampledFrom([]int{0, 0, 0, 1, 2, 3, 10, 50, 500}) // ms
		pauses := rapid.SliceOfN(pause, 1, 150).Draw(rt, "pauses")
		var s *service
		synctest.Test(t, func(*testing.T) {
			s = newService(length, limit, func() time.Duration {
				return time.Duration(random.IntN(slow)) * time.Millisecond
			})
			for _, pause := range pauses {
				synctest.Wait() // the calls that are to begin by now have begun
				s.send()
				time.Sleep(time.Duration(pause) * time.Millisecond)
			}
			time.Sleep(time.Second)
			synctest.Wait()
		})
		var sent []int
		for _, call := range s.calls {
			if len(call) > limit {
				rt.Fatalf("a call has %d requests, the limit is %d", len(call), limit)
			}
			for _, r := range call {
				sent = append(sent, r.n)
				if r.waited > max(length, time.Duration(r.calls)*hurry) {
					rt.Fatalf("request %d waited %v, with a window of %v and %d calls under way",
						r.n, r.waited, length, r.calls)
				}
			}
		}
		slices.Sort(sent)
		for i := range pauses {
			if i >= len(sent) || sent[i] != i+1 {
				rt.Fatalf("of %d requests these were sent: %v", len(pauses), sent)
			}
		}
	})
}

// independent callers come at random, so many a second, whether or not others have been answered.
func independent(t *testing.T, perSecond float64, requests int, took time.Duration) *service {
	t.Helper()
	random := rand.New(rand.NewPCG(7, 7))
	var s *service
	synctest.Test(t, func(*testing.T) {
		s = newService(window, 64, always(took))
		for range requests {
			time.Sleep(time.Duration(random.ExpFloat64() / perSecond * float64(time.Second)))
			s.send()
		}
		time.Sleep(time.Second)
		synctest.Wait()
	})
	return s
}

func TestDenseRequestsShareCallsThoughTheyDoNotMeet(t *testing.T) {
	const requests = 3000
	for _, perSecond := range []float64{100, 300, 2000} {
		s := independent(t, perSecond, requests, 2*time.Millisecond)
		each := float64(requests) / float64(len(s.calls))
		assert.Greater(t, each, 3.0, "requests in a call at %v a second", perSecond)
	}
}

func TestSparseRequestsGoAtOnce(t *testing.T) {
	s := independent(t, 20, 1000, 2*time.Millisecond)
	for _, call := range s.calls {
		for _, r := range call {
			assert.LessOrEqual(t, r.waited, hurry)
		}
	}
}

func TestCallersWhoCannotBeMoreDoNotWaitForOthers(t *testing.T) {
	const callers, times = 4, 500
	synctest.Test(t, func(t *testing.T) {
		s := newService(window, 64, always(3*time.Millisecond))
		start := time.Now()
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				for range times {
					s.ask()
				}
			})
		}
		all.Wait()
		alone := 3 * time.Millisecond * times
		assert.Less(t, time.Since(start), 2*alone, "each alone would take %v", alone)
	})
}

// One client's order reads several things at once now and then, while the client asks again and
// again whether it is paid.
func TestWaitsInVainBecomeRare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(window, 64, always(2*time.Millisecond))
		var waited time.Duration
		start := time.Now()
		for range 1000 {
			var atOnce sync.WaitGroup
			for range 3 {
				atOnce.Go(func() { s.ask() })
			}
			atOnce.Wait()
			for range 10 {
				waited += s.ask()
			}
		}
		assert.Less(t, waited, time.Since(start)/20, "in 10,000 requests with nobody else about")
	})
}

func TestACallThatHangsHoldsNobodyElseUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := true
		s := newService(window, 64, func() time.Duration {
			defer func() { first = false }()
			if first {
				return time.Hour
			}
			return time.Millisecond
		})
		hanging := s.send()
		assert.Equal(t, hurry, s.ask())
		time.Sleep(time.Minute)
		assert.Equal(t, hurry, s.ask())
		<-hanging.done
	})
}

func TestWhoIsSlowIsNotCalledEverMoreOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(0, 64, always(time.Second))
		for range 2000 {
			s.send()
			time.Sleep(time.Millisecond)
			s.mu.Lock()
			assert.Less(t, s.running, 25, "calls at once")
			s.mu.Unlock()
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
	})
}

func TestWithoutAWindowOnlyCallsUnderWayAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(0, 64, always(time.Millisecond))
		for range 5 {
			s.send()
		}
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Len(t, s.calls, 2)
		assert.Len(t, s.calls[1], 4)
	})
}
