package orders_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/consumer"
	"sidecart.dev/kit/deadletter"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/orders"
	"sidecart.dev/orders/peers"
	"sidecart.dev/orders/store"
)

// replica is one process of the service.
type replica struct {
	Service  *orders.Service
	Consumer *consumer.Consumer
	Journal  *journal.Journal
	life     *life
	stop     context.CancelFunc
	done     chan struct{}
}

// newReplica puts a replica together as main does, and registers what it hears. It does nothing by
// itself yet.
func (w *world) newReplica(t testing.TB, l *life) *replica {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	j, err := journal.New(journal.Config{Name: "orders", State: l, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	letters := deadletter.New(l, "orders")
	caller := l.Caller(&sidecartest.Caller{Handle: w.call})
	r := &replica{Journal: j, Consumer: consumer.New("orders", letters), life: l, done: make(chan struct{})}
	r.Service = orders.New(orders.Config{Logger: log}, orders.Deps{
		State: l, Bus: l, Journal: aggregate.Of(j), Ready: j.Ready, Products: store.NewProducts(l, orders.DefaultCatalogue(), nil, log),
		Payments: peers.Payments{Caller: caller}, Notifications: peers.Notifications{Caller: caller}, Letters: letters,
	})
	r.Service.Hears(r.Consumer)
	return r
}

// settler settles the ids of every kind, as the journal of the service does.
func (r *replica) settler() journal.Settler {
	return journal.NewKinds(orders.Kind, map[string]journal.Settler{
		orders.Kind: r.Service, orders.ErasureKind: journal.SettlerFunc(r.Service.SettleErasures),
	})
}

// start starts a replica and waits until it can place orders.
func (w *world) start(t testing.TB) *replica {
	t.Helper()
	r := w.newReplica(t, newLife(w))
	ctx, stop := context.WithCancel(context.Background())
	r.stop = func() {
		r.Service.Drain(ctx)
		stop()
	}
	go func() {
		defer close(r.done)
		if err := r.Journal.Run(ctx, r.settler()); err != nil {
			t.Errorf("the replica ended with %v", err)
		}
	}()
	for range 600 {
		if r.Journal.Ready() == nil {
			return r
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("the replica is not ready after a minute: %v", r.Journal.Ready())
	return nil
}

// end stops the replica: cleanly, or, if it has been killed, as its process would vanish.
func (r *replica) end() {
	r.stop()
	<-r.done
}
