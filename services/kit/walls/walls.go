// Package walls has the tests of what packages may not import, for services and for the kit itself.
package walls

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// client is what only wiring imports. A domain that pulled it in could as well call the sidecar
// behind its interfaces' back.
var client = []string{
	"google.golang.org/grpc", "github.com/dapr/", "github.com/gorilla/",
	"sidecart.dev/kit/sidecar/daprclient",
}

// edges are what answers requests and wires a service.
var edges = []string{"sidecart.dev/kit/chassis", "sidecart.dev/kit/service", "sidecart.dev/kit/web"}

// NoClient fails the test if a package can reach the sidecar by itself.
func NoClient(t *testing.T, pkg string) {
	t.Helper()
	keepsOut(t, pkg, client)
}

// Domain fails the test if the package in the current folder, a service's domain, can reach the
// sidecar by itself, or imports what answers requests, wires a service, or adapts it: the packages
// below its own.
func Domain(t *testing.T) {
	t.Helper()
	below := list(t, ".")[0] + "/"
	keepsOut(t, ".", slices.Concat(client, edges, []string{below}))
}

func keepsOut(t *testing.T, pkg string, walls []string) {
	t.Helper()
	for _, dep := range Deps(t, pkg) {
		for _, wall := range walls {
			if strings.HasPrefix(dep, wall) {
				t.Errorf("%s imports %s", pkg, dep)
			}
		}
	}
}

// Deps returns everything that a package imports, itself or through others.
func Deps(t *testing.T, pkg string) []string {
	t.Helper()
	deps := list(t, "-deps", pkg)
	if len(deps) < 10 {
		t.Fatalf("%s imports only %v: the list is not what it should be", pkg, deps)
	}
	return deps
}

func list(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...).Output()
	names := strings.Fields(string(out))
	if err != nil || len(names) == 0 {
		t.Fatalf("go list %v: %d packages, %v", args, len(names), err)
	}
	return names
}
