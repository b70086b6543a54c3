package stack_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sidecart.dev/local/stack"
)

// referring writes a component set whose stores take their files from variables, and a file that
// replaces one of them.
func referring(t *testing.T) (set, replacement string) {
	t.Helper()
	component := func(name, kind, metadata, scope string) string {
		return fmt.Sprintf("apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: %s}\nspec:\n  type: %s\n  version: v1\n  metadata: [%s]\nscopes: [%s]\n",
			name, kind, metadata, scope)
	}
	dir := t.TempDir()
	set, replacement = filepath.Join(dir, "set"), filepath.Join(dir, "replacement.yaml")
	if err := os.Mkdir(set, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		filepath.Join(set, "one.yaml"): component("one-store", "state.sqlite", "{name: connectionString, envRef: ONE_DB}", "one"),
		filepath.Join(set, "two.yaml"): component("two-store", "state.sqlite", "{name: connectionString, envRef: TWO_DB}", "two"),
		replacement:                    component("two-store", "state.in-memory", "", "two"),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return set, replacement
}

func TestVariablesReachOnlyTheSidecarsThatLoadTheirComponents(t *testing.T) {
	set, _ := referring(t)
	dir := t.TempDir()
	st := start(t, stack.Options{File: writeRunFile(t, set, [2]string{"one"}, [2]string{"two"}), Env: map[string]string{
		"ONE_DB": "file:" + filepath.Join(dir, "1.db"), "TWO_DB": "file:" + filepath.Join(dir, "2.db"), "OTHER": "for all",
	}})
	for _, app := range st.Apps() {
		for what, pid := range map[string]int{"sidecar": app.SidecarPID, "app": app.PID} {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
			if err != nil {
				t.Skip("environments cannot be read here: ", err)
			}
			for variable, want := range map[string]bool{
				"ONE_DB=": what == "sidecar" && app.ID == "one", "TWO_DB=": what == "sidecar" && app.ID == "two", "OTHER=": true,
			} {
				if got := strings.Contains("\x00"+string(text), "\x00"+variable); got != want {
					t.Errorf("the %s of %s has %s: %v, want %v", what, app.ID, variable, got, want)
				}
			}
		}
	}
}

func TestMissingVariablesAreNamedBeforeAnythingStarts(t *testing.T) {
	set, replacement := referring(t)
	opts := isolated(t, stack.Options{File: writeRunFile(t, set, [2]string{"one"}, [2]string{"two"}), Env: map[string]string{"ONE_DB": "x"}})
	_, err := stack.Start(t.Context(), opts)
	if err == nil || !strings.Contains(err.Error(), "TWO_DB (component two-store)") || strings.Contains(err.Error(), "ONE_DB") {
		t.Errorf("the error is %v", err)
	}
	opts.Replace = []string{replacement}
	opts.Env["ONE_DB"] = "file:" + filepath.Join(t.TempDir(), "1.db")
	st, err := stack.Start(t.Context(), opts)
	if err != nil {
		t.Fatalf("with the component replaced: %v", err)
	}
	if err := st.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	opts.Replace = []string{filepath.Join(set, "one.yaml"), filepath.Join(t.TempDir(), "none.yaml")}
	if _, err := stack.Start(t.Context(), opts); err == nil {
		t.Error("a replacement that is not there is passed over")
	}
}
