package list_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/list"
	"sidecart.dev/kit/sidecar/sidecartest"
)

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
