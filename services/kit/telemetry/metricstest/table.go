// Package metricstest holds the table of metrics against what services have registered.
package metricstest

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// Path is where the table stands, seen from the folder of a service's main.
const Path = "../../../../deploy/observability/METRICS.md"

var update = flag.Bool("update", false, "write the service's metrics into the table of all")

// CheckTable fails the test unless the table in the file has exactly the metrics of the registry
// as those of the service. The service must be wired and serve: some metrics are registered then.
// With -update it writes the service's part of the table instead. Tests of several services must
// not do that at the same time.
func CheckTable(t testing.TB, file, service string, registry *prometheus.Registry) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	said, is := parse(t, text), registered(t, registry)
	if *update {
		text = with(text, said, service, is)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil { //nolint:gosec // documentation
			t.Fatal(err)
		}
		return
	}
	for _, m := range is {
		if !slices.Contains(said[m], service) {
			t.Errorf("%s has a metric that the table lacks or describes otherwise:\n%s",
				service, m.row([]string{service}))
		}
	}
	for m, services := range said {
		if slices.Contains(services, service) && !slices.Contains(is, m) {
			t.Errorf("the table has a metric that %s does not have:\n%s", service, m.row(services))
		}
	}
	if t.Failed() {
		t.Error("to write it: go test -p 1 " +
			"sidecart.dev/{gateway,users,orders,payments,notifications}/cmd/... " +
			"-run TableOfMetrics -args -update")
	}
}

// metric is what the table says of one, in the words of the table.
type metric struct{ name, kind, labels, help string }

const head = "| metric | kind | labels | services | what it says |\n|---|---|---|---|---|\n"

func (m metric) row(services []string) string {
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s |\n",
		m.name, m.kind, m.labels, strings.Join(services, ", "), m.help)
}

// parse returns the services of each metric in the table.
func parse(t testing.TB, text string) map[metric][]string {
	t.Helper()
	_, rows, ok := strings.Cut(text, head)
	if !ok {
		t.Fatalf("there is no table that begins with\n%s", head)
	}
	all := map[metric][]string{}
	for line := range strings.Lines(rows) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if len(cells) != 5 {
			break
		}
		m := metric{strings.Trim(cells[0], "`"), cells[1], cells[2], cells[4]}
		all[m] = strings.Split(cells[3], ", ")
	}
	return all
}

// with returns the text with a table in which the service has these metrics.
func with(text string, all map[metric][]string, service string, is []metric) string {
	for m, services := range all {
		all[m] = slices.DeleteFunc(services, func(s string) bool { return s == service })
	}
	for _, m := range is {
		all[m] = append(all[m], service)
		slices.Sort(all[m])
	}
	before, rows, _ := strings.Cut(text, head)
	_, after, _ := strings.Cut(rows, "\n\n")
	var table strings.Builder
	for _, m := range slices.SortedFunc(maps.Keys(all), metric.compare) {
		if len(all[m]) > 0 {
			table.WriteString(m.row(all[m]))
		}
	}
	return before + head + table.String() + "\n" + after
}

func (m metric) compare(other metric) int {
	return strings.Compare(m.row(nil), other.row(nil))
}
