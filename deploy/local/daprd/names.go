package daprd

import (
	"fmt"
	"strconv"
	"strings"
)

// namesTemplate is a Configuration laid over the app's own. Sidecars find each
// other in a SQLite file of their stack: unlike mDNS it needs no multicast, and
// sidecars of another stack with the same app ids are never found.
//
// cleanupInterval must be "0", or sidecars exit after an hour. The long update
// interval keeps a sidecar that is late with its renewal reachable; one that
// died comes back on the same address. The timeouts are for a busy machine, on
// which all sidecars of a stack register at once: one that has not got its turn
// within them would run on, and nobody would ever find its app.
const namesTemplate = `apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: names
spec:
  nameResolution:
    component: sqlite
    version: v1
    configuration:
      connectionString: %s
      cleanupInterval: "0"
      updateInterval: "60s"
      timeout: "20s"
      busyTimeout: "19s"
`

// Nameless recognises the line that says that a sidecar could not register its
// name. It goes on, but nobody finds its app until it is started again. One that
// is ending for another reason says so as well, and is left to that.
func Nameless(l LogLine) bool {
	return strings.Contains(l.Message, "initialization error occurred for nr (") &&
		!strings.Contains(l.Message, "context canceled")
}

// Names is the Configuration for sidecars that find each other in this database.
func Names(database string) []byte {
	return fmt.Appendf(nil, namesTemplate, strconv.Quote("file:"+database))
}
