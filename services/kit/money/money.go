// Package money has amounts in integer minor units with their ISO 4217 currency.
package money

import (
	"fmt"
	"math"

	"sidecart.dev/kit/fault"
)

// Money is an amount of one currency. The zero value is no amount of no currency and may be added to anything.
type Money struct {
	Amount   int64  `json:"amount"`   // minor units: cents of a euro, yen of a yen
	Currency string `json:"currency"` // ISO 4217, for example EUR
}

// New returns an amount in minor units.
func New(amount int64, currency string) Money { return Money{Amount: amount, Currency: currency} }

// exponents of the currencies whose minor unit is not a hundredth (ISO 4217).
var exponents = map[string]int{
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
	"CLP": 0, "ISK": 0, "JPY": 0, "KRW": 0, "PYG": 0, "UGX": 0, "VND": 0, "XAF": 0, "XOF": 0, "XPF": 0,
}

// Exponent returns the number of decimal digits of the currency's minor unit.
func Exponent(currency string) int {
	if e, ok := exponents[currency]; ok {
		return e
	}
	return 2
}

// ValidCurrency reports whether the code has the form of ISO 4217: three capital letters.
func ValidCurrency(code string) bool {
	if len(code) != 3 {
		return false
	}
	for _, c := range code {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

// Add returns the sum. It fails on two currencies and on overflow.
func (m Money) Add(o Money) (Money, error) {
	switch {
	case m == Money{}:
		return o, nil
	case o == Money{}:
		return m, nil
	case m.Currency != o.Currency:
		return Money{}, fault.Newf(fault.Unprocessable, "currency_mismatch", "%s cannot be added to %s.", o.Currency, m.Currency)
	case o.Amount > 0 && m.Amount > math.MaxInt64-o.Amount, o.Amount < 0 && m.Amount < math.MinInt64-o.Amount:
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

// String returns the amount in major units followed by the currency, for example "19.99 EUR". It is for logs, not for customers.
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
