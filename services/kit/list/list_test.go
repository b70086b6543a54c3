package list_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/list"
	"sidecart.dev/kit/sidecar/sidecartest"
)

func ids(from, to int) []string {
	var out []string
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprint("id-", i))
	}
	return out
}

// fill appends n ids and fails the test if their positions are not 1 to n.
func fill(t *testing.T, l *list.Lists, prefix string, n int) {
	t.Helper()
	seqs, err := l.AppendAll(t.Context(), prefix, ids(1, n))
	if err != nil {
		t.Fatal(err)
	}
	for i, seq := range seqs {
		if seq != uint64(i+1) {
			t.Fatalf("id %d got position %d", i+1, seq)
		}
	}
}

func calls(state *sidecartest.State) (n int) {
	for _, op := range []sidecartest.Op{
		sidecartest.OpGet, sidecartest.OpBulkGet, sidecartest.OpInsert, sidecartest.OpUpdate, sidecartest.OpDelete,
	} {
		n += state.Calls(op)
	}
	return n
}

func TestPagesAreNewestFirstAtEverySize(t *testing.T) {
	for _, n := range []int{0, 1, 2, 63, 64, 65, 128, 129, 300} {
		for _, limit := range []int{1, 7, 64, 200} {
			l := list.New(list.Config{State: sidecartest.NewState()})
			fill(t, l, "list", n)
			var before uint64
			want := n
			for {
				entries, next, err := l.Page(t.Context(), "list", before, limit)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range entries {
					if e.Seq != uint64(want) || e.ID != fmt.Sprint("id-", want) {
						t.Fatalf("%d ids, limit %d: got %+v, want id-%d", n, limit, e, want)
					}
					want--
				}
				if next != 0 && len(entries) != limit {
					t.Fatalf("%d ids, limit %d: a page of %d entries, but there is another", n, limit, len(entries))
				}
				if before = next; next == 0 {
					break
				}
			}
			if want != 0 {
				t.Fatalf("%d ids, limit %d: %d are missing at the end", n, limit, want)
			}
		}
	}
}

func TestAPageCostsTheSameAtAnyLength(t *testing.T) {
	costs := map[int][2]int{}
	for _, n := range []int{100, 100_000} {
		state := sidecartest.NewState()
		l := list.New(list.Config{State: state, Timeout: time.Minute})
		fill(t, l, "list", n)
		cost := func(before uint64) int {
			start := calls(state)
			entries, _, err := l.Page(t.Context(), "list", before, 20)
			if err != nil || len(entries) != 20 {
				t.Fatalf("a page has %d entries, error %v", len(entries), err)
			}
			return calls(state) - start
		}
		costs[n] = [2]int{cost(0), cost(uint64(n / 2))}
		if costs[n][0] > 2 || costs[n][1] > 1 {
			t.Errorf("with %d ids the first page takes %d calls, want at most 2; a later one %d, want 1", n, costs[n][0], costs[n][1])
		}
		start := calls(state)
		if _, err := l.Append(t.Context(), "list", "one more"); err != nil || calls(state)-start != 2 {
			t.Errorf("with %d ids an append takes %d calls (error %v), want 2", n, calls(state)-start, err)
		}
	}
}

func TestAppendsOfOneProcessShareTheirWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := sidecartest.NewState()
		state.Before = func(context.Context, sidecartest.Op, string) error {
			time.Sleep(time.Millisecond)
			return nil
		}
		l := list.New(list.Config{State: state})
		var wg sync.WaitGroup
		var mu sync.Mutex
		seen := map[uint64]bool{}
		for i := range 50 {
			wg.Go(func() {
				seq, err := l.Append(t.Context(), "list", fmt.Sprint(i))
				mu.Lock()
				defer mu.Unlock()
				if err != nil || seen[seq] {
					t.Errorf("append %d got position %d, taken %t, error %v", i, seq, seen[seq], err)
				}
				seen[seq] = true
			})
		}
		wg.Wait()
		if n := calls(state); n > 4 {
			t.Errorf("50 concurrent appends took %d calls, want at most 4", n)
		}
	})
}

