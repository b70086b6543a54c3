// Package traces keeps the newest spans of a system in memory, grouped by trace, and finds them
// again.
package traces

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// Span is one finished piece of work. It is not changed after it was added to a [Store].
type Span struct {
	TraceID string `json:"trace_id"`
	ID      string `json:"id"`
	Parent  string `json:"parent,omitempty"` // empty for a trace's first span
	// Service is the app that did the work; Sidecar says that its sidecar did.
	Service string `json:"service"`
	Sidecar bool   `json:"sidecar,omitempty"`
	Name    string `json:"name"`
	Kind    string `json:"kind"` // internal, server, client, producer or consumer
	// Start and Duration are microseconds, Start since 1970.
	Start      int64             `json:"start"`
	Duration   int64             `json:"duration"`
	Error      bool              `json:"error,omitempty"`
	Message    string            `json:"message,omitempty"` // what the error says
	Attributes map[string]string `json:"attributes,omitempty"`
	Events     []Event           `json:"events,omitempty"`
	Links      []Link            `json:"links,omitempty"`
}

// Event is something that happened during a span.
type Event struct {
	Name       string            `json:"name"`
	At         int64             `json:"at"` // microseconds since 1970
	Attributes map[string]string `json:"attributes,omitempty"`
}

// Link points to a span of another trace that this work goes back to.
type Link struct {
	TraceID string `json:"trace_id"`
	SpanID  string `json:"span_id"`
}

var orderID = regexp.MustCompile(`\bord_[a-z0-9]{8,64}\b`)

// Orders finds the ids of orders in a text, each once.
func Orders(text string) []string {
	if !strings.Contains(text, "ord_") {
		return nil
	}
	found := orderID.FindAllString(text, 20)
	slices.Sort(found)
	return slices.Compact(found)
}

// size estimates the memory that a span takes, in bytes.
func (s *Span) size() int {
	const object = 96 // of a string's or map entry's header and of what the allocator adds
	n := 4*object + len(s.TraceID) + len(s.ID) + len(s.Parent)
	n += len(s.Service) + len(s.Name) + len(s.Message)
	attributes := func(m map[string]string) {
		for key, value := range m {
			n += object + len(key) + len(value)
		}
	}
	attributes(s.Attributes)
	for _, e := range s.Events {
		n += object + len(e.Name)
		attributes(e.Attributes)
	}
	return n + len(s.Links)*(object+48)
}

// mentions calls visit for each text of the span that may name an order.
func (s *Span) mentions(visit func(string)) {
	visit(s.Name)
	for _, value := range s.Attributes {
		visit(value)
	}
	for _, e := range s.Events {
		for _, value := range e.Attributes {
			visit(value)
		}
	}
}

// OrdersOf finds the ids of the orders that spans mention, each once.
func OrdersOf(spans []*Span) []string {
	found := []string{}
	for _, s := range spans {
		s.mentions(func(text string) { found = append(found, Orders(text)...) })
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// Says is what a failed span was about, and what its error says or else what kind of error it is.
func (s *Span) Says() string {
	return strings.TrimSpace(s.Name + " " + cmp.Or(s.Message, s.Attributes["error.type"]))
}

// Route is the route template that the span served or called, or "".
func (s *Span) Route() string {
	for _, key := range []string{
		"http.route", "url.path", "http.target", "messaging.destination.name", "rpc.method",
	} {
		if value := s.Attributes[key]; value != "" {
			return value
		}
	}
	return ""
}

func (s *Span) end() int64 { return s.Start + s.Duration }
