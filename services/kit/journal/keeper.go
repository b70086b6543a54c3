package journal

import (
	"context"
	"errors"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

const (
	// fenceTTL is how long the segment that fenced an owner is kept after it is of no other use: the
	// longest that a delayed append may be under way.
	fenceTTL = 7 * 24 * time.Hour
	// headAttempts bounds the tries of one head write.
	headAttempts = 3
)

// keeper keeps the head of a lane that is held, and deletes the segments that it no longer counts.
type keeper struct {
	p    *process
	lane *lane
}

// run renews the lane's lease three times per lease and deletes what is no longer needed, until the
// lane is given up. A lane that nobody appends to is released once it is empty, or when a replica
// without a lane asks for it.
func (k keeper) run(ctx context.Context) {
	period := k.p.cfg.lease / 3
	start := time.Now()
	for {
		pause(ctx.Done(), k.lane.gone, nil, time.Until(start.Add(period)))
		if ctx.Err() != nil || k.lane.isGone() {
			return
		}
		start = time.Now()
		err := k.beat(ctx)
		switch {
		case err == nil:
			k.sweep(ctx, start.Add(period))
			if k.lane.retire() {
				k.release(ctx)
				return
			}
		case !errors.Is(err, errTaken):
			k.p.log.Warn("the lease of a journal lane could not be renewed",
				"lane", k.lane.n, "error", err)
		}
	}
}

// beat renews the lease and writes the frontier. It fails with errTaken, giving the lane up, if
// another process owns it, and with a transient fault otherwise.
func (k keeper) beat(ctx context.Context) error {
	k.lane.heading.lock()
	defer k.lane.heading.unlock()
	return k.writeHead(ctx, false)
}

// release says in the head of a lane that was given up that nobody owns it, so that another replica
// need not wait for the lease.
func (k keeper) release(ctx context.Context) {
	k.lane.heading.lock()
	defer k.lane.heading.unlock()
	if err := k.writeHead(ctx, true); err != nil {
		k.p.log.Info("a journal lane could not be released; its lease will run out",
			"lane", k.lane.n, "error", err)
	}
}

func (k keeper) writeHead(ctx context.Context, release bool) error {
	key := headKey(k.p.cfg.Name, k.lane.n)
	for range headAttempts {
		start := time.Now()
		item, err := k.p.store.get(ctx, key)
		if sidecar.IsMissing(err) {
			k.lane.lose() // somebody emptied the store
			return errTaken
		}
		if err != nil {
			return err
		}
		h, err := decode[head](key, item.Value)
		if err != nil {
			return err
		}
		if h.Owner != k.p.owner || h.Epoch != k.lane.epoch {
			k.lane.lose()
			return errTaken
		}
		next := k.lane.headAfter(h, release)
		err = k.p.store.update(ctx, key, encode(next), item.ETag)
		if sidecar.IsConflict(err) {
			continue // an earlier try of ours arrived late, or another owner
		}
		if err != nil {
			return err
		}
		k.lane.renewed(next, start)
		return nil
	}
	return fault.New(fault.Unavailable, "unavailable", "The journal's head changes too often.")
}

// sweep deletes the segments that the head no longer counts, for as long as there is time. What is
// left over is deleted after the next beat, by the next owner at the latest.
func (k keeper) sweep(ctx context.Context, until time.Time) {
	for time.Now().Before(until) {
		seqs, to := k.lane.garbage()
		if len(seqs) > 0 && !k.erase(ctx, seqs) {
			return
		}
		if k.lane.sweptTo(seqs, to) {
			return
		}
	}
}

// erase deletes segments. Claims stay for a while: an append of an earlier owner may still be under
// way to the very position of a claim, and would succeed if the key were free.
func (k keeper) erase(ctx context.Context, seqs []uint64) bool {
	keys := make([]string, len(seqs))
	for i, seq := range seqs {
		keys[i] = segmentKey(k.p.cfg.Name, k.lane.n, seq)
	}
	items, err := k.p.store.bulkGet(ctx, keys)
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
			err = k.p.store.update(ctx, key, encode(record), item.ETag, sidecar.WithTTL(fenceTTL))
		} else {
			err = k.p.store.remove(ctx, key, item.ETag)
		}
		if err != nil && !sidecar.IsConflict(err) {
			return false
		}
	}
	return true
}
