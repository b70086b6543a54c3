package console

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"sidecart.dev/local/console/metrics"
)

// route is a row of the table of routes or topics.
type route struct {
	App  string `json:"app"`
	Name string `json:"name"`
	metrics.Flow
}

func rows(flows map[string]metrics.Flow) []route {
	list := []route{}
	for _, id := range slices.Sorted(maps.Keys(flows)) {
		app, name, _ := strings.Cut(id, "\x00")
		list = append(list, route{App: app, Name: name, Flow: flows[id]})
	}
	return list
}

const requestDuration = "http_server_request_duration_seconds"

// isProbe tells routes that only look whether a service is there.
func isProbe(labels map[string]string) bool {
	switch labels["route"] {
	case "/readyz", "/healthz", "/metrics", "unmatched", "":
		return true
	}
	return false
}

func (c *Console) routeFlows(window time.Duration, points bool) []route {
	return rows(c.metrics.Flows(metrics.Pick{
		Name: requestDuration, Window: window, Milliseconds: 1000, Points: points,
		Keep:   func(labels map[string]string) bool { return !isProbe(labels) },
		Failed: answered5xx,
		Group: func(app string, labels map[string]string) string {
			return app + "\x00" + labels["method"] + " " + labels["route"]
		},
	}, time.Now()))
}

// slowest are the routes with the greatest p95 in the last minute.
func (c *Console) slowest(limit int) []route {
	list := slices.DeleteFunc(
		c.routeFlows(time.Minute, false),
		func(r route) bool { return r.P95 < 0 },
	)
	slices.SortFunc(list, func(a, b route) int { return cmp.Compare(b.P95, a.P95) })
	return list[:min(limit, len(list))]
}

// topicFlows are the messages by app, direction and topic.
func (c *Console) topicFlows(points bool) []route {
	now := time.Now()
	flows := c.metrics.Flows(metrics.Pick{
		Name: "dapr_component_pubsub_egress_latencies", Milliseconds: 1, Points: points,
		Failed: unsuccessful, Group: outward("topic", "publishes to "),
	}, now)
	maps.Copy(flows, c.metrics.Flows(metrics.Pick{
		Name: "dapr_component_pubsub_ingress_latencies", Milliseconds: 1, Points: points,
		Failed: unprocessed, Group: outward("topic", "is told of "),
	}, now))
	return rows(flows)
}

// outward groups by app and by what a label names.
func outward(label, prefix string) func(string, map[string]string) string {
	return func(app string, labels map[string]string) string {
		return app + "\x00" + prefix + labels[label]
	}
}

func answered5xx(labels map[string]string) bool  { return strings.HasPrefix(labels["status"], "5") }
func unsuccessful(labels map[string]string) bool { return labels["success"] == "false" }

// unread tells reads of a store that failed. A write that fails is mostly one that somebody else
// was faster with, which is no failure, and a store that is gone fails at reads too.
func unread(labels map[string]string) bool {
	return unsuccessful(labels) && strings.Contains(labels["operation"], "get")
}

func unprocessed(labels map[string]string) bool { return labels["process_status"] != "success" }

// chart is a measurement with its course.
type chart struct {
	Group string `json:"group"`
	metrics.Gauge
}

// groups of charts by the name of what they show, in the order of the page.
var groups = []struct{ name, part string }{
	{"Journals", "journal_backlog"},
	{"Journals", "journal_oldest"},
	{"Journals", "journal_shed"},
	{"Dead letters", "dead_letter"},
	{"Transitions", "transitions"},
	{"Payments", "payments_"},
	{"Notifications", "notifications_"},
	{"Notifications", "notification_"},
	{"Events", "sidecart_event_"},
}

func groupOf(name string) string {
	for _, g := range groups {
		if strings.Contains(name, g.part) {
			return g.name
		}
	}
	return "Other"
}

func (c *Console) getMetrics(w http.ResponseWriter, _ *http.Request) {
	c.scraper.Look()
	charts := []chart{}
	wanted := func(name, _ string) bool { return name != requestDuration }
	for _, g := range c.metrics.Gauges(wanted) {
		charts = append(charts, chart{groupOf(g.Name), g})
	}
	series, refused := c.metrics.Stats()
	write(w, map[string]any{
		"routes": c.routeFlows(0, true), "topics": c.topicFlows(true), "charts": charts,
		"series": series, "refused": refused,
	})
}
