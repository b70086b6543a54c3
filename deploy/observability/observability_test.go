// Package observability tests what is deployed beside the services, with Prometheus's own parser and engine.
package observability

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/rulefmt"
	promql "github.com/prometheus/prometheus/promql"
	promparser "github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
)

var update = flag.Bool("update", false, "write METRICS.md")

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

// metrics reads the metrics of the services from their source: name to meaning.
func metrics(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir("../../services", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if s, ok := n.Type.(*ast.SelectorExpr); ok && strings.HasSuffix(s.Sel.Name, "Opts") {
					prefix, name, help := "", field(n, "Name"), field(n, "Help")
					for _, part := range []string{"Namespace", "Subsystem"} {
						if p := field(n, part); p != "" {
							prefix += p + "_"
						}
					}
					if name != "" {
						found[prefix+name] = help
					}
				}
			case *ast.CallExpr: // the journal and the lanes name theirs through functions
				f, ok := n.Fun.(*ast.Ident)
				if ok && (f.Name == "counter" || f.Name == "gauge") && len(n.Args) >= 2 {
					name := text(n.Args[0])
					if strings.HasSuffix(filepath.Dir(path), "kit/journal") {
						name = "sidecart_journal_" + name
					}
					found[name] = text(n.Args[1])
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func field(lit *ast.CompositeLit, name string) string {
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok && fmt.Sprint(kv.Key) == name {
			return text(kv.Value)
		}
	}
	return ""
}

func text(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	s, _ := strconv.Unquote(lit.Value)
	return s
}

func TestTheTableHasEveryMetric(t *testing.T) {
	found := metrics(t)
	var table strings.Builder
	table.WriteString("# Metrics\n\nWritten from the source by `go test -update`. Besides these there are Go's own and the process's.\n\n| metric | what it says |\n|---|---|\n")
	names := make([]string, 0, len(found))
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if found[name] == "" {
			t.Errorf("%s does not say what it is", name)
		}
		fmt.Fprintf(&table, "| `%s` | %s |\n", name, found[name])
	}
	if *update {
		if err := os.WriteFile("METRICS.md", []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if is, err := os.ReadFile("METRICS.md"); err != nil || string(is) != table.String() {
		t.Errorf("METRICS.md is not what the source says (%v): run go test -update", err)
	}
}

func TestRulesNameOnlyMetricsThatExist(t *testing.T) {
	known := metrics(t)
	known["up"] = "Prometheus's own"
	for _, r := range rules(t) {
		if r.Record != "" {
			known[r.Record] = "recorded"
		}
	}
	for _, r := range rules(t) {
		expr, err := promparser.ParseExpr(r.Expr)
		if err != nil {
			t.Fatal(err)
		}
		promparser.Inspect(expr, func(n promparser.Node, _ []promparser.Node) error {
			if s, ok := n.(*promparser.VectorSelector); ok {
				name := s.Name
				for _, suffix := range []string{"_bucket", "_count", "_sum"} {
					name = strings.TrimSuffix(name, suffix)
				}
				if known[name] == "" && known[s.Name] == "" {
					t.Errorf("%s%s asks for %s, which does not exist", r.Record, r.Alert, s.Name)
				}
			}
			return nil
		})
	}
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
	"SidecartServiceDown":  {`up{job="sidecart",service="orders"} 0x400`, `up{job="sidecart",service="orders"} 1x400`},
	"SidecartJournalStuck": {`sidecart_journal_oldest_seconds{journal="orders"} 301x400`, `sidecart_journal_oldest_seconds{journal="orders"} 30x400`},
	"SidecartJournalFull":  {`sidecart_journal_shed_total{journal="orders"} 0+1x400`, `sidecart_journal_shed_total{journal="orders"} 7x400`},
	"SidecartDeadLetters":  {`sidecart_dead_letters_total{topic="orders"} 0+1x400`, `sidecart_dead_letters_total{topic="orders"} 7x400`},
	"SidecartEventsLate": {
		"sidecart_event_lag_seconds_bucket{topic=\"orders\",le=\"60\"} 0x400\nsidecart_event_lag_seconds_bucket{topic=\"orders\",le=\"300\"} 0+9x400\nsidecart_event_lag_seconds_bucket{topic=\"orders\",le=\"+Inf\"} 0+9x400",
		"sidecart_event_lag_seconds_bucket{topic=\"orders\",le=\"60\"} 0+9x400\nsidecart_event_lag_seconds_bucket{topic=\"orders\",le=\"300\"} 0+9x400\nsidecart_event_lag_seconds_bucket{topic=\"orders\",le=\"+Inf\"} 0+9x400",
	},
	"SidecartMessagesWait": {`notifications_lane_oldest_seconds{channel="email"} 601x400`, `notifications_lane_oldest_seconds{channel="email"} 6x400`},
	"SidecartPanics":       {`panics_total{service="orders"} 0+1x400`, `panics_total{service="orders"} 2x400`},
	// Recorded, from what the services say themselves.
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
			storage := promqltest.LoadedStorage(t, "load 1m\n  "+strings.ReplaceAll(series, "\n", "\n  "))
			query, err := engine.NewInstantQuery(t.Context(), storage, nil, r.Expr, time.Unix(0, 0).Add(400*time.Minute))
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
			if !slices.ContainsFunc(rules(t), func(r rulefmt.Rule) bool { return r.Alert == name }) {
				t.Errorf("the guide tells of %s, which is no alert", name)
			}
		}
	}
}
