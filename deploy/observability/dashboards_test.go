package observability

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"testing"
)

// sidecarMetrics are those of Dapr 1.18 that a dashboard asks for:
// https://docs.dapr.io/operations/observability/metrics
var sidecarMetrics = map[string]metric{
	"dapr_component_state_count": {
		labels: []string{"app_id", "component", "operation", "success"},
	},
	"dapr_component_state_latencies_bucket": {
		labels: []string{"app_id", "component", "operation", "success"},
	},
	"dapr_component_pubsub_egress_count": {
		labels: []string{"app_id", "component", "topic", "success"},
	},
	"dapr_component_pubsub_ingress_count": {
		labels: []string{"app_id", "component", "topic", "process_status"},
	},
	"dapr_component_output_binding_count": {
		labels: []string{"app_id", "component", "operation", "success"},
	},
	"dapr_resiliency_activations_total": {
		labels: []string{"app_id", "name", "policy", "status"},
	},
}

// query is one line of a panel, or one for each value of the labels that the legend names.
type query struct{ expr, legend string }

// panel is a chart.
type panel struct {
	title, unit string
	queries     []query
}

func line(title, unit, expr, legend string) panel {
	return panel{title, unit, []query{{expr, legend}}}
}

// upper is the 95th percentile of a histogram's buckets for each value of some labels.
func upper(title, unit, by, buckets, legend string) panel {
	expr := "histogram_quantile(0.95, sum by (le, " + by + ") (rate(" + buckets + "[5m])))"
	return line(title, unit, expr, legend)
}

type dashboard struct {
	title  string
	panels []panel
}

// dashboards are the dashboards by the name of their file. What is to be seen is said here;
// Grafana's own form is made of it.
var dashboards = map[string]dashboard{
	"orders": {"Sidecart: orders", []panel{
		{"Orders finished within 10 s, last hour", "percentunit", []query{
			{"1 - sidecart:late_orders:ratio_rate1h", "within"}, {"0.995", "objective"},
		}},
		line("Orders finished a second", "ops",
			"sum by (status) (rate(orders_finish_duration_seconds_count[5m]))", "{{status}}"),
		{"Time to the final status", "s", quantiles("orders_finish_duration_seconds_bucket")},
		line("Payments a second, by outcome", "ops",
			"sum by (outcome) (rate(payments_outcomes_total[5m]))", "{{outcome}}"),
		upper("Time of a call to the payment provider, 95 %", "s", "operation",
			"payments_provider_call_duration_seconds_bucket", "{{operation}}"),
		line("Payments that need an operator", "short",
			"increase(payments_attention_total[1h])", "{{what}}"),
		line("Messages a second, by status", "ops",
			"sum by (channel, status) (rate(notifications_deliveries_total[5m]))",
			"{{channel}} {{status}}"),
		upper("Time until a message is out, 95 %", "s", "channel",
			"notifications_delivery_age_seconds_bucket", "{{channel}}"),
		line("Oldest message that waits", "s",
			"max by (channel) (notifications_queue_oldest_seconds)", "{{channel}}"),
	}},
	"services": {"Sidecart: services", []panel{
		line("Requests a second", "reqps",
			"sum by (service) (rate(http_server_request_duration_seconds_count[5m]))", "{{service}}"),
		{"Server errors of the API", "percentunit", []query{
			{"sidecart:api_errors:ratio_rate5m", "errors"}, {"0.001", "objective"},
		}},
		upper("Time of a request to the API, 95 %", "s", "route",
			`http_server_request_duration_seconds_bucket{service="gateway",route=~"/api/.*"}`, "{{route}}"),
		upper("Age of events when their handling begins, 95 %", "s", "service, topic",
			"sidecart_event_lag_seconds_bucket", "{{service}} {{topic}}"),
		line("Events a second, by outcome", "ops",
			"sum by (service, topic, outcome) "+
				"(rate(sidecart_event_handling_duration_seconds_count[5m]))",
			"{{service}} {{topic}} {{outcome}}"),
		line("Unfinished work", "short",
			"sum by (journal) (sidecart_journal_backlog_ids)", "{{journal}}"),
		line("Age of the oldest unfinished work", "s",
			"max by (journal) (sidecart_journal_oldest_seconds)", "{{journal}}"),
		line("Dead letters", "short",
			"sum by (topic) (increase(sidecart_dead_letters_total[1h]))", "{{topic}}"),
		line("Store calls of the sidecars a second", "ops",
			"sum by (app_id, operation) (rate(dapr_component_state_count[5m]))",
			"{{app_id}} {{operation}}"),
		upper("Time of a store call, 95 %", "ms", "app_id, operation",
			"dapr_component_state_latencies_bucket", "{{app_id}} {{operation}}"),
		{"Published and delivered a second", "ops", []query{
			{
				"sum by (app_id, topic) (rate(dapr_component_pubsub_egress_count[5m]))",
				"{{app_id}} publishes {{topic}}",
			},
			{
				"sum by (app_id, topic) (rate(dapr_component_pubsub_ingress_count[5m]))",
				"{{app_id}} hears {{topic}}",
			},
		}},
		line("Builds that run", "short",
			"count by (service, version) (sidecart_build_info)", "{{service}} {{version}}"),
	}},
}

