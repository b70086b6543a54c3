package journal

import "time"

// draft is a segment on its way into the store.
type draft struct {
	record segmentRecord
	value  []byte
	begun  []string             // ids, one for each ticket that there will be
	since  map[string]time.Time // of all ids in the record
	moved  []*entry
}

// draft makes the segment that carries what is begun, and stragglers of old segments.
func (l *lane) draft(begun []string) *draft {
	now := l.p.cfg.now()
	d := &draft{
		begun: begun, since: make(map[string]time.Time, len(begun)), record: l.p.newSegment(l.epoch, now),
	}
	l.fill(d, now)
	d.value = encode(d.record)
	return d
}

func (l *lane) fill(d *draft, now time.Time) {
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	for _, id := range d.begun {
		since := now
		if e := l.entries[id]; e != nil {
			since = e.since
		}
		d.add(id, since)
	}
	d.moved = l.stragglers()
	for _, e := range d.moved {
		d.add(e.id, e.since)
	}
}

// add puts an id into the record, once.
func (d *draft) add(id string, since time.Time) {
	if _, there := d.since[id]; there {
		return
	}
	d.since[id] = since
	r := idRecord{ID: id}
	if ms := since.UnixMilli(); ms != d.record.At {
		r.Since = ms
	}
	d.record.IDs = append(d.record.IDs, r)
}

// commit records in memory what stands in the store, and returns a ticket for each id that was
// begun.
func (l *lane) commit(d *draft) []*Ticket {
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	seq := l.next
	l.next++
	tickets := make([]*Ticket, len(d.begun))
	if l.isGone() {
		// The next owner reads this segment too: the ids are durable, and its business.
		for i, id := range d.begun {
			tickets[i] = &Ticket{e: &entry{id: id, lane: l}}
		}
		return tickets
	}
	now := time.Now()
	s := l.add(seq)
	for i, id := range d.begun {
		tickets[i] = l.put(s, id, d.since[id]).begin(now)
	}
	for _, e := range d.moved {
		if e.seg != nil {
			e.moveTo(s)
		}
	}
	return tickets
}
