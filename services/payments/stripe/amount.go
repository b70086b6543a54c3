package stripe

import (
	"strconv"

	"sidecart.dev/kit/money"
)

// scale is how the API writes amounts of a currency, as far as that is not ISO 4217's minor unit.
type scale struct {
	times    int64 // one minor unit is that many of the API's units
	per      int64 // one of the API's units is that many minor units
	multiple int64 // the API takes only multiples of this many of its units
}

// scales are the API's own rules (docs.stripe.com/currencies): ISK and UGX are written with two
// decimals that are always zero, the ariary without the fifths that ISO 4217 counts as two
// decimals, and the last digit of three must be zero.
var scales = map[string]scale{
	"ISK": {times: 100, per: 1, multiple: 100},
	"UGX": {times: 100, per: 1, multiple: 100},
	"MGA": {times: 1, per: 100, multiple: 1},
	"BHD": {times: 1, per: 1, multiple: 10},
	"JOD": {times: 1, per: 1, multiple: 10},
	"KWD": {times: 1, per: 1, multiple: 10},
	"OMR": {times: 1, per: 1, multiple: 10},
	"TND": {times: 1, per: 1, multiple: 10},
}

func scaleOf(currency string) scale {
	if s, ok := scales[currency]; ok {
		return s
	}
	return scale{times: 1, per: 1, multiple: 1}
}

// amount writes an amount as the API does, or reports that the API cannot express it: nothing is
// rounded, because what is charged must be what the customer agreed to.
func amount(m money.Money) (string, bool) {
	s := scaleOf(m.Currency)
	units := m.Amount * s.times
	if units/s.times != m.Amount || units%s.per != 0 || units/s.per%s.multiple != 0 {
		return "", false
	}
	return strconv.FormatInt(units/s.per, 10), true
}

// minor reads an amount that the API has written.
func minor(units int64, currency string) int64 {
	s := scaleOf(currency)
	return units * s.per / s.times
}
