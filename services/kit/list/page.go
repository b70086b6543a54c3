package list

import (
	"context"
	"errors"
	"fmt"

	"sidecart.dev/kit/sidecar"
)

// MaxLimit is the largest number of entries that Page returns.
const MaxLimit = 1000

// readAttempts bounds the tries to read a list that is being appended to.
const readAttempts = 5

// errMoved says that a page was not there yet when it was read, while the head, read in the same
// call, was newer.
var errMoved = errors.New("list: a page is missing")

// Page returns up to limit entries below position before, newest first; before = 0 means from the
// newest. next is the before of the following page, 0 if there is none. limit is at least 1 and at
// most MaxLimit, silently.
//
// It makes one call to the store, two if the first page reaches further back than the head, however
// long the list is. Entries appended meanwhile do not disturb it.
func (l *Lists) Page(ctx context.Context, prefix string, before uint64, limit int,
) (entries []Entry, next uint64, err error) {
	limit = min(max(limit, 1), MaxLimit)
	for range readAttempts {
		entries, err = l.page(ctx, prefix, before, limit)
		if !errors.Is(err, errMoved) {
			break
		}
	}
	if err != nil {
		return nil, 0, err
	}
	if n := len(entries); n > 0 && entries[n-1].Seq > 1 {
		next = entries[n-1].Seq
	}
	return entries, next, nil
}

func (l *Lists) page(ctx context.Context, prefix string, before uint64, limit int,
) ([]Entry, error) {
	if before == 0 {
		h, _, err := l.readHead(ctx, prefix)
		if err != nil || h.first() == 1 || len(h.IDs) >= limit {
			return h.entries(h.Next, limit), err
		}
		pages, err := l.readPages(ctx, prefix, h.Next, limit)
		if err != nil {
			return nil, err
		}
		return pages.join(h, h.Next, limit)
	}
	pages, err := l.readPages(ctx, prefix, before, limit)
	if err != nil {
		return nil, err
	}
	h := head{Next: 1}
	if item, ok := pages.items[headKey(prefix)]; ok {
		if h, err = decode[head](item); err != nil {
			return nil, err
		}
	}
	if before > h.Next { // no cursor of ours
		return l.page(ctx, prefix, 0, limit)
	}
	return pages.join(h, before, limit)
}

// first is the position of the head's first id.
func (h head) first() uint64 { return h.Next - uint64(len(h.IDs)) }

// entries returns up to limit of the head's entries below position before, newest first.
func (h head) entries(before uint64, limit int) []Entry {
	var entries []Entry
	for seq := min(before, h.Next); seq > h.first() && len(entries) < limit; seq-- {
		entries = append(entries, Entry{Seq: seq - 1, ID: h.IDs[seq-1-h.first()]})
	}
	return entries
}

// pages is what one call read: the head and the pages that hold limit positions below some
// position.
type pages struct {
	prefix string
	items  map[string]sidecar.Item
}

func (l *Lists) readPages(ctx context.Context, prefix string, before uint64, limit int,
) (pages, error) {
	keys := []string{headKey(prefix)}
	if before > 1 {
		lowest := uint64(1)
		if before > uint64(limit) {
			lowest = max(1, before-uint64(limit))
		}
		for n := (before - 2) / PageSize; ; n-- {
			keys = append(keys, pageKey(prefix, n))
			if n == (lowest-1)/PageSize {
				break
			}
		}
	}
	items, err := l.cfg.State.BulkGet(ctx, keys)
	if err != nil {
		return pages{}, fmt.Errorf("reading a list: %w", err)
	}
	return pages{prefix: prefix, items: items}, nil
}

// join returns up to limit entries below position before, of the head and the pages before it.
func (p pages) join(h head, before uint64, limit int) ([]Entry, error) {
	entries := h.entries(before, limit)
	seq := min(before, h.first()) - 1
	for seq > 0 && len(entries) < limit {
		n := (seq - 1) / PageSize
		item, ok := p.items[pageKey(p.prefix, n)]
		if !ok {
			return nil, fmt.Errorf("%w: %s", errMoved, pageKey(p.prefix, n))
		}
		sealed, err := decode[page](item)
		if err != nil {
			return nil, err
		}
		if len(sealed.IDs) != PageSize {
			return nil, fmt.Errorf("list: %s holds %d ids", item.Key, len(sealed.IDs))
		}
		for ; seq > n*PageSize && len(entries) < limit; seq-- {
			entries = append(entries, Entry{Seq: seq, ID: sealed.IDs[seq-1-n*PageSize]})
		}
	}
	return entries, nil
}
