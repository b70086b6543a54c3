package journal

import "time"

// hold adds a lane that was claimed, and returns how many unfinished ids it has. With writing a
// writer appends to it.
func (m *lanes) hold(l *lane, writing bool) (backlog int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l.writing = writing
	m.held[l.n] = l
	return len(l.entries)
}

func (m *lanes) holds(n int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.held[n] != nil
}

// adopt gives a writer a lane that is held and that nobody appends to yet, or nil.
func (m *lanes) adopt() *lane {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.held {
		if !l.writing && time.Now().Before(l.valid) {
			l.writing = true
			return l
		}
	}
	return nil
}

// closeAll gives all lanes up in memory, and returns them.
func (m *lanes) closeAll() (closed []*lane) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.held {
		closed = append(closed, l)
		l.close()
	}
	return closed
}

// writable reports whether there is a lane that a writer appends to and whose lease has not ended.
func (m *lanes) writable() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.held {
		if l.writing && time.Now().Before(l.valid) {
			return true
		}
	}
	return false
}

// owns is [Journal.Owns].
func (m *lanes) owns(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.held {
		if l.writing && l.entries[id] != nil && time.Until(l.valid) >= m.p.cfg.lease/2 {
			return true
		}
	}
	return false
}

// finish is [Journal.Finish].
func (m *lanes) finish(asOf time.Time, ids []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.held {
		for _, id := range ids {
			if e := l.entries[id]; e != nil && e.tickets == 0 && !e.fence && e.touched.Before(asOf) {
				e.finish()
			}
		}
	}
}

// poke makes ids due, or all if none are named.
func (m *lanes) poke(ids []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.held {
		if len(ids) == 0 {
			for _, e := range l.entries {
				e.poke()
			}
		}
		for _, id := range ids {
			if e := l.entries[id]; e != nil {
				e.poke()
			}
		}
	}
}

// backlog counts the unfinished ids.
func (m *lanes) backlog() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, l := range m.held {
		n += len(l.entries)
	}
	return n
}

// stats is a snapshot of everything but the Begins that wait.
func (m *lanes) stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Stats{Lanes: len(m.held)}
	now := m.p.cfg.now()
	for _, l := range m.held {
		s.Backlog += len(l.entries)
		s.Segments += len(l.segs)
		for _, e := range l.entries {
			if e.tickets > 0 {
				s.InFlight++
			}
			s.Oldest = max(s.Oldest, now.Sub(e.since))
		}
	}
	return s
}
