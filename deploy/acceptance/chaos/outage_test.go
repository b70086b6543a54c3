package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
)

// outage is a server that fails for longer than anybody waits for it.
type outage struct {
	name  string
	cause func(ctx context.Context) error
	mend  func(ctx context.Context) error
	hits  []string // the services that cannot work meanwhile; none: everything does
	// some says that the server still does what it can, such as what fits into the space it has
	// reserved: the services go on being ready, and refuse what they cannot keep.
	some bool
}

var all = []string{"users", "orders", "payments", "notifications"}

// diskSize is enough for an empty PostgreSQL cluster or the SQLite files, and little enough to be
// filled at once.
const diskSize = 192 << 20

// TestAFailingServerIsNoticedAndNothingIsLost takes the servers behind the components away, one
// after the other and under load. The services that depend on one must say that they are not ready,
// in their logs as well, refuse work that they could not keep, and go on by themselves when it is
// back, in the same processes. The others must not care.
func TestAFailingServerIsNoticedAndNothingIsLost(t *testing.T) {
	dir := folder(t)
	data := filepath.Join(dir, "data") // of the embedded stores
	if os.Getenv("SIDECART_COMPONENTS") == "production" {
		data = filepath.Join(dir, "backends")
	}
	disk := harness.NewDisk(t, data, diskSize)
	r := startIn(t, dir, rand.Uint64(), harness.BackendsIn(data))
	var table outageTable
	r.underLoad(t, func() {
		for _, o := range r.outages(disk) {
			table = append(table, r.suffer(t, o))
		}
	})
	outcome := r.nothingLost(t, &table)
	require.Empty(t, outcome.doubled, "no process died, so nobody may be told twice")
}

func (r *run) outages(disk harness.Disk) []outage {
	do := func(f func()) func(context.Context) error {
		return func(context.Context) error { f(); return nil }
	}
	list := []outage{{name: "the bus is stopped", cause: r.stack.StopRedis, mend: r.stack.StartRedis}}
	fill, free := func(context.Context) error { return disk.Fill() }, func(context.Context) error { return disk.Free() }
	if r.stack.Backends == nil {
		return append(list, outage{name: "the disk of the stores is full", cause: fill, mend: free, hits: all})
	}
	database, bus := r.stack.Backends.PostgreSQL, r.stack.Backends.Redis
	password := func(password string) func(context.Context) error {
		return func(ctx context.Context) error { return database.ChangePassword(ctx, "orders", password) }
	}
	busPassword := func(password string) func(context.Context) error {
		return func(ctx context.Context) error { return bus.ChangePassword(ctx, password) }
	}
	readOnly := func(on bool) func(context.Context) error {
		return func(context.Context) error { return database.ReadOnly(on) }
	}
	onPostgreSQL := all
	if m := r.stack.MongoDB; m == nil {
		list = append(list, outage{
			name: "orders' login has another password", cause: password("changed"), mend: password(""), hits: []string{"orders"},
		})
	} else {
		onPostgreSQL = []string{"users", "payments", "notifications"}
		if m.Relay != nil {
			list = append(list,
				outage{name: "MongoDB is stopped", cause: do(m.Relay.Refuse), mend: do(m.Relay.Accept), hits: []string{"orders"}},
				outage{name: "MongoDB hangs", cause: do(m.Relay.Hang), mend: do(m.Relay.Pass), hits: []string{"orders"}})
		}
	}
	return append(list,
		outage{name: "the bus hangs", cause: do(r.stack.Bus.Hang), mend: do(r.stack.Bus.Pass)},
		outage{name: "the bus has another password", cause: busPassword("changed"), mend: busPassword("")},
		outage{name: "the databases are stopped", cause: do(database.Stop), mend: database.Start, hits: onPostgreSQL},
		outage{name: "the databases hang", cause: do(r.stack.Databases.Hang), mend: do(r.stack.Databases.Pass), hits: onPostgreSQL},
		outage{name: "the databases are read-only", cause: readOnly(true), mend: readOnly(false), hits: onPostgreSQL},
		outage{name: "the disk of all servers is full", cause: fill, some: true, mend: func(ctx context.Context) error {
			if err := disk.Free(); err != nil {
				return err
			}
			return database.Start(ctx) // PostgreSQL may have given up
		}})
}

// suffered is what an outage came to.
type suffered struct {
	name          string
	noticed, back time.Duration // until the last service said that it is not ready, and that it is again
	lines         int           // in the logs of those services meanwhile
}

func (r *run) suffer(t *testing.T, o outage) suffered {
	t.Helper()
	before, logged := r.processes(t), r.logSizes(o.hits)
	began := time.Now()
	require.NoError(t, o.cause(t.Context()), o.name)
	for _, app := range o.hits {
		r.awaitReady(t, app, false, o.name)
	}
	s := suffered{name: o.name, noticed: time.Since(began)}
	r.checkDuring(t, o)
	lines := r.newLines(t, o.hits, logged)
	if len(o.hits) > 0 {
		require.NotEmpty(t, lines, "the logs of %v say nothing while %s", o.hits, o.name)
	}
	s.lines = len(lines)
	began = time.Now()
	require.NoError(t, o.mend(t.Context()), "the end of: %s", o.name)
	for _, app := range all {
		r.awaitReady(t, app, true, o.name)
	}
	r.recovery(t, o.name)
	s.back = time.Since(began)
	require.Equal(t, before, r.processes(t), "%s: processes ended, and the servers' return would have been enough", o.name)
	return s
}

