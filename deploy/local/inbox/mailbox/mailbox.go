// Package mailbox keeps the mails and SMS messages that an inbox has caught, the newest of them
// within a number and a size, and finds them again.
package mailbox

import (
	"slices"
	"sync"
)

// Mailbox keeps the newest messages within a number and a size. Messages are
// immutable but for their read mark, so a list taken from the mailbox stays valid
// while others add and delete. Safe for concurrent use.
type Mailbox struct {
	maxMessages int
	maxBytes    int64

	mu      sync.RWMutex
	items   []*Message // in order of arrival
	byID    map[string]*Message
	stats   Stats
	changed chan struct{} // closed at the next change
}

// Stats counts mails, and what was deleted, since the start; the sizes are in bytes.
type Stats struct {
	Accepted, AcceptedSize, Rejected, Deleted uint64
	Held                                      int64 // bytes that the messages take
}

// New returns an empty mailbox for this many messages and bytes.
func New(maxMessages int, maxBytes int64) *Mailbox {
	return &Mailbox{
		maxMessages: maxMessages,
		maxBytes:    maxBytes,
		byID:        make(map[string]*Message),
		changed:     make(chan struct{}),
	}
}

// Add appends a message and drops the oldest ones over the limits; the new one
// is always kept.
func (b *Mailbox) Add(m *Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items = append(b.items, m)
	b.byID[m.ID] = m
	b.stats.Held += m.size()
	if m.mail != nil {
		b.stats.Accepted++
		b.stats.AcceptedSize += uint64(len(m.Raw))
	}
	for len(b.items) > 1 && (len(b.items) > b.maxMessages || b.stats.Held > b.maxBytes) {
		oldest := b.items[0]
		b.items[0] = nil // the backing array lives on until the next growth
		b.items = b.items[1:]
		b.forget(oldest)
	}
	b.announce()
}

// Get returns the message of that id, or of the newest mail for "latest".
func (b *Mailbox) Get(id string) (*Message, bool) {
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

// Page is a stretch of the messages that a filter accepts, newest first, with
// the numbers of all that it accepts.
type Page struct {
	Messages      []*Message
	Total, Unread int
}

// List returns the stretch of matching messages that begins at start, newest
// first. The filter runs outside the lock.
func (b *Mailbox) List(match func(*Message) bool, start, limit int) Page {
	b.mu.RLock()
	items := slices.Clone(b.items)
	b.mu.RUnlock()
	found := Page{Messages: []*Message{}}
	for _, m := range slices.Backward(items) {
		if !match(m) {
			continue
		}
		if found.Total >= start && len(found.Messages) < limit {
			found.Messages = append(found.Messages, m)
		}
		found.Total++
		if !m.read.Load() {
			found.Unread++
		}
	}
	return found
}

// Delete removes the messages that match.
func (b *Mailbox) Delete(match func(*Message) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := len(b.items)
	b.items = slices.DeleteFunc(b.items, func(m *Message) bool {
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

// SetRead marks the messages that match.
func (b *Mailbox) SetRead(match func(*Message) bool, read bool) {
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

// MarkRead marks one message.
func (b *Mailbox) MarkRead(m *Message) {
	if m.read.Swap(true) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.announce()
}

// Reject counts a mail that was not kept.
func (b *Mailbox) Reject() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Rejected++
}

// Stats returns the counters.
func (b *Mailbox) Stats() Stats {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.stats
}

// NextChange returns a channel that is closed at the next change.
func (b *Mailbox) NextChange() <-chan struct{} {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.changed
}

func (b *Mailbox) forget(m *Message) {
	delete(b.byID, m.ID)
	b.stats.Held -= m.size()
	b.stats.Deleted++
}

func (b *Mailbox) announce() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// Any accepts every message.
func Any(*Message) bool { return true }
