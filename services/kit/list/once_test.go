package list_test

import (
	"slices"
	"testing"

	"sidecart.dev/kit/list"
	"sidecart.dev/kit/sidecar/sidecartest"
)

func TestWhatIsAppendedOnceKeepsItsPosition(t *testing.T) {
	for _, held := range []int{0, 1, 62, 63, 64, 65, 127, 128} {
		l := list.New(list.Config{State: sidecartest.NewState()})
		fill(t, l, "list", held)
		first, err := l.AppendOnce(t.Context(), "list", []string{"a", "b", "a"})
		if err != nil {
			t.Fatal(err)
		}
		last := uint64(held)
		if want := []uint64{last + 1, last + 2, last + 1}; held%list.PageSize != list.PageSize-1 && !slices.Equal(first, want) {
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
		again, err := l.AppendOnce(t.Context(), "list", []string{"b"})
		if err != nil || again[0] != first[1] {
			t.Errorf("after %d: appended again it stands at %v, %v, want %d", held, again, err, first[1])
		}
		if entries, _, _ := l.Page(t.Context(), "list", 0, 200); len(entries) != before {
			t.Errorf("after %d: %d entries, want %d as before", held, len(entries), before)
		}
		if twice, err := l.Append(t.Context(), "list", "b"); err != nil || twice == first[1] {
			t.Errorf("after %d: Append returns %d, %v: it adds an entry each time", held, twice, err)
		}
	}
}
