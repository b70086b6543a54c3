package plan

import (
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sidecart.dev/local/resources"
	"sidecart.dev/local/runfile"
)

const components = `
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: bus}
spec: {type: pubsub.redis, metadata: [{name: redisHost, value: '127.0.0.1:6379'}]}
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: email}
spec: {type: bindings.smtp, metadata: [{name: host, value: 127.0.0.1}, {name: port, value: '1025'}]}
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: store}
spec: {type: state.x, metadata: [{name: a, value: 'file:.sidecart/data/x.db'}]}
`

// system is two apps that share a folder of components; nobody here starts the second.
func system(t *testing.T, text string) System {
	file, err := runfile.Parse([]byte(`
version: 1
common: {resourcesPaths: [/repo/components/embedded]}
apps:
- {appID: gateway, appDirPath: /repo/gateway, appPort: 8080, command: [go, run, -race, ./cmd/gateway, serve]}
- {appID: orders, appDirPath: /repo/orders, appPort: 9000, daprHTTPPort: 9001}
`))
	if err != nil {
		t.Fatal(err)
	}
	for i := range file.Apps {
		file.Apps[i].ResourcesPaths = file.Common.ResourcesPaths
		file.Apps[i].Env = map[string]string{"ORDERS_URL": "http://localhost:9000", "B": "b", "C": "c"}
	}
	return System{
		File: file, Sets: map[string]*resources.Set{"/repo/components/embedded": set(t, text)},
		Inherited: []string{"PATH=/bin"},
	}
}

var everywhere = Allocation{
	Ports: map[Listener]int{
		{"gateway", "appPort"}: 7001, {"gateway", "daprHTTPPort"}: 7002,
		{"orders", "appPort"}: 7003, {"orders", "daprGRPCPort"}: 7004,
	},
	Redis: "127.0.0.1:7010", SMTP: "127.0.0.1:7011", Inbox: "127.0.0.1:7012",
	Console: "127.0.0.1:7013", OTLP: "127.0.0.1:7014",
}

// settings make tokens that are numbers.
func settings() Settings {
	n := 0
	return Settings{
		StateDir: "/state", BinDir: "/bin/apps", Daprd: "/cache/daprd",
		NewToken: func() string { n++; return "token" + strconv.Itoa(n) },
	}
}

func mustMake(t *testing.T, s System, at Allocation, set Settings) Plan {
	t.Helper()
	p, err := Make(s, at, set)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAPlanSaysWhatIsBuiltWrittenAndRun(t *testing.T) {
	p := mustMake(t, system(t, components), everywhere, settings())
	build := Build{
		App: "gateway", Dir: "/repo/gateway", Target: filepath.FromSlash("/bin/apps/gateway"),
		Args: []string{"build", "-race", "-o", filepath.FromSlash("/bin/apps/gateway"), "./cmd/gateway"},
	}
	if len(p.Builds) != 1 || !reflect.DeepEqual(p.Builds[0], build) {
		t.Errorf("it builds %+v, want %+v", p.Builds, build)
	}
	gateway, orders := p.Apps[0], p.Apps[1]
	if gateway.Process == nil || gateway.Process.Path != build.Target ||
		!slices.Equal(gateway.Process.Args, []string{"serve"}) || gateway.Process.Dir != build.Dir {
		t.Errorf("the gateway is started by %+v, want what was built, with its arguments", gateway.Process)
	}
	if orders.Process != nil {
		t.Errorf("an app without a command is started by %+v", orders.Process)
	}
	if got := meant(gateway.Process.Env, "ORDERS_URL"); got != "http://127.0.0.1:7003" {
		t.Errorf("the gateway finds the orders at %s, not where they have moved", got)
	}
	if gateway.URL() != "http://127.0.0.1:7001" || orders.SidecarURL() != "http://127.0.0.1:9001" {
		t.Errorf("they are at %s and %s", gateway.URL(), orders.SidecarURL())
	}
	if orders.Sidecar.Path != "/cache/daprd" || orders.Sidecar.Dir != "/repo/orders" {
		t.Errorf("a sidecar is started by %+v", orders.Sidecar)
	}
	args := strings.Join(orders.Sidecar.Args, " ")
	for _, want := range []string{
		"--app-id orders", "--app-port 7003", "--dapr-http-port 9001", "--dapr-grpc-port 7004",
		"--resources-path /state/resources/0-embedded", "--config /state/resources/names.yaml",
	} {
		if !strings.Contains(args, want) {
			t.Errorf("there is no %s in the sidecar's arguments %s", want, args)
		}
	}
	var texts []string
	for _, file := range p.Files {
		texts = append(texts, file.Path+"\n"+string(file.Text))
	}
	all := strings.Join(texts, "\n")
	for _, want := range []string{
		"/state/resources/0-embedded/c.yaml", "127.0.0.1:7010", "value: '7011'", "file:/state/data/x.db",
		"/state/resources/names.yaml", "file:/state/names.db",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("there is no %s in the files\n%s", want, all)
		}
	}
	tokens := []string{
		p.MetricsToken, gateway.AppToken, gateway.SidecarToken, orders.AppToken, orders.SidecarToken,
	}
	slices.Sort(tokens)
	if len(slices.Compact(tokens)) != 5 {
		t.Errorf("the tokens are %v, want them all different", tokens)
	}
}

