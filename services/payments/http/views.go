package http

import (
	"time"

	"sidecart.dev/kit/money"
	"sidecart.dev/payments"
)

type paymentJSON struct {
	ID             string            `json:"id"`
	OrderID        string            `json:"order_id"`
	UserID         string            `json:"user_id"`
	Status         payments.Status   `json:"status"`
	Amount         money.Money       `json:"amount"`
	RefundedAmount money.Money       `json:"refunded_amount"`
	PaymentMethod  string            `json:"payment_method"`
	Decline        *payments.Decline `json:"decline,omitempty"`
	Refunds        []refundJSON      `json:"refunds"`
	CreatedAt      time.Time         `json:"created_at"`
	UpdatedAt      time.Time         `json:"updated_at"`
	Version        int64             `json:"version"`
}

func paymentOf(p payments.Payment) paymentJSON {
	view := paymentJSON{
		ID: p.ID, OrderID: p.OrderID, UserID: p.UserID, Status: p.Status,
		Amount: p.Amount, RefundedAmount: p.RefundedAmount(),
		PaymentMethod: p.Method, Decline: p.Decline, Refunds: make([]refundJSON, len(p.Refunds)),
		CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt, Version: p.Version,
	}
	for i, r := range p.Refunds {
		view.Refunds[i] = refundOf(r)
	}
	return view
}

type refundJSON struct {
	ID        string                `json:"id"`
	Amount    money.Money           `json:"amount"`
	Reason    string                `json:"reason"`
	Status    payments.RefundStatus `json:"status"`
	CreatedAt time.Time             `json:"created_at"`
}

func refundOf(r payments.Refund) refundJSON {
	return refundJSON{
		ID: r.ID, Amount: r.Amount, Reason: r.Reason, Status: r.Status, CreatedAt: r.CreatedAt,
	}
}

type ledgerJSON struct {
	AsOf     time.Time     `json:"as_of"`
	Balanced bool          `json:"balanced"`
	Balances []balanceJSON `json:"balances"`
}

type balanceJSON struct {
	Account  payments.Account `json:"account"`
	Currency string           `json:"currency"`
	Debits   int64            `json:"debits"`
	Credits  int64            `json:"credits"`
	Balance  int64            `json:"balance"`
}

func ledgerOf(r payments.Report, currency string) ledgerJSON {
	view := ledgerJSON{AsOf: r.AsOf, Balanced: r.Balanced, Balances: []balanceJSON{}}
	for _, b := range r.Balances {
		if currency == "" || b.Currency == currency {
			view.Balances = append(view.Balances, balanceJSON(b))
		}
	}
	return view
}

// lookupJSON is how orders sees a payment.
type lookupJSON struct {
	OrderID        string          `json:"order_id"`
	Status         payments.Status `json:"status"`
	RefundedAmount money.Money     `json:"refunded_amount"`
	DeclineCode    string          `json:"decline_code,omitempty"`
}

func lookupOf(p payments.Payment) lookupJSON {
	view := lookupJSON{OrderID: p.OrderID, Status: p.Status, RefundedAmount: p.RefundedAmount()}
	if p.Decline != nil {
		view.DeclineCode = p.Decline.Code
	}
	return view
}

// chargeJSON is what the provider has on record.
type chargeJSON struct {
	OrderID        string               `json:"order_id"`
	PaymentID      string               `json:"payment_id"`
	Status         payments.ChargeState `json:"status"`
	ChargeID       string               `json:"charge_id"`
	DeclineCode    string               `json:"decline_code,omitempty"`
	RefundedAmount int64                `json:"refunded_amount"`
}
