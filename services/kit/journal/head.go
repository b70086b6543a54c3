package journal

import (
	"context"
	"errors"
	"slices"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

const (
	// fenceTTL is how long the segment that fenced an owner is kept after it is of no other use: the
	// longest that a delayed append may be under way.
	fenceTTL = 7 * 24 * time.Hour
	// sweepChunk is the number of segments read in one call to delete them.
	sweepChunk = 100
	// headAttempts bounds the tries of one head write.
	headAttempts = 3
)

// keep renews the lane's lease three times per lease and deletes what is no longer needed, until
// the lane is given up. A lane that nobody appends to is released once it is empty, or when a
// replica without a lane asks for it.
func (l *lane) keep(ctx context.Context) {
	period := l.p.cfg.lease / 3
	start := time.Now()
	for {
		pause(ctx.Done(), l.gone, nil, time.Until(start.Add(period)))
		if ctx.Err() != nil || l.isGone() {
			return
		}
		start = time.Now()
		err := l.beat(ctx)
		switch {
		case err == nil:
			l.sweep(ctx, start.Add(period))
			if l.closeIf(l.dispensable) {
				l.release(ctx)
				return
			}
		case !errors.Is(err, errTaken):
			l.p.cfg.Logger.Warn("the lease of a journal lane could not be renewed", "journal", l.p.cfg.Name, "lane", l.n, "error", err)
		}
	}
}

// dispensable reports whether there is nothing left to do with the lane, or another replica needs
// it more.
func (l *lane) dispensable() bool {
	clean := len(l.entries) == 0 && l.swept >= l.end && len(l.erased) == len(l.dead)
	return !l.writing && (clean || l.asked)
}

// closeIf gives the lane up in memory if the condition holds. A lane is closed before it is
// released, so that no writer takes it meanwhile.
func (l *lane) closeIf(condition func() bool) bool {
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	if l.closed || !condition() {
		return false
	}
	l.close()
	return true
}

// beat renews the lease and writes the frontier. It fails with errTaken, giving the lane up, if
// another process owns it, and with a transient fault otherwise.
func (l *lane) beat(ctx context.Context) error {
	l.heading.lock()
	defer l.heading.unlock()
	return l.writeHead(ctx, false)
}

// stale reports whether the lease is about to end.
func (l *lane) stale() bool {
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	return time.Until(l.valid) < l.p.cfg.lease/6
}

// release says in the head of a closed lane that nobody owns it, so that another replica need not
// wait for the lease.
func (l *lane) release(ctx context.Context) {
	l.heading.lock()
	defer l.heading.unlock()
	if err := l.writeHead(ctx, true); err != nil {
		l.p.cfg.Logger.Info("a journal lane could not be released; its lease will run out", "journal", l.p.cfg.Name, "lane", l.n, "error", err)
	}
}

func (l *lane) writeHead(ctx context.Context, release bool) error {
	key := headKey(l.p.cfg.Name, l.n)
	for range headAttempts {
		start := time.Now()
		item, err := l.p.store.get(ctx, key)
		if sidecar.IsMissing(err) {
			l.lose() // somebody emptied the store
			return errTaken
		}
		if err != nil {
			return err
		}
		h, err := decode[head](key, item.Value)
		if err != nil {
			return err
		}
		if h.Owner != l.p.owner || h.Epoch != l.epoch {
			l.lose()
			return errTaken
		}
		next := l.plan(h, release)
		err = l.p.store.update(ctx, key, encode(next), item.ETag)
		if sidecar.IsConflict(err) {
			continue // an earlier try of ours arrived late, or another owner
		}
		if err != nil {
			return err
		}
		l.written(next, start)
		return nil
	}
	return fault.New(fault.Unavailable, "unavailable", "The journal's head changes too often.")
}

// plan makes the head's next content from its present one and what memory knows.
func (l *lane) plan(h head, release bool) head {
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	l.low = h.Low
	next := h
	next.Beat++
	next.LeaseMS = l.p.cfg.lease.Milliseconds()
	next.Instance = l.p.cfg.Instance
	next.Spare = !l.writing
	if l.writing {
		next.Asked = ""
	}
	next.Low, next.Kept = l.frontier()
	next.Swept = max(h.Swept, l.swept)
	next.Dead = nil
	for _, seq := range slices.Concat(h.Dead, h.Kept) {
		if !l.erased[seq] && !slices.Contains(next.Kept, seq) {
			next.Dead = append(next.Dead, seq)
		}
	}
	if release {
		next.Owner, next.Instance, next.Left, next.Spare = "", "", len(l.entries), false
	}
	return next
}

// written takes over into memory what the head now says.
func (l *lane) written(h head, start time.Time) {
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	l.low, l.kept, l.dead, l.asked = h.Low, h.Kept, h.Dead, h.Asked != ""
	for seq := range l.erased {
		if !slices.Contains(h.Dead, seq) {
			delete(l.erased, seq)
		}
	}
	l.valid = start.Add(l.p.cfg.lease)
	l.prune()
}

// sweep deletes the segments that the head no longer counts, for as long as there is time. What is
// left over is deleted after the next beat, by the next owner at the latest.
func (l *lane) sweep(ctx context.Context, until time.Time) {
	for time.Now().Before(until) {
		seqs, to := l.garbage()
		if len(seqs) > 0 && !l.erase(ctx, seqs) {
			return
		}
		l.all.mu.Lock()
		l.swept = max(l.swept, to)
		for _, seq := range seqs {
			if slices.Contains(l.dead, seq) {
				l.erased[seq] = true
			}
		}
		done := l.swept >= l.low && len(seqs) < sweepChunk
		l.all.mu.Unlock()
		if done {
			return
		}
	}
}

// garbage returns some segments to delete, and the position up to which everything is deleted after
// that.
func (l *lane) garbage() (seqs []uint64, to uint64) {
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	for _, seq := range l.dead {
		if !l.erased[seq] && len(seqs) < sweepChunk {
			seqs = append(seqs, seq)
		}
	}
	to = max(l.swept, 1)
	for ; to < l.low && len(seqs) < sweepChunk; to++ {
		if !slices.Contains(l.kept, to) && !slices.Contains(l.dead, to) {
			seqs = append(seqs, to)
		}
	}
	return seqs, to
}

// erase deletes segments. Claims stay for a while: an append of an earlier owner may still be under
// way to the very position of a claim, and would succeed if the key were free.
func (l *lane) erase(ctx context.Context, seqs []uint64) bool {
	keys := make([]string, len(seqs))
	for i, seq := range seqs {
		keys[i] = segmentKey(l.p.cfg.Name, l.n, seq)
	}
	items, err := l.p.store.bulkGet(ctx, keys)
	if err != nil {
		return false
	}
	for key, item := range items {
		record, err := decode[segmentRecord](key, item.Value)
		if err != nil {
			return false
		}
		if record.Claim {
			record.IDs = nil
			err = l.p.store.update(ctx, key, encode(record), item.ETag, sidecar.WithTTL(fenceTTL))
		} else {
			err = l.p.store.remove(ctx, key, item.ETag)
		}
		if err != nil && !sidecar.IsConflict(err) {
			return false
		}
	}
	return true
}
