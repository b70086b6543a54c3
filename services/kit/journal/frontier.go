package journal

import (
	"slices"
	"time"
)

// sweepChunk is the number of segments read in one call to delete them.
const sweepChunk = 100

// headAfter makes the head's next content from its present one and what memory knows.
func (l *lane) headAfter(h head, release bool) head {
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

// renewed takes over into memory what the head says, which was begun to be written at start.
func (l *lane) renewed(h head, start time.Time) {
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

// sweptTo takes note that what garbage returned is deleted, and reports whether there was no more.
func (l *lane) sweptTo(seqs []uint64, to uint64) (done bool) {
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	l.swept = max(l.swept, to)
	for _, seq := range seqs {
		if slices.Contains(l.dead, seq) {
			l.erased[seq] = true
		}
	}
	return l.swept >= l.low && len(seqs) < sweepChunk
}

// The rest is called while the lock is held.

// frontier returns the next low and the segments below it that must be kept: every segment that is
// neither at or above low nor kept holds no unfinished id. low never falls.
func (l *lane) frontier() (low uint64, kept []uint64) {
	most := l.p.cfg.maxBacklog/l.p.cfg.dense + 16
	for _, s := range l.segs {
		switch {
		case s.live == 0:
		case s.seq < l.low, s.live >= l.p.cfg.dense && len(kept) < most:
			kept = append(kept, s.seq)
		default:
			return s.seq, kept
		}
	}
	return l.end, kept
}

// prune drops segments from memory that hold nothing and are below low.
func (l *lane) prune() {
	l.segs = slices.DeleteFunc(l.segs, func(s *segment) bool { return s.seq < l.low && s.live == 0 })
}

// stragglers picks the ids to write again with the next append, so that low can advance. There are
// none as long as the log is short. Ids of the newer half are left alone, as they may finish soon,
// and those of dense segments, as these will be kept.
func (l *lane) stragglers() []*entry {
	span := uint64(l.p.cfg.maxSegments)
	if l.end-l.low <= span {
		return nil
	}
	var moved []*entry
	for _, s := range l.segs {
		if s.seq >= l.end-span/2 {
			break
		}
		if s.live == 0 || s.live >= l.p.cfg.dense {
			continue
		}
		if len(moved)+s.live > l.p.cfg.moveLimit {
			break
		}
		for _, e := range s.entries {
			if e.seg == s {
				moved = append(moved, e)
			}
		}
	}
	return moved
}
