package list_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"sidecart.dev/kit/list"
	"sidecart.dev/kit/sidecar/sidecartest"
)

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
	says := func(prefix string, seq int, id string, stands bool) {
		entry := list.Entry{Seq: uint64(seq), ID: id}
		places, want = append(places, list.Place{Prefix: prefix, Entry: entry}), append(want, stands)
	}
	for seq := range 302 {
		says("long", seq, fmt.Sprint("id-", seq), seq >= 1 && seq <= 300)
		says("long", seq, "another", false)
	}
	says("short", 3, "id-3", true)
	says("short", 4, "id-4", false)
	says("none", 1, "id-1", false)
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
