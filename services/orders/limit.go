package orders

import (
	"fmt"

	"sidecart.dev/kit/money"
)

// Limits are the largest totals of an order, in whole units of its currency: euros, yen, dinars. An
// amount that is nothing in one currency is a fortune in another, so each can have its own.
type Limits struct {
	Any        int64            // of a currency that is not named
	ByCurrency map[string]int64 // by ISO 4217 code
}

// DefaultLimits are 10,000 units, and about the same value of currencies of which one unit is worth
// little.
func DefaultLimits() Limits {
	l := Limits{Any: 10_000, ByCurrency: map[string]int64{}}
	for limit, codes := range map[int64][]string{
		1_000_000:   {"AMD", "CLP", "HUF", "ISK", "JPY", "KZT", "LKR", "PKR", "RSD", "XAF", "XOF", "XPF"},
		10_000_000:  {"BIF", "COP", "CRC", "IQD", "KRW", "MMK", "MNT", "NGN", "RWF", "TZS", "UGX"},
		100_000_000: {"GNF", "IDR", "IRR", "KHR", "LAK", "LBP", "PYG", "UZS", "VND"},
	} {
		for _, code := range codes {
			l.ByCurrency[code] = limit
		}
	}
	return l
}

// maxUnits keeps every limit far from overflow, whatever the currency's decimals.
const maxUnits = 1_000_000_000_000

// Validate reports a limit that is no limit.
func (l Limits) Validate() error {
	if l.Any < 1 || l.Any > maxUnits {
		return fmt.Errorf("must be from 1 to %d", maxUnits)
	}
	for code, units := range l.ByCurrency {
		if !money.ValidCurrency(code) {
			return fmt.Errorf("%q is no ISO 4217 code", code)
		}
		if units < 1 || units > maxUnits {
			return fmt.Errorf("%s must be from 1 to %d", code, maxUnits)
		}
	}
	return nil
}

// Of returns the limit of a currency.
func (l Limits) Of(currency string) money.Money {
	units, ok := l.ByCurrency[currency]
	if !ok {
		units = l.Any
	}
	for range money.Exponent(currency) {
		units *= 10
	}
	return money.New(units, currency)
}
