package traces

import (
	"cmp"
	"container/list"
	"slices"
	"sync"
	"time"
)

// Limits bound a [Store]. The zero value of each field means its default.
type Limits struct {
	// Spans and Bytes bound all traces together, Bytes by an estimate of the memory they take:
	// 50,000 and 64 MiB.
	Spans, Bytes int
	// SpansPerTrace bounds one trace, of which further spans are not kept: 2,000.
	SpansPerTrace int
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Spans:         cmp.Or(l.Spans, 50_000),
		Bytes:         cmp.Or(l.Bytes, 64<<20),
		SpansPerTrace: cmp.Or(l.SpansPerTrace, 2_000),
	}
}

// Store keeps traces until its limits are reached; then the trace whose first span came longest ago
// leaves, whole. Traces of the background, of which there are more than of anything that somebody
// waits for, push out each other once they fill a tenth of the store, and nothing else. It is safe
// for concurrent use.
type Store struct {
	limits Limits

	mu      sync.Mutex
	traces  map[string]*list.Element // of *trace
	arrival *list.List               // oldest first
	routine share                    // of the background's traces
	byOrder map[string]map[string]struct{}
	spans   int
	bytes   int
	dropped int
}

// backgroundShare is the part of the store, as one of so many, that the background's traces may
// fill when it is full.
const backgroundShare = 10

// share counts the background's traces among those of a store.
type share struct {
	arrival      *list.List // of *trace, oldest first
	spans, bytes int
}

type trace struct {
	id     string
	at     *list.Element // its place among the background's traces; nil for others
	spans  []*Span
	seen   map[string]struct{} // span ids
	orders map[string]struct{}
	bytes  int
}

// New makes an empty store.
func New(limits Limits) *Store {
	return &Store{
		limits: limits.withDefaults(), traces: map[string]*list.Element{}, arrival: list.New(),
		byOrder: map[string]map[string]struct{}{}, routine: share{arrival: list.New()},
	}
}

// Add takes finished spans. A span that is there already is left as it was: exporters send again
// what they believe lost.
func (s *Store) Add(spans ...*Span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, span := range spans {
		s.add(span)
	}
	for (s.spans > s.limits.Spans || s.bytes > s.limits.Bytes) && s.arrival.Len() > 0 {
		s.evict(s.leaving())
	}
}

// leaving is the trace that leaves next.
func (s *Store) leaving() *list.Element {
	full := s.routine.spans > s.limits.Spans/backgroundShare ||
		s.routine.bytes > s.limits.Bytes/backgroundShare
	if oldest := s.routine.arrival.Front(); full && oldest != nil {
		return s.traces[oldest.Value.(*trace).id]
	}
	return s.arrival.Front()
}

func (s *Store) add(span *Span) {
	at := s.traces[span.TraceID]
	if at == nil {
		t := &trace{id: span.TraceID, seen: map[string]struct{}{}, orders: map[string]struct{}{}}
		t.at = s.routine.arrival.PushBack(t) // until a span says otherwise
		at = s.arrival.PushBack(t)
		s.traces[span.TraceID] = at
	}
	t := at.Value.(*trace)
	if _, known := t.seen[span.ID]; known {
		return
	}
	if len(t.spans) >= s.limits.SpansPerTrace {
		s.dropped++
		return
	}
	t.seen[span.ID] = struct{}{}
	t.spans = append(t.spans, span)
	n := span.size()
	t.bytes += n
	s.bytes += n
	s.spans++
	if t.at != nil {
		s.routine.bytes += n
		s.routine.spans++
	}
	s.note(span, t)
	if t.at != nil && (len(t.orders) > 0 || !span.isBackground()) {
		s.routine.remove(t)
	}
}

// note remembers which orders a span mentions.
func (s *Store) note(span *Span, t *trace) {
	span.mentions(func(text string) {
		for _, id := range Orders(text) {
			t.orders[id] = struct{}{}
			if s.byOrder[id] == nil {
				s.byOrder[id] = map[string]struct{}{}
			}
			s.byOrder[id][t.id] = struct{}{}
		}
	})
}

// remove takes a trace from those of the background, as it leaves or is none of them.
func (b *share) remove(t *trace) {
	b.arrival.Remove(t.at)
	b.spans -= len(t.spans)
	b.bytes -= t.bytes
	t.at = nil
}

func (s *Store) evict(at *list.Element) {
	t := at.Value.(*trace)
	if t.at != nil {
		s.routine.remove(t)
	}
	s.arrival.Remove(at)
	delete(s.traces, t.id)
	s.spans -= len(t.spans)
	s.bytes -= t.bytes
	for id := range t.orders {
		delete(s.byOrder[id], t.id)
		if len(s.byOrder[id]) == 0 {
			delete(s.byOrder, id)
		}
	}
}

// Stats says how full the store is.
type Stats struct {
	Traces  int `json:"traces"`
	Spans   int `json:"spans"`
	Bytes   int `json:"bytes"`
	Dropped int `json:"dropped"` // spans of traces that were too long
}

// Stats counts what is kept.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{Traces: len(s.traces), Spans: s.spans, Bytes: s.bytes, Dropped: s.dropped}
}

// Trace returns the spans of a trace by their start, or nil.
func (s *Store) Trace(id string) []*Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.traces[id]
	if at == nil {
		return nil
	}
	spans := slices.Clone(at.Value.(*trace).spans)
	sortSpans(spans)
	return spans
}

func sortSpans(spans []*Span) {
	slices.SortStableFunc(spans, func(a, b *Span) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.Duration, a.Duration))
	})
}

// Where returns the spans of all traces that a function chooses, in no order.
func (s *Store) Where(is func(*Span) bool) []*Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	chosen := []*Span{}
	for _, at := range s.traces {
		for _, span := range at.Value.(*trace).spans {
			if is(span) {
				chosen = append(chosen, span)
			}
		}
	}
	return chosen
}

// OfOrder returns the spans of every trace that mentions the order or has a link to or from one
// that does, by their start.
func (s *Store) OfOrder(order string) []*Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	chosen := map[string]struct{}{}
	for id := range s.byOrder[order] {
		chosen[id] = struct{}{}
		for _, span := range s.traces[id].Value.(*trace).spans {
			for _, link := range span.Links {
				chosen[link.TraceID] = struct{}{}
			}
		}
	}
	spans := []*Span{}
	for id := range chosen {
		if at := s.traces[id]; at != nil {
			spans = append(spans, at.Value.(*trace).spans...)
		}
	}
	sortSpans(spans)
	return spans
}

// RecentOrders returns up to limit orders that traces mention, with the time at which each was seen
// last, newest trace first.
func (s *Store) RecentOrders(limit int) map[string]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string]time.Time{}
	for at := s.arrival.Back(); at != nil && len(found) < limit; at = at.Prev() {
		t := at.Value.(*trace)
		for id := range t.orders {
			seen := time.UnixMicro(t.spans[0].Start)
			if found[id].Before(seen) {
				found[id] = seen
			}
		}
	}
	return found
}
