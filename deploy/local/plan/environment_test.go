package plan

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sidecart.dev/local/resources"
	"sidecart.dev/local/runfile"
)

// meant is the value that a process sees: of two with one key, the later.
func meant(env []string, key string) string {
	value := "(none)"
	for _, line := range env {
		if name, v, _ := strings.Cut(line, "="); name == key {
			value = v
		}
	}
	return value
}

// set is a component set of one file.
func set(t *testing.T, text string) *resources.Set {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "c.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := resources.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

const referring = `
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: store}
spec: {type: state.x, metadata: [{name: a, envRef: ORDERS_DB}]}
scopes: [orders]
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: other-store}
spec: {type: state.x, metadata: [{name: a, envRef: USERS_DB}]}
scopes: [users]
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: bus}
spec: {type: pubsub.x, metadata: [{name: a, envRef: FOR_ALL}, {name: b, envRef: UNSET}]}
`

func TestEachProcessIsGivenItsOwnVariables(t *testing.T) {
	components := set(t, referring)
	components.Bind(func(name string) (string, bool) { return "bound " + name, name != "UNSET" })
	env := environment{
		inherited: []string{"PATH=/bin", "LOG_FORMAT=text", "ORDERS_DB=of the shell", "SHARED=shell"},
		given:     []string{"LIMIT=given", "ORDERS_DB=of the file", "SHARED=given"},
		sets:      []*resources.Set{components},
		addresses: resources.Addresses{
			Redis: "127.0.0.1:7000", Ports: map[int]int{8080: 9090},
		},
		metricsToken: "metrics", spans: []string{"OTEL=here"}, jsonLogs: true,
	}
	cfg := runfile.App{AppID: "orders", AppPort: 1, DaprHTTPPort: 2, DaprGRPCPort: 3, MetricsPort: 4}
	cfg.Env = map[string]string{
		"LIMIT": "run file", "URL": "http://127.0.0.1:8080/", "OWN": "run file",
	}
	app := &App{App: cfg, AppToken: "for the app", SidecarToken: "for the sidecar"}
	for _, of := range []struct{ variable, app, sidecar string }{
		{"PATH", "/bin", "/bin"},
		{"SHARED", "given", "given"},
		{"LIMIT", "given", "given"},
		{"OWN", "run file", "(none)"},
		{"URL", "http://127.0.0.1:9090/", "(none)"},
		{"ORDERS_DB", "(none)", "bound ORDERS_DB"},
		{"USERS_DB", "(none)", "(none)"},
		{"FOR_ALL", "(none)", "bound FOR_ALL"},
		{"UNSET", "(none)", "(none)"},
		{"METRICS_TOKEN", "metrics", "metrics"},
		{"APP_API_TOKEN", "for the app", "for the app"},
		{"DAPR_API_TOKEN", "for the sidecar", "for the sidecar"},
		{"DAPR_HOST_IP", "127.0.0.1", "127.0.0.1"},
		{"OTEL", "here", "here"},
		{"LOG_FORMAT", "text", "text"},
		{"APP_ID", "orders", "(none)"},
		{"APP_PORT", "1", "(none)"},
		{"APP_PROTOCOL", "http", "(none)"},
		{"DAPR_HTTP_PORT", "2", "(none)"},
		{"DAPR_GRPC_PORT", "3", "(none)"},
		{"DAPR_METRICS_PORT", "4", "(none)"},
	} {
		if got := meant(env.ofApp(app), of.variable); got != of.app {
			t.Errorf("the app has %s=%s, not %s", of.variable, got, of.app)
		}
		if got := meant(env.ofSidecar(app), of.variable); got != of.sidecar {
			t.Errorf("the sidecar has %s=%s, not %s", of.variable, got, of.sidecar)
		}
	}
	env.inherited = nil
	if got := meant(env.ofApp(app), "LOG_FORMAT"); got != "json" {
		t.Errorf("the app logs as %s where nothing says how, not as the launcher's json", got)
	}
}
