package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sidecart.dev/kit/sidecar"
)

// loadChunk is the number of segments read in one call when a lane is taken over.
const loadChunk = 100

// standing says in which state a lane was found.
type standing int

const (
	taken   standing = iota // another process owns it and is alive, for all we know
	free                    // nobody owns it and it is empty
	left                    // nobody owns it and it holds unfinished ids
	expired                 // its owner has not renewed its lease
)

// candidate is a lane that this replica might claim.
type candidate struct {
	lane     int
	standing standing
	head     head
	etag     string // empty: the lane has never been used
}

// claim makes this process the owner of a lane: it takes the head, reads the log to its end, and
// closes it against the owner before with a segment of its own. From then on every append of that
// owner fails, and everything it was ever told to be written has been read. It fails with errTaken
// if another replica was faster.
func claim(ctx context.Context, all *lanes, c candidate) (*lane, error) {
	start := time.Now()
	h, err := takeHead(ctx, all.p, c)
	if err != nil {
		return nil, err
	}
	l := newLane(all, c.lane, h)
	if err := readKept(ctx, l, h.Kept); err != nil {
		return nil, err
	}
	claimed, err := readLog(ctx, l, h.Low)
	if err != nil {
		return nil, err
	}
	l.open(claimed, start.Add(all.p.cfg.lease))
	return l, nil
}

func takeHead(ctx context.Context, p *process, c candidate) (head, error) {
	h := c.head
	h.Owner, h.Instance, h.Left, h.Spare, h.Asked = p.owner, p.cfg.Instance, 0, false, ""
	h.Epoch++
	h.Beat++
	h.LeaseMS = p.cfg.lease.Milliseconds()
	h.Low, h.Swept = max(h.Low, 1), max(h.Swept, 1)
	var err error
	if c.etag == "" {
		err = p.store.insert(ctx, headKey(p.cfg.Name, c.lane), encode(h))
	} else {
		err = p.store.update(ctx, headKey(p.cfg.Name, c.lane), encode(h), c.etag)
	}
	if sidecar.IsExists(err) || sidecar.IsConflict(err) {
		return head{}, errTaken
	}
	return h, err
}

// readKept reads the segments below low that the head names. All of them must be there.
func readKept(ctx context.Context, l *lane, kept []uint64) error {
	for chunk := range slices.Chunk(kept, loadChunk) {
		items, err := l.p.readSegments(ctx, l.n, chunk)
		if err != nil {
			return err
		}
		for _, seq := range chunk {
			record, ok := items[seq]
			if !ok {
				key := segmentKey(l.p.cfg.Name, l.n, seq)
				return fmt.Errorf("journal: segment %s is not to be found", key)
			}
			l.replay(seq, record)
		}
	}
	return nil
}

// readLog reads the log from low to the first position that is free, puts this owner's claim there,
// and returns the position. If somebody else writes to that position first it reads on, so that
// nothing written before the claim is missed.
func readLog(ctx context.Context, l *lane, low uint64) (claimed uint64, err error) {
	claim := l.p.newSegment(l.epoch, l.p.cfg.now())
	claim.Claim = true
	value := encode(claim)
	stuck := 0
	for pos := low; ; {
		seqs := make([]uint64, loadChunk)
		for i := range seqs {
			seqs[i] = pos + uint64(i)
		}
		items, err := l.p.readSegments(ctx, l.n, seqs)
		if err != nil {
			return 0, err
		}
		start := pos
		for record, ok := items[pos]; ok; record, ok = items[pos] {
			if record.sameWrite(&claim) {
				return pos, nil
			}
			if record.Epoch > l.epoch {
				return 0, errTaken
			}
			l.replay(pos, record)
			pos++
		}
		if pos == start+loadChunk {
			continue
		}
		err = l.p.place(ctx, l.n, pos, &claim, value)
		if err == nil {
			return pos, nil
		}
		if stuck++; !errors.Is(err, errTaken) || stuck > loadChunk {
			return 0, err
		}
	}
}