// checkDuring looks at what a customer gets while the outage lasts: work goes on, or is refused in
// order.
func (r *run) checkDuring(t *testing.T, o outage) {
	t.Helper()
	for _, app := range o.hits {
		info, err := r.stack.App(app)
		require.NoError(t, err)
		status, err := harness.Status(t.Context(), info.URL+"/healthz")
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status, "%s: to end %s would not help", o.name, app)
	}
	if o.some {
		r.awaitRefusal(t, o.name)
		return
	}
	answer := r.tryOrder(t, o.name)
	if !slices.Contains(o.hits, "orders") {
		require.Equal(t, http.StatusCreated, answer.Status, "%s: %s", o.name, answer.Body)
		return
	}
	requireRefused(t, answer, o.name)
}

func (r *run) tryOrder(t *testing.T, name string) harness.Answer {
	t.Helper()
	body := map[string]any{"items": []harness.Item{{ProductID: r.products[0], Quantity: 1}}, "payment_method": "tok_visa"}
	answer, err := r.world.API.Do(t.Context(), http.MethodPost, "/api/v1/orders", body, harness.Token(r.prober.AccessToken), harness.Key(uuid.NewString()))
	require.NoError(t, err, name)
	if answer.Status == http.StatusCreated {
		var placed harness.Order
		require.NoError(t, answer.Into(&placed))
		r.note(&order{id: placed.ID, method: "tok_visa", customer: r.prober})
	}
	return answer
}

func requireRefused(t *testing.T, answer harness.Answer, name string) {
	t.Helper()
	require.Contains(t, []int{http.StatusServiceUnavailable, http.StatusGatewayTimeout}, answer.Status, "%s: %s", name, answer.Body)
	require.Equal(t, "application/problem+json", answer.Header.Get("Content-Type"))
	for _, internal := range []string{"sql", "mongo"} {
		require.NotContains(t, strings.ToLower(string(answer.Body)), internal, "%s: internals in %s", name, answer.Body)
	}
}

// awaitRefusal orders until an order is refused: until then the server has found room.
func (r *run) awaitRefusal(t *testing.T, name string) {
	t.Helper()
	var last harness.Answer
	require.NoError(t, again(t.Context(), harness.Patience, func(context.Context) error {
		if last = r.tryOrder(t, name); last.Status == http.StatusCreated {
			return errors.New("orders are still taken")
		}
		return nil
	}), name)
	requireRefused(t, last, name)
}

// processes are the process ids of all services and their sidecars.
func (r *run) processes(t *testing.T) map[string][2]int {
	t.Helper()
	ids := map[string][2]int{}
	for _, info := range r.stack.Apps() {
		ids[info.ID] = [2]int{info.PID, info.SidecarPID}
	}
	return ids
}

// awaitReady waits until a service says that it is ready, or that it is not.
func (r *run) awaitReady(t *testing.T, app string, want bool, name string) {
	t.Helper()
	info, err := r.stack.App(app)
	require.NoError(t, err)
	err = again(t.Context(), harness.Patience, func(ctx context.Context) error {
		status, err := harness.Status(ctx, info.URL+"/readyz")
		if err != nil {
			return err
		}
		if (status == http.StatusOK) != want {
			return fmt.Errorf("/readyz of %s answers %d", app, status)
		}
		return nil
	})
	require.NoError(t, err, name)
}

func (r *run) log(app string) string { return filepath.Join(r.stack.LogsDir, app+".log") }

func (r *run) logSizes(apps []string) map[string]int64 {
	sizes := map[string]int64{}
	for _, app := range apps {
		if info, err := os.Stat(r.log(app)); err == nil {
			sizes[app] = info.Size()
		}
	}
	return sizes
}

// newLines are the warnings and errors that the services have logged since.
func (r *run) newLines(t *testing.T, apps []string, since map[string]int64) (lines []string) {
	t.Helper()
	for _, app := range apps {
		text, err := os.ReadFile(r.log(app))
		require.NoError(t, err)
		for line := range bytes.Lines(text[since[app]:]) {
			if bytes.Contains(line, []byte("level=WARN")) || bytes.Contains(line, []byte("level=ERROR")) {
				lines = append(lines, app+": "+string(line))
			}
		}
	}
	return lines
}

type outageTable []suffered

// String returns a line for each outage.
func (o *outageTable) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-38s %12s %12s %12s\n", "while load went on", "noticed", "all back", "log lines")
	for _, s := range *o {
		fmt.Fprintf(&b, "%-38s %12s %12s %12d\n", s.name, s.noticed.Round(time.Millisecond), s.back.Round(time.Millisecond), s.lines)
	}
	return b.String()
}
