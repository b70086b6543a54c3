// Package list keeps append-only lists of ids, newest first, of which a page costs the same at any length.
//
// A list is a head and the pages sealed before it, each one key:
//
//	<prefix>/head   {"sealed": 2, "ids": [… at most 64]}     positions 129 and up
//	<prefix>/1      {"ids": [64]}                            positions 65 … 128
//	<prefix>/0      {"ids": [64]}                            positions 1 … 64
//
// Appending replaces the head by its ETag. A full head cannot change any more until it is reset, so whoever finds it full
// copies it to its page by first-write (the content is the same whoever does it) and then resets it with the id to append.
// A process that dies in between leaves a page and a full head with the same ids: readers take the head for those
// positions, and the next appender finishes the job.
//
// An append that fails may have happened, and one that is repeated happens twice. So an aggregate stores the position it got,
// and readers keep an entry only if the aggregate agrees with it: [Collect].
package list

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// PageSize is the number of entries in a sealed page, and the largest number in a head.
const PageSize = 64

// Config describes a set of lists in one store. State is required.
type Config struct {
	State sidecar.State
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
func New(cfg Config) *Lists {
	if cfg.Attempts <= 0 {
		cfg.Attempts = 20
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Float64
	}
	return &Lists{cfg: cfg}
}

// Entry is one id in a list.
type Entry struct {
	Seq uint64 // position, from 1, rising by one with each append
	ID  string
}

type head struct {
	Sealed uint64   `json:"sealed"` // pages before this head
	IDs    []string `json:"ids"`

	etag string // empty: the head does not exist yet
}

func (h head) last() uint64 { return h.Sealed*PageSize + uint64(len(h.IDs)) }

type page struct {
	IDs []string `json:"ids"`
}

func headKey(prefix string) string           { return prefix + "/head" }
func pageKey(prefix string, n uint64) string { return prefix + "/" + strconv.FormatUint(n, 10) }

// Append adds an id at the newest end of the list stored under prefix, and returns its position. It costs a read and a write.
// After an error the id may have been added all the same, and appending again adds it again.
func (l *Lists) Append(ctx context.Context, prefix, id string) (uint64, error) {
	seqs, err := l.AppendAll(ctx, prefix, []string{id})
	if err != nil {
		return 0, err
	}
	return seqs[0], nil
}

// AppendAll is Append of several ids, in order, with as few writes as one for every 64.
func (l *Lists) AppendAll(ctx context.Context, prefix string, ids []string) ([]uint64, error) {
	seqs := make([]uint64, 0, len(ids))
	for attempt := 0; len(seqs) < len(ids); {
		h, err := l.head(ctx, prefix)
		if err != nil {
			return nil, err
		}
		n, err := l.extend(ctx, prefix, &h, ids[len(seqs):])
		switch {
		case err == nil:
			for i := range n {
				seqs = append(seqs, h.last()-uint64(n-1-i))
			}
			attempt = 0
		case !sidecar.IsConflict(err) && !sidecar.IsExists(err):
			return nil, err
		default: // somebody else was faster
			if attempt++; attempt >= l.cfg.Attempts {
				return nil, fault.New(fault.Unavailable, "unavailable", "Too many are adding to the same list; try again.")
			}
			if err := l.backOff(ctx, attempt); err != nil {
				return nil, err
			}
		}
	}
	return seqs, nil
}

// extend writes a head with as many of the ids as fit, sealing the one before if it is full, and returns how many.
func (l *Lists) extend(ctx context.Context, prefix string, h *head, ids []string) (int, error) {
	if len(h.IDs) == PageSize {
		raw, err := json.Marshal(page{IDs: h.IDs})
		if err != nil {
			return 0, err
		}
		if err := l.cfg.State.Insert(ctx, pageKey(prefix, h.Sealed), raw); err != nil && !sidecar.IsExists(err) {
			return 0, err
		}
		h.Sealed, h.IDs = h.Sealed+1, nil
	}
	n := min(len(ids), PageSize-len(h.IDs))
	h.IDs = append(h.IDs, ids[:n]...)
	raw, err := json.Marshal(h)
	if err != nil {
		return 0, err
	}
	if h.etag == "" {
		return n, l.cfg.State.Insert(ctx, headKey(prefix), raw)
	}
	return n, l.cfg.State.Update(ctx, headKey(prefix), raw, h.etag)
}

func (l *Lists) head(ctx context.Context, prefix string) (head, error) {
	item, err := l.cfg.State.Get(ctx, headKey(prefix))
	if sidecar.IsMissing(err) {
		return head{}, nil
	}
	if err != nil {
		return head{}, err
	}
	h := head{etag: item.ETag}
	if err := json.Unmarshal(item.Value, &h); err != nil {
		return head{}, fmt.Errorf("list %s: %w", prefix, err)
	}
	return h, nil
}

// backOff waits a random time that grows with the attempts, or until the context ends.
func (l *Lists) backOff(ctx context.Context, attempt int) error {
	limit := min(time.Millisecond<<min(attempt, 7), 100*time.Millisecond)
	timer := time.NewTimer(time.Duration(l.cfg.Rand() * float64(limit)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fault.Wrap(ctx.Err(), fault.Timeout, "timeout", "The list could not be written in time.")
	case <-timer.C:
		return nil
	}
}

// Page returns up to limit entries below position before, newest first; before = 0 means from the newest.
// next is the before of the following page, 0 if there is none. It reads the head and the sealed pages it returns entries of.
func (l *Lists) Page(ctx context.Context, prefix string, before uint64, limit int) (entries []Entry, next uint64, err error) {
	h, err := l.head(ctx, prefix)
	if err != nil {
		return nil, 0, err
	}
	top := h.last()
	if before > 0 {
		top = min(top, before-1)
	}
	bottom := top - min(top, uint64(limit)) // entries (bottom, top]
	pages, err := l.sealed(ctx, prefix, h, bottom, top)
	if err != nil {
		return nil, 0, err
	}
	for seq := top; seq > bottom; seq-- {
		n, i := (seq-1)/PageSize, (seq-1)%PageSize
		ids := h.IDs
		if n < h.Sealed {
			ids = pages[n]
		}
		if i >= uint64(len(ids)) {
			return nil, 0, fmt.Errorf("list %s: position %d is not there", prefix, seq)
		}
		entries = append(entries, Entry{Seq: seq, ID: ids[i]})
	}
	if bottom > 0 {
		next = bottom + 1
	}
	return entries, next, nil
}

// sealed reads the sealed pages that hold positions in (bottom, top].
func (l *Lists) sealed(ctx context.Context, prefix string, h head, bottom, top uint64) (map[uint64][]string, error) {
	if top == bottom || bottom/PageSize >= h.Sealed {
		return nil, nil
	}
	var keys []string
	first, last := bottom/PageSize, min((top-1)/PageSize, h.Sealed-1)
	for n := first; n <= last; n++ {
		keys = append(keys, pageKey(prefix, n))
	}
	items, err := l.cfg.State.BulkGet(ctx, keys)
	if err != nil {
		return nil, err
	}
	pages := make(map[uint64][]string, len(keys))
	for n := first; n <= last; n++ {
		var p page
		item, ok := items[pageKey(prefix, n)]
		if !ok {
			return nil, fmt.Errorf("list %s: page %d is missing", prefix, n)
		}
		if err := json.Unmarshal(item.Value, &p); err != nil {
			return nil, fmt.Errorf("list %s: page %d: %w", prefix, n, err)
		}
		pages[n] = p.IDs
	}
	return pages, nil
}
