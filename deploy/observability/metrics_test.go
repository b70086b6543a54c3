package observability

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// metric is one of the services', as METRICS.md has it. That the services have it, a test of each
// of them says.
type metric struct {
	kind, help       string
	labels, services []string
}

// rows returns the cells of the rows of a table of METRICS.md, without marks, by the first of them.
func rows(t *testing.T, head string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "\n| "+head+" |")
	if !ok {
		t.Fatalf("METRICS.md has no table that begins with %s", head)
	}
	found := map[string][]string{}
	for _, line := range strings.Split(table, "\n")[2:] {
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		if len(cells) < 2 {
			break
		}
		for i, cell := range cells {
			cells[i] = strings.Trim(cell, " `")
		}
		found[cells[0]] = cells[1:]
	}
	return found
}

// metrics returns the metrics of the services by name.
func metrics(t *testing.T) map[string]metric {
	t.Helper()
	all := map[string]metric{}
	for name, cells := range rows(t, "metric | kind | labels | services | what it says") {
		if len(cells) != 4 {
			t.Fatalf("METRICS.md says of %s: %q", name, cells)
		}
		m := metric{kind: cells[0], help: cells[3], services: strings.Split(cells[2], ", ")}
		if cells[1] != "" {
			m.labels = strings.Split(cells[1], ", ")
		}
		all[name] = m
	}
	return all
}

var services = []string{"gateway", "notifications", "orders", "payments", "users"}

func TestEveryMetricIsOfAServiceAndSaysWhatItIs(t *testing.T) {
	for name, m := range metrics(t) {
		if !strings.HasSuffix(m.help, ".") {
			t.Errorf("%s does not say what it is in a sentence", name)
		}
		if m.kind == "counter" != strings.HasSuffix(name, "_total") {
			t.Errorf("%s is a %s: counters alone end in _total", name, m.kind)
		}
		for _, s := range m.services {
			if !slices.Contains(services, s) {
				t.Errorf("%s is of %s, which is no service and so tests nothing", name, s)
			}
		}
	}
}

// A label that anything could be makes a series of anything. That services keep to what is listed
// is tested on a running system.
func TestEveryLabelHasTheValuesThatAreListed(t *testing.T) {
	listed := rows(t, "label | values")
	used := map[string]bool{}
	for name, m := range metrics(t) {
		for _, label := range m.labels {
			if used[label] = true; listed[label] == nil {
				t.Errorf("%s has the label %s, whose values are not listed", name, label)
			}
		}
	}
	for label := range listed {
		if !used[label] {
			t.Errorf("no metric has the label %s", label)
		}
	}
}

func TestWhereToLookNamesMetricsThatThereAre(t *testing.T) {
	known, places := metrics(t), rows(t, "what | where")
	for what, cells := range places {
		for _, name := range regexp.MustCompile(`\w+_\w+`).FindAllString(cells[0], -1) {
			if _, ok := known[name]; !ok {
				t.Errorf("%s is to be seen in %s, which is no metric", what, name)
			}
		}
	}
	if len(places) < 9 {
		t.Errorf("it says of %v alone where to look", slices.Sorted(maps.Keys(places)))
	}
}
