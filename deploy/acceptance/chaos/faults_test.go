package chaos

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sidecart.dev/acceptance/harness"
)

// fault breaks something and mends it again, unless the system mends it by itself.
type fault struct {
	kind  string
	cause func(ctx context.Context) error
}

func (r *run) faults() []fault {
	var list []fault
	for _, app := range []string{"gateway", "users", "orders", "payments", "notifications"} {
		list = append(list,
			fault{"kill -9 of " + app, func(context.Context) error { return r.stack.KillApp(app) }},
			fault{"kill -9 of " + app + "'s sidecar", func(context.Context) error { return r.stack.KillSidecar(app) }})
	}
	list = append(list,
		fault{"Redis emptied", r.stack.FlushRedis},
		fault{"Redis stopped for a while", r.pauseRedis},
		fault{"Redis emptied again", r.stack.FlushRedis},
		fault{"mail server down", func(ctx context.Context) error { return r.mailFault(ctx, `{"smtp":"temporary"}`) }},
		fault{"mail server drops connections", func(ctx context.Context) error { return r.mailFault(ctx, `{"smtp":"drop"}`) }})
	if r.stack.Backends != nil {
		list = append(list,
			fault{"PostgreSQL killed", func(ctx context.Context) error {
				r.stack.Backends.PostgreSQL.Kill()
				return r.stack.Backends.PostgreSQL.Start(ctx)
			}},
			fault{"PostgreSQL's connections cut", func(context.Context) error { r.stack.Databases.Cut(); return nil }},
			fault{"databases read-only for a while", r.refuseWrites})
	}
	if m := r.stack.MongoDB; m != nil && m.Relay != nil {
		list = append(list,
			fault{"MongoDB's connections cut", func(context.Context) error { m.Relay.Cut(); return nil }},
			fault{"MongoDB refuses for a while", func(ctx context.Context) error {
				m.Relay.Refuse()
				defer m.Relay.Accept()
				wait(ctx, 2*time.Second)
				return nil
			}},
			fault{"MongoDB hangs for a while", func(ctx context.Context) error {
				m.Relay.Hang()
				defer m.Relay.Pass()
				wait(ctx, 4*time.Second)
				return nil
			}})
	}
	for _, app := range []string{"orders", "payments", "notifications"} {
		if _, err := os.Stat(r.walIndex(app)); err == nil {
			list = append(list, fault{app + "' store refuses writes", func(ctx context.Context) error { return r.lockStore(ctx, app) }})
		}
		list = append(list, fault{app + " stalls", func(ctx context.Context) error { return r.stall(ctx, app) }})
	}
	return list
}

func (r *run) pauseRedis(ctx context.Context) error {
	if err := r.stack.StopRedis(ctx); err != nil {
		return err
	}
	wait(ctx, 2*time.Second)
	return r.stack.StartRedis(ctx)
}

// mailFault makes the inbox refuse mail for a while.
func (r *run) mailFault(ctx context.Context, knobs string) error {
	if err := r.setMail(ctx, knobs); err != nil {
		return err
	}
	wait(ctx, 3*time.Second)
	return r.setMail(context.WithoutCancel(ctx), `{}`)
}

func (r *run) setMail(ctx context.Context, knobs string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, r.world.Inbox.Base+"/api/faults", bytes.NewReader([]byte(knobs)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusMultipleChoices {
		body, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("the inbox answered %d: %s", resp.StatusCode, body)
	}
	return nil
}

// stall stops an app as a long pause of its host would, and lets it go on: it wakes up in the
// middle of whatever it was doing.
func (r *run) stall(ctx context.Context, id string) error {
	info, err := r.stack.App(id)
	if err != nil || info.PID == 0 {
		return err
	}
	if err := syscall.Kill(info.PID, syscall.SIGSTOP); err != nil {
		return err
	}
	wait(ctx, 3*time.Second)
	return syscall.Kill(info.PID, syscall.SIGCONT)
}

func (r *run) refuseWrites(ctx context.Context) error {
	if err := r.stack.Backends.PostgreSQL.ReadOnly(true); err != nil {
		return err
	}
	wait(ctx, 4*time.Second)
	return r.stack.Backends.PostgreSQL.ReadOnly(false)
}

func (r *run) walIndex(app string) string {
	return filepath.Join(r.stack.StateDir, "data", app+".db-shm")
}

// lockStore holds SQLite's lock for writers (byte 120 of the WAL index, see
// https://sqlite.org/walformat.html#locks) for longer than its clients wait for it, so that every
// write of the app fails.
func (r *run) lockStore(ctx context.Context, app string) error {
	f, err := os.OpenFile(r.walIndex(app), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart, Start: 120, Len: 1}
	err = again(ctx, harness.Patience, func(context.Context) error { return syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &lock) })
	if err != nil {
		return err
	}
	wait(ctx, 4*time.Second)
	return nil // closing the file lets go of the lock
}

// faultTable is what was done to the system, and how long each kind took to get over.
type faultTable map[string][]time.Duration

// inject causes faults of every kind in random turns, until there were enough and done says so.
func (r *run) inject(t *testing.T, atLeast int, done func() bool) faultTable {
	t.Helper()
	table := faultTable{}
	var turn []fault
	for n := 0; n < atLeast || !done(); n++ {
		if len(turn) == 0 {
			turn = r.faults()
			r.rnd.Shuffle(len(turn), func(i, k int) { turn[i], turn[k] = turn[k], turn[i] })
		}
		f := turn[0]
		turn = turn[1:]
		wait(t.Context(), time.Duration(200+r.rnd.IntN(800))*time.Millisecond)
		if err := f.cause(t.Context()); err != nil {
			t.Fatalf("%s: %v", f.kind, err)
		}
		table[f.kind] = append(table[f.kind], r.recovery(t, f.kind))
	}
	return table
}

// recovery measures the time until every service answers again.
func (r *run) recovery(t *testing.T, kind string) time.Duration {
	t.Helper()
	began := time.Now()
	for _, path := range []string{"/api/v1/users/me", "/api/v1/orders?limit=1", "/api/v1/payments?order_id=ord_1", "/api/v1/notifications?limit=1"} {
		err := again(t.Context(), harness.Patience, func(ctx context.Context) error {
			var any map[string]any
			return r.call(ctx, r.prober, http.MethodGet, path, nil, &any, http.StatusOK)
		})
		if err != nil {
			t.Fatalf("after %s: %v", kind, err)
		}
	}
	return time.Since(began)
}

// String returns a line for each kind.
func (f *faultTable) String() string {
	var b strings.Builder
	total := 0
	fmt.Fprintf(&b, "%-34s %6s %12s %12s\n", "fault", "times", "median back", "longest")
	kinds := make([]string, 0, len(*f))
	for kind := range *f {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		times := slices.Sorted(slices.Values((*f)[kind]))
		total += len(times)
		fmt.Fprintf(&b, "%-34s %6d %12s %12s\n", kind, len(times),
			times[len(times)/2].Round(time.Millisecond), times[len(times)-1].Round(time.Millisecond))
	}
	fmt.Fprintf(&b, "%-34s %6d\n", "all", total)
	return b.String()
}
