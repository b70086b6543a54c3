// Package money has amounts in integer minor units with their ISO 4217 currency.
//
// The table of currencies is that of github.com/bojanz/currency, which is generated from the list
// of the standard's maintenance agency. Unicode's CLDR, which browsers and most libraries follow,
// has other decimals for a dozen currencies: what is written by one and read by the other is wrong
// by a factor of 100 or 1000. How an amount is written for people is decided by Exponent alone, on
// the page as well as in mails and texts.
package money

import (
	"fmt"
	"math"
	"slices"

	"github.com/bojanz/currency"

	"sidecart.dev/kit/fault"
)

// Money is an amount of one currency. The zero value is no amount of no currency and may be added
// to anything.
type Money struct {
	Amount   int64  `json:"amount"`   // minor units: cents of a euro, yen of a yen
	Currency string `json:"currency"` // ISO 4217, for example EUR
}

// New returns an amount in minor units.
func New(amount int64, currency string) Money { return Money{Amount: amount, Currency: currency} }

// Exponent returns the number of decimal digits of the currency's minor unit by ISO 4217: 2 for
// EUR, 0 for JPY, 3 for BHD. It is 2 for a code that is not on the list, such as one that was
// withdrawn after amounts of it had been stored.
func Exponent(code string) int {
	if digits, ok := currency.GetDigits(code); ok {
		return int(digits)
	}
	return 2
}

// ValidCurrency reports whether the code is on ISO 4217's list of current currencies (List One)
// with a minor unit that is defined. So no code without money behind it is valid: not XXX (no
// currency), XTS (tests) or XAU (gold).
func ValidCurrency(code string) bool {
	_, ok := currency.GetDigits(code)
	return ok
}

// Currencies returns every valid code, in alphabetical order.
func Currencies() []string { return slices.Sorted(slices.Values(currency.GetCurrencyCodes())) }

// Add returns the sum. It fails on two currencies and on overflow.
func (m Money) Add(o Money) (Money, error) {
	switch {
	case m == Money{}:
		return o, nil
	case o == Money{}:
		return m, nil
	case m.Currency != o.Currency:
		return Money{}, fault.Newf(fault.Unprocessable, "currency_mismatch",
			"%s cannot be added to %s.", o.Currency, m.Currency)
	case o.Amount > 0 && m.Amount > math.MaxInt64-o.Amount,
		o.Amount < 0 && m.Amount < math.MinInt64-o.Amount:
		return Money{}, fault.New(fault.Unprocessable, "amount_too_large", "The amount is too large.")
	}
	return Money{Amount: m.Amount + o.Amount, Currency: m.Currency}, nil
}

// Times returns the amount n times. It fails on overflow; n must not be negative.
func (m Money) Times(n int64) (Money, error) {
	if n < 0 || n > 0 && (m.Amount > math.MaxInt64/n || m.Amount < math.MinInt64/n) {
		return Money{}, fault.New(fault.Unprocessable, "amount_too_large", "The amount is too large.")
	}
	return Money{Amount: m.Amount * n, Currency: m.Currency}, nil
}

// Neg returns the amount with its sign changed.
func (m Money) Neg() Money { return Money{Amount: -m.Amount, Currency: m.Currency} }

// IsZero reports whether the amount is zero, whatever the currency.
func (m Money) IsZero() bool { return m.Amount == 0 }

// String returns the amount in major units followed by the currency, for example "19.99 EUR". It is
// for logs, not for customers.
func (m Money) String() string {
	exp := Exponent(m.Currency)
	if exp == 0 {
		return fmt.Sprintf("%d %s", m.Amount, m.Currency)
	}
	unit := int64(math.Pow10(exp))
	sign, whole, part := "", m.Amount/unit, m.Amount%unit
	if m.Amount < 0 {
		sign, whole, part = "-", -whole, -part
	}
	return fmt.Sprintf("%s%d.%0*d %s", sign, whole, exp, part, m.Currency)
}
