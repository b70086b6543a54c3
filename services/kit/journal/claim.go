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
	taken standing = iota // another process owns it and is alive, for all we know
	free                  // nobody owns it and it is empty
	left                  // nobody owns it and it holds unfinished ids
	dead                  // its owner has not renewed its lease
)

// candidate is a lane that this replica might claim.
type candidate struct {
	lane     int
	standing standing
	head     head
	etag     string // empty: the lane has never been used
}

// sighting is the last change of a head that was observed.
type sighting struct {
	owner string
	epoch uint64
	beat  uint64
	at    time.Time
}

// survey reads all heads and returns those of lanes that are not held. Journal.claiming is held.
func (j *Journal) survey(ctx context.Context) ([]candidate, error) {
	keys := make([]string, j.cfg.lanes)
	for n := range keys {
		keys[n] = j.headKey(n)
	}
	items, err := j.store.bulkGet(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("reading the journal's heads: %w", err)
	}
	now := time.Now()
	first := j.predecessors == nil
	if first {
		j.predecessors = map[int]uint64{}
	}
	var found []candidate
	for n, key := range keys {
		if j.holds(n) {
			continue
		}
		item, ok := items[key]
		if !ok {
			found = append(found, candidate{lane: n, standing: free})
			continue
		}
		h, err := decode[head](key, item.Value)
		if err != nil {
			j.cfg.Logger.Error("a lane of the journal cannot be used", "journal", j.cfg.Name, "lane", n, "error", err)
			continue
		}
		if first && j.cfg.Instance != "" && h.Instance == j.cfg.Instance {
			j.predecessors[n] = h.Epoch
		}
		found = append(found, candidate{lane: n, standing: j.judge(n, h, now), head: h, etag: item.ETag})
	}
	return found, nil
}

// judge decides whether a lane that is not held may be claimed.
func (j *Journal) judge(n int, h head, now time.Time) standing {
	seen, ok := j.seen[n]
	if !ok || seen.owner != h.Owner || seen.epoch != h.Epoch || seen.beat != h.Beat {
		seen = sighting{owner: h.Owner, epoch: h.Epoch, beat: h.Beat, at: now}
		j.seen[n] = seen
	}
	epoch, succeeded := j.predecessors[n]
	switch {
	case h.Owner == "" && h.Asked != "" && h.Asked != j.owner && now.Sub(seen.at) < j.cfg.lease:
		return taken // it was given up for another
	case h.Owner == "" && h.Left == 0:
		return free
	case h.Owner == "":
		return left
	case h.Owner == j.owner, succeeded && epoch == h.Epoch:
		return left
	case now.Sub(seen.at) >= max(time.Duration(h.LeaseMS)*time.Millisecond, time.Millisecond):
		return dead
	default:
		return taken
	}
}

// ask tells the owner of a lane that it can do without that this replica has none.
func (j *Journal) ask(ctx context.Context, found []candidate) {
	for _, c := range found {
		if c.head.Asked == j.owner {
			return
		}
	}
	for _, c := range found {
		if c.head.Spare && c.head.Asked == "" {
			h := c.head
			h.Asked = j.owner
			// A failure does not matter: the next attempt asks again.
			_ = j.store.update(ctx, j.headKey(c.lane), encode(h), c.etag)
			return
		}
	}
}

func (j *Journal) holds(n int) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.held[n] != nil
}

