package observability

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
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
	"SidecartEventsLate": {lags("0x400"), lags("0+9x400")},
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
		"http_server_request_duration_seconds_count{route=\"/api/v1/orders\",status=\"500\"} 0+1x400\n" +
			"http_server_request_duration_seconds_count{route=\"/api/v1/orders\",status=\"200\"} 0+9x400",
		`http_server_request_duration_seconds_count{route="/healthz",status="500"} 0+1x400`, // not the public API
	},
}

// lags are series of events of which those that the text says were handled within a minute, and
// all within five.
func lags(withinAMinute string) string {
	const bucket = "sidecart_event_lag_seconds_bucket{topic=\"orders\",le="
	return bucket + `"60"} ` + withinAMinute + "\n" +
		bucket + `"300"} 0+9x400` + "\n" + bucket + `"+Inf"} 0+9x400`
}

func TestAlertsFireWhenTheyShould(t *testing.T) {
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
			if fires(t, r.Expr, series) != want {
				t.Errorf("%s on %q: fires is %v, want %v", name, series, !want, want)
			}
		}
	}
	for name := range cases {
		if !tried[name] {
			t.Errorf("a case for %s, which is no rule", name)
		}
	}
}

// fires asks Prometheus's own engine after 400 minutes of the series.
func fires(t *testing.T, expr, series string) bool {
	t.Helper()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1 << 20, Timeout: time.Minute})
	storage := promqltest.LoadedStorage(t, "load 1m\n  "+strings.ReplaceAll(series, "\n", "\n  "))
	defer storage.Close()
	at := time.Unix(0, 0).Add(400 * time.Minute)
	query, err := engine.NewInstantQuery(t.Context(), storage, nil, expr, at)
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	vector, err := query.Exec(t.Context()).Vector()
	if err != nil {
		t.Fatal(err)
	}
	return len(vector) > 0
}

func TestEveryAlertHasALineInTheRunbook(t *testing.T) {
	raw, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	guide := string(raw)
	alerts := map[string]bool{}
	for _, r := range rules(t) {
		if r.Alert == "" {
			continue
		}
		alerts[r.Alert] = true
		row := "\n| `" + r.Alert + "` | "
		if !strings.Contains(guide, row+"`") && !strings.Contains(guide, row+"the same |") {
			t.Errorf("the guide does not say what to look at, and what to do, about %s", r.Alert)
		}
	}
	for line := range strings.Lines(guide) {
		name, ok := strings.CutPrefix(line, "| `Sidecart")
		name, _, _ = strings.Cut("Sidecart"+name, "`")
		if ok && !alerts[name] {
			t.Errorf("the guide tells of %s, which is no alert", name)
		}
	}
	known := metrics(t)
	for _, name := range metricNames.FindAllString(guide, -1) {
		if _, ok := known[plain(name)]; !ok {
			t.Errorf("the guide names %s, which does not exist", name)
		}
	}
}

// metricNames are what a text calls like a metric of ours.
var metricNames = regexp.MustCompile(
	`\b[a-z]+(_[a-z]+)*_(seconds|total|ids|info|waiting|open)(_bucket|_count|_sum)?\b`)
