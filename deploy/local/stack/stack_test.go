package stack_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sidecart.dev/local/stack"
)

// deadline bounds every wait; nothing waits for it to pass.
const deadline = 3 * time.Minute

// writeRunFile writes a run file with apps of the dummy program and returns its
// path. Each app is given as its id and the lines of its env.
func writeRunFile(t *testing.T, components string, apps ...[2]string) string {
	t.Helper()
	data, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	if components == "" {
		components = filepath.Join(data, "components", "embedded")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\ncommon:\n  resourcesPaths: [%q, %q]\n  env: {SHARED: common}\n  logLevel: warn\n",
		components, filepath.Join(data, "components", "shared"))
	fmt.Fprintln(&b, "apps:")
	for i, app := range apps {
		fmt.Fprintf(&b, "- appID: %s\n  appDirPath: %q\n  appPort: %d\n  command: [go, run, ., hello]\n  env: {URL: 'http://localhost:%d/', %s}\n",
			app[0], filepath.Join(data, "dummy"), 28080+i, 28080+i, app[1])
	}
	path := filepath.Join(t.TempDir(), "dapr.yaml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func start(t *testing.T, opts stack.Options) *stack.Stack {
	t.Helper()
	st, err := stack.Start(t.Context(), isolated(t, opts))
	if err != nil {
		t.Fatalf("the stack does not start: %v", err)
	}
	t.Cleanup(func() {
		if err := st.Stop(context.Background()); err != nil {
			t.Errorf("the stack does not stop: %v", err)
		}
		if t.Failed() {
			dumpLogs(t, st.LogsDir)
		}
	})
	return st
}

func isolated(t *testing.T, opts stack.Options) stack.Options {
	if opts.StateDir == "" {
		opts.StateDir = filepath.Join(t.TempDir(), "state")
	}
	opts.FreePorts = true
	return opts
}

func dumpLogs(t *testing.T, dir string) {
	logs, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	for _, path := range logs {
		text, _ := os.ReadFile(path)
		if len(text) > 4000 {
			text = text[len(text)-4000:]
		}
		t.Logf("== %s\n%s", filepath.Base(path), text)
	}
}

// about is what a dummy app tells of itself.
type about struct {
	PID, Child int
	Env        map[string]string
	Dir, Token string
	Args       []string
}

// invoke asks app id through the sidecar of via.
func invoke(t *testing.T, via stack.App, id string) (about, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, via.SidecarURL+"/about", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("dapr-app-id", id)
	req.Header.Set("dapr-api-token", via.SidecarToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return about{}, err
	}
	defer resp.Body.Close()
	var a about
	if resp.StatusCode != http.StatusOK {
		return a, fmt.Errorf("status %d", resp.StatusCode)
	}
	return a, json.NewDecoder(resp.Body).Decode(&a)
}

func app(t *testing.T, st *stack.Stack, id string) stack.App {
	t.Helper()
	a, err := st.App(id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	timeout := time.After(deadline)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-timeout:
			t.Fatalf("not within %s: %s", deadline, what)
		case <-tick.C:
		}
	}
}

func alive(pid int) bool {
	if pid == 0 || syscall.Kill(pid, 0) != nil {
		return false
	}
	state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(state), ") Z ")
}

func TestAppsGetWhatTheDaprCLIGives(t *testing.T) {
	st := start(t, stack.Options{File: writeRunFile(t, "", [2]string{"one", "OWN: app"}, [2]string{"two", ""})})
	one, two := app(t, st, "one"), app(t, st, "two")

	got, err := invoke(t, two, "one")
	if err != nil {
		t.Fatalf("two cannot reach one through the sidecars: %v", err)
	}
	want := map[string]string{
		"APP_ID": "one", "APP_PORT": fmt.Sprint(one.Port), "APP_PROTOCOL": "http",
		"DAPR_HTTP_PORT": fmt.Sprint(one.SidecarHTTPPort), "DAPR_GRPC_PORT": fmt.Sprint(one.SidecarGRPCPort),
		"DAPR_METRICS_PORT": fmt.Sprint(one.MetricsPort), "SHARED": "common", "OWN": "app",
		"APP_API_TOKEN": one.AppToken, "DAPR_API_TOKEN": one.SidecarToken,
		"URL": fmt.Sprintf("http://127.0.0.1:%d/", one.Port),
	}
	for key, value := range want {
		if got.Env[key] != value {
			t.Errorf("the app's %s is %q, want %q", key, got.Env[key], value)
		}
	}
	if got.Token != one.AppToken {
		t.Errorf("the sidecar sends the token %q to its app, want %q", got.Token, one.AppToken)
	}
	if filepath.Base(got.Dir) != "dummy" {
		t.Errorf("the app runs in %s, want its appDirPath", got.Dir)
	}
	if len(got.Args) != 1 || got.Args[0] != "hello" {
		t.Errorf("the app's arguments are %q, want those after the package", got.Args)
	}
	if got.PID != one.PID {
		t.Errorf("the app's process is %d, the stack says %d", got.PID, one.PID)
	}
}

