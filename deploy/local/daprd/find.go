// Package daprd finds or builds the Dapr sidecar and knows its command line.
package daprd

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Version is the version of the Dapr runtime that Sidecart is made for.
const Version = "1.18.3"

// Found is a sidecar at hand.
type Found struct {
	Path    string
	Version string
	Where   string // for people: "$DAPRD", "PATH", …
}

// Search looks for a daprd in $DAPRD, in runtimePath (the run file's field, may
// be empty), on PATH and in the Dapr home, in this order. A $DAPRD that cannot
// be used is an error; a daprd found elsewhere with another minor version is
// passed over and named in skipped. Nothing found is (nil, skipped, nil).
func Search(ctx context.Context, runtimePath string) (found *Found, skipped []string, err error) {
	if path := os.Getenv("DAPRD"); path != "" {
		version, err := versionOf(ctx, path)
		if err != nil {
			return nil, nil, fmt.Errorf("$DAPRD is set to %s, which cannot be used: %w", path, err)
		}
		return &Found{path, version, "$DAPRD"}, nil, nil
	}
	for _, place := range places(runtimePath) {
		version, err := versionOf(ctx, place.Path)
		if err != nil {
			continue
		}
		if !fits(version) {
			skipped = append(skipped, fmt.Sprintf("%s is version %s, not %s", place.Path, version, Version))
			continue
		}
		place.Version = version
		return &place, skipped, nil
	}
	return nil, skipped, nil
}

func places(runtimePath string) []Found {
	var all []Found
	if runtimePath != "" {
		all = append(all, Found{Path: inDaprHome(runtimePath), Where: "runtimePath"})
	}
	if path, err := exec.LookPath("daprd"); err == nil {
		all = append(all, Found{Path: path, Where: "PATH"})
	}
	if home, err := os.UserHomeDir(); err == nil {
		all = append(all, Found{Path: inDaprHome(home), Where: "the Dapr home"})
	}
	return all
}

func inDaprHome(above string) string { return filepath.Join(above, ".dapr", "bin", "daprd") }

// fits accepts the same minor version, and development builds.
func fits(version string) bool {
	minor := Version[:strings.LastIndexByte(Version, '.')+1]
	return strings.HasPrefix(version, minor) || version == "edge" || version == "unknown"
}

func versionOf(ctx context.Context, path string) (string, error) {
	if _, err := os.Stat(path); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("`%s --version` fails: %w", path, err)
	}
	return strings.TrimSpace(string(out)), nil
}
