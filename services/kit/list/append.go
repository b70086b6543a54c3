package list

import (
	"context"
	"fmt"
	"slices"

	"sidecart.dev/kit/batch"
	"sidecart.dev/kit/document"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// writer has the appends to one list share writes, which follow one another, so that those of one
// process do not conflict. It lives as long as somebody waits, or for good if there is a window.
type writer struct {
	*batch.Batcher[*request]
	unanswered int // requests; guarded by Lists.mu
}

type request struct {
	ctx  context.Context // without its end
	ids  []string
	once bool // ids that the head holds already keep their position
	// likely gets the position that the first id is about to have; nil: nobody wants to know.
	likely chan uint64
	seqs   []uint64
	stood  bool // one of the ids was in the head already
	err    error
	done   chan struct{}
}

// Append adds an id at the newest end of the list stored under prefix, and returns its position.
//
// After an error the id may have been added all the same, and appending again adds it again: an
// aggregate stores the position it got, and readers keep an entry only if the aggregate's position
// is the entry's. Errors are those of the store, Unavailable if other processes were faster every
// time, or Timeout if ctx ended.
func (l *Lists) Append(ctx context.Context, prefix, id string) (uint64, error) {
	seqs, err := l.AppendAll(ctx, prefix, []string{id})
	if err != nil {
		return 0, err
	}
	return seqs[0], nil
}

// AppendAll is Append of several ids, in order, with one write for as many as fit in a head. Ids
// appended by others may come between them. After an error some may have been added.
func (l *Lists) AppendAll(ctx context.Context, prefix string, ids []string) ([]uint64, error) {
	return l.append(ctx, prefix, &request{ids: ids, done: make(chan struct{})})
}

// AppendOnce is AppendAll, but of an id that is among the newest of the list, in its head, the
// position is returned that it has there. So what repeats an append soon, because it does not know
// how the first went, leaves no second entry. stood reports whether one of the ids was there
// already: of several who append the same id at once, in whichever processes, one is told false.
func (l *Lists) AppendOnce(ctx context.Context, prefix string, ids []string,
) (seqs []uint64, stood bool, err error) {
	r := &request{ids: ids, once: true, done: make(chan struct{})}
	seqs, err = l.append(ctx, prefix, r)
	return seqs, err == nil && r.stood, err
}

func (l *Lists) append(ctx context.Context, prefix string, r *request) ([]uint64, error) {
	if len(r.ids) == 0 {
		return nil, nil
	}
	l.begin(ctx, prefix, r)
	return r.wait(ctx)
}

// begin has the list's writer append the ids.
func (l *Lists) begin(ctx context.Context, prefix string, r *request) {
	r.ctx = context.WithoutCancel(ctx)
	l.writer(prefix).Add(r)
}

// writer returns the list's writer, to be given one request.
func (l *Lists) writer(prefix string) *writer {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.writers[prefix]
	if w == nil {
		w = &writer{}
		w.Batcher = batch.OneAtATime(l.cfg.Window, PageSize,
			func(round []*request) { l.write(round[0].ctx, prefix, round) },
			func(r *request) {
				l.answered(prefix, w)
				close(r.done)
			})
		l.writers[prefix] = w
	}
	w.unanswered++
	return w
}

// answered lets go of a writer that nobody waits for.
func (l *Lists) answered(prefix string, w *writer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.unanswered--; w.unanswered == 0 && l.cfg.Window <= 0 {
		delete(l.writers, prefix)
	}
}

// wait returns the positions when the ids have been appended.
func (r *request) wait(ctx context.Context) ([]uint64, error) {
	select {
	case <-r.done:
		return r.seqs, r.err
	case <-ctx.Done():
		return nil, outOfTime(ctx.Err())
	}
}

// write appends what the requests bring, and leaves each its positions or why there are none.
func (l *Lists) write(ctx context.Context, prefix string, round []*request) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	var ids []appended
	for _, r := range round {
		for i, id := range r.ids {
			a := appended{id: id, once: r.once, stood: &r.stood}
			if i == 0 {
				a.likely = r.likely
			}
			ids = append(ids, a)
		}
	}
	var seqs []uint64
	err := fault.Guard(ctx, func() error {
		for len(seqs) < len(ids) {
			some, err := l.appendSome(ctx, prefix, ids[len(seqs):])
			seqs = append(seqs, some...)
			if err != nil {
				return err
			}
		}
		return nil
	})
	for _, r := range round {
		if len(seqs) >= len(r.ids) {
			r.seqs, seqs = seqs[:len(r.ids):len(r.ids)], seqs[len(r.ids):]
		} else {
			r.err, seqs = err, nil
		}
	}
}

