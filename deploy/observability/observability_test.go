// Package observability tests what is deployed beside the services, with Prometheus's own parser
// and engine.
package observability

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write dashboards and operator/rules.yaml")

// generated holds a file against what it has to be, or writes it.
func generated(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil { //nolint:gosec // documentation
			t.Fatal(err)
		}
	}
	if is, err := os.ReadFile(path); err != nil || string(is) != want {
		t.Errorf("%s is outdated (%v): run go test . -args -update", path, err)
	}
}
