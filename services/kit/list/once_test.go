package list_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"sidecart.dev/kit/list"
	"sidecart.dev/kit/sidecar/sidecartest"
)

func TestWhatIsAppendedOnceKeepsItsPosition(t *testing.T) {
	for _, held := range []int{0, 1, 62, 63, 64, 65, 127, 128} {
		l := list.New(list.Config{State: sidecartest.NewState()})
		fill(t, l, "list", held)
		first, _, err := l.AppendOnce(t.Context(), "list", []string{"a", "b", "a"})
		if err != nil {
			t.Fatal(err)
		}
		last := uint64(held)
		want, whole := []uint64{last + 1, last + 2, last + 1}, held%list.PageSize != list.PageSize-1
		if whole && !slices.Equal(first, want) {
			t.Errorf("after %d: positions %v, want %v", held, first, want)
		}
		entries, _, err := l.Page(t.Context(), "list", 0, 200)
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range []string{"a", "b", "a"} {
			if at := entries[uint64(len(entries))-first[i]]; at.Seq != first[i] || at.ID != id {
				t.Errorf("after %d: at position %d stands %+v, want %s", held, first[i], at, id)
			}
		}
		before := len(entries)
		again, stood, err := l.AppendOnce(t.Context(), "list", []string{"b"})
		if err != nil || again[0] != first[1] || !stood {
			t.Errorf("after %d: appended again it stands at %v, before that: %v, %v, want %d",
				held, again, stood, err, first[1])
		}
		if entries, _, _ := l.Page(t.Context(), "list", 0, 200); len(entries) != before {
			t.Errorf("after %d: %d entries, want %d as before", held, len(entries), before)
		}
		if twice, err := l.Append(t.Context(), "list", "b"); err != nil || twice == first[1] {
			t.Errorf("after %d: Append returns %d, %v: it adds an entry each time", held, twice, err)
		}
	}
}

// Of several replicas and callers that append the same id at once, one is told that it was the
// first.
func TestOneOfManyIsTheFirstToAppendAnID(t *testing.T) {
	for range 20 {
		state := sidecartest.NewState()
		var all sync.WaitGroup
		var first atomic.Int64
		for range 3 {
			l := list.New(list.Config{State: state})
			for range 3 {
				all.Go(func() {
					_, stood, err := l.AppendOnce(t.Context(), "list", []string{"a"})
					if err != nil {
						t.Error(err)
					} else if !stood {
						first.Add(1)
					}
				})
			}
		}
		all.Wait()
		if n := first.Load(); n != 1 {
			t.Fatalf("%d were told that they were the first, want 1", n)
		}
	}
}
