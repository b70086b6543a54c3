package stack_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sidecart.dev/local/stack"
)

func TestWhatGoesWrongIsOneSentence(t *testing.T) {
	broken := func(text string) func(*testing.T, *stack.Options) {
		return func(t *testing.T, o *stack.Options) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "broken.yaml"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			o.File = writeRunFile(t, dir, [2]string{"one", ""})
		}
	}
	const component = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: x}\nspec:\n  version: v1\n  metadata: []\n"
	tests := map[string]struct {
		arrange func(*testing.T, *stack.Options)
		want    []string
	}{
		"an app that exits at once": {
			func(t *testing.T, o *stack.Options) {
				o.File = writeRunFile(t, "", [2]string{"one", "DUMMY_EXIT: 'no database given'"})
			},
			[]string{"one exited with status 3", "3 times", "no database given", "one.log"},
		},
		"an app that does not build": {
			func(t *testing.T, o *stack.Options) {
				o.File = writeRunFile(t, "", [2]string{"one", ""})
				text, _ := os.ReadFile(o.File)
				_ = os.WriteFile(o.File, []byte(strings.Replace(string(text), "run, .,", "run, ./nothing,", 1)), 0o600)
			},
			[]string{"one does not build"},
		},
		"a component file that is not YAML": {broken("a: [b"), []string{"broken.yaml is broken", "line 1"}},
		"a component without a type":        {broken(component), []string{"broken.yaml", "Component x has no spec.type"}},
		"a component that daprd refuses": {
			broken(strings.Replace(component, "spec:", "spec:\n  type: state.nosuch", 1)),
			[]string{"the sidecar of one exited", "state.nosuch", "one.daprd.log"},
		},
		"an app that is not in the run file": {
			func(t *testing.T, o *stack.Options) {
				o.File = writeRunFile(t, "", [2]string{"one", ""})
				o.Apps = []string{"three"}
			},
			[]string{`no app "three"`},
		},
		"a component set that is not there": {
			func(t *testing.T, o *stack.Options) {
				o.File = writeRunFile(t, "", [2]string{"one", ""})
				o.Components = "nowhere"
			},
			[]string{`"nowhere"`},
		},
		"a $DAPRD that is none": {
			func(t *testing.T, o *stack.Options) {
				t.Setenv("DAPRD", "/nowhere/daprd")
				o.File = writeRunFile(t, "", [2]string{"one", ""})
			},
			[]string{"$DAPRD", "/nowhere/daprd"},
		},
		"a machine without Go": {
			func(t *testing.T, o *stack.Options) {
				t.Setenv("DAPRD", sidecar(t))
				t.Setenv("PATH", t.TempDir())
				o.File = writeRunFile(t, "", [2]string{"one", ""})
			},
			[]string{"no `go` on PATH"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			opts := isolated(t, stack.Options{})
			test.arrange(t, &opts)
			st, err := stack.Start(t.Context(), opts)
			if err == nil {
				_ = st.Stop(t.Context())
				t.Fatal("the stack starts")
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error is %q, want %q in it", err, part)
				}
			}
			if stack.RunningPID(opts.StateDir) != 0 {
				t.Error("the state folder is still locked")
			}
		})
	}
}

func sidecar(t *testing.T) string {
	t.Helper()
	path, err := stack.Daprd(t.Context(), stack.Options{File: "testdata/dapr.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestATakenPortIsNamed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:28080")
	if err != nil {
		t.Skip("the port that this test takes is taken:", err)
	}
	defer listener.Close()
	_, err = stack.Start(t.Context(), stack.Options{
		File: writeRunFile(t, "", [2]string{"one", ""}), StateDir: t.TempDir(),
	})
	if err == nil || !strings.Contains(err.Error(), "port 28080") || !strings.Contains(err.Error(), "the app of one") {
		t.Errorf("the error is %v, want the port and whose it is", err)
	}
}

func TestASecondStackInOneFolderIsRefused(t *testing.T) {
	st := start(t, stack.Options{File: writeRunFile(t, "", [2]string{"one", ""})})
	_, err := stack.Start(t.Context(), isolated(t, stack.Options{
		File: writeRunFile(t, "", [2]string{"one", ""}), StateDir: st.StateDir,
	}))
	if err == nil || !strings.Contains(err.Error(), "runs already") {
		t.Fatalf("the error is %v, want that one runs already", err)
	}
	if status, err := stack.ReadStatus(st.StateDir); err != nil || status == nil || !status.Ready || len(status.Apps) != 1 {
		t.Errorf("the status of the first is %+v (%v), want it untouched", status, err)
	}
}

func TestAStackThatIsNotReadyInTimeSaysWhy(t *testing.T) {
	data, _ := filepath.Abs("testdata")
	path := filepath.Join(t.TempDir(), "dapr.yaml")
	text := "version: 1\napps:\n- {appID: one, appDirPath: " + data + ", appPort: 28080, command: [sleep, '1000']}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := stack.Start(t.Context(), isolated(t, stack.Options{File: path, ReadyTimeout: 300 * time.Millisecond}))
	if err == nil || !strings.Contains(err.Error(), "one is not ready after 300ms") {
		t.Errorf("the error is %v, want who is not ready and why", err)
	}
}
