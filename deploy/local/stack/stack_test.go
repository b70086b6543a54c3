package stack_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"sidecart.dev/local/stack"
)

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
