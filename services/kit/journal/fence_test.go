package journal

import (
	"context"
	"errors"
	"testing"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/sidecar/sidecartest"
)

func TestFenceStopsEveryWritePreparedBefore(t *testing.T) {
	const tombstone = `{"deleted": true}`
	ctx := context.Background()
	fence := func(t *testing.T, state sidecar.State) (sidecar.Item, bool) {
		t.Helper()
		item, ok, err := Fence(ctx, state, "key", []byte(tombstone), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return item, ok
	}
	t.Run("an insert", func(t *testing.T) {
		state := sidecartest.NewState()
		if _, ok := fence(t, state); ok {
			t.Error("Fence found an aggregate in an empty store")
		}
		if err := state.Insert(ctx, "key", []byte(`{}`)); !sidecar.IsExists(err) {
			t.Errorf("an insert after the fence returned %v", err)
		}
	})
	t.Run("an update of the aggregate", func(t *testing.T) {
		state := sidecartest.NewState()
		_ = state.Insert(ctx, "key", []byte(`{"n":1}`))
		read, _ := state.Get(ctx, "key")
		if item, ok := fence(t, state); !ok || string(item.Value) != `{"n":1}` {
			t.Errorf("Fence found %q, %t; want the aggregate", item.Value, ok)
		}
		if err := state.Update(ctx, "key", []byte(`{"n":2}`), read.ETag); !sidecar.IsConflict(err) {
			t.Errorf("an update after the fence returned %v", err)
		}
	})
	t.Run("an update of a tombstone", func(t *testing.T) {
		state := sidecartest.NewState()
		_ = state.Insert(ctx, "key", []byte("{\"deleted\":\n true}")) // as a store might format it
		read, _ := state.Get(ctx, "key")
		if _, ok := fence(t, state); ok {
			t.Error("Fence took a tombstone for an aggregate")
		}
		if err := state.Update(ctx, "key", []byte(`{"n":2}`), read.ETag); !sidecar.IsConflict(err) {
			t.Errorf("an update after the fence returned %v", err)
		}
	})
	t.Run("but not when the store fails", func(t *testing.T) {
		ops := []sidecartest.Op{sidecartest.OpInsert, sidecartest.OpGet, sidecartest.OpUpdate}
		for _, op := range ops {
			state := sidecartest.NewState()
			_ = state.Insert(ctx, "key", []byte(`{}`))
			state.Before = func(_ context.Context, o sidecartest.Op, _ string) error {
				if o == op {
					return errInjected
				}
				return nil
			}
			_, _, err := Fence(ctx, state, "key", []byte(tombstone), time.Hour)
			if !errors.Is(err, errInjected) {
				t.Errorf("with a failing %s Fence returned %v", op, err)
			}
		}
	})
	t.Run("and gives up when the key never stands still", func(t *testing.T) {
		state := sidecartest.NewState()
		_ = state.Insert(ctx, "key", []byte(`{}`))
		l := &link{State: state}
		l.before = func(op sidecartest.Op, key string) error {
			if op == sidecartest.OpUpdate {
				item, _ := state.Get(ctx, key)
				return state.Update(ctx, key, item.Value, item.ETag)
			}
			return nil
		}
		_, _, err := Fence(ctx, l, "key", []byte(tombstone), time.Hour)
		if !fault.Is(err, fault.Unavailable) {
			t.Errorf("Fence returned %v, want Unavailable", err)
		}
	})
}
