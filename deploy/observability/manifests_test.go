package observability

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	"go.yaml.in/yaml/v3"
)

// The operator takes rules as an object of its own kind, around the same groups.
func TestTheOperatorHasTheSameRules(t *testing.T) {
	text, err := os.ReadFile("rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, groups, ok := strings.Cut(string(text), "\ngroups:\n")
	if !ok {
		t.Fatal("rules.yaml has no groups")
	}
	var object strings.Builder
	object.WriteString("# Written from ../rules.yaml by `go test . -args -update`, " +
		"for a cluster with the Prometheus operator.\n" +
		"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\n" +
		"metadata: {name: sidecart}\nspec:\n  groups:\n")
	for line := range strings.Lines(groups) {
		object.WriteString("  " + line)
	}
	generated(t, "operator/rules.yaml", object.String())
	decode(t, []byte(object.String()))
}

// What is scraped on a cluster are ports and labels that the Pods have.
func TestTheOperatorScrapesWhatPodsHave(t *testing.T) {
	monitors, err := os.ReadFile("operator/monitors.yaml")
	if err != nil {
		t.Fatal(err)
	}
	pods, err := os.ReadFile("../kubernetes/base/service.yaml")
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]int{}
	for _, document := range decode(t, monitors) {
		if document["kind"] != "PodMonitor" {
			continue
		}
		spec := document["spec"].(map[string]any)
		for key, value := range spec["selector"].(map[string]any)["matchLabels"].(map[string]any) {
			labels[key+": "+value.(string)]++
		}
		for _, endpoint := range spec["podMetricsEndpoints"].([]any) {
			port := endpoint.(map[string]any)["port"].(string)
			ofTheSidecar := port == "dapr-metrics" // which is injected
			if !ofTheSidecar && !bytes.Contains(pods, []byte("ports: [{name: "+port+",")) {
				t.Errorf("port %s is scraped, which no Pod has", port)
			}
		}
	}
	if len(labels) != 1 || labels["app.kubernetes.io/component: service"] != 2 {
		t.Errorf("Pods are selected by %v", labels)
	}
	for _, service := range services {
		manifest, err := os.ReadFile(filepath.Join("../kubernetes/base", service+".yaml"))
		if err != nil || !bytes.Contains(manifest, []byte("app.kubernetes.io/component: service")) {
			t.Errorf("%s does not have the label (%v)", service, err)
		}
	}
}

// Prometheus reads its configuration with the code that is called here.
func TestPrometheusTakesItsConfiguration(t *testing.T) {
	text, err := os.ReadFile("prometheus.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(string(text), promslog.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.ScrapeConfigs) != 2 || len(cfg.RuleFiles) != 1 {
		t.Errorf("%d things are scraped by %d files of rules",
			len(cfg.ScrapeConfigs), len(cfg.RuleFiles))
	}
}

// A pipeline that names what is not configured keeps a collector from starting, and what no
// pipeline names does nothing.
func TestTheCollectorsPipelinesNameWhatIsConfigured(t *testing.T) {
	text, err := os.ReadFile("collector.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cfg struct {
		Receivers, Processors, Exporters, Extensions map[string]any
		Service                                      struct {
			Extensions []string
			Pipelines  map[string]struct{ Receivers, Processors, Exporters []string }
		}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&cfg); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	check := func(where string, configured map[string]any, named []string) {
		for _, name := range named {
			used[where+" "+name] = true
			if _, ok := configured[name]; !ok {
				t.Errorf("%s %s is named by a pipeline, but not configured", where, name)
			}
		}
	}
	for _, p := range cfg.Service.Pipelines {
		check("receiver", cfg.Receivers, p.Receivers)
		check("processor", cfg.Processors, p.Processors)
		check("exporter", cfg.Exporters, p.Exporters)
		if len(p.Receivers) == 0 || len(p.Exporters) == 0 {
			t.Error("a pipeline leads from nowhere or to nowhere")
		}
	}
	for where, configured := range map[string]map[string]any{
		"receiver": cfg.Receivers, "processor": cfg.Processors, "exporter": cfg.Exporters,
	} {
		for name := range configured {
			if !used[where+" "+name] {
				t.Errorf("%s %s is configured, but no pipeline names it", where, name)
			}
		}
	}
	guide, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	variables := regexp.MustCompile(`\$\{env:(\w+)\}`)
	for _, name := range variables.FindAllStringSubmatch(string(text), -1) {
		if !bytes.Contains(guide, []byte("`"+name[1]+"`")) {
			t.Errorf("the guide does not tell of the variable %s", name[1])
		}
	}
}

func decode(t *testing.T, text []byte) (documents []map[string]any) {
	t.Helper()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var document map[string]any
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return documents
		}
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, document)
	}
}
