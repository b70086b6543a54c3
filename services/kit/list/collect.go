package list

import (
	"context"
)

// Kept is an item that a load function keeps, with the position of the entry it was made of.
type Kept[T any] struct {
	Seq  uint64
	Item T
}

// Collect fills a page of at most limit items that load keeps, looking at no more than budget
// entries, but at limit at least. load gets entries, newest first, and returns what it keeps of
// them, in the same order, each with its position: it drops entries of appends that were repeated
// or came to nothing, and what a filter excludes.
//
// next is empty at the end of the list. If the budget is spent first, the page is short, possibly
// empty, and has a next cursor all the same: a client goes on until the cursor is empty. A cursor
// stays good while the list grows. A bad cursor is an Invalid fault with code invalid_cursor.
func Collect[T any](ctx context.Context, l *Lists, prefix, cursor string, limit, budget int,
	load func(ctx context.Context, entries []Entry) ([]Kept[T], error),
) (items []T, next string, err error) {
	before, err := DecodeCursor(prefix, cursor)
	if err != nil {
		return nil, "", err
	}
	limit = min(max(limit, 1), MaxLimit)
	budget = max(budget, limit)
	size := limit // of one look: doubled while little is found
	for {
		entries, below, err := l.Page(ctx, prefix, before, min(size, budget))
		if err != nil {
			return nil, "", err
		}
		if len(entries) == 0 {
			return items, "", nil
		}
		kept, err := load(ctx, entries)
		if err != nil {
			return nil, "", err
		}
		if room := limit - len(items); len(kept) > room {
			kept = kept[:room]
			below = kept[room-1].Seq
		}
		for _, k := range kept {
			items = append(items, k.Item)
		}
		budget -= len(entries)
		if below == 1 {
			below = 0 // nothing is below the first
		}
		if len(items) == limit || budget <= 0 || below == 0 {
			return items, EncodeCursor(prefix, below), nil
		}
		before, size = below, min(2*size, MaxLimit)
	}
}
