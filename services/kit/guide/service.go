package main

import (
	"context"
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

// NewParcels puts the domain on its store, journal and bus.
func NewParcels(
	state sidecar.State, journal aggregate.Journal, bus sidecar.Publisher, carrier Carrier,
) *Parcels {
	docs := aggregate.New(aggregate.Config[Parcel]{
		Kind: "parcel", State: state, Journal: journal, Bus: bus, Topic: "parcels",
		Done: Parcel.Done, Events: Parcel.Events,
	})
	p := &Parcels{docs: docs, carrier: carrier}
	docs.DrivenBy(docs.Step(p.ship))
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
		return fault.InvalidField("order_id", "must not be empty")
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
