package traces

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// Query says which traces are wanted. The zero value of a field asks for nothing.
type Query struct {
	Order   string        // its id
	Service string        // an app that took part
	Route   string        // part of a route, a topic or a span's name
	Text    string        // part of any name, attribute or error, or a trace's id
	Errors  bool          // only with a failed span
	Longer  time.Duration // at least this long from the first start to the last end
	Since   time.Time     // that ended after it
	Limit   int           // zero means 100
	// Background leaves in the traces that nobody waits for: a service's own reading of its store
	// and the like.
	Background bool
}

// Summary is a trace in a list.
type Summary struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`    // of the first span
	Service  string   `json:"service"` // of the first span
	Start    int64    `json:"start"`   // microseconds since 1970
	Duration int64    `json:"duration"`
	Spans    int      `json:"spans"`
	Errors   int      `json:"errors"`
	Failure  string   `json:"failure,omitempty"` // the deepest failed span and what it says
	Services []string `json:"services"`
	Orders   []string `json:"orders,omitempty"`
}

// Search returns the traces that a query asks for, newest first.
func (s *Store) Search(q Query) []Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := cmp.Or(q.Limit, 100)
	found := []Summary{}
	for at := s.arrival.Back(); at != nil && len(found) < limit; at = at.Prev() {
		t := at.Value.(*trace)
		if q.matches(t) {
			found = append(found, summarise(t))
		}
	}
	slices.SortStableFunc(found, func(a, b Summary) int { return cmp.Compare(b.Start, a.Start) })
	return found
}

func (q Query) matches(t *trace) bool {
	if _, has := t.orders[q.Order]; q.Order != "" && !has {
		return false
	}
	start, end := bounds(t.spans)
	if !q.Since.IsZero() && end < q.Since.UnixMicro() ||
		time.Duration(end-start)*time.Microsecond < q.Longer {
		return false
	}
	has := func(want bool, is func(*Span) bool) bool {
		return !want || slices.ContainsFunc(t.spans, is)
	}
	return has(q.Errors, func(s *Span) bool { return s.Error }) &&
		has(q.Service != "", func(s *Span) bool { return s.Service == q.Service }) &&
		has(
			q.Route != "",
			func(s *Span) bool { return contains(s.Name, q.Route) || contains(s.Route(), q.Route) },
		) &&
		(t.id == q.Text || has(q.Text != "", func(s *Span) bool { return s.says(q.Text) })) &&
		(q.Background || t.at == nil)
}

// isBackground tells whether a span says nothing against its trace being work that nobody waits
// for: one that was begun neither by a request nor by a message, that mentions no order and did not
// fail.
func (s *Span) isBackground() bool {
	public := strings.HasPrefix(s.Attributes["http.route"], "/api/")
	return !s.Error && !public && s.Kind != "consumer" && s.Kind != "producer"
}

func (s *Span) says(text string) bool {
	if contains(s.Name, text) || contains(s.Message, text) || contains(s.Service, text) {
		return true
	}
	for key, value := range s.Attributes {
		if contains(value, text) || strings.EqualFold(key, text) {
			return true
		}
	}
	return false
}

func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

func bounds(spans []*Span) (start, end int64) {
	for i, s := range spans {
		if i == 0 || s.Start < start {
			start = s.Start
		}
		end = max(end, s.end())
	}
	return start, end
}

func summarise(t *trace) Summary {
	start, end := bounds(t.spans)
	sum := Summary{ID: t.id, Start: start, Duration: end - start, Spans: len(t.spans)}
	services := map[string]struct{}{}
	var first, failed *Span
	for _, s := range t.spans {
		services[s.Service] = struct{}{}
		if earlier(s, first, t.seen) {
			first = s
		}
		if s.Error {
			sum.Errors++
			if failed == nil || s.Start > failed.Start {
				failed = s
			}
		}
	}
	if first != nil {
		sum.Name, sum.Service = first.Name, first.Service
	}
	if failed != nil {
		sum.Failure = failed.Service + ": " + failed.Says()
	}
	sum.Services = slices.Sorted(maps.Keys(services))
	sum.Orders = slices.Sorted(maps.Keys(t.orders))
	return sum
}

// earlier prefers a span without a parent here over one with, and then the one that began first.
func earlier(s, than *Span, seen map[string]struct{}) bool {
	if than == nil {
		return true
	}
	_, hasParent := seen[s.Parent]
	_, thanHas := seen[than.Parent]
	if hasParent != thanHas {
		return thanHas
	}
	return s.Start < than.Start
}
