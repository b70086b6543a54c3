package runfile_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sidecart.dev/local/runfile"
)

// rootFile is the run file of this repository.
const rootFile = "../../../dapr.yaml"

func TestTheRepositorysRunFileIsValid(t *testing.T) {
	file, err := runfile.Load(rootFile)
	if err != nil {
		t.Fatalf("dapr.yaml is not what the Dapr CLI documents, or names what does not exist: %v", err)
	}
	var ids []string
	for i := range file.Apps {
		app := &file.Apps[i]
		ids = append(ids, app.AppID)
		for _, port := range app.Ports() {
			if *port.Value == 0 {
				t.Errorf("%s has no %s", app.AppID, port.Field)
			}
		}
		if app.PlacementHostAddress != " " || app.SchedulerHostAddress != " " {
			t.Errorf("%s must have one blank for both addresses: anything else makes the Dapr CLI's sidecars look for services that "+
				"are not needed", app.AppID)
		}
		if want := []string{"go", "run", "./cmd/" + app.AppID}; !slices.Equal(app.Command, want) {
			t.Errorf("%s is started with %q, want %q", app.AppID, app.Command, want)
		}
	}
	if want := []string{"gateway", "users", "orders", "payments", "notifications"}; !slices.Equal(ids, want) {
		t.Errorf("the apps are %q, want %q", ids, want)
	}
}

// reserved are ports on which something else is to be expected, and what it is.
var reserved = map[int]string{
	3500: "Dapr's default for a sidecar's HTTP API", 3501: "a Dapr sidecar's public API", 4000: "Dapr's sidecar injector",
	6500: "Dapr's operator", 7777: "a Dapr sidecar's profiler", 8201: "Dapr's placement, raft",
	50001: "Dapr's default for a sidecar's gRPC API", 50002: "a Dapr sidecar's internal API", 50003: "Dapr's sentry",
	50005: "Dapr's placement", 50006: "Dapr's scheduler", 50007: "Dapr's scheduler", 6050: "Dapr's placement on Windows",
	6060: "Dapr's scheduler on Windows", 58080: "placement's health", 58081: "scheduler's health", 59090: "placement's metrics",
	59091: "scheduler's metrics", 52379: "the scheduler's etcd", 52380: "the scheduler's etcd", 9411: "dapr init's Zipkin", 6379: "dapr init's Redis",
	9090: "Prometheus, and Dapr's metrics", 9100: "Prometheus' node exporter", 3000: "Grafana and development servers", 5000: "a registry, AirPlay",
	8000: "development servers", 8081: "web servers", 8082: "web servers", 8083: "web servers", 8443: "web servers", 8888: "Jupyter",
	9000: "MinIO, PHP", 9200: "Elasticsearch", 9092: "Kafka", 2181: "ZooKeeper", 2379: "etcd", 5432: "PostgreSQL", 3306: "MySQL",
	27017: "MongoDB", 27018: "MongoDB", 27019: "MongoDB", 11211: "memcached", 5672: "RabbitMQ", 15672: "RabbitMQ's console", 25672: "RabbitMQ's cluster",
	4222: "NATS", 6222: "NATS", 8222: "NATS", 26257: "CockroachDB", 26379: "Redis Sentinel", 4317: "OpenTelemetry", 4318: "OpenTelemetry",
	16686: "Jaeger", 14268: "Jaeger", 24224: "Fluentd", 24231: "Fluentd", 25565: "Minecraft", 19132: "Minecraft", 1025: "the inbox", 8025: "the inbox",
	10250: "Kubernetes' kubelet", 16443: "MicroK8s", 6443: "Kubernetes' API", 32000: "MicroK8s' registry",
}

// Linux gives ports from here on to outgoing connections, and Kubernetes gives those from 30000 on
// to services.
const ephemeral, nodePorts = 32768, 30000

