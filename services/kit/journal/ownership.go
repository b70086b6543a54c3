package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// ownership decides which lanes this process claims, keeps them and gives them back.
type ownership struct {
	p     *process
	lanes *lanes

	turn turn             // held while lanes are looked for and claimed; guards the next two
	seen map[int]sighting // by lane
	// predecessors is the epoch of an owner that this process succeeds, by lane; nil before the first
	// survey.
	predecessors map[int]uint64

	keepers sync.WaitGroup // one for each lane held
}

func newOwnership(p *process, lanes *lanes) *ownership {
	return &ownership{p: p, lanes: lanes, turn: newTurn(), seen: map[int]sighting{}}
}

// sighting is the last change of a head that was observed.
type sighting struct {
	owner string
	epoch uint64
	beat  uint64
	at    time.Time
}

// survey reads all heads and returns those of lanes that are not held. The turn is held.
func (o *ownership) survey(ctx context.Context) ([]candidate, error) {
	keys := make([]string, o.p.cfg.lanes)
	for n := range keys {
		keys[n] = headKey(o.p.cfg.Name, n)
	}
	// Most lanes have never been used, and have no head. One that is overlooked cannot be claimed by
	// that, and is seen the next time.
	items, err := o.p.store.bulkGet(sidecar.Glance(ctx), keys)
	if err != nil {
		return nil, fmt.Errorf("reading the journal's heads: %w", err)
	}
	now := time.Now()
	first := o.predecessors == nil
	if first {
		o.predecessors = map[int]uint64{}
	}
	var found []candidate
	for n, key := range keys {
		if o.lanes.holds(n) {
			continue
		}
		item, ok := items[key]
		if !ok {
			found = append(found, candidate{lane: n, standing: free})
			continue
		}
		h, err := decode[head](key, item.Value)
		if err != nil {
			o.p.log.Error("a lane of the journal cannot be used", "lane", n, "error", err)
			continue
		}
		if first && o.p.cfg.Instance != "" && h.Instance == o.p.cfg.Instance {
			o.predecessors[n] = h.Epoch
		}
		found = append(found, candidate{lane: n, standing: o.judge(n, h, now), head: h, etag: item.ETag})
	}
	return found, nil
}

// judge decides whether a lane that is not held may be claimed.
func (o *ownership) judge(n int, h head, now time.Time) standing {
	seen, ok := o.seen[n]
	if !ok || seen.owner != h.Owner || seen.epoch != h.Epoch || seen.beat != h.Beat {
		seen = sighting{owner: h.Owner, epoch: h.Epoch, beat: h.Beat, at: now}
		o.seen[n] = seen
	}
	epoch, succeeded := o.predecessors[n]
	switch {
	case h.Owner == "" && h.Asked != "" && h.Asked != o.p.owner && now.Sub(seen.at) < o.p.cfg.lease:
		return taken // it was given up for another
	case h.Owner == "" && h.Left == 0:
		return free
	case h.Owner == "":
		return left
	case h.Owner == o.p.owner, succeeded && epoch == h.Epoch:
		return left
	case now.Sub(seen.at) >= max(time.Duration(h.LeaseMS)*time.Millisecond, time.Millisecond):
		return expired
	default:
		return taken
	}
}

// ask tells the owner of a lane that it can do without that this replica has none.
func (o *ownership) ask(ctx context.Context, found []candidate) {
	for _, c := range found {
		if c.head.Asked == o.p.owner {
			return
		}
	}
	for _, c := range found {
		if c.head.Spare && c.head.Asked == "" {
			h := c.head
			h.Asked = o.p.owner
			// A failure does not matter: the next attempt asks again.
			_ = o.p.store.update(ctx, headKey(o.p.cfg.Name, c.lane), encode(h), c.etag)
			return
		}
	}
}

// choose orders what may be claimed: lanes with work left behind first, then free ones, then those
// of dead owners; at random among equals, so that replicas do not run into each other.
func (o *ownership) choose(found []candidate, wanted ...standing) []candidate {
	for i := len(found) - 1; i > 0; i-- {
		k := int(o.p.cfg.rand() % uint64(i+1))
		found[i], found[k] = found[k], found[i]
	}
	var chosen []candidate
	for _, s := range wanted {
		for _, c := range found {
			if c.standing == s {
				chosen = append(chosen, c)
			}
		}
	}
	return chosen
}

// open finds a lane for a writer.
func (o *ownership) open(ctx context.Context) (*lane, error) {
	o.turn.lock()
	defer o.turn.unlock()
	if l := o.lanes.adopt(); l != nil {
		return l, nil
	}
	found, err := o.survey(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range o.choose(found, left, free, expired) {
		l, err := claim(ctx, o.lanes, c)
		if err == nil {
			o.hold(ctx, l, true, c.standing)
			return l, nil
		}
		if fault.Is(err, fault.Unavailable) || fault.Is(err, fault.Timeout) {
			return nil, err
		}
		if !errors.Is(err, errTaken) {
			o.p.log.Error("a lane of the journal cannot be used", "lane", c.lane, "error", err)
		}
	}
	o.ask(ctx, found)
	return nil, fault.Newf(fault.Unavailable, "unavailable",
		"All %d lanes of the journal are held by other replicas.", o.p.cfg.lanes)
}

// hold makes a claimed lane one of this replica's.
func (o *ownership) hold(ctx context.Context, l *lane, writing bool, found standing) {
	backlog := o.lanes.hold(l, writing)
	if found != free {
		o.p.metrics.takeovers.Inc()
		o.p.log.Info("took a journal lane over", "lane", l.n, "backlog", backlog)
	}
	o.keepers.Go(func() { keeper{o.p, l}.run(ctx) })
}

// patrol looks for lanes that hold work and have no living owner, and takes them over, one at a
// time so that replicas share them.
func (o *ownership) patrol(ctx, io context.Context) {
	wait := o.p.cfg.lease / 3
	for {
		pause(ctx.Done(), nil, nil, o.p.jitter(wait))
		if ctx.Err() != nil {
			return
		}
		wait = o.p.cfg.lease / 3
		more, err := o.inherit(io)
		if err != nil {
			o.p.log.Warn("lanes of the journal could not be looked at", "error", err)
		}
		if more {
			wait = o.p.cfg.lease / 30
		}
	}
}

// inherit takes one lane over, and reports whether there are more.
func (o *ownership) inherit(ctx context.Context) (more bool, err error) {
	o.turn.lock()
	defer o.turn.unlock()
	found, err := o.survey(ctx)
	if err != nil {
		return false, err
	}
	chosen := o.choose(found, left, expired)
	if len(chosen) == 0 {
		return false, nil
	}
	l, err := claim(ctx, o.lanes, chosen[0])
	if err == nil {
		o.hold(ctx, l, false, chosen[0].standing)
	} else if errors.Is(err, errTaken) {
		err = nil
	}
	return len(chosen) > 1, err
}

// releaseAll gives all lanes back, so that other replicas need not wait for their leases.
func (o *ownership) releaseAll(ctx context.Context) {
	var all sync.WaitGroup
	for _, l := range o.lanes.closeAll() {
		all.Go(func() { keeper{o.p, l}.release(ctx) })
	}
	all.Wait()
}
