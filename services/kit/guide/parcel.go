package main

import (
	"time"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
)

// Parcel is the aggregate: one document, which changes as a whole.
type Parcel struct {
	OrderID   string    `json:"order_id"`
	UserID    string    `json:"user_id"`
	Status    Status    `json:"status"`
	ShippedAt time.Time `json:"shipped_at,omitzero"`
}

// Status is where a parcel stands.
type Status string

// The statuses.
const (
	Packed  Status = "packed"
	Shipped Status = "shipped"
	Refused Status = "refused"
)

// Trigger is what may happen to a parcel.
type Trigger string

// The triggers.
const (
	CarrierTook    Trigger = "carrier took it"
	CarrierRefused Trigger = "carrier refused it"
)

// transitions is the whole life of a parcel.
var transitions = map[Status]map[Trigger]Status{
	Packed: {CarrierTook: Shipped, CarrierRefused: Refused},
}

// After returns the parcel after the trigger, or a Conflict fault if its status does not allow it.
func (p Parcel) After(t Trigger, now time.Time) (Parcel, error) {
	next, ok := transitions[p.Status][t]
	if !ok {
		return p, fault.Newf(fault.Conflict, "parcel_state",
			"A parcel that is %s cannot be %s.", p.Status, t)
	}
	p.Status = next
	if next == Shipped {
		p.ShippedAt = now
	}
	return p, nil
}

// Done reports whether a parcel has no business left.
func (p Parcel) Done() bool { return p.Status != Packed }

// Events returns every event that the parcel implies. The same parcel always implies the same
// events, with the same ids.
func (p Parcel) Events() ([]event.Event, error) {
	if p.Status != Shipped {
		return nil, nil
	}
	e, err := event.New("parcels", "parcel.shipped.v1", p.OrderID, 2, p.ShippedAt, map[string]string{
		"order_id": p.OrderID, "user_id": p.UserID,
	})
	return []event.Event{e}, err
}
