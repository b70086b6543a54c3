package console_test

import (
	"fmt"
	"strings"
)

// family writes the text of a measured histogram.
type family struct{ name string }

func histogram(b *strings.Builder, name string) *family {
	fmt.Fprintf(b, "# TYPE %s histogram\n", name)
	return &family{name: name}
}

// add writes a series of events at a rate, whose median is in the bucket of the bound at the index.
func (f *family) add(
	b *strings.Builder,
	labels string,
	bounds []float64,
	median int,
	count float64,
) {
	for i, bound := range bounds {
		share := 0.02
		switch {
		case i == median:
			share = 0.8
		case i > median:
			share = 1
		}
		fmt.Fprintf(b, "%s_bucket{%s,le=\"%g\"} %d\n", f.name, labels, bound, int(share*count))
	}
	fmt.Fprintf(b, "%s_bucket{%s,le=\"+Inf\"} %d\n", f.name, labels, int(count))
	fmt.Fprintf(
		b,
		"%s_sum{%s} %g\n%s_count{%s} %d\n",
		f.name,
		labels,
		count,
		f.name,
		labels,
		int(count),
	)
}

var (
	inSeconds      = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1}
	inMilliseconds = []float64{1, 2, 3, 5, 8, 13, 25, 50, 100, 250, 500}
)

// measured is what an app's listener says after some seconds: payments is the slow one.
func measured(app string, seconds float64) string {
	var b strings.Builder
	routes := map[string][]string{
		"gateway": {
			"POST /api/v1/orders 201",
			"GET /api/v1/orders 200",
			"POST /api/v1/sessions 201",
		},
		"users":         {"POST /internal/contacts 200", "GET /internal/ended 200"},
		"orders":        {"POST /api/v1/orders 201", "POST /events/payments 200"},
		"payments":      {"POST /events/orders 200", "POST /events/orders 500"},
		"notifications": {"POST /events/payments 200"},
	}
	f := histogram(&b, "http_server_request_duration_seconds")
	for i, r := range routes[app] {
		part := strings.Fields(r)
		median, rate := 2+i%3, 6.5/float64(i+1)
		if app == "payments" {
			median = 7
		}
		if part[2] == "500" {
			rate = 0.4
		}
		f.add(
			&b,
			fmt.Sprintf("method=%q,route=%q,status=%q", part[0], part[1], part[2]),
			inSeconds,
			median,
			rate*seconds,
		)
	}
	fmt.Fprintf(&b, "# TYPE sidecart_build_info gauge\nsidecart_build_info{version=\"1.0.0\"} 1\n")
	if app != "gateway" {
		backlog := 0
		if app == "payments" {
			backlog = 3 + int(seconds)%5
		}
		fmt.Fprintf(
			&b,
			"# TYPE sidecart_journal_backlog_ids gauge\n"+
				"sidecart_journal_backlog_ids{journal=%q} %d\n",
			app,
			backlog,
		)
		fmt.Fprintf(
			&b,
			"# TYPE sidecart_dead_letters_total counter\n"+
				"sidecart_dead_letters_total{topic=\"orders\"} 0\n",
		)
	}
	if app == "payments" {
		const labels = `operation="authorize",outcome="answered"`
		f := histogram(&b, "payments_provider_call_duration_seconds")
		f.add(&b, labels, inSeconds, 5, 6.1*seconds)
	}
	if app == "orders" {
		fmt.Fprintf(&b, "# TYPE orders_transitions_total counter\n")
		for trigger, rate := range map[string]float64{
			"placed": 6.5, "payment confirmed": 5.2, "payment declined": 1.3,
		} {
			fmt.Fprintf(
				&b,
				"orders_transitions_total{trigger=%q,verdict=\"applied\"} %d\n",
				trigger,
				int(rate*seconds),
			)
		}
	}
	return b.String()
}

// sidecarMeasured is what a sidecar's listener says.
func sidecarMeasured(app string, seconds float64) string {
	var b strings.Builder
	add := func(name, labels string, median int, rate float64) {
		histogram(&b, name).add(&b, labels, inMilliseconds, median, rate*seconds)
	}
	calls := map[string][]string{
		"gateway": {
			"users",
			"orders",
			"notifications",
		}, "orders": {"users"}, "payments": {"users", "notifications"},
		"notifications": {"users"},
	}
	f := histogram(&b, "dapr_runtime_service_invocation_res_recv_latency_ms")
	for i, peer := range calls[app] {
		f.add(
			&b,
			fmt.Sprintf("app_id=%q,src_app_id=%q,status=\"200\"", app, peer),
			inMilliseconds,
			2+i,
			4.5/float64(i+1)*seconds,
		)
	}
	if app == "gateway" {
		return b.String()
	}
	add(
		"dapr_component_state_latencies",
		fmt.Sprintf(
			"app_id=%q,component=\"%s-store\",operation=\"get\",success=\"true\"",
			app,
			app,
		),
		0,
		14,
	)
	topic := map[string]string{"users": "users", "orders": "orders", "payments": "payments"}[app]
	if topic != "" {
		add(
			"dapr_component_pubsub_egress_latencies",
			fmt.Sprintf(
				"app_id=%q,component=\"bus\",success=\"true\",topic=%q",
				app,
				topic,
			),
			1,
			6.5,
		)
	}
	f = histogram(&b, "dapr_component_pubsub_ingress_latencies")
	for _, told := range map[string][]string{
		"orders": {"payments"}, "payments": {"orders"}, "notifications": {"payments"},
	}[app] {
		f.add(
			&b,
			fmt.Sprintf(
				"app_id=%q,component=\"bus\",process_status=\"success\",topic=%q",
				app,
				told,
			),
			inMilliseconds,
			4,
			6.1*seconds,
		)
		if app == "payments" {
			f.add(
				&b,
				fmt.Sprintf(
					"app_id=%q,component=\"bus\",process_status=\"retry\",topic=%q",
					app,
					told,
				),
				inMilliseconds,
				4,
				.4*seconds,
			)
		}
	}
	if app == "notifications" {
		f = histogram(&b, "dapr_component_output_binding_latencies")
		for i, binding := range []string{"email", "sms"} {
			f.add(
				&b,
				fmt.Sprintf(
					"app_id=%q,component=%q,operation=\"create\",success=\"true\"",
					app,
					binding,
				),
				inMilliseconds,
				5,
				6.5/float64(1+9*i)*seconds,
			)
		}
	}
	return b.String()
}
