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
