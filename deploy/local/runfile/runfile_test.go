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
		if app.PlacementHostAddress != "" || app.SchedulerHostAddress != "" {
			t.Errorf("%s needs a placement or scheduler service", app.AppID)
		}
		if want := []string{"go", "run", "./cmd/" + app.AppID}; !slices.Equal(app.Command, want) {
			t.Errorf("%s is started with %q, want %q", app.AppID, app.Command, want)
		}
	}
	if want := []string{"gateway", "users", "orders", "payments", "notifications"}; !slices.Equal(ids, want) {
		t.Errorf("the apps are %q, want %q", ids, want)
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