func TestComponentsPointToTheStacksOwnServers(t *testing.T) {
	st := start(t, stack.Options{File: writeRunFile(t, "", [2]string{"one", ""})})
	one := app(t, st, "one")

	call(t, one, "/v1.0/state/store", `[{"key":"k","value":1}]`)
	if _, err := os.Stat(filepath.Join(st.StateDir, "data", "one.db")); err != nil {
		t.Errorf("the state store is not in the state folder: %v", err)
	}
	call(t, one, "/v1.0/publish/bus/topic", `{}`)
	call(t, one, "/v1.0/bindings/email", `{"operation":"create","data":"<p>hello</p>","metadata":{"emailTo":"a@example.com","subject":"Hi"}}`)
	eventually(t, "the mail is in the inbox", func() bool {
		resp, err := http.Get(st.InboxURL + "/api/v1/messages")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		var list struct{ Total int }
		return json.NewDecoder(resp.Body).Decode(&list) == nil && list.Total == 1
	})
	if err := st.StopRedis(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := st.StartRedis(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := st.FlushRedis(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// call posts to the sidecar and wants success.
func call(t *testing.T, a stack.App, path, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.SidecarURL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("content-type", "application/json")
	req.Header.Set("dapr-api-token", a.SidecarToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		t.Fatalf("%s answers %d", path, resp.StatusCode)
	}
}

func TestStacksOnOneMachineDoNotSeeEachOther(t *testing.T) {
	first := start(t, stack.Options{File: writeRunFile(t, "", [2]string{"one", "WHO: first"})})
	second := start(t, stack.Options{File: writeRunFile(t, "", [2]string{"one", "WHO: second"}, [2]string{"two", ""})})
	for range 20 {
		got, err := invoke(t, app(t, second, "two"), "one")
		if err != nil {
			t.Fatal(err)
		}
		if got.Env["WHO"] != "second" {
			t.Fatalf("two reached the %s stack's app", got.Env["WHO"])
		}
	}
	if _, err := invoke(t, app(t, first, "one"), "two"); err == nil {
		t.Error("the first stack finds an app that only the second has")
	}
}

func TestKilledProcessesComeBack(t *testing.T) {
	st := start(t, stack.Options{File: writeRunFile(t, "", [2]string{"one", ""}, [2]string{"two", ""})})
	before := app(t, st, "one")
	if err := st.KillApp("one"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the app is started again", func() bool {
		pid := app(t, st, "one").PID
		return pid != 0 && pid != before.PID
	})
	if err := st.KillSidecar("one"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the sidecar is started again", func() bool {
		pid := app(t, st, "one").SidecarPID
		return pid != 0 && pid != before.SidecarPID
	})
	eventually(t, "the app can be reached again", func() bool {
		got, err := invoke(t, app(t, st, "two"), "one")
		return err == nil && got.PID == app(t, st, "one").PID
	})
	after := app(t, st, "one")
	if after.Restarts != 1 || after.SidecarRestarts != 1 {
		t.Errorf("restarts are %d and %d, want 1 and 1", after.Restarts, after.SidecarRestarts)
	}
}

func TestStopLeavesNoProcess(t *testing.T) {
	st := start(t, stack.Options{File: writeRunFile(t, "", [2]string{"gateway", "DUMMY_CHILD: '1'"}, [2]string{"two", ""})})
	got, err := invoke(t, app(t, st, "two"), "gateway")
	if err != nil {
		t.Fatal(err)
	}
	pids := []int{got.Child}
	for _, a := range st.Apps() {
		pids = append(pids, a.PID, a.SidecarPID)
	}
	if st.GatewayURL != app(t, st, "gateway").URL {
		t.Errorf("GatewayURL is %q", st.GatewayURL)
	}
	if err := st.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		eventually(t, fmt.Sprintf("process %d of %v is gone", pid, pids), func() bool { return !alive(pid) })
	}
	if stack.RunningPID(st.StateDir) != 0 {
		t.Error("the state folder is still locked")
	}
}

func TestRestartKeepsAddresses(t *testing.T) {
	st := start(t, stack.Options{File: writeRunFile(t, "", [2]string{"one", ""})})
	before := app(t, st, "one")
	if err := st.Restart(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	after := app(t, st, "one")
	if after.PID == before.PID || after.SidecarPID == before.SidecarPID || after.URL != before.URL {
		t.Errorf("before %+v, after %+v: want new processes on the same ports", before, after)
	}
}
