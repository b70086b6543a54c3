package stack_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"sidecart.dev/local/console"
	"sidecart.dev/local/stack"
)

// consoleRows asks a stack's console what runs, by the names of the rows.
func consoleRows(t *testing.T, url string) map[string]consoleRow {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"api/overview", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ Processes []consoleRow }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	rows := map[string]consoleRow{}
	for _, row := range answer.Processes {
		rows[row.Name] = row
	}
	return rows
}

type consoleRow struct {
	Name, State string
	PID         int
	Actions     []string
}

func TestTheConsoleStopsStartsAndRestartsAppsWithTheirSidecars(t *testing.T) {
	file := writeRunFile(t, "", [2]string{"one", ""})
	st := start(t, stack.Options{File: file, Console: true})
	url, token, _ := strings.Cut(st.ConsoleURL, "#token=")
	act := func(action string) {
		t.Helper()
		address := url + "api/apps/one/" + action
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(console.TokenHeader, token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("the console answers %s to %s", resp.Status, action)
		}
	}
	before := app(t, st, "one")
	act("stop")
	if alive(before.PID) || alive(before.SidecarPID) {
		t.Error("a process still runs after the app was stopped")
	}
	rows := consoleRows(t, url)
	if rows["one"].State != "stopped" || rows["one/daprd"].State != "stopped" ||
		strings.Join(rows["one"].Actions, " ") != "start" {
		t.Errorf("the stopped app is shown as %+v", rows)
	}
	ready := func() bool {
		rows = consoleRows(t, url)
		return rows["one"].State == "ready" && rows["one/daprd"].State == "ready"
	}
	act("start")
	eventually(t, "the console shows the started app as ready", ready)
	started := rows["one"].PID
	act("restart")
	eventually(t, "the console shows the restarted app as ready", ready)
	if started == before.PID || rows["one"].PID == started {
		t.Errorf("the processes are %d, %d and %d, not three", before.PID, started, rows["one"].PID)
	}
	if got, err := invoke(t, app(t, st, "one"), "one"); err != nil ||
		!strings.HasPrefix(got.Env["OTEL_EXPORTER_OTLP_ENDPOINT"], "http://127.0.0.1:") {
		t.Errorf("the app is told to send its spans to %q, %v", got.Env["OTEL_EXPORTER_OTLP_ENDPOINT"], err)
	}
}

func TestWithoutTheConsoleNothingListensAndNothingIsExported(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	st := start(t, stack.Options{File: writeRunFile(t, "", [2]string{"one", ""})})
	if st.ConsoleURL != "" || st.Console() != nil {
		t.Errorf("there is a console at %q", st.ConsoleURL)
	}
	got, err := invoke(t, app(t, st, "one"), "one")
	if err != nil || got.Env["OTEL_EXPORTER_OTLP_ENDPOINT"] != "" {
		t.Errorf("the app is told to send its spans to %q, %v", got.Env["OTEL_EXPORTER_OTLP_ENDPOINT"], err)
	}
}

func TestTheConsoleOfTheBackingShowsForeignAppsAndLeavesThemAlone(t *testing.T) {
	file := writeRunFile(t, "", [2]string{"one", ""})
	st := start(t, stack.Options{File: file, Console: true, BackingOnly: true})
	url, _, _ := strings.Cut(st.ConsoleURL, "#token=")
	rows := consoleRows(t, url)
	if rows["one"].State != "down" || len(rows["one"].Actions) > 0 {
		t.Errorf("an app that somebody else has not started is shown as %+v", rows["one"])
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT=", "METRICS_TOKEN="} {
		if !strings.Contains(st.ForeignEnv(), name) {
			t.Errorf("foreign apps are told %q, without %s", st.ForeignEnv(), name)
		}
	}
}
