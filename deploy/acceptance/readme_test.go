package acceptance

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
)

// TestTheReadmesFirstOrder pastes the README's lines, one after another, against the system under
// test.
func TestTheReadmesFirstOrder(t *testing.T) {
	raw, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, after, ok := strings.Cut(string(raw), "\n## A first order\n")
	require.True(t, ok, "the README has a first order")
	_, after, ok = strings.Cut(after, "```sh\n")
	require.True(t, ok)
	script, _, ok := strings.Cut(after, "```")
	require.True(t, ok)
	script = strings.NewReplacer("http://127.0.0.1:8080", world.API.Base, "http://127.0.0.1:8025", world.Inbox.Base).Replace(script)

	out, err := exec.CommandContext(t.Context(), "sh", "-eu", "-c", script).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), `"status":"paid"`, "the stream shows the payment")
	harness.Eventually(t, func(ctx context.Context) error {
		mails, err := world.Inbox.To(ctx, "ada@example.com")
		for _, m := range mails {
			if strings.Contains(m.Subject, "receipt") {
				return nil
			}
		}
		return fmt.Errorf("no receipt among %+v (%w)", mails, err)
	})
}
