package list_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/list"
	"sidecart.dev/kit/sidecar/sidecartest"
)

// writesOf has callers append one id after the other, each for as many times, and counts what is
// written and how long the last append of the first caller took.
func writesOf(t *testing.T, window time.Duration, callers, times int,
) (writes int, last time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		state := sidecartest.NewState()
		var mu sync.Mutex
		state.Before = func(_ context.Context, op sidecartest.Op, _ string) error {
			time.Sleep(time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			if op == sidecartest.OpInsert || op == sidecartest.OpUpdate {
				writes++
			}
			return nil
		}
		lists := list.New(list.Config{State: state, Window: window})
		var all sync.WaitGroup
		for caller := range callers {
			all.Go(func() {
				for n := range times {
					began := time.Now()
					if _, err := lists.Append(t.Context(), "busy", fmt.Sprint(caller, "-", n)); err != nil {
						t.Error(err)
					}
					if caller == 0 {
						last = time.Since(began)
					}
					time.Sleep(time.Duration(40+3*caller) * time.Millisecond) // each at a pace of its own
				}
			})
		}
		all.Wait()
		entries, _, err := lists.Page(t.Context(), "busy", 0, list.MaxLimit)
		if err != nil || len(entries) != callers*times {
			t.Errorf("%d entries, %v; want %d", len(entries), err, callers*times)
		}
	})
	return writes, last
}

func TestAppendsThatComeDenselyShareAWrite(t *testing.T) {
	alone, _ := writesOf(t, 0, 8, 50)
	together, _ := writesOf(t, 40*time.Millisecond, 8, 50)
	if together*3 > alone {
		t.Errorf("%d writes with a window and %d without, want a third at most", together, alone)
	}
}

func TestWhoAppendsAloneIsNotKeptWaiting(t *testing.T) {
	_, took := writesOf(t, 40*time.Millisecond, 1, 50)
	if took != 2*time.Millisecond {
		t.Errorf("an append took %s, want its two calls alone: 2ms", took)
	}
}
