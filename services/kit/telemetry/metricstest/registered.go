package metricstest

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// registered returns the metrics of a registry, those without a value included, but for Go's own
// and the process's.
func registered(t testing.TB, registry *prometheus.Registry) (all []metric) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{}
	for _, family := range families {
		kinds[family.GetName()] = strings.ToLower(family.GetType().String())
	}
	for _, d := range described(registry) {
		m, err := parseDesc(d)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(m.name, "go_") || strings.HasPrefix(m.name, "process_") {
			continue
		}
		if m.kind = kindOf(registry, d); m.kind == "" {
			m.kind = kinds[m.name]
		}
		if m.kind == "" {
			t.Fatalf("%s has no value yet, and does not say whether it is a counter or what else", m.name)
		}
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	return all
}

func described(registry *prometheus.Registry) (all []*prometheus.Desc) {
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		registry.Describe(descs)
	}()
	for d := range descs {
		all = append(all, d)
	}
	return all
}

// kindOf returns the kind of a metric with labels, which has no value before its first event. The
// registry tells of the collector that has the descriptor when it refuses another one with it.
func kindOf(registry *prometheus.Registry, d *prometheus.Desc) string {
	var there prometheus.AlreadyRegisteredError
	if !errors.As(registry.Register(twin{desc: d}), &there) {
		return ""
	}
	switch there.ExistingCollector.(type) {
	case *prometheus.CounterVec:
		return "counter"
	case *prometheus.GaugeVec:
		return "gauge"
	case *prometheus.HistogramVec:
		return "histogram"
	case *prometheus.SummaryVec:
		return "summary"
	}
	return ""
}

// twin is a collector with the descriptor of another one.
type twin struct {
	prometheus.Collector
	desc *prometheus.Desc
}

func (t twin) Describe(to chan<- *prometheus.Desc) { to <- t.desc }

// descForm is the only form in which a descriptor says what it describes.
var descForm = regexp.MustCompile(
	`^Desc\{fqName: ("[^"]*"), help: ("(?:[^"\\]|\\.)*"), ` +
		`constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)

var constLabel = regexp.MustCompile(`(\w+)="(?:[^"\\]|\\.)*"`)

func parseDesc(d *prometheus.Desc) (m metric, err error) {
	found := descForm.FindStringSubmatch(d.String())
	if found == nil {
		return m, errors.New("a descriptor of a form that is not known: " + d.String())
	}
	var labels []string
	for _, label := range constLabel.FindAllStringSubmatch(found[3], -1) {
		labels = append(labels, label[1])
	}
	if found[4] != "" {
		labels = append(labels, strings.Split(found[4], ",")...)
	}
	m.labels = strings.Join(labels, ", ")
	name, nameErr := strconv.Unquote(found[1])
	help, helpErr := strconv.Unquote(found[2])
	m.name, m.help = name, help
	return m, errors.Join(nameErr, helpErr)
}
