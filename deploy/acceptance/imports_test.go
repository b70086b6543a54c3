package acceptance

import (
	"bufio"
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// drivers are what a service would import if it talked to anything but its sidecar. The standard
// library's database/sql is not among them: google/uuid refers to it, and without a driver it
// reaches nothing.
var drivers = []string{
	"github.com/jackc/", "github.com/lib/pq", "go.mongodb.org/", "github.com/redis/", "github.com/gomodule/",
	"modernc.org/sqlite", "github.com/mattn/go-sqlite3", "net/smtp", "github.com/emersion/", "github.com/twilio/",
	"github.com/segmentio/kafka-go", "github.com/rabbitmq/", "github.com/nats-io/",
}

func TestServicesTalkOnlyToTheirSidecars(t *testing.T) {
	for _, service := range []string{"gateway", "users", "orders", "payments", "notifications"} {
		t.Run(service, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./...")
			cmd.Dir = "../../services/" + service
			out, err := cmd.Output()
			require.NoError(t, err)
			count := 0
			for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); count++ {
				for _, driver := range drivers {
					assert.False(t, strings.HasPrefix(lines.Text(), driver), "%s imports %s", service, lines.Text())
				}
				for _, other := range []string{"gateway", "users", "orders", "payments", "notifications"} {
					assert.False(t, other != service && strings.HasPrefix(lines.Text(), "sidecart.dev/"+other), "%s imports %s", service, lines.Text())
				}
			}
			assert.Greater(t, count, 50, "the list of imports is there")
		})
	}
}
