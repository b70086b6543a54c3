package orders

import (
	"time"

	"sidecart.dev/kit/money"
)

// Document is an order as it is stored: one JSON document under one key.
type Document struct {
	ID            string        `json:"id"`
	UserID        string        `json:"user_id"`
	Seq           uint64        `json:"seq"`
	Fingerprint   string        `json:"fingerprint"`
	Items         []Item        `json:"items"`
	Total         money.Money   `json:"total"`
	PaymentMethod string        `json:"payment_method"`
	Status        Status        `json:"status"`
	Closing       Closing       `json:"settlement"`
	Refunded      int64         `json:"refunded,omitempty"`
	Cancellation  *Cancellation `json:"cancellation,omitempty"`
	History       []Step        `json:"history"`
	Erased        bool          `json:"erased,omitempty"`
	CreatedAt     time.Time     `json:"created_at"`
	UpdatedAt     time.Time     `json:"updated_at"`
	Version       int64         `json:"version"`
}

// Document returns the order as it is stored. The document shares the order's slices: encode it, do
// not change it.
func (o Order) Document() Document {
	d := Document{
		ID: o.id, UserID: o.userID, Seq: o.seq, Fingerprint: o.fingerprint,
		Items: o.items, Total: o.total, PaymentMethod: o.paymentMethod,
		Status: o.status, Closing: o.closing, Refunded: o.refunded,
		History: o.history, Erased: o.erased,
		CreatedAt: o.createdAt, UpdatedAt: o.updatedAt, Version: o.version,
	}
	if o.cancellation.Version > 0 {
		d.Cancellation = &o.cancellation
	}
	return d
}

// Order returns the order that was stored, or an Internal fault if the document is not one.
func (d Document) Order() (Order, error) {
	o := Order{
		id: d.ID, userID: d.UserID, seq: d.Seq, fingerprint: d.Fingerprint,
		items: d.Items, total: d.Total, paymentMethod: d.PaymentMethod,
		status: d.Status, closing: d.Closing, refunded: d.Refunded,
		history: d.History, erased: d.Erased,
		createdAt: d.CreatedAt, updatedAt: d.UpdatedAt, version: d.Version,
	}
	if d.Cancellation != nil {
		o.cancellation = *d.Cancellation
	}
	if err := o.check(); err != nil {
		return Order{}, err
	}
	return o, nil
}
