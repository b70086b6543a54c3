package list_test

import (
	"fmt"
	"testing"
	"time"

	"sidecart.dev/kit/list"
	"sidecart.dev/kit/sidecar/sidecartest"
)

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
					t.Fatalf("%d ids, limit %d: a page of %d entries, but there is another",
						n, limit, len(entries))
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
			t.Errorf("with %d ids the first page takes %d calls, want at most 2; a later one %d, want 1",
				n, costs[n][0], costs[n][1])
		}
		start := calls(state)
		if _, err := l.Append(t.Context(), "list", "one more"); err != nil || calls(state)-start != 2 {
			t.Errorf("with %d ids an append takes %d calls (error %v), want 2", n, calls(state)-start, err)
		}
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