func TestPortsAreNobodyElses(t *testing.T) {
	file, err := runfile.Load(rootFile)
	if err != nil {
		t.Fatal(err)
	}
	for i := range file.Apps {
		app := &file.Apps[i]
		for _, port := range app.Ports() {
			if app.AppID == "gateway" && port.Field == "appPort" {
				if *port.Value != 8080 {
					t.Errorf("the gateway is at port %d, and every document says 8080", *port.Value)
				}
				continue
			}
			if owner := reserved[*port.Value]; owner != "" {
				t.Errorf("%s of %s is %d, which is for %s", port.Field, app.AppID, *port.Value, owner)
			}
			if *port.Value >= min(ephemeral, nodePorts) || *port.Value < 1024 {
				t.Errorf("%s of %s is %d, which an outgoing connection, a Kubernetes service or the system may have", port.Field, app.AppID, *port.Value)
			}
		}
	}
}

// write makes a folder with a run file, a resource folder and an app.
func write(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"res", "app/own", "app2"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "dapr.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAppsInheritFromCommon(t *testing.T) {
	path := write(t, `
version: 1
common:
  resourcesPaths: [./res]
  env: {A: common, B: common}
  logLevel: warn
  maxBodySize: 1Mi
apps:
- appDirPath: ./app
  resourcesPaths: [./own]
  env: {B: app}
  logLevel: debug
- appDirPath: ./app2
`)
	file, err := runfile.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	first, second := file.Apps[0], file.Apps[1]
	if first.AppID != "app" {
		t.Errorf("an app without an id is called %q, want its folder's name", first.AppID)
	}
	if want := filepath.Join(dir, "app", "own"); first.ResourcesPaths[0] != want {
		t.Errorf("an app's path is %s, want %s: relative to its appDirPath", first.ResourcesPaths[0], want)
	}
	if want := filepath.Join(dir, "res"); second.ResourcesPaths[0] != want {
		t.Errorf("a common path is %s, want %s: relative to the file", second.ResourcesPaths[0], want)
	}
	if first.Env["A"] != "common" || first.Env["B"] != "app" || second.Env["B"] != "common" {
		t.Errorf("env is %v and %v, want it merged per variable", first.Env, second.Env)
	}
	if first.LogLevel != "debug" || second.LogLevel != "warn" || first.MaxBodySize != "1Mi" {
		t.Errorf("fields are not inherited: %+v", first.Shared)
	}
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"an unknown field":    {"version: 1\napps: [{appDirPath: ./app, portt: 1}]", "portt"},
		"not YAML":            {"version: [", "yaml"},
		"an empty file":       {"", "empty"},
		"another version":     {"version: 2\napps: [{appDirPath: ./app}]", "version is 2"},
		"no app":              {"version: 1", "no app"},
		"no folder":           {"version: 1\napps: [{appID: x}]", "x) has no appDirPath"},
		"a missing folder":    {"version: 1\napps: [{appDirPath: ./none}]", "none is not a folder"},
		"missing resources":   {"version: 1\ncommon: {resourcesPaths: [./none]}\napps: [{appDirPath: ./app}]", "./none is not a folder"},
		"a missing config":    {"version: 1\napps: [{appDirPath: ./app, configFilePath: c.yaml}]", "c.yaml is not a file"},
		"two of one id":       {"version: 1\napps: [{appDirPath: ./app}, {appID: app, appDirPath: ./app2}]", "two apps have the appID app"},
		"two on one port":     {"version: 1\napps: [{appDirPath: ./app, appPort: 1}, {appDirPath: ./app2, metricsPort: 1}]", "metricsPort 1 is also app's appPort"},
		"not a port":          {"version: 1\napps: [{appDirPath: ./app, appPort: 70000}]", "70000 is not a port"},
		"a strange log place": {"version: 1\napps: [{appDirPath: ./app, appLogDestination: printer}]", "printer"},
		"a strange protocol":  {"version: 1\napps: [{appDirPath: ./app, appProtocol: smtp}]", "smtp"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := runfile.Load(write(t, test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q in it", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has several lines: %q", err)
			}
		})
	}
	if _, err := runfile.Load("/nowhere/dapr.yaml"); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a missing file: %v", err)
	}
}
