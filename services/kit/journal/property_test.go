package journal

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// TestNothingIsForgotten lets replicas start, crash at any call to the store, stop, freeze and lose
// or delay writes while handlers work, and checks after every write that all unfinished business is
// remembered. When the faults end, everything must be finished and the journal must be empty.
func TestNothingIsForgotten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed, lanes := rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(1, 4).Draw(rt, "lanes")
		window := rapid.SampledFrom([]int{0, 50, 500}).Draw(rt, "window") // ms
		cfg := Config{
			writers:     rapid.IntRange(1, min(2, lanes)).Draw(rt, "writers"),
			lease:       3 * time.Second,
			maxBatch:    rapid.SampledFrom([]int{1, 3, 256}).Draw(rt, "batch"),
			Window:      time.Duration(window) * time.Millisecond,
			maxSegments: rapid.IntRange(1, 12).Draw(rt, "segments"),
			SettleAfter: time.Second, grace: 6 * time.Second, maxBackoff: 10 * time.Second,
			settleBatch: rapid.IntRange(1, 5).Draw(rt, "settle batch"), callTimeout: time.Second,
		}
		if rapid.Bool().Draw(rt, "instance") {
			cfg.Instance = "the same"
		}
		dense := rapid.IntRange(1, 4).Draw(rt, "dense")
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 10, 60).Draw(rt, "steps")
		var err error
		synctest.Test(t, func(*testing.T) {
			sim := &simulation{world: newWorld(seed, lanes), cfg: cfg, dense: dense}
			for _, step := range steps {
				sim.apply(step)
			}
			err = sim.heal()
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}

type step struct {
	action string
	id     string
	which  int
	n      int
	pause  time.Duration
}

func drawStep(t *rapid.T) step {
	pauses := []int{0, 1, 5, 50, 500, 3000, 9000} // ms
	return step{
		action: rapid.SampledFrom([]string{
			"create", "create", "create", "update", "update", "burst", "burst", "start",
			"crash", "crash in", "stop", "freeze", "faults", "wait", "poke", "finish",
		}).Draw(t, "action"),
		id:    fmt.Sprintf("id-%d", rapid.IntRange(0, 8).Draw(t, "id")),
		which: rapid.IntRange(0, 2).Draw(t, "which"),
		n:     rapid.IntRange(1, 30).Draw(t, "n"),
		pause: time.Duration(rapid.SampledFrom(pauses).Draw(t, "pause")) * time.Millisecond,
	}
}

type simulation struct {
	*world
	cfg     Config
	dense   int
	live    []*replica
	all     []*replica
	started int
	next    int
	atWork  sync.WaitGroup // handlers
}

func (s *simulation) apply(st step) {
	if len(s.live) == 0 {
		s.launch()
	}
	r := s.live[st.which%len(s.live)]
	switch st.action {
	case "create":
		s.request(r, st.id, true)
	case "update":
		s.request(r, st.id, false)
	case "finish":
		s.atWork.Go(func() { r.finish(context.Background(), st.id) })
	case "burst":
		for range st.n {
			s.next++
			s.request(r, fmt.Sprintf("burst-%d", s.next), true)
		}
	case "start":
		if len(s.live) < 3 {
			s.launch()
		}
	case "crash":
		r.crash()
		s.bury(r)
	case "crash in":
		s.mu.Lock()
		r.crashIn = st.n
		s.mu.Unlock()
	case "stop":
		r.stop()
		s.bury(r)
	case "freeze":
		r.freeze(time.Duration(st.n) * 400 * time.Millisecond)
	case "faults":
		s.mu.Lock()
		r.faults = float64(st.n%4) * 0.1
		s.mu.Unlock()
	case "poke":
		r.journal.Poke()
	}
	time.Sleep(st.pause)
	for _, r := range s.live {
		s.mu.Lock()
		crashed := r.crashed
		s.mu.Unlock()
		if crashed {
			s.bury(r)
		}
	}
}

func (s *simulation) launch() *replica {
	s.started++
	cfg := s.cfg
	skew := time.Duration(s.started%3-1) * time.Hour // wall clocks are wrong
	cfg.now = func() time.Time { return time.Now().Add(skew) }
	cfg.dense, cfg.moveLimit = s.dense, 2*s.dense
	r := s.start(fmt.Sprintf("replica-%d", s.started), cfg)
	s.live, s.all = append(s.live, r), append(s.all, r)
	return r
}

func (s *simulation) bury(r *replica) {
	for i, other := range s.live {
		if other == r {
			s.live = append(s.live[:i:i], s.live[i+1:]...)
		}
	}
}

func (s *simulation) request(r *replica, id string, first bool) {
	s.atWork.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		r.handle(ctx, id, first)
	})
}

// heal ends the faults and checks that everything comes to its end.
func (s *simulation) heal() error {
	s.mu.Lock()
	s.quiet = true
	s.mu.Unlock()
	if len(s.live) == 0 {
		s.launch()
	}
	s.atWork.Wait()
	deadline := time.Now().Add(30 * time.Minute)
	left := s.unfinished()
	for left != "" && time.Now().Before(deadline) {
		time.Sleep(time.Second)
		left = s.unfinished()
	}
	for _, r := range s.all {
		r.stop()
		<-r.ended
	}
	time.Sleep(2 * time.Minute) // late writes
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.check("the end")
	if len(s.broken) > 0 {
		return fmt.Errorf("%d violations, first: %s", len(s.broken), s.broken[0])
	}
	if left != "" {
		return fmt.Errorf("still unfinished when everything was well for half an hour: %s", left)
	}
	return nil
}

// unfinished says what is left to do.
func (s *simulation) unfinished() string {
	ready := false
	for _, r := range s.live {
		if st := r.journal.Stats(); st.Backlog+st.Waiting > 0 {
			return fmt.Sprintf("%s has %+v: %s", r.name, st, r.journal.dump())
		}
		ready = ready || r.journal.Ready() == nil // there may be fewer lanes than replicas
	}
	if !ready {
		return "no replica is ready"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.lanes {
		item, err := s.state.Get(context.Background(), fmt.Sprintf("journal/test/%d", n))
		if err != nil {
			continue
		}
		h, _ := decode[head]("", item.Value)
		if h.Left > 0 || h.Owner != "" && !s.ownedByLiving(h.Owner) {
			return fmt.Sprintf("lane %d: %+v", n, h)
		}
	}
	return ""
}

func (s *simulation) ownedByLiving(owner string) bool {
	for _, r := range s.live {
		if r.journal.p.owner == owner {
			return true
		}
	}
	return false
}

// dump shows the unfinished ids.
func (j *Journal) dump() string {
	j.lanes.mu.Lock()
	defer j.lanes.mu.Unlock()
	var out string
	for _, l := range j.lanes.held {
		for id, e := range l.entries {
			out += fmt.Sprintf("lane %d (writing %t) %s: %+v, settling %t, now %v\n",
				l.n, l.writing, id, *e, j.lanes.atWork[id], time.Now())
		}
	}
	return out
}
