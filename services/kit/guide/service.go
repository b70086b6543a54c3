package main

import (
	"context"
	"errors"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// Carrier takes parcels. Asked again for the same one, it gives the same answer.
type Carrier interface {
	Ship(ctx context.Context, orderID string) (taken bool, err error)
}

// Parcels is what the service does.
type Parcels struct {
	docs    *aggregate.Aggregates[Parcel]
	carrier Carrier
}

// NewParcels puts the domain on its aggregates.
func NewParcels(docs *aggregate.Aggregates[Parcel], carrier Carrier) *Parcels {
	p := &Parcels{docs: docs, carrier: carrier}
	docs.DrivenBy(aggregate.Driver[Parcel]{Written: p.written, Drive: p.drive})
	return p
}

// Paid is what an event of payments says.
type Paid struct {
	OrderID string `json:"order_id"`
	UserID  string `json:"user_id"`
}

// Confirmed packs what was paid. When it returns nil, the parcel will come to its end whatever
// dies.
func (p *Parcels) Confirmed(ctx context.Context, _ event.Event, paid Paid) error {
	if paid.OrderID == "" {
		return fault.InvalidFields(fault.Field{Field: "order_id", Message: "must not be empty"})
	}
	_, _, err := p.docs.Create(ctx, paid.OrderID, func() (Parcel, error) {
		return Parcel{OrderID: paid.OrderID, UserID: paid.UserID, Status: Packed}, nil
	})
	return err
}

// Of returns the parcel of an order, to its owner.
func (p *Parcels) Of(ctx context.Context, userID, orderID string) (Parcel, error) {
	parcel, err := p.docs.Get(ctx, orderID)
	if sidecar.IsMissing(err) || err == nil && parcel.UserID != userID {
		return Parcel{}, fault.New(fault.NotFound, "not_found", "There is no such parcel.")
	}
	return parcel, err
}

// written goes on with what was written just now. What it does not manage to do, the settler does
// later.
func (p *Parcels) written(ctx context.Context, w aggregate.Written[Parcel]) {
	if w.Doc.Done() {
		p.docs.Announce(ctx, w)
		return
	}
	defer w.Ticket.Wrote()
	if err := p.ship(ctx, w.ID); err != nil {
		return // the journal has it
	}
}

// drive moves on what the journal offers.
func (p *Parcels) drive(ctx context.Context, open []aggregate.Open[Parcel]) (map[string]Parcel, error) {
	var errs []error
	for _, o := range open {
		errs = append(errs, p.ship(ctx, o.ID))
	}
	return nil, errors.Join(errs...)
}

// ship asks the carrier first and writes then: asking twice is harmless.
func (p *Parcels) ship(ctx context.Context, orderID string) error {
	taken, err := p.carrier.Ship(ctx, orderID)
	if err != nil {
		return err
	}
	trigger := CarrierRefused
	if taken {
		trigger = CarrierTook
	}
	_, err = p.docs.Change(ctx, orderID, func(parcel Parcel) (Parcel, error) {
		if parcel.Done() {
			return parcel, aggregate.ErrUnchanged // somebody was faster
		}
		return parcel.After(trigger, time.Now().UTC())
	})
	return err
}
