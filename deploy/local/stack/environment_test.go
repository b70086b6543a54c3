package stack

import (
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

func TestEachProcessIsGivenItsOwnVariables(t *testing.T) {
	env := environment{
		inherited: []string{"PATH=/bin", "LOG_FORMAT=text", "ORDERS_DB=of the shell", "SHARED=shell"},
		extra:     []string{"LIMIT=extra", "ORDERS_DB=of the file", "SHARED=extra"},
		references: []resources.Reference{
			{Name: "ORDERS_DB", Scopes: []string{"orders"}},
			{Name: "USERS_DB", Scopes: []string{"users"}},
			{Name: "FOR_ALL"},
			{Name: "UNSET"},
		},
		bound: func(name string) (string, bool) { return "bound " + name, name != "UNSET" },
		addresses: resources.Addresses{
			Redis: "127.0.0.1:7000", Ports: map[int]int{8080: 9090},
		},
		metricsToken: "metrics", spans: []string{"OTEL=here"}, jsonLogs: true,
	}
	app := &runfile.App{AppID: "orders", AppPort: 1, DaprHTTPPort: 2, DaprGRPCPort: 3, MetricsPort: 4}
	app.Env = map[string]string{"LIMIT": "run file", "URL": "http://127.0.0.1:8080/", "OWN": "run file"}
	t2 := tokens{app: "for the app", sidecar: "for the sidecar"}
	for _, of := range []struct{ variable, app, sidecar string }{
		{"PATH", "/bin", "/bin"},
		{"SHARED", "extra", "extra"},
		{"LIMIT", "extra", "extra"},
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
		if got := meant(env.ofApp(app, t2), of.variable); got != of.app {
			t.Errorf("the app has %s=%s, not %s", of.variable, got, of.app)
		}
		if got := meant(env.ofSidecar(app, t2), of.variable); got != of.sidecar {
			t.Errorf("the sidecar has %s=%s, not %s", of.variable, got, of.sidecar)
		}
	}
	env.inherited = nil
	if got := meant(env.ofApp(app, t2), "LOG_FORMAT"); got != "json" {
		t.Errorf("the app logs as %s where nothing says how, not as the launcher's json", got)
	}
}