// appended is an id on its way into a list.
type appended struct {
	id     string
	once   bool
	stood  *bool       // set if it was there already
	likely chan uint64 // see request
}

// expect says the position that the id is about to have. Nobody needs to listen.
func (a appended) expect(seq uint64) {
	select {
	case a.likely <- seq:
	default:
	}
}

// appendSome appends as many of the ids as there is room for, at least one, and returns their
// positions.
func (l *Lists) appendSome(ctx context.Context, prefix string, ids []appended,
) (seqs []uint64, err error) {
	err = document.UntilWritten(ctx, func() (bool, error) {
		h, etag, err := l.readHead(ctx, prefix)
		if err != nil {
			return false, err
		}
		next, some, stood := h.with(ids)
		if len(some) == 0 {
			if h, err = l.roll(ctx, prefix, h); err != nil {
				return false, err
			}
			next, some, stood = h.with(ids)
		}
		for i, seq := range some {
			ids[i].expect(seq)
		}
		written, err := l.replaceHead(ctx, prefix, h, next, etag)
		if written {
			noteStood(ids, stood)
			seqs = some
		}
		return written, err
	})
	return seqs, err
}

// replaceHead writes the head that follows the one that was read, if it differs. It reports false
// if somebody was faster.
func (l *Lists) replaceHead(ctx context.Context, prefix string, h, next head, etag string,
) (bool, error) {
	var err error
	switch {
	case next.Next == h.Next: // all of the ids were there
	case etag == "":
		err = l.cfg.State.Insert(ctx, headKey(prefix), encode(next))
	default:
		err = l.cfg.State.Update(ctx, headKey(prefix), encode(next), etag)
	}
	written, err := document.Written(err)
	if err != nil {
		err = fmt.Errorf("appending to a list: %w", err)
	}
	return written, err
}

// noteStood tells whoever appended the ids at those places that they were there already.
func noteStood(ids []appended, places []int) {
	for _, i := range places {
		*ids[i].stood = true
	}
}

// with returns the head after the first of the ids, as many as there is room for, their positions,
// and the places among the ids of those that were there already.
func (h head) with(ids []appended) (next head, seqs []uint64, stood []int) {
	next = head{Next: h.Next, IDs: slices.Clone(h.IDs)}
	for n, a := range ids {
		if i := slices.Index(next.IDs, a.id); a.once && i >= 0 {
			seqs, stood = append(seqs, next.Next-uint64(len(next.IDs)-i)), append(stood, n)
			continue
		}
		if len(next.IDs) == PageSize {
			break
		}
		seqs = append(seqs, next.Next)
		next.Next++
		next.IDs = append(next.IDs, a.id)
	}
	return next, seqs, stood
}

// roll seals a full head's ids as a page, and returns the empty head that follows. Sealing twice is
// harmless: a full head can only be replaced by one that follows it, so everyone seals the same
// ids.
func (l *Lists) roll(ctx context.Context, prefix string, h head) (head, error) {
	if len(h.IDs) < PageSize {
		return h, nil
	}
	err := l.cfg.State.Insert(ctx, pageKey(prefix, (h.Next-1)/PageSize-1), encode(page{IDs: h.IDs}))
	if err != nil && !sidecar.IsExists(err) {
		return head{}, fmt.Errorf("sealing a page of a list: %w", err)
	}
	return head{Next: h.Next}, nil
}

func outOfTime(cause error) error {
	return fault.Wrap(cause, fault.Timeout, "timeout",
		"The list could not be written in time. Try again.")
}