func TestAnAppendFailsWithTheStore(t *testing.T) {
	state := sidecartest.NewState()
	l := list.New(list.Config{State: state})
	down := fault.New(fault.Unavailable, "unavailable", "down")
	state.Before = func(context.Context, sidecartest.Op, string) error { return down }
	if _, err := l.Append(t.Context(), "list", "a"); !errors.Is(err, down) {
		t.Errorf("append to a store that is down returned %v, want its error", err)
	}
	if _, _, err := l.Page(t.Context(), "list", 0, 10); !errors.Is(err, down) {
		t.Errorf("a page of a store that is down returned %v, want its error", err)
	}
	state.Before = nil
	fill(t, l, "list", 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	state.Before = func(ctx context.Context, _ sidecartest.Op, _ string) error { return ctx.Err() }
	if _, err := l.Append(ctx, "list", "b"); err != nil && !fault.Is(err, fault.Timeout) {
		t.Errorf("append with an ended context returned %v, want Timeout", err)
	}
}

func TestAStoreThatPanicsFailsTheAppendAndNotTheProcess(t *testing.T) {
	state := sidecartest.NewState()
	l := list.New(list.Config{State: state})
	state.Before = func(context.Context, sidecartest.Op, string) error { panic("index out of range") }
	if _, err := l.Append(t.Context(), "list", "a"); !fault.Is(err, fault.Internal) {
		t.Errorf("append returned %v, want an Internal fault", err)
	}
	state.Before = nil
	fill(t, l, "list", 1)
}

func TestAnAppendGivesUpWhenOthersAreAlwaysFaster(t *testing.T) {
	state := sidecartest.NewState()
	l, other := list.New(list.Config{State: state}), list.New(list.Config{State: state})
	inner := false
	state.Before = func(_ context.Context, op sidecartest.Op, _ string) error {
		if op.Write() && !inner {
			inner = true
			defer func() { inner = false }()
			_, err := other.Append(t.Context(), "list", "other")
			return err
		}
		return nil
	}
	if _, err := l.Append(t.Context(), "list", "mine"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("append returned %v, want Unavailable", err)
	}
}

func TestCollectReadsOnUntilThePageIsFullOrTheBudgetIsSpent(t *testing.T) {
	state := sidecartest.NewState()
	l := list.New(list.Config{State: state})
	fill(t, l, "list", 1000)
	every := func(n uint64) func(context.Context, []list.Entry) ([]list.Kept[string], error) {
		return func(_ context.Context, entries []list.Entry) (kept []list.Kept[string], err error) {
			for _, e := range entries {
				if e.Seq%n == 0 {
					kept = append(kept, list.Kept[string]{Seq: e.Seq, Item: e.ID})
				}
			}
			return kept, nil
		}
	}
	for _, c := range []struct {
		name          string
		every         uint64
		limit, budget int
		pages         int // at most
	}{
		{"all", 1, 100, 100, 10},
		{"some", 10, 7, 10_000, 15},
		{"a small budget", 10, 50, 60, 17},
		{"none", 5000, 10, 200, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			cursor, pages := "", 0
			for {
				items, next, err := list.Collect(t.Context(), l, "list", cursor, c.limit, c.budget, every(c.every))
				if err != nil {
					t.Fatal(err)
				}
				if len(items) > c.limit {
					t.Fatalf("a page has %d items, limit %d", len(items), c.limit)
				}
				got = append(got, items...)
				pages++
				if cursor = next; next == "" {
					break
				}
			}
			var want []string
			for seq := 1000; seq > 0; seq-- {
				if uint64(seq)%c.every == 0 {
					want = append(want, fmt.Sprint("id-", seq))
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("collected %d items, want %d, newest first", len(got), len(want))
			}
			if pages > c.pages {
				t.Errorf("it took %d pages, want at most %d", pages, c.pages)
			}
		})
	}
	wrong := errors.New("wrong")
	_, _, err := list.Collect(t.Context(), l, "list", "", 10, 10, func(context.Context, []list.Entry) ([]list.Kept[int], error) { return nil, wrong })
	if !errors.Is(err, wrong) {
		t.Errorf("an error of load came back as %v", err)
	}
}

func TestACursorIsReadOnlyIfItWasGivenOut(t *testing.T) {
	for _, seq := range []uint64{0, 1, 64, 1 << 40, 1<<64 - 1} {
		if got, err := list.DecodeCursor("a", list.EncodeCursor("a", seq)); err != nil || got != seq {
			t.Errorf("cursor of %d came back as %d, error %v", seq, got, err)
		}
	}
	good := list.EncodeCursor("a", 77)
	if _, err := list.DecodeCursor("b", good); fault.CodeOf(err) != "invalid_cursor" {
		t.Errorf("a cursor of another list: %v, want invalid_cursor", err)
	}
	for _, bad := range []string{"x", "!!!", good + "A", good[:len(good)-1], strings.ToUpper(good), "AQAAAAAAAABNAAA", "null"} {
		if _, err := list.DecodeCursor("a", bad); !fault.Is(err, fault.Invalid) || fault.CodeOf(err) != "invalid_cursor" {
			t.Errorf("cursor %q: error %v, want invalid_cursor", bad, err)
		}
	}
	l := list.New(list.Config{State: sidecartest.NewState()})
	if _, _, err := list.Collect(t.Context(), l, "list", "bad", 1, 1,
		func(context.Context, []list.Entry) ([]list.Kept[int], error) { return nil, nil }); fault.CodeOf(err) != "invalid_cursor" {
		t.Errorf("Collect with a bad cursor returned %v", err)
	}
	fill(t, l, "list", 200)
	if entries, _, err := l.Page(t.Context(), "list", 1<<60, 3); err != nil || len(entries) != 3 || entries[0].Seq != 200 {
		t.Errorf("a page below a position that does not exist yet is %v, error %v; want the newest", entries, err)
	}
}

func BenchmarkPage(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		b.Run(fmt.Sprint(n, " entries"), func(b *testing.B) {
			l := list.New(list.Config{State: sidecartest.NewState(), Timeout: time.Minute})
			if _, err := l.AppendAll(b.Context(), "list", ids(1, n)); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, _, err := l.Page(b.Context(), "list", 0, 20); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestAnAppendAheadSaysItsPositionBeforeItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := sidecartest.NewState()
		l := list.New(list.Config{State: state})
		fill(t, l, "list", 64)
		hold, held := make(chan struct{}), atomic.Bool{}
		state.Before = func(_ context.Context, op sidecartest.Op, key string) error {
			if op == sidecartest.OpUpdate && key == "list/head" && held.CompareAndSwap(false, true) {
				<-hold
			}
			return nil
		}
		ahead := l.AppendAhead(t.Context(), "list", "id-65")
		likely, err := ahead.Likely(t.Context())
		if err != nil || likely != 65 {
			t.Errorf("before it is written its position is %d, %v; want 65", likely, err)
		}
		synctest.Wait()
		other := list.New(list.Config{State: state}) // another process is faster
		if _, err := other.Append(t.Context(), "list", "other"); err != nil {
			t.Fatal(err)
		}
		close(hold)
		if seq, err := ahead.Seq(t.Context()); err != nil || seq != 66 {
			t.Errorf("its position came to be %d, %v; want 66", seq, err)
		}
	})
}

func TestAnAppendAheadThatFailsSaysSo(t *testing.T) {
	state := sidecartest.NewState()
	state.Before = func(context.Context, sidecartest.Op, string) error { return errInjected }
	ahead := list.New(list.Config{State: state}).AppendAhead(t.Context(), "list", "id")
	if _, err := ahead.Likely(t.Context()); !errors.Is(err, errInjected) {
		t.Errorf("its likely position: %v", err)
	}
	if _, err := ahead.Seq(t.Context()); !errors.Is(err, errInjected) {
		t.Errorf("its position: %v", err)
	}
}

func TestWhetherEntriesStandWhereTheyAreSaidToTakesTwoCallsAtMost(t *testing.T) {
	state := sidecartest.NewState()
	l := list.New(list.Config{State: state})
	fill(t, l, "long", 300)
	fill(t, l, "short", 3)
	places, want := []list.Place{}, []bool{}
	for seq := range 302 {
		id := fmt.Sprint("id-", seq)
		places = append(places, list.Place{Prefix: "long", Entry: list.Entry{Seq: uint64(seq), ID: id}},
			list.Place{Prefix: "long", Entry: list.Entry{Seq: uint64(seq), ID: "another"}})
		want = append(want, seq >= 1 && seq <= 300, false)
	}
	places = append(places, list.Place{Prefix: "short", Entry: list.Entry{Seq: 3, ID: "id-3"}},
		list.Place{Prefix: "short", Entry: list.Entry{Seq: 4, ID: "id-4"}}, list.Place{Prefix: "none", Entry: list.Entry{Seq: 1, ID: "id-1"}})
	want = append(want, true, false, false)
	before := calls(state)
	stand, err := l.Stand(t.Context(), places)
	if err != nil || !slices.Equal(stand, want) {
		t.Errorf("they stand %v, %v; want %v", stand, err, want)
	}
	if n := calls(state) - before; n != 2 {
		t.Errorf("%d calls, want one for the heads and one for the pages", n)
	}
	if stand, err := l.Stand(t.Context(), nil); err != nil || len(stand) != 0 {
		t.Errorf("of none: %v, %v", stand, err)
	}
}
