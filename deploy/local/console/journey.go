package console

import (
	"cmp"
	"slices"
	"strings"

	"sidecart.dev/local/console/logs"
	"sidecart.dev/local/console/traces"
)

// moment is a step of an order's journey. One that leads from a thing of the picture to another has
// To, and the kind of the edge that it goes along.
type moment struct {
	At     int64  `json:"at"`   // microseconds since 1970
	Kind   string `json:"kind"` // status, mail or log, or the kind of an edge
	From   string `json:"from"`
	To     string `json:"to,omitempty"`
	What   string `json:"what"`
	Error  bool   `json:"error,omitempty"`
	Took   int64  `json:"took,omitempty"` // microseconds
	Trace  string `json:"trace,omitempty"`
	Link   string `json:"link,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// journey puts an order's history, the hops of its traces, the warnings and the mails in one row.
func journey(o order, spans []*traces.Span, lines []logs.Record, mails []message) []moment {
	all := hops(spans)
	for _, h := range o.History {
		all = append(all, moment{
			At: h.At.UnixMicro(), Kind: "status", From: ordersApp, What: h.Status, Detail: h.Reason,
			Error: h.Status == "payment_failed",
		})
	}
	for _, l := range lines {
		if l.Level != "error" && l.Level != "warn" {
			continue // the page shows all lines below
		}
		all = append(all, moment{
			At: l.At.UnixMicro(), Kind: "log", From: l.Source, What: "says: " + l.Message,
			Error: l.Level == "error", Trace: l.Trace, Detail: l.Fields,
		})
	}
	for _, m := range mails {
		all = append(all, moment{
			At: m.At.UnixMicro(), Kind: "mail", From: "the inbox",
			What: "has “" + m.Subject + "”", Link: m.Link,
		})
	}
	slices.SortStableFunc(all, func(a, b moment) int { return cmp.Compare(a.At, b.At) })
	return all
}

// hops are the ways between things that traces went along, as the services' own spans tell: those
// of the sidecars repeat them.
func hops(spans []*traces.Span) []moment {
	t := newTree(spans)
	all := []moment{}
	for _, s := range spans {
		if s.Sidecar {
			continue
		}
		hop := t.hop(s)
		if hop.To == "" {
			continue
		}
		hop.At, hop.Took, hop.Error, hop.Trace = s.Start, s.Duration, s.Error, s.TraceID
		hop.Detail = s.Message
		all = append(all, hop)
	}
	return all
}

// tree finds the parents and children of spans, and on which bus a message was sent.
type tree struct {
	byID     map[string]*traces.Span
	children map[string][]*traces.Span
	bus      map[string]string // by topic
}

func newTree(spans []*traces.Span) tree {
	t := tree{map[string]*traces.Span{}, map[string][]*traces.Span{}, map[string]string{}}
	for _, s := range spans {
		t.byID[s.ID] = s
		t.children[s.Parent] = append(t.children[s.Parent], s)
		if topic := s.Attributes["messaging.destination.name"]; topic != "" && component(s) != "" {
			t.bus[topic] = component(s)
		}
	}
	return t
}

// component is the component that a service asked its sidecar to use, or "".
func component(s *traces.Span) string { return s.Attributes["sidecart.component"] }

// hop says where a span leads, if it leads anywhere.
func (t tree) hop(s *traces.Span) moment {
	parent := t.byID[s.Parent]
	topic, peer := s.Attributes["messaging.destination.name"], s.Attributes["service.peer.name"]
	public := strings.HasPrefix(s.Attributes["http.route"], "/api/")
	switch {
	case s.Kind == "server" && parent == nil && public:
		return moment{Kind: "request", From: clientNode, To: s.Service, What: "ask " + s.Name}
	case s.Kind == "client" && peer == providerNode:
		return moment{
			Kind: "provider",
			From: s.Service,
			To:   peer,
			What: "asks the payment " + s.Name,
		}
	case s.Kind == "client" && peer != "":
		return moment{
			Kind: "call",
			From: s.Service,
			To:   peer,
			What: "asks " + peer + ": " + t.asked(s, peer),
		}
	case s.Kind == "client" && component(s) != "":
		if parent != nil && component(parent) == component(s) {
			return moment{} // a part of it
		}
		return t.used(s, topic)
	case s.Kind == "consumer" && topic != "":
		bus := cmp.Or(t.bus[topic], "bus")
		return moment{
			Kind: "deliver",
			From: bus,
			To:   s.Service,
			What: "tells " + s.Service + " " + event(s),
		}
	}
	return moment{}
}

// asked is the request that a peer served for a span, or what the span calls itself.
func (t tree) asked(s *traces.Span, peer string) string {
	for _, child := range t.children[s.ID] {
		if child.Service == peer && !child.Sidecar && child.Kind == "server" {
			return child.Name
		}
		if child.Sidecar {
			if name := t.asked(child, peer); name != child.Name {
				return name
			}
		}
	}
	return s.Name
}

// used says what a service did with a component.
func (t tree) used(s *traces.Span, topic string) moment {
	method := s.Name[strings.LastIndexByte(s.Name, '/')+1:]
	to := moment{Kind: "state", From: s.Service, To: component(s)}
	switch {
	case topic != "":
		to.Kind, to.What = "publish", "publishes "+topic
		if parent := t.byID[s.Parent]; parent != nil && event(parent) != "" {
			to.What = "publishes " + event(parent)
		}
	case method == "InvokeBinding":
		to.Kind, to.What = "binding", "sends by "+to.To
	case strings.HasPrefix(method, "Get"), strings.HasPrefix(method, "Query"):
		to.What = "reads " + to.To
	case strings.HasPrefix(method, "Delete"):
		to.What = "deletes from " + to.To
	default:
		to.What = "writes " + to.To
	}
	return to
}

// event is the type of the event that a span sends or handles, or else its topic.
func event(s *traces.Span) string {
	return cmp.Or(
		s.Attributes["cloudevents.event_type"],
		s.Attributes["messaging.destination.name"],
	)
}
