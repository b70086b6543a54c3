package console

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"sidecart.dev/local/console/metrics"
)

// node is a thing of the picture.
type node struct {
	ID    string `json:"id"`
	Kind  string `json:"kind"`         // client, app, store, binding, provider or bus
	Of    string `json:"of,omitempty"` // the app whose store, binding or provider it is
	State string `json:"state"`        // of an app, as in the overview
	Front bool   `json:"front,omitempty"`
}

// edge is a way between two things, with what goes along it.
type edge struct {
	From string `json:"from"`
	To   string `json:"to"`
	Kind string `json:"kind"` // request, call, state, binding, provider, publish or deliver
	metrics.Flow
}

// clientNode is who comes from outside, and providerNode the payment provider, as spans call it.
const clientNode, providerNode = "clients", "provider"

// getSystem answers with the picture of the system as it is now. What is drawn follows from what
// the apps and sidecars measure, so that a system of other services is drawn as well.
func (c *Console) getSystem(w http.ResponseWriter, r *http.Request) {
	c.scraper.Look()
	nodes := []node{}
	for _, p := range c.processes(r.Context()) {
		switch p.Kind {
		case "app":
			nodes = append(nodes, node{ID: p.App, Kind: "app", State: p.State})
		case "sidecar":
			if at := &nodes[len(nodes)-1]; at.State == "ready" {
				at.State = p.State
			}
		}
	}
	for _, app := range c.system.Apps() {
		i := slices.IndexFunc(nodes, func(n node) bool { return n.ID == app.ID })
		if i >= 0 && app.Front {
			nodes[i].Front = true
			nodes = append(nodes, node{ID: clientNode, Kind: "client"})
		}
	}
	edges := c.edges()
	for _, e := range edges {
		switch e.Kind {
		case "state":
			nodes = appendNew(nodes, node{ID: e.To, Kind: "store", Of: e.From})
		case "binding", "provider":
			nodes = appendNew(nodes, node{ID: e.To, Kind: e.Kind, Of: e.From})
		case "publish":
			nodes = appendNew(nodes, node{ID: e.To, Kind: "bus"})
		case "deliver":
			nodes = appendNew(nodes, node{ID: e.From, Kind: "bus"})
		}
	}
	orders, mails := c.listed.get(r.Context()), c.inbox.get(r.Context())
	write(w, map[string]any{
		"nodes": nodes, "edges": edges, "waiting": len(waiting(orders)),
		"orders": orders[:min(8, len(orders))], "mails": mails[:min(8, len(mails))],
	})
}

func appendNew(nodes []node, n node) []node {
	if slices.ContainsFunc(nodes, func(other node) bool { return other.ID == n.ID }) {
		return nodes
	}
	return append(nodes, n)
}

// edges are what the sidecars have measured between apps and components, and the front's own
// requests.
func (c *Console) edges() []edge {
	now := time.Now()
	var all []edge
	add := func(kind string, p metrics.Pick) {
		flows := c.metrics.Flows(p, now)
		for _, id := range slices.Sorted(maps.Keys(flows)) {
			from, to, _ := strings.Cut(id, "\x00")
			all = append(all, edge{From: from, To: to, Kind: kind, Flow: flows[id]})
		}
	}
	for _, app := range c.system.Apps() {
		if app.Front {
			add("request", metrics.Pick{
				Name: requestDuration, Milliseconds: 1000,
				Keep: func(l map[string]string) bool {
					return !isProbe(l) &&
						(l["route"] == "/" || strings.HasPrefix(l["route"], "/api/"))
				},
				Failed: answered5xx,
				Group: func(from string, _ map[string]string) string {
					if from != app.ID {
						return "" // another app's own routes
					}
					return clientNode + "\x00" + app.ID
				},
			})
		}
	}
	all = slices.DeleteFunc(all, func(e edge) bool { return e.From == "" })
	add("call", metrics.Pick{
		Name: "dapr_runtime_service_invocation_res_recv_latency_ms", Milliseconds: 1,
		Group:  outward("src_app_id", ""),
		Failed: answered5xx,
	})
	add("state", metrics.Pick{
		Name: "dapr_component_state_latencies", Milliseconds: 1,
		Group: outward("component", ""), Failed: unread,
	})
	add("binding", metrics.Pick{
		Name: "dapr_component_output_binding_latencies", Milliseconds: 1,
		Group: outward("component", ""), Failed: unsuccessful,
	})
	add("provider", metrics.Pick{
		Name: "payments_provider_call_duration_seconds", Milliseconds: 1000,
		Failed: func(labels map[string]string) bool { return labels["outcome"] != "answered" },
		Group: func(app string, _ map[string]string) string {
			return app + "\x00" + providerNode
		},
	})
	add("publish", metrics.Pick{
		Name: "dapr_component_pubsub_egress_latencies", Milliseconds: 1,
		Group: outward("component", ""), Failed: unsuccessful,
	})
	add("deliver", metrics.Pick{
		Name: "dapr_component_pubsub_ingress_latencies", Milliseconds: 1, Failed: unprocessed,
		Group: func(app string, labels map[string]string) string {
			return labels["component"] + "\x00" + app
		},
	})
	return all
}