func TestTheSameArgumentsMakeTheSamePlan(t *testing.T) {
	s := system(t, components)
	first := mustMake(t, s, everywhere, settings())
	for range 20 {
		if again := mustMake(t, s, everywhere, settings()); !reflect.DeepEqual(first, again) {
			t.Fatalf("the plans differ:\n%+v\n%+v", first, again)
		}
	}
	if s.File.Apps[0].AppPort != 8080 || !slices.Equal(s.File.Apps[0].Command[:2], []string{"go", "run"}) {
		t.Errorf("the run file itself has changed: %+v", s.File.Apps[0])
	}
}

func TestOnlyTheServersThatResourcesReferToArePlanned(t *testing.T) {
	cut := func(names ...string) string { // components without these
		var kept []string
		for _, c := range strings.Split(components, "---") {
			if !slices.ContainsFunc(names, func(name string) bool { return strings.Contains(c, name) }) {
				kept = append(kept, c)
			}
		}
		return strings.Join(kept, "---")
	}
	for name, test := range map[string]struct{ text, redis, inbox string }{
		"all":      {components, everywhere.Redis, everywhere.Inbox},
		"no mail":  {cut("name: email"), everywhere.Redis, ""},
		"no redis": {cut("name: bus"), "", everywhere.Inbox},
		"neither":  {cut("name: bus", "name: email"), "", ""},
	} {
		p := mustMake(t, system(t, test.text), everywhere, settings())
		if p.Redis != test.redis || p.Inbox != test.inbox || (p.SMTP == "") != (test.inbox == "") {
			t.Errorf("%s: Redis %q, inbox %q, SMTP %q", name, p.Redis, p.Inbox, p.SMTP)
		}
	}
}

func TestSpansGoToTheConsoleUnlessAVariableNamesAnotherReceiver(t *testing.T) {
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	for name, test := range map[string]struct {
		console, given, want string
		foreign              string // what foreign apps are told
	}{
		"with a console": {
			everywhere.Console, "", "http://127.0.0.1:7014",
			endpoint + "=http://127.0.0.1:7014 OTEL_EXPORTER_OTLP_PROTOCOL=grpc " +
				"OTEL_EXPORTER_OTLP_INSECURE=true METRICS_TOKEN=token1",
		},
		"without one":         {"", "", "(none)", ""},
		"with another":        {everywhere.Console, endpoint + "=elsewhere", "elsewhere", "METRICS_TOKEN=token1"},
		"with another's only": {"", endpoint + "=elsewhere", "elsewhere", ""},
	} {
		s, at := system(t, components), everywhere
		at.Console, s.Given = test.console, []string{test.given}
		p := mustMake(t, s, at, settings())
		if got := meant(p.Apps[0].Process.Env, endpoint); got != test.want {
			t.Errorf("%s: the app sends its spans to %s, want %s", name, got, test.want)
		}
		if got := p.ForeignEnv(); got != test.foreign {
			t.Errorf("%s: foreign apps are told %q, want %q", name, got, test.foreign)
		}
	}
}

func TestWithBackingOnlyNothingIsBuiltWrittenOrRun(t *testing.T) {
	set, at := settings(), everywhere
	set.BackingOnly, at.Ports = true, nil
	p := mustMake(t, system(t, components), at, set)
	if len(p.Builds)+len(p.Files) != 0 || p.Apps[0].Process != nil || p.Apps[0].Sidecar.Path != "" {
		t.Errorf("the plan is %+v", p)
	}
	if p.Redis == "" || p.Inbox == "" || p.Apps[0].URL() != "http://127.0.0.1:8080" {
		t.Errorf("the servers and the run file's addresses are missing: %+v", p)
	}
}

func TestOnlyAPlainGoRunIsBuiltFirst(t *testing.T) {
	for command, want := range map[string]string{
		"go run ./cmd/a":             "build -o /bin/a ./cmd/a",
		"go run . hello -x":          "build -o /bin/a .",
		"go run -race -tags=x ./a b": "build -race -tags=x -o /bin/a ./a",
		"go run example.org/a":       "build -o /bin/a example.org/a",
		"go run -tags x ./a":         "", // whose value is a word of its own
		"go run -race":               "",
		"go run main.go":             "",
		"go test ./a":                "",
		"go run":                     "",
		"python -m app":              "",
	} {
		run, ok := parseGoRun(strings.Fields(command))
		got := ""
		if ok {
			got = strings.Join(run.build(&App{App: runfile.App{AppID: "a"}}, "/bin").Args, " ")
		}
		if got != want {
			t.Errorf("%q is built by %q, want %q", command, got, want)
		}
	}
}
