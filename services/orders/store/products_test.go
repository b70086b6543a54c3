package store_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/orders"
	"sidecart.dev/orders/store"
)

// slowProducts are products whose store takes ten seconds to answer.
func slowProducts() *store.Products {
	state := sidecartest.NewState()
	products := store.NewProducts(state, orders.DefaultCatalogue(), nil, nil)
	state.After = func(_ context.Context, op sidecartest.Op, _ string) error {
		if op == sidecartest.OpGet {
			time.Sleep(10 * time.Second)
		}
		return nil
	}
	return products
}

func TestWhoReadsTheProductsWaitsForNobodyBeyondItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		products, read := slowProducts(), make(chan error, 1)
		go func() {
			_, err := products.Catalogue(t.Context())
			read <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := products.Catalogue(ctx); !fault.Is(err, fault.Timeout) {
			t.Errorf("within a second: %v, want Timeout", err)
		}
		if err := <-read; err != nil {
			t.Errorf("the other, who had time: %v", err)
		}
	})
}

func TestAnEditIsSeenByWhoAsksAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		products, read := slowProducts(), make(chan struct{})
		if _, err := products.Catalogue(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		none, err := orders.NewCatalogue(nil)
		if err != nil {
			t.Fatal(err)
		}
		edited := make(chan error, 1)
		go func() {
			edited <- products.Change(t.Context(), func(orders.Catalogue) (orders.Catalogue, error) { return none, nil })
		}()
		time.Sleep(5 * time.Second)
		go func() { // begins before the edit is written, and ends after it
			_, _ = products.Catalogue(t.Context())
			close(read)
		}()
		if err := <-edited; err != nil {
			t.Fatal(err)
		}
		<-read
		if got, err := products.Catalogue(t.Context()); err != nil || got.Len() != 0 {
			t.Errorf("%d products, %v; want none", got.Len(), err)
		}
	})
}

func TestAStoredProductThatBreaksALaterRuleIsTakenOffSaleAndNothingElseIs(t *testing.T) {
	state := sidecartest.NewState()
	stored := `{"products":[
		{"id":"good","name":"Good","description":"","price":{"amount":1,"currency":"EUR"},"active":true},
		{"id":"spoof","name":"gpj.\u202eexe","description":"","price":{"amount":1,"currency":"EUR"},"active":true}]}`
	if err := state.Insert(t.Context(), "products", []byte(stored)); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	products := store.NewProducts(state, orders.DefaultCatalogue(), nil, slog.New(slog.NewTextHandler(&log, nil)))
	for range 2 {
		c, err := products.Catalogue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		good, _ := c.Find("good")
		spoof, known := c.Find("spoof")
		if !good.Active || !known || spoof.Active {
			t.Errorf("good %+v, spoof %+v: want the first on sale and the second not", good, spoof)
		}
		if err := products.Change(t.Context(), func(c orders.Catalogue) (orders.Catalogue, error) { return c, nil }); err != nil {
			t.Errorf("editing: %v", err)
		}
	}
	if got := strings.Count(log.String(), "spoof"); got != 1 {
		t.Errorf("the operator was told %d times of %q, want once", got, log.String())
	}
}
