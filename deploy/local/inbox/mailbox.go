package inbox

import (
	"slices"
	"sync"
)

// mailbox keeps the newest messages within a number and a size. Messages are
// immutable but for their read mark, so a list taken from the mailbox stays valid
// while others add and delete. Safe for concurrent use.
type mailbox struct {
	maxMessages int
	maxBytes    int64

	mu      sync.RWMutex
	items   []*message // in order of arrival
	byID    map[string]*message
	bytes   int64
	stats   mailboxStats
	changed chan struct{} // closed at the next change
}

// mailboxStats counts since the start; the sizes are in bytes.
type mailboxStats struct {
	accepted, acceptedSize, rejected, deleted uint64
}

func newMailbox(maxMessages int, maxBytes int64) *mailbox {
	return &mailbox{
		maxMessages: maxMessages,
		maxBytes:    maxBytes,
		byID:        make(map[string]*message),
		changed:     make(chan struct{}),
	}
}

// add appends a message and drops the oldest ones over the limits; the new one
// is always kept.
func (b *mailbox) add(m *message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items = append(b.items, m)
	b.byID[m.id] = m
	b.bytes += m.size()
	if m.mail != nil {
		b.stats.accepted++
		b.stats.acceptedSize += uint64(len(m.raw))
	}
	for len(b.items) > 1 && (len(b.items) > b.maxMessages || b.bytes > b.maxBytes) {
		oldest := b.items[0]
		b.items[0] = nil // the backing array lives on until the next growth
		b.items = b.items[1:]
		b.forget(oldest)
	}
	b.announce()
}

// get returns the message of that id, or of the newest mail for "latest".
func (b *mailbox) get(id string) (*message, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if id == "latest" {
		for _, m := range slices.Backward(b.items) {
			if m.mail != nil {
				return m, true
			}
		}
		return nil, false
	}
	m, ok := b.byID[id]
	return m, ok
}

// page is a stretch of the messages that a filter accepts, newest first, with
// the numbers of all that it accepts.
type page struct {
	messages      []*message
	total, unread int
	start         int
}

// list returns the stretch of matching messages that begins at start, newest
// first. The filter runs outside the lock.
func (b *mailbox) list(match func(*message) bool, start, limit int) page {
	b.mu.RLock()
	items := slices.Clone(b.items)
	b.mu.RUnlock()
	found := page{start: start, messages: []*message{}}
	for _, m := range slices.Backward(items) {
		if !match(m) {
			continue
		}
		if found.total >= start && len(found.messages) < limit {
			found.messages = append(found.messages, m)
		}
		found.total++
		if !m.read.Load() {
			found.unread++
		}
	}
	return found
}

// delete removes the messages that match.
func (b *mailbox) delete(match func(*message) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := len(b.items)
	b.items = slices.DeleteFunc(b.items, func(m *message) bool {
		if !match(m) {
			return false
		}
		b.forget(m)
		return true
	})
	if len(b.items) != before {
		b.announce()
	}
}

// setRead marks the messages that match.
func (b *mailbox) setRead(match func(*message) bool, read bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	changed := false
	for _, m := range b.items {
		if match(m) && m.read.Swap(read) != read {
			changed = true
		}
	}
	if changed {
		b.announce()
	}
}

// markRead marks one message.
func (b *mailbox) markRead(m *message) {
	if m.read.Swap(true) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.announce()
}

func (b *mailbox) reject() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.rejected++
}

// snapshot returns the counters and the bytes held.
func (b *mailbox) snapshot() (mailboxStats, int64) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.stats, b.bytes
}

// nextChange returns a channel that is closed at the next change.
func (b *mailbox) nextChange() <-chan struct{} {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.changed
}

func (b *mailbox) forget(m *message) {
	delete(b.byID, m.id)
	b.bytes -= m.size()
	b.stats.deleted++
}

func (b *mailbox) announce() {
	close(b.changed)
	b.changed = make(chan struct{})
}

func isMail(m *message) bool { return m.mail != nil }

func isSMS(m *message) bool { return m.sms != nil }

func isAny(*message) bool { return true }
