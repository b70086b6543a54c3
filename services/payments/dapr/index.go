package dapr

import (
	"context"
	"sync"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/list"
	"sidecart.dev/payments"
)

// indexList is the list of all payments.
const indexList = "payments"

// Lists is what an index needs of package list.
type Lists interface {
	AppendAll(ctx context.Context, prefix string, ids []string) ([]uint64, error)
	Page(ctx context.Context, prefix string, before uint64, limit int) (entries []list.Entry, next uint64, err error)
}

// Index is the list of all payments. Appends that arrive while one is under way share the next one. It implements [payments.Index].
type Index struct {
	lists Lists

	mu       sync.Mutex
	waiting  []*appending
	flushing bool
}

type appending struct {
	id   string
	done chan struct{}
	seq  uint64
	err  error
}

// NewIndex makes an index.
func NewIndex(lists Lists) *Index { return &Index{lists: lists} }

const (
	appendBatch   = list.PageSize
	appendTimeout = 5 * time.Second
)

// Append implements [payments.Index].
func (x *Index) Append(ctx context.Context, id string) (uint64, error) {
	a := &appending{id: id, done: make(chan struct{})}
	x.mu.Lock()
	x.waiting = append(x.waiting, a)
	lead := !x.flushing
	x.flushing = true
	x.mu.Unlock()
	if lead {
		go x.flush(context.WithoutCancel(ctx))
	}
	select {
	case <-a.done:
		return a.seq, a.err
	case <-ctx.Done():
		return 0, fault.Wrap(ctx.Err(), fault.Timeout, "timeout", "The list of payments did not answer in time.")
	}
}

// flush appends what is waiting, batch after batch, until nothing is.
func (x *Index) flush(ctx context.Context) {
	for {
		x.mu.Lock()
		n := min(len(x.waiting), appendBatch)
		batch := x.waiting[:n:n]
		x.waiting = x.waiting[n:]
		if n == 0 {
			x.flushing, x.waiting = false, nil
			x.mu.Unlock()
			return
		}
		x.mu.Unlock()
		x.appendAll(ctx, batch)
	}
}

func (x *Index) appendAll(ctx context.Context, batch []*appending) {
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	ids := make([]string, len(batch))
	for i, a := range batch {
		ids[i] = a.id
	}
	var seqs []uint64
	err := fault.Guard(ctx, func() (err error) {
		seqs, err = x.lists.AppendAll(ctx, indexList, ids)
		return err
	})
	for i, a := range batch {
		if a.err = err; err == nil {
			a.seq = seqs[i]
		}
		close(a.done)
	}
}

// Page implements [payments.Index].
func (x *Index) Page(ctx context.Context, before uint64, limit int) ([]payments.IndexEntry, uint64, error) {
	page, next, err := x.lists.Page(ctx, indexList, before, limit)
	if err != nil {
		return nil, 0, err
	}
	entries := make([]payments.IndexEntry, len(page))
	for i, e := range page {
		entries[i] = payments.IndexEntry{Seq: e.Seq, ID: e.ID}
	}
	return entries, next, nil
}
