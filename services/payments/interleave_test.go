package payments_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// act is one handler, request or settler at work, in a process of its own that may die.
type act struct {
	name string
	dead bool
	err  error
	done bool
	do   func(ctx context.Context) error
}

type actKey struct{}

func isDead(ctx context.Context) bool {
	a, ok := ctx.Value(actKey{}).(*act)
	return ok && a.dead
}

var errDead = errors.New("the process has died")

// waiting is a call to the outside that waits to be let through.
type waiting struct {
	act    *act
	call   string
	answer chan verdict
}

type verdict struct{ before, after, dies, unheard bool }

// interleaving runs acts at the same time and decides, call by call, who goes next and whose call
// or process fails.
type interleaving struct {
	t       *rapid.T
	world   *world
	calls   chan *waiting
	blocked []*waiting
	faults  int // left
}

func (i *interleaving) pass(ctx context.Context, call string) (before, after error) {
	a, ok := ctx.Value(actKey{}).(*act)
	if !ok {
		return nil, nil
	}
	if a.dead {
		return errDead, nil
	}
	w := &waiting{act: a, call: call, answer: make(chan verdict)}
	i.calls <- w
	v := <-w.answer
	failure := lost()
	if v.dies {
		failure = errDead
	}
	switch {
	case a.dead && !v.dies: // died in another call meanwhile
		return errDead, nil
	case v.before:
		return failure, nil
	case v.after:
		return nil, failure
	case v.unheard:
		return nil, errUnheard
	}
	return nil, nil
}

// run starts all acts at once and schedules their calls until all are done.
func (i *interleaving) run(acts []*act) {
	for _, a := range acts {
		go func() {
			a.err = a.do(context.WithValue(context.Background(), actKey{}, a))
			a.done = true
		}()
	}
	for {
		i.gather()
		if len(i.blocked) == 0 {
			time.Sleep(100 * time.Millisecond) // of the bubble's clock: as long as a write may wait for its next try
			i.gather()
		}
		if len(i.blocked) == 0 {
			return
		}
		// In an order of their own, not in that in which they happened to be made, so that the same draws
		// are the same story.
		slices.SortStableFunc(i.blocked, func(a, b *waiting) int {
			return cmp.Or(strings.Compare(a.act.name, b.act.name), strings.Compare(a.call, b.call))
		})
		i.next()
	}
}

// gather takes in the calls that are made until all wait for their turn.
func (i *interleaving) gather() {
	synctest.Wait()
	for {
		select {
		case w := <-i.calls:
			i.blocked = append(i.blocked, w)
		default:
			return
		}
	}
}

func (i *interleaving) next() {
	n := evenly(i.t, "who", uint64(len(i.blocked)))
	w := i.blocked[n]
	i.blocked = append(i.blocked[:n], i.blocked[n+1:]...)
	var v verdict
	what := ""
	if i.faults > 0 {
		switch evenly(i.t, "fault", 24) {
		case 1:
			v.before, what = true, " fails"
		case 2:
			v.after, what = true, " is done, the answer lost"
		case 3:
			v.before, v.dies, what = true, true, " dies before it"
		case 4:
			v.after, v.dies, what = true, true, " dies after it"
		case 5, 6, 7:
			if strings.HasPrefix(w.call, "publish ") {
				v.unheard, what = true, " is lost on the bus"
			}
		}
	}
	if v != (verdict{}) {
		i.faults--
		w.act.dead = w.act.dead || v.dies
	}
	i.world.trace = append(i.world.trace, w.act.name+": "+w.call+what)
	w.answer <- v
}

// evenly draws a number below n. Drawn ranges favour small numbers: faults would be spent at once,
// and some things would hardly ever happen after one another.
func evenly(t *rapid.T, what string, n uint64) int {
	return int(rapid.Uint64().Draw(t, what) * 0x9e3779b97f4a7c15 >> 32 % n)
}

// inBubble runs a property in a synctest bubble and carries what rapid panics with out of it.
func inBubble(t *testing.T, rt *rapid.T, f func(rt *rapid.T)) {
	var panicked any
	synctest.Test(t, func(*testing.T) {
		defer func() { panicked = recover() }()
		f(rt)
	})
	if panicked != nil {
		panic(panicked)
	}
}

var methods = []string{"tok_visa", "tok_visa", "tok_slow", "tok_flaky", "tok_declined", "tok_insufficient_funds", "tok_nobody"}

// chargeable are the methods the provider captures.
var chargeable = map[string]bool{"tok_visa": true, "tok_slow": true, "tok_flaky": true}

// Whatever happens at the same time and whoever dies wherever, once everything has been driven on:
// at most one capture, nothing taken for a cancelled order, every refund that was acknowledged
// made, books that balance and agree with the provider's, and everybody told.
func TestPropertyAnyInterleavingEndsWithTheBooksRight(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		inBubble(t, rt, interleave)
	})
}

func interleave(t *rapid.T) {
	w := newWorld()
	sched := &interleaving{t: t, world: w, calls: make(chan *waiting, 1024), faults: evenly(t, "faults", 7)}
	w.pass = sched.pass
	stories := make([]*story, rapid.IntRange(1, 2).Draw(t, "orders"))
	for i := range stories {
		stories[i] = newStory(anOrder(i, rapid.SampledFrom(methods).Draw(t, "method")))
	}
	var redeliver []*act // messages, which come again until they are acknowledged
	for round := range 1 + evenly(t, "rounds", 4) {
		var acts []*act
		for range 1 + evenly(t, "acts", 5) {
			s := stories[rapid.IntRange(0, len(stories)-1).Draw(t, "order")]
			a, message := anAct(t, w, s)
			a.name = fmt.Sprintf("%d.%d %s %s", round, len(acts), a.name, s.order.ID)
			if acts = append(acts, a); message {
				redeliver = append(redeliver, a)
			}
		}
		sched.run(acts)
	}
	w.pass = nil
	for _, m := range redeliver {
		if m.err != nil {
			if err := m.do(context.Background()); err != nil {
				w.fatal(t, "%s, delivered again, fails: %v", m.name, err)
			}
		}
	}
	w.end(t)
	for _, s := range stories {
		w.check(t, s)
	}
	checkReport(t, w)
}

func anAct(t *rapid.T, w *world, o *story) (a *act, message bool) {
	s := w.replica()
	s.Prompt = time.Duration(evenly(t, "prompt", 2)) * time.Hour
	switch evenly(t, "act", 10) {
	case 0, 1, 2:
		return &act{name: "place", do: func(ctx context.Context) error { return o.place(ctx, s) }}, true
	case 3, 4:
		return &act{name: "cancel", do: func(ctx context.Context) error { return o.cancel(ctx, s) }}, true
	case 5, 6, 7:
		key := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")
		amount := rapid.SampledFrom([]int64{0, 1, 1000, 2000, 2598}).Draw(t, "amount")
		return &act{name: "refund", do: func(ctx context.Context) error { return o.refund(ctx, s, key, amount) }}, false
	default:
		return &act{name: "settle", do: func(ctx context.Context) error { return w.intents.settle(ctx, s, time.Minute) }}, false
	}
}
