// Package store keeps the products of the shop in the state store.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sidecart.dev/kit/document"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/orders"
)

// Products keeps the catalogue in one document, which is read at most every few seconds. It
// implements [orders.Products].
type Products struct {
	state sidecar.State
	seed  orders.Catalogue
	now   func() time.Time
	log   *slog.Logger

	// turn is filled while the catalogue is read: callers that find it old wait for one read rather
	// than all reading.
	turn chan struct{}

	mu     sync.Mutex // never held during a call to the store
	cached orders.Catalogue
	read   time.Time // when cached was read; zero: never
	edits  int       // made by this replica
	told   string    // what was said last of products that were taken off sale
}

var _ orders.Products = (*Products)(nil)

const (
	productsKey = "products"
	// productsLife is how long a replica may sell at prices that another has changed.
	productsLife = 2 * time.Second
)

// NewProducts makes a catalogue over a state store. The seed is written when the store has no
// catalogue yet. A nil now means time.Now, a nil log the default logger.
func NewProducts(
	state sidecar.State, seed orders.Catalogue, now func() time.Time, log *slog.Logger,
) *Products {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.Default()
	}
	return &Products{state: state, seed: seed, now: now, log: log, turn: make(chan struct{}, 1)}
}

type productsDocument struct {
	Products []orders.Product `json:"products"`
}

// Catalogue implements [orders.Products].
func (p *Products) Catalogue(ctx context.Context) (orders.Catalogue, error) {
	if cached, _, ok := p.fresh(); ok {
		return cached, nil
	}
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return orders.Catalogue{}, fault.Wrap(ctx.Err(), fault.Timeout, "timeout",
			"The products could not be read in time. Try again.")
	}
	cached, edits, ok := p.fresh()
	if ok {
		return cached, nil
	}
	catalogue, _, err := p.load(ctx)
	if err != nil {
		return orders.Catalogue{}, err
	}
	p.remember(catalogue, edits)
	return catalogue, nil
}

// fresh returns the cached catalogue, how many edits there have been, and whether the catalogue is
// still good.
func (p *Products) fresh() (cached orders.Catalogue, edits int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cached, p.edits, !p.read.IsZero() && p.now().Sub(p.read) < productsLife
}

// remember caches a catalogue, unless it was edited here since reading it began.
func (p *Products) remember(catalogue orders.Catalogue, edits int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.edits == edits {
		p.cached, p.read = catalogue, p.now()
	}
}

// Change implements [orders.Products].
func (p *Products) Change(
	ctx context.Context, edit func(orders.Catalogue) (orders.Catalogue, error),
) error {
	return document.UntilWritten(ctx, func() (bool, error) {
		present, etag, err := p.load(ctx)
		if err != nil {
			return false, err
		}
		next, err := edit(present)
		if err != nil {
			return false, err
		}
		raw, err := json.Marshal(productsDocument{next.All()})
		if err != nil {
			return false, err
		}
		defer p.forget()
		return document.Written(p.state.Update(ctx, productsKey, raw, etag))
	})
}

func (p *Products) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read = time.Time{}
	p.edits++
}

// load reads the catalogue, and writes the seed if there is none.
func (p *Products) load(ctx context.Context) (orders.Catalogue, string, error) {
	item, err := p.state.Get(ctx, productsKey)
	if sidecar.IsMissing(err) {
		if err := p.plant(ctx); err != nil {
			return orders.Catalogue{}, "", err
		}
		item, err = p.state.Get(ctx, productsKey)
	}
	if err != nil {
		return orders.Catalogue{}, "", err
	}
	var doc productsDocument
	if err := json.Unmarshal(item.Value, &doc); err != nil {
		return orders.Catalogue{}, "", fmt.Errorf("stored products: %w", err)
	}
	catalogue, refused := orders.RestoreCatalogue(doc.Products)
	p.tell(ctx, errors.Join(refused...))
	return catalogue, item.ETag, nil
}

// tell warns of products that were taken off sale. It does so again only when they have changed.
func (p *Products) tell(ctx context.Context, refused error) {
	text := ""
	if refused != nil {
		text = refused.Error()
	}
	p.mu.Lock()
	news := text != p.told
	p.told = text
	p.mu.Unlock()
	if news && text != "" {
		p.log.WarnContext(ctx, "stored products break today's rules; correct them to sell them again",
			"error", text)
	}
}

func (p *Products) plant(ctx context.Context) error {
	raw, err := json.Marshal(productsDocument{p.seed.All()})
	if err != nil {
		return err
	}
	if err := p.state.Insert(ctx, productsKey, raw); err != nil && !sidecar.IsExists(err) {
		return err
	}
	return nil
}
