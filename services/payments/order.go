package payments

import (
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/id"
	"sidecart.dev/kit/money"
)

// Order is what payments has to know about an order that was placed or cancelled.
type Order struct {
	ID     string
	UserID string
	Amount money.Money
	Method string
	Items  []Item // empty if the order was cancelled before anything else was heard of it
}

// maxAmount is the largest integer that every JSON reader keeps exactly.
const maxAmount = 1<<53 - 1

// check refuses orders of which no payment can be made. They are poison: they will never be right.
func (o Order) check() error {
	var wrong fault.Fields
	if !id.Valid("ord_", o.ID) {
		wrong.Add("order_id", "must be an order id")
	}
	if !validUser(o.UserID) {
		wrong.Add("user_id", "must be a user id")
	}
	amount, currency := o.Amount.Amount, o.Amount.Currency
	if amount <= 0 || amount > maxAmount || !money.ValidCurrency(currency) {
		wrong.Add("total", "must be a positive amount of a currency")
	}
	if len(o.Method) == 0 || len(o.Method) > 128 {
		wrong.Add("payment_method", "must have 1 to 128 characters")
	}
	return wrong.Err()
}

func validUser(userID string) bool { return id.Valid("usr_", userID) }
