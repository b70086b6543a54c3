package kit_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestWhatADomainStandsOnReachesNoSidecarByItself guards the wall between what a domain is written with and the client that only wiring
// imports: a domain that pulls gRPC in could as well call the sidecar behind its interfaces' back.
func TestWhatADomainStandsOnReachesNoSidecarByItself(t *testing.T) {
	forbidden := []string{"google.golang.org/grpc", "github.com/dapr/", "sidecart.dev/kit/sidecar/daprclient", "github.com/gorilla/"}
	for _, pkg := range []string{"fault", "money", "text", "sidecar", "event", "journal", "list", "document", "aggregate"} {
		for _, dep := range deps(t, "./"+pkg) {
			for _, prefix := range forbidden {
				assert.False(t, strings.HasPrefix(dep, prefix), "%s imports %s", pkg, dep)
			}
		}
	}
}

// TestTheSidecarsInterfacesNeedNothingButTheStandardLibrary and the kit's faults.
func TestTheSidecarsInterfacesNeedNothingButTheStandardLibrary(t *testing.T) {
	for _, pkg := range []string{"fault", "sidecar"} {
		for _, dep := range deps(t, "./"+pkg) {
			domain, _, _ := strings.Cut(dep, "/")
			standard := !strings.Contains(domain, ".")
			assert.True(t, standard || dep == "sidecart.dev/kit/fault" || dep == "sidecart.dev/kit/"+pkg, "%s imports %s", pkg, dep)
		}
	}
}

func deps(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", pkg).Output()
	require.NoError(t, err)
	list := strings.Fields(string(out))
	require.Greater(t, len(list), 10, "the list of imports is there")
	return list
}
