package daprd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sidecart.dev/local/daprd"
	"sidecart.dev/local/runfile"
)

// fake writes a program that says its version as daprd does.
func fake(t *testing.T, dir, version string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "daprd")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho "+version+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSearchOrder(t *testing.T) {
	home, bin, own, runtime := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("DAPRD", "")
	t.Setenv("PATH", bin+":/bin:/usr/bin")
	want := func(path, where string) {
		t.Helper()
		found, skipped, err := daprd.Search(t.Context(), runtime)
		if err != nil {
			t.Fatal(err)
		}
		if path == "" && found != nil || path != "" && (found == nil || found.Path != path || found.Where != where) {
			t.Errorf("found %+v (passed over %q), want %s in %s", found, skipped, path, where)
		}
	}
	want("", "")
	want(fake(t, filepath.Join(home, ".dapr", "bin"), daprd.Version), "the Dapr home")
	onPath := fake(t, bin, "1.9.3")
	if _, skipped, _ := daprd.Search(t.Context(), ""); len(skipped) != 1 || !strings.Contains(skipped[0], "1.9.3") {
		t.Errorf("an old daprd is not named: %q", skipped)
	}
	fake(t, bin, "1.18.9")
	want(onPath, "PATH")
	want(fake(t, filepath.Join(runtime, ".dapr", "bin"), "edge"), "runtimePath")
	chosen := fake(t, own, "0.1")
	t.Setenv("DAPRD", chosen)
	want(chosen, "$DAPRD")
}

func TestTheCacheNameFollowsTheInputs(t *testing.T) {
	t.Setenv("SIDECART_CACHE", t.TempDir())
	dir := t.TempDir()
	put := func(name, text string) string {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		path, err := daprd.CachedPath(t.Context(), dir)
		if err != nil && name == "go.sum" {
			t.Fatal(err)
		}
		return path
	}
	put("main.go", "a")
	put("go.mod", "a")
	first := put("go.sum", "a")
	if put("main_test.go", "a") != first {
		t.Error("a test changes the name")
	}
	if err := os.Mkdir(filepath.Join(dir, "deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"deep/more.go", "main.go", "go.mod", "go.sum"} {
		if next := put(name, "changed"); next == first {
			t.Errorf("a change of %s does not change the name", name)
		}
	}
}

func TestBuildBuildsOnceAndTellsProgress(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/x\n\ngo 1.26\n", "main.go": "package main\n\nfunc main() { println(1) }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	target := filepath.Join(t.TempDir(), "deep", "daprd")
	var told []string
	tell := func(text string) { told = append(told, text) }
	if err := daprd.Build(t.Context(), dir, target, tell); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(told, func(s string) bool { return strings.HasPrefix(s, "compiled ") }) {
		t.Errorf("the progress is %q", told)
	}
	told = nil
	if err := daprd.Build(t.Context(), dir, target, tell); err != nil || len(told) > 0 {
		t.Errorf("a second build does something: %v, %q", err, told)
	}
	_ = os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() { x }\n"), 0o600)
	err := daprd.Build(t.Context(), dir, target+"2", tell)
	if err == nil || !strings.Contains(err.Error(), "undefined: x") {
		t.Errorf("the error is %v, want the compiler's", err)
	}
}

func TestArgsBindToLoopbackAndNameNoControlPlane(t *testing.T) {
	app := &runfile.App{
		AppID: "orders", AppPort: 1, DaprHTTPPort: 2, DaprGRPCPort: 3, DaprInternalGRPCPort: 4, MetricsPort: 5,
		Shared: runfile.Shared{
			ResourcesPaths: []string{"/a", "/b"}, ConfigFilePath: "/c.yaml", ReadBufferSize: "32Ki",
			EnableAppHealthCheck: true, AppHealthThreshold: 9, LogLevel: "error",
			PlacementHostAddress: " ", SchedulerHostAddress: " ",
		},
	}
	line := strings.Join(daprd.Args(app, "/names.yaml"), " ") + " "
	for _, want := range []string{
		"--app-id orders ", "--app-port 1 ", "--dapr-http-port 2 ", "--dapr-grpc-port 3 ", "--dapr-internal-grpc-port 4 ",
		"--metrics-port 5 ", "--dapr-listen-addresses 127.0.0.1 ", "--dapr-internal-grpc-listen-address 127.0.0.1 ",
		"--metrics-listen-address 127.0.0.1 ", "--resources-path /a --resources-path /b ",
		"--config /c.yaml --config /names.yaml ", "--read-buffer-size 32Ki ", "--enable-app-health-check ",
		"--app-health-threshold 9 ", "--dapr-block-shutdown-duration ", "--log-level info ",
	} {
		if !strings.Contains(line, want) {
			t.Errorf("there is no %q in %q", want, line)
		}
	}
	for _, not := range []string{"placement", "scheduler", "sentry", "enable-mtls"} {
		if strings.Contains(line, not) {
			t.Errorf("there is %q in %q", not, line)
		}
	}
}

func TestTheReasonOfAnEnd(t *testing.T) {
	const info = `time="2026" level=info msg="starting" app_id=a`
	const fail = `time="2026" level=error msg="component \"x\" is bad" app_id=a`
	const fatal = `{"app_id":"a","level":"fatal","msg":"it is over"}`
	const broken = `level=fatal msg="Fatal error from runtime: process component store error: [INIT_COMPONENT_FAILURE]: initialization error occurred ` +
		`for store (state.x/v2): [INIT_COMPONENT_FAILURE]: initialization error occurred for store (state.x/v2): no such host"`
	for _, test := range []struct {
		lines []string
		want  string
	}{
		{[]string{info, fail, fatal, info}, "it is over"},
		{[]string{info, fail, info}, `component "x" is bad`},
		{[]string{info, "panic: nil"}, "panic: nil"},
		{[]string{broken}, "the component store (state.x/v2): no such host"},
		{nil, ""},
	} {
		if got := daprd.Reason(test.lines); got != test.want {
			t.Errorf("the reason in %q is %q, want %q", test.lines, got, test.want)
		}
	}
	for level, shown := range map[string]bool{"info": false, "warning": true, "fatal": true, "": true} {
		if got := (daprd.LogLine{Level: level}).Shown("warn"); got != shown {
			t.Errorf("a line of level %q is shown at warn: %v, want %v", level, got, shown)
		}
	}
	nameless := daprd.ParseLogLine(`level=error msg="[INIT_COMPONENT_FAILURE]: initialization error occurred for nr (sqlite/v1): failed to register host: context deadline exceeded"`)
	if !daprd.Nameless(nameless) || daprd.Nameless(daprd.ParseLogLine(broken)) {
		t.Error("a sidecar without a name is not told from others")
	}
	if !daprd.Draining(daprd.ParseLogLine(fmt.Sprintf("level=info msg=%q", "Blocking graceful shutdown for 15s"))) {
		t.Error("draining is not recognised")
	}
}
