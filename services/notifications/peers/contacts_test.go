package peers_test

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/notifications/peers"
)

// directory is a users service.
type directory struct {
	mu    sync.Mutex
	calls int
	asked int
	name  string
	fails error
}

func (d *directory) answer(_ context.Context, app, method, path string, in []byte) (any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls++
	if d.fails != nil {
		return nil, d.fails
	}
	var q struct {
		UserIDs []string `json:"user_ids"`
	}
	if err := json.Unmarshal(in, &q); err != nil || app != "users" || method != "POST" || path != "/internal/contacts" {
		return nil, fault.Newf(fault.Internal, "internal", "unexpected call %s %s %s", app, method, path)
	}
	d.asked += len(q.UserIDs)
	contacts := []map[string]any{}
	for _, id := range q.UserIDs {
		if id != "usr_unknown" {
			contacts = append(contacts, map[string]any{"user_id": id, "name": d.name, "email": id + "@example.org"})
		}
	}
	return map[string]any{"contacts": contacts}, nil
}

func TestAContactIsNeverOlderThanTheEvent(t *testing.T) {
	d := &directory{name: "before"}
	c := peers.NewContacts(&sidecartest.Caller{Handle: d.answer}, 0, 0, nil)
	happened := time.Now()
	for range 3 {
		if got, err := c.Contact(t.Context(), "usr_1", happened.Add(-time.Second)); err != nil || got.Name != "before" {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if d.calls != 1 {
		t.Errorf("%d calls for an event older than the answer, want 1", d.calls)
	}
	d.name = "after"
	if got, _ := c.Contact(t.Context(), "usr_1", time.Now()); got.Name != "after" {
		t.Errorf("an event after the answer is told to %q", got.Name)
	}
}

func TestContactsAreRememberedWhileUsersIsDown(t *testing.T) {
	d, skipped := &directory{name: "Ada"}, atomic.Int64{}
	now := func() time.Time { return time.Now().Add(time.Duration(skipped.Load())) }
	c := peers.NewContacts(&sidecartest.Caller{Handle: d.answer}, 0, 0, now)
	if _, err := c.Contact(t.Context(), "usr_1", now()); err != nil {
		t.Fatal(err)
	}
	d.fails = fault.New(fault.Unavailable, "unavailable", "down")
	skipped.Store(int64(time.Minute))
	if got, err := c.Contact(t.Context(), "usr_1", now()); err != nil || got.Name != "Ada" {
		t.Errorf("%+v, %v; want what is remembered", got, err)
	}
	if _, err := c.Contact(t.Context(), "usr_2", now()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a user never seen: %v, want a transient fault", err)
	}
	c.Forget("usr_1")
	if _, err := c.Contact(t.Context(), "usr_1", now()); err == nil {
		t.Error("a user who was forgotten is remembered")
	}
	d.fails = fault.New(fault.Unprocessable, "unprocessable", "refused")
	if _, err := c.Contact(t.Context(), "usr_2", now()); !fault.KindOf(err).Transient() {
		t.Errorf("a refused bulk question: %v, want a transient fault", err)
	}
}

func TestAnUnknownUserIsNotFound(t *testing.T) {
	c := peers.NewContacts(&sidecartest.Caller{Handle: (&directory{}).answer}, 0, 0, nil)
	if _, err := c.Contact(t.Context(), "usr_unknown", time.Now()); !fault.Is(err, fault.NotFound) {
		t.Errorf("%v, want NotFound", err)
	}
}

func TestALookupThatPanicsFailsAndTheNextIsMade(t *testing.T) {
	d, broken := &directory{name: "Ada"}, true
	c := peers.NewContacts(&sidecartest.Caller{Handle: func(ctx context.Context, app, method, path string, in []byte) (any, error) {
		if broken {
			panic("index out of range")
		}
		return d.answer(ctx, app, method, path, in)
	}}, 0, 0, nil)
	if _, err := c.Contact(t.Context(), "usr_a", time.Now()); err == nil {
		t.Error("a lookup that panicked succeeded")
	}
	broken = false
	if got, err := c.Contact(t.Context(), "usr_a", time.Now()); err != nil || got.UserID != "usr_a" {
		t.Errorf("%+v, %v, want usr_a", got, err)
	}
}

func TestLookupsAtTheSameTimeShareCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &directory{name: "Ada"}
		c := peers.NewContacts(&sidecartest.Caller{Handle: func(ctx context.Context, app, method, path string, in []byte) (any, error) {
			time.Sleep(time.Millisecond)
			return d.answer(ctx, app, method, path, in)
		}}, 0, 0, nil)
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				id := "usr_" + string(rune('a'+i%26))
				if got, err := c.Contact(t.Context(), id, time.Now()); err != nil || got.UserID != id {
					t.Errorf("%+v, %v, want %s", got, err, id)
				}
			})
		}
		all.Wait()
		if d.calls > 2 {
			t.Errorf("%d calls for 50 lookups at once, want 2: the first, and one for those that came meanwhile", d.calls)
		}
	})
}
