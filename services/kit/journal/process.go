package journal

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"sidecart.dev/kit/sidecar"
)

// process is what every part of a journal knows of the process it runs in, and how it reaches the
// store. It does not change, but for the count of segments.
type process struct {
	cfg      Config
	log      *slog.Logger
	store    store
	owner    string        // names this process in the store
	segments atomic.Uint64 // that this process has written or tried to write
	metrics  *metrics
}

func newProcess(cfg Config) *process {
	return &process{
		cfg: cfg, log: cfg.Logger.With("journal", cfg.Name),
		store: store{state: cfg.State, timeout: cfg.callTimeout},
		owner: fmt.Sprintf("%016x%016x", cfg.rand(), cfg.rand()),
	}
}

// newSegment makes a segment's record, which is told from all others by its number and this
// process's name.
func (p *process) newSegment(epoch uint64, at time.Time) segmentRecord {
	return segmentRecord{Epoch: epoch, By: p.owner, N: p.segments.Add(1), At: at.UnixMilli()}
}

// place inserts a segment of lane n by first-write. Nil means that it stands at its position,
// errTaken that another process's segment does. Any other error leaves the outcome unknown: the
// same segment must be placed again before anything else is.
func (p *process) place(ctx context.Context, n int, seq uint64,
	record *segmentRecord, value []byte,
) error {
	key := segmentKey(p.cfg.Name, n, seq)
	var err error
	for range 2 {
		if err = p.store.insert(ctx, key, value); err == nil {
			return nil
		}
		item, readErr := p.store.get(ctx, key)
		if readErr == nil {
			stands, err := decode[segmentRecord](key, item.Value)
			if err != nil {
				return err
			}
			if stands.sameWrite(record) {
				return nil // an earlier try arrived, whatever its answer was
			}
			return errTaken
		}
		if !sidecar.IsMissing(readErr) {
			return err
		}
	}
	return err
}

// readSegments reads the segments of lane n that are there, by position.
func (p *process) readSegments(ctx context.Context, n int, seqs []uint64,
) (map[uint64]segmentRecord, error) {
	keys := make([]string, len(seqs))
	for i, seq := range seqs {
		keys[i] = segmentKey(p.cfg.Name, n, seq)
	}
	items, err := p.store.bulkGet(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("reading the journal's segments: %w", err)
	}
	records := make(map[uint64]segmentRecord, len(items))
	for i, key := range keys {
		if item, ok := items[key]; ok {
			if records[seqs[i]], err = decode[segmentRecord](key, item.Value); err != nil {
				return nil, err
			}
		}
	}
	return records, nil
}

// backoff is the delay after the given number of attempts at an id.
func (p *process) backoff(attempt int) time.Duration {
	d := p.cfg.maxBackoff
	if shift := attempt - 1; shift < 30 && p.cfg.Every<<shift < d {
		d = p.cfg.Every << shift
	}
	return p.jitter(d)
}

// jitter spreads d over [¾ d, 1¼ d).
func (p *process) jitter(d time.Duration) time.Duration {
	return d*3/4 + time.Duration(float64(d)/2*float64(p.cfg.rand()>>11)/(1<<53))
}
