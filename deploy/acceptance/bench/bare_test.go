package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"sidecart.dev/local/runfile"
)

// bareFile returns a run file with the program in folder bare in place of every app. All else is as
// in the system's own: sidecars, component set, configuration.
func bareFile(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	program := filepath.Join(dir, "bare")
	output, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, "./bare").CombinedOutput()
	require.NoError(b, err, "%s", output)
	file, err := runfile.Load(runFile)
	require.NoError(b, err)
	for i := range file.Apps {
		file.Apps[i].Command = []string{program}
	}
	raw, err := yaml.Marshal(file)
	require.NoError(b, err)
	path := filepath.Join(dir, "dapr.yaml")
	require.NoError(b, os.WriteFile(path, raw, 0o600))
	return path
}

// bareShop places orders with bare apps.
func (r *rig) bareShop() shop {
	return func(ctx context.Context, _ int) (string, time.Duration, error) {
		return r.post(ctx, "/orders", fmt.Appendf(nil, `{"id":%q}`, uuid.NewString()))
	}
}
