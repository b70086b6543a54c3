package list_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/list"
	"sidecart.dev/kit/sidecar/sidecartest"
)

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
				items, next, err := list.Collect(t.Context(), l, "list", cursor, c.limit, c.budget,
					every(c.every))
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
	fails := func(context.Context, []list.Entry) ([]list.Kept[int], error) { return nil, wrong }
	if _, _, err := list.Collect(t.Context(), l, "list", "", 10, 10, fails); !errors.Is(err, wrong) {
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
	for _, bad := range []string{
		"x", "!!!", good + "A", good[:len(good)-1], strings.ToUpper(good), "AQAAAAAAAABNAAA", "null",
	} {
		_, err := list.DecodeCursor("a", bad)
		if !fault.Is(err, fault.Invalid) || fault.CodeOf(err) != "invalid_cursor" {
			t.Errorf("cursor %q: error %v, want invalid_cursor", bad, err)
		}
	}
	l := list.New(list.Config{State: sidecartest.NewState()})
	none := func(context.Context, []list.Entry) ([]list.Kept[int], error) { return nil, nil }
	_, _, err := list.Collect(t.Context(), l, "list", "bad", 1, 1, none)
	if fault.CodeOf(err) != "invalid_cursor" {
		t.Errorf("Collect with a bad cursor returned %v", err)
	}
	fill(t, l, "list", 200)
	entries, _, err := l.Page(t.Context(), "list", 1<<60, 3)
	if err != nil || len(entries) != 3 || entries[0].Seq != 200 {
		t.Errorf("a page below a position that does not exist yet is %v, error %v; want the newest",
			entries, err)
	}
}