// choose orders what may be claimed: lanes with work left behind first, then free ones, then those of dead owners; at random among equals,
// so that replicas do not run into each other.
func (j *Journal) choose(found []candidate, wanted ...standing) []candidate {
	for i := len(found) - 1; i > 0; i-- {
		k := int(j.cfg.rand() % uint64(i+1))
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

// claim makes this process the owner of a lane: it takes the head, reads the log to its end, and closes it against the
// owner before with a segment of its own. From then on every append of that owner fails, and everything it was ever told to
// be written has been read. It fails with errTaken if another replica was faster.
func (j *Journal) claim(ctx context.Context, c candidate) (*lane, error) {
	start := time.Now()
	h, err := j.takeHead(ctx, c)
	if err != nil {
		return nil, err
	}
	l := j.newLane(c.lane, h)
	if err := l.loadKept(ctx, h); err != nil {
		return nil, err
	}
	if err := l.loadLog(ctx, h); err != nil {
		return nil, err
	}
	l.valid = start.Add(j.cfg.lease)
	return l, nil
}

func (j *Journal) takeHead(ctx context.Context, c candidate) (head, error) {
	h := c.head
	h.Owner, h.Instance, h.Left, h.Spare, h.Asked = j.owner, j.cfg.Instance, 0, false, ""
	h.Epoch++
	h.Beat++
	h.LeaseMS = j.cfg.lease.Milliseconds()
	h.Low, h.Swept = max(h.Low, 1), max(h.Swept, 1)
	var err error
	if c.etag == "" {
		err = j.store.insert(ctx, j.headKey(c.lane), encode(h))
	} else {
		err = j.store.update(ctx, j.headKey(c.lane), encode(h), c.etag)
	}
	if sidecar.IsExists(err) || sidecar.IsConflict(err) {
		return head{}, errTaken
	}
	return h, err
}

// loadKept reads the segments below low that the head names. All of them must be there.
func (l *lane) loadKept(ctx context.Context, h head) error {
	for chunk := range slices.Chunk(h.Kept, loadChunk) {
		items, err := l.readSegments(ctx, chunk)
		if err != nil {
			return err
		}
		for _, seq := range chunk {
			record, ok := items[seq]
			if !ok {
				return fmt.Errorf("journal: segment %s is not to be found", l.j.segmentKey(l.n, seq))
			}
			l.replay(seq, record)
		}
	}
	return nil
}

// loadLog reads the log from low to the first position that is free, and puts this owner's claim there. If somebody
// else writes to that position first it reads on, so that nothing written before the claim is missed.
func (l *lane) loadLog(ctx context.Context, h head) error {
	j := l.j
	claim := segmentRecord{Epoch: l.epoch, By: j.owner, N: j.serial.Add(1), At: j.cfg.now().UnixMilli(), Claim: true}
	value := encode(claim)
	stuck := 0
	for pos := h.Low; ; {
		seqs := make([]uint64, loadChunk)
		for i := range seqs {
			seqs[i] = pos + uint64(i)
		}
		items, err := l.readSegments(ctx, seqs)
		if err != nil {
			return err
		}
		start := pos
		for record, ok := items[pos]; ok; record, ok = items[pos] {
			if record.sameWrite(&claim) {
				return l.opened(pos)
			}
			if record.Epoch > l.epoch {
				return errTaken
			}
			l.replay(pos, record)
			pos++
		}
		if pos == start+loadChunk {
			continue
		}
		err = j.place(ctx, l.n, pos, &claim, value)
		if err == nil {
			return l.opened(pos)
		}
		if stuck++; !errors.Is(err, errTaken) || stuck > loadChunk {
			return err
		}
	}
}

func (l *lane) opened(claim uint64) error {
	l.add(claim)
	l.next = claim + 1
	return nil
}

func (l *lane) readSegments(ctx context.Context, seqs []uint64) (map[uint64]segmentRecord, error) {
	keys := make([]string, len(seqs))
	for i, seq := range seqs {
		keys[i] = l.j.segmentKey(l.n, seq)
	}
	items, err := l.j.store.bulkGet(ctx, keys)
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

// replay takes the ids of a segment into memory. They are offered to the settler when the handlers of the process
// that wrote them must have given up, wherever its clock stood.
func (l *lane) replay(seq uint64, record segmentRecord) {
	j := l.j
	j.mu.Lock()
	defer j.mu.Unlock()
	s := l.add(seq)
	at := fromMillis(record.At)
	age := min(max(j.cfg.now().Sub(at), 0), j.cfg.grace)
	for _, id := range record.IDs {
		since := at
		if id.Since != 0 {
			since = fromMillis(id.Since)
		}
		e, _ := l.put(s, id.ID, since)
		e.fence = true
		e.next = time.Now().Add(j.cfg.grace - age)
	}
}
