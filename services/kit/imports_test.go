package kit_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"sidecart.dev/kit/walls"
)

// TestWhatADomainStandsOnReachesNoSidecarByItself guards the wall between what a domain is written
// with and the client that only wiring imports: a domain that pulls gRPC in could as well call the
// sidecar behind its interfaces' back.
func TestWhatADomainStandsOnReachesNoSidecarByItself(t *testing.T) {
	for _, pkg := range []string{"fault", "money", "text", "sidecar", "event", "journal", "list", "document", "aggregate"} {
		walls.NoClient(t, "./"+pkg)
	}
}

// TestTheSidecarsInterfacesNeedNothingButTheStandardLibrary and the kit's faults.
func TestTheSidecarsInterfacesNeedNothingButTheStandardLibrary(t *testing.T) {
	for _, pkg := range []string{"fault", "sidecar"} {
		for _, dep := range walls.Deps(t, "./"+pkg) {
			domain, _, _ := strings.Cut(dep, "/")
			standard := !strings.Contains(domain, ".")
			assert.True(t, standard || dep == "sidecart.dev/kit/fault" || dep == "sidecart.dev/kit/"+pkg, "%s imports %s", pkg, dep)
		}
	}
}
