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
	// Spans and Bytes bound all traces together, Bytes by an estimate of the memory they take: 50,000 and 64 MiB.
	Spans, Bytes int
	// SpansPerTrace bounds one trace, of which further spans are not kept: 2,000.
	SpansPerTrace int
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Spans: cmp.Or(l.Spans, 50_000), Bytes: cmp.Or(l.Bytes, 64<<20), SpansPerTrace: cmp.Or(l.SpansPerTrace, 2_000),
	}
}

// Store keeps traces until its limits are reached; then the trace whose first span came longest ago leaves, whole.
// It is safe for concurrent use.
type Store struct {
	limits Limits

	mu      sync.Mutex
	traces  map[string]*list.Element // of *trace
	arrival *list.List               // oldest first
	byOrder map[string]map[string]struct{}
	spans   int
	bytes   int
	dropped int
}

type trace struct {
	id     string
	spans  []*Span
	seen   map[string]struct{} // span ids
	orders map[string]struct{}
	bytes  int
}

// New makes an empty store.
func New(limits Limits) *Store {
	return &Store{
		limits: limits.withDefaults(), traces: map[string]*list.Element{}, arrival: list.New(),
		byOrder: map[string]map[string]struct{}{},
	}
}

// Add takes finished spans. A span that is there already is left as it was: exporters send again what they
// believe lost.
func (s *Store) Add(spans ...*Span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, span := range spans {
		s.add(span)
	}
	for (s.spans > s.limits.Spans || s.bytes > s.limits.Bytes) && s.arrival.Len() > 0 {
		s.evict(s.arrival.Front())
	}
}

func (s *Store) add(span *Span) {
	at := s.traces[span.TraceID]
	if at == nil {
		at = s.arrival.PushBack(&trace{id: span.TraceID, seen: map[string]struct{}{}, orders: map[string]struct{}{}})
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

func (s *Store) evict(at *list.Element) {
	t := at.Value.(*trace)
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

// OfOrder returns the spans of every trace that mentions the order or has a link to or from one that does, by
// their start.
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
	var spans []*Span
	for id := range chosen {
		if at := s.traces[id]; at != nil {
			spans = append(spans, at.Value.(*trace).spans...)
		}
	}
	sortSpans(spans)
	return spans
}

// RecentOrders returns up to limit orders that traces mention, with the time at which each was seen last, newest
// trace first.
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
