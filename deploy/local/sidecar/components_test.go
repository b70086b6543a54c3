package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dapr/dapr/pkg/components/bindings"
	"github.com/dapr/dapr/pkg/components/pubsub"
	"github.com/dapr/dapr/pkg/components/secretstores"
	"github.com/dapr/dapr/pkg/components/state"
	"github.com/dapr/kit/logger"
)

// TestTheComponentSetsAreRegistered fails when a component of the repository's
// sets has a type that this sidecar was not built with.
func TestTheComponentSetsAreRegistered(t *testing.T) {
	newRegistry(logger.NewLogger("test"))
	files, err := filepath.Glob("../../../components/*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no component files: %v", err)
	}
	component := regexp.MustCompile(`(?m)^  type: ((state|pubsub|bindings|secretstores)\.\S+)\n  version: (\S+)`)
	found := 0
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range component.FindAllStringSubmatch(string(text), -1) {
			found++
			if kind, version := match[1], match[3]; !registered(kind, version) {
				t.Errorf("%s: %s %s is not in components.go", path, kind, version)
			}
		}
	}
	if found == 0 {
		t.Error("no component was recognised in the files")
	}
}

func registered(kind, version string) bool {
	building, _, _ := strings.Cut(kind, ".")
	var err error
	switch building {
	case "state":
		_, err = state.DefaultRegistry.Create(kind, version, "test")
	case "pubsub":
		_, err = pubsub.DefaultRegistry.Create(kind, version, "test")
	case "secretstores":
		_, err = secretstores.DefaultRegistry.Create(kind, version, "test")
	case "bindings":
		return bindings.DefaultRegistry.HasOutputBinding(kind, version)
	}
	return err == nil
}
