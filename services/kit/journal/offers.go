package journal

import "time"

// offer is an entry on its way to the settler.
type offer struct {
	*entry
	gen   uint64 // the entry's when it was found due
	limit int    // the entry's
}

// due collects entries that are due, some at most, and marks their ids as being settled. An id may
// stand in several lanes; it is offered through one of them at a time.
func (m *lanes) due(most int) []offer {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	var offers []offer
	for _, l := range m.held {
		for _, e := range l.entries {
			if len(offers) == most {
				return offers
			}
			if m.atWork[e.id] || e.busy(now) || now.Before(e.next) || m.busyElsewhere(e, now) {
				continue
			}
			m.atWork[e.id], e.again = true, false
			e.fence = e.fence || e.tickets > 0
			offers = append(offers, offer{entry: e, gen: e.gen, limit: e.limit})
		}
	}
	return offers
}

func (m *lanes) busyElsewhere(e *entry, now time.Time) bool {
	if len(m.held) == 1 {
		return false
	}
	for _, l := range m.held {
		if other := l.entries[e.id]; other != nil && other != e && other.busy(now) {
			return true
		}
	}
	return false
}

// revise drops what a handler has begun, or what was finished, since the batch was made.
func (m *lanes) revise(batch []offer) (offered []offer, entries []Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	wall, now := m.p.cfg.now(), time.Now()
	for _, o := range batch {
		if o.seg == nil || o.lane.isGone() || o.entry.gen != o.gen || o.busy(now) {
			delete(m.atWork, o.id)
			continue
		}
		offered = append(offered, o)
		entries = append(entries, Entry{
			ID: o.id, Since: o.since, Age: wall.Sub(o.since), Attempt: o.attempt + 1, Fence: o.fence,
		})
	}
	return offered, entries
}

// settled forgets the finished ids that have not been begun again meanwhile, and schedules the
// others: in smaller batches if none was finished because of an error.
func (m *lanes) settled(offered []offer, finished []string, failed bool) {
	done := make(map[string]bool, len(finished))
	for _, id := range finished {
		done[id] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for _, o := range offered {
		e := o.entry
		delete(m.atWork, e.id)
		switch {
		case e.gen != o.gen: // begun again: a new business
		case done[e.id]:
			e.finish()
		default:
			e.attempt++
			e.next = now.Add(m.p.backoff(e.attempt))
			if e.again {
				e.next = now
			}
			e.limit = 0
			if failed && len(finished) == 0 {
				e.limit = max(1, len(offered)/2)
			}
		}
	}
}
