// Package list keeps append-only lists of ids, newest first, of which a page costs the same at any length.
package list

import (
	"context"

	"sidecart.dev/kit/sidecar"
)

// PageSize is the number of entries in a sealed page, and the largest number in a head.
const PageSize = 64

// Config describes a set of lists in one store. State is required.
type Config struct {
	State sidecar.State
	// Cache is the number of heads kept in memory to save reads before appends, default 1024.
	Cache int
	// Attempts bounds the tries of one append against other appenders, default 20.
	Attempts int
	// Rand is the source of jitter, in [0,1); nil means math/rand/v2.
	Rand func() float64
}

// Lists appends to and reads lists. It is safe for concurrent use.
type Lists struct {
	cfg Config
}

// New makes a Lists.
func New(cfg Config) *Lists { return &Lists{cfg: cfg} }

// Entry is one id in a list.
type Entry struct {
	Seq uint64 // position, from 1, rising by one with each append
	ID  string
}

// Append adds an id at the newest end of the list stored under prefix, and returns its position.
// After an error the id may have been added all the same, and appending again adds it again: an aggregate stores the position it
// got, and readers keep an entry only if the aggregate's position is the entry's.
func (l *Lists) Append(ctx context.Context, prefix, id string) (uint64, error) { panic("soon") }

// AppendAll is Append of several ids, in order, with as few writes as one.
func (l *Lists) AppendAll(ctx context.Context, prefix string, ids []string) ([]uint64, error) {
	panic("soon")
}

// Page returns up to limit entries below position before, newest first; before = 0 means from the newest.
// next is the before of the following page, 0 if there is none.
func (l *Lists) Page(ctx context.Context, prefix string, before uint64, limit int) (entries []Entry, next uint64, err error) {
	panic("soon")
}

// Collect fills a page of at most limit items that load keeps, looking at no more than budget entries.
// load gets entries, newest first, and returns what it keeps of them, in the same order, each with its position.
// If the budget is spent first, the page is short, possibly empty, and has a next cursor all the same: a client goes on
// until the cursor is empty.
func Collect[T any](ctx context.Context, l *Lists, prefix, cursor string, limit, budget int,
	load func(ctx context.Context, entries []Entry) ([]Kept[T], error),
) (items []T, next string, err error) {
	panic("soon")
}

// Kept is an item that a load function keeps, with the position of the entry it was made of.
type Kept[T any] struct {
	Seq  uint64
	Item T
}

// EncodeCursor makes an opaque cursor that continues below position seq; the cursor of 0 is empty.
func EncodeCursor(seq uint64) string { panic("soon") }

// DecodeCursor reads a cursor made by EncodeCursor; the empty cursor is 0. Anything else is an Invalid fault with code invalid_cursor.
func DecodeCursor(cursor string) (uint64, error) { panic("soon") }