// quantiles are the lines of a histogram.
func quantiles(buckets string) (lines []query) {
	for _, q := range []string{"0.5", "0.95", "0.99"} {
		expr := fmt.Sprintf("histogram_quantile(%s, sum by (le) (rate(%s[5m])))", q, buckets)
		lines = append(lines, query{expr, q})
	}
	return lines
}

var inLegend = regexp.MustCompile(`\{\{(\w+)\}\}`)

func TestDashboardsAskForWhatThereIs(t *testing.T) {
	for name, d := range dashboards {
		for _, p := range d.panels {
			for _, q := range p.queries {
				has := checkQuery(t, name+": "+p.title, q.expr)
				for _, label := range inLegend.FindAllStringSubmatch(q.legend, -1) {
					if !slices.Contains(has, label[1]) {
						t.Errorf("%s: the lines of %s have no %s", name, p.title, label[1])
					}
				}
			}
		}
		generated(t, "dashboards/"+name+".json", grafana(t, "sidecart-"+name, d))
	}
}

type object = map[string]any

// grafana writes a dashboard in Grafana's form, two panels to a row. Whoever imports it chooses the
// data source.
func grafana(t *testing.T, uid string, d dashboard) string {
	t.Helper()
	const width, height = 12, 8
	source := object{"type": "prometheus", "uid": "${source}"}
	choice := object{
		"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus",
	}
	var shown []object
	for i, p := range d.panels {
		var targets []object
		for n, q := range p.queries {
			targets = append(targets, object{
				"refId": string(rune('A' + n)), "datasource": source,
				"expr": q.expr, "legendFormat": q.legend,
			})
		}
		shown = append(shown, object{
			"id": i + 1, "type": "timeseries", "title": p.title,
			"datasource": source, "targets": targets,
			"gridPos": object{"x": i % 2 * width, "y": i / 2 * height, "w": width, "h": height},
			"fieldConfig": object{
				"defaults":  object{"unit": p.unit, "min": 0},
				"overrides": []object{},
			},
			"options": object{
				"legend":  object{"displayMode": "list", "placement": "bottom"},
				"tooltip": object{"mode": "multi"},
			},
		})
	}
	text, err := json.MarshalIndent(object{
		"uid": uid, "title": d.title, "tags": []string{"sidecart"},
		"schemaVersion": 39, "refresh": "30s", "editable": true,
		"time": object{"from": "now-3h", "to": "now"}, "panels": shown,
		"templating": object{"list": []object{choice}},
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}
