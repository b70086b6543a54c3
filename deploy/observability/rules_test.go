package observability

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/rulefmt"
	promql "github.com/prometheus/prometheus/promql"
	promparser "github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
)

func rules(t *testing.T) []rulefmt.Rule {
	t.Helper()
	file, errs := rulefmt.ParseFile("rules.yaml", false)
	for _, err := range errs {
		t.Fatal(err)
	}
	var all []rulefmt.Rule
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

func TestRulesNameOnlyMetricsThatExist(t *testing.T) {
	for _, r := range rules(t) {
		checkQuery(t, r.Record+r.Alert, r.Expr)
	}
}

// checkQuery holds a query against Prometheus's own parser and the metrics that there are.
func checkQuery(t *testing.T, where, query string) {
	t.Helper()
	known := metrics(t)
	expr, err := promparser.ParseExpr(query)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	promparser.Inspect(expr, func(n promparser.Node, _ []promparser.Node) error {
		s, ok := n.(*promparser.VectorSelector)
		if !ok || s.Name == "up" || recorded(t, s.Name) {
			return nil
		}
		m, exists := known[plain(s.Name)]
		if !exists {
			m, exists = sidecarMetrics[s.Name]
		}
		if !exists {
			t.Errorf("%s asks for %s, which does not exist", where, s.Name)
		}
		for _, matcher := range s.LabelMatchers {
			if exists && matcher.Name != "__name__" &&
				!slices.Contains(append(m.labels, ofTheScrape...), matcher.Name) {
				t.Errorf(
					"%s asks for %s by %s, a label that it does not have",
					where,
					s.Name,
					matcher.Name,
				)
			}
		}
		return nil
	})
}

// ofTheScrape are the labels that Prometheus gives, and that of a histogram's buckets.
var ofTheScrape = []string{"job", "service", "instance", "le"}

func plain(name string) string {
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return name
}

func recorded(t *testing.T, name string) bool {
	t.Helper()
	return slices.ContainsFunc(rules(t), func(r rulefmt.Rule) bool { return r.Record == name })
}

// Each alert fires on the first series, and not on the second.
var cases = map[string]struct{ fires, silent string }{
	"SidecartErrorBudgetBurnsFast": {
		"sidecart:api_errors:ratio_rate1h 0.02x400\nsidecart:api_errors:ratio_rate5m 0.02x400",
		"sidecart:api_errors:ratio_rate1h 0.02x400\nsidecart:api_errors:ratio_rate5m 0x400", // it is over
	},
	"SidecartErrorBudgetBurns": {
		"sidecart:api_errors:ratio_rate6h 0.007x400\nsidecart:api_errors:ratio_rate1h 0.007x400",
		"sidecart:api_errors:ratio_rate6h 0.005x400\nsidecart:api_errors:ratio_rate1h 0.007x400",
	},
	"SidecartServiceDown": {
		`up{job="sidecart",service="orders"} 0x400`,
		`up{job="sidecart",service="orders"} 1x400`,
	},
	"SidecartJournalStuck": {
		`sidecart_journal_oldest_seconds{journal="orders"} 301x400`,
		`sidecart_journal_oldest_seconds{journal="orders"} 30x400`,
	},
	"SidecartJournalFull": {
		`sidecart_journal_shed_total{journal="orders"} 0+1x400`,
		`sidecart_journal_shed_total{journal="orders"} 7x400`,
	},
	"SidecartDeadLetters": {
		`sidecart_dead_letters_total{topic="orders"} 0+1x400`,
		`sidecart_dead_letters_total{topic="orders"} 7x400`,
	},
	"SidecartEventsLate": {
		"sidecart_event_lag_seconds_bucket{topic=\"orders\",le=\"60\"} 0x400\nsidecart_event_lag_seconds_bucket{topic=\"orders\",le=\"300\"} 0+9x400\nsidecart_event_lag_seconds_bucket{topic=\"orders\",le=\"+Inf\"} 0+9x400",
		"sidecart_event_lag_seconds_bucket{topic=\"orders\",le=\"60\"} 0+9x400\nsidecart_event_lag_seconds_bucket{topic=\"orders\",le=\"300\"} 0+9x400\nsidecart_event_lag_seconds_bucket{topic=\"orders\",le=\"+Inf\"} 0+9x400",
	},
	"SidecartMessagesWait": {
		`notifications_queue_oldest_seconds{channel="email"} 601x400`,
		`notifications_queue_oldest_seconds{channel="email"} 6x400`,
	},
	"SidecartPanics": {
		`panics_total{service="orders"} 0+1x400`,
		`panics_total{service="orders"} 2x400`,
	},
	"SidecartOrdersLateFast": {
		"sidecart:late_orders:ratio_rate1h 0.08x400\nsidecart:late_orders:ratio_rate5m 0.08x400",
		"sidecart:late_orders:ratio_rate1h 0.08x400\nsidecart:late_orders:ratio_rate5m 0.01x400", // it is over
	},
	"SidecartOrdersLate": {
		"sidecart:late_orders:ratio_rate6h 0.04x400\nsidecart:late_orders:ratio_rate30m 0.04x400",
		"sidecart:late_orders:ratio_rate6h 0.02x400\nsidecart:late_orders:ratio_rate30m 0.04x400",
	},
	"SidecartPaymentsDeclined": {
		"payments_outcomes_total{outcome=\"declined\"} 0+6x400\npayments_outcomes_total{outcome=\"captured\"} 0+4x400",
		"payments_outcomes_total{outcome=\"declined\"} 0+4x400\npayments_outcomes_total{outcome=\"captured\"} 0+6x400\n" +
			"payments_outcomes_total{outcome=\"voided\"} 0+9x400",
	},
	"SidecartPaymentNeedsAttention": {
		`payments_attention_total{what="void_overdue"} 0+1x400`, `payments_attention_total{what="void_overdue"} 3x400`,
	},
	// Recorded, from what the services say themselves.
	"sidecart:late_orders:ratio_rate1h": {
		"orders_finish_duration_seconds_bucket{status=\"paid\",le=\"10\"} 0+9x400\n" +
			"orders_finish_duration_seconds_count{status=\"paid\"} 0+10x400",
		"orders_finish_duration_seconds_count{status=\"cancelled\"} 0+10x400", // the customer's own wish
	},
	"sidecart:api_errors:ratio_rate5m": {
		"http_server_request_duration_seconds_count{route=\"/api/v1/orders\",status=\"500\"} 0+1x400\nhttp_server_request_duration_seconds_count{route=\"/api/v1/orders\",status=\"200\"} 0+9x400",
		`http_server_request_duration_seconds_count{route="/healthz",status="500"} 0+1x400`, // not the public API
	},
}

func TestAlertsFireWhenTheyShould(t *testing.T) {
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1 << 20, Timeout: time.Minute})
	tried := map[string]bool{}
	for _, r := range rules(t) {
		name := r.Alert + r.Record
		c, ok := cases[name]
		if !ok && r.Record != "" {
			continue
		}
		if !ok {
			t.Errorf("no case for %s", name)
			continue
		}
		tried[name] = true
		for series, want := range map[string]bool{c.fires: true, c.silent: false} {
			storage := promqltest.LoadedStorage(
				t,
				"load 1m\n  "+strings.ReplaceAll(series, "\n", "\n  "),
			)
			query, err := engine.NewInstantQuery(
				t.Context(),
				storage,
				nil,
				r.Expr,
				time.Unix(0, 0).Add(400*time.Minute),
			)
			if err != nil {
				t.Fatal(err)
			}
			result := query.Exec(t.Context())
			vector, err := result.Vector()
			if err != nil {
				t.Fatal(err)
			}
			if (len(vector) > 0) != want {
				t.Errorf("%s on %q: fires is %v, want %v", name, series, !want, want)
			}
			query.Close()
			_ = storage.Close()
		}
	}
	for name := range cases {
		if !tried[name] {
			t.Errorf("a case for %s, which is no rule", name)
		}
	}
}

func TestEveryAlertHasALineInTheRunbook(t *testing.T) {
	guide, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules(t) {
		if r.Alert != "" && !strings.Contains(string(guide), "\n| `"+r.Alert+"` |") {
			t.Errorf("the guide does not say what to do about %s", r.Alert)
		}
	}
	for _, line := range strings.Split(string(guide), "\n") {
		if name, ok := strings.CutPrefix(line, "| `Sidecart"); ok {
			name = "Sidecart" + strings.SplitN(name, "`", 2)[0]
			if !slices.ContainsFunc(
				rules(t),
				func(r rulefmt.Rule) bool { return r.Alert == name },
			) {
				t.Errorf("the guide tells of %s, which is no alert", name)
			}
		}
	}
}
