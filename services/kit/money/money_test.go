package money_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"sidecart.dev/kit/money"
)

// Written down from ISO 4217 List One, not from the table that is tested: all currencies of which
// the minor unit is not a hundredth, and some of which other sources say something else.
func TestDecimalsAreThoseOfISO4217(t *testing.T) {
	decimals := map[int][]string{
		0: {
			"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
			"VUV", "XAF", "XOF", "XPF",
		},
		2: {
			"EUR", "USD", "GBP", "HUF", "IDR", "COP", "PKR", "TWD", "LAK", "AFN", "ALL", "IRR", "LBP",
			"MMK", "SYP", "MGA", "MRU", "RSD", "SLE",
		},
		3: {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"},
		4: {"CLF", "UYW"},
	}
	others := 0
	for n, codes := range decimals {
		for _, code := range codes {
			assert.True(t, money.ValidCurrency(code), code)
			assert.Equal(t, n, money.Exponent(code), code)
		}
		if n != 2 {
			others += len(codes)
		}
	}
	for _, code := range money.Currencies() {
		if money.Exponent(code) != 2 {
			others--
		}
	}
	assert.Zero(t, others, "currencies of other decimals than these")
}

func TestWhatIsNoMoneyIsNoCurrency(t *testing.T) {
	for _, code := range []string{
		"XXX", "XTS", "XAU", "XAG", "XDR", "HRK", "DEM", "ZZZ", "AAA", "eur", "EU", "EURO",
		"", "€", "EUR ",
	} {
		assert.False(t, money.ValidCurrency(code), "%q", code)
	}
}

func TestAmountsAreWrittenWithTheDecimalsOfTheirCurrency(t *testing.T) {
	for want, m := range map[string]money.Money{
		"19.99 EUR":   money.New(1999, "EUR"),
		"-0.05 EUR":   money.New(-5, "EUR"),
		"1500 RWF":    money.New(1500, "RWF"),
		"1.500 BHD":   money.New(1500, "BHD"),
		"0.1500 CLF":  money.New(1500, "CLF"),
		"15.00 HUF":   money.New(1500, "HUF"),
		"-1.0001 UYW": money.New(-10001, "UYW"),
	} {
		assert.Equal(t, want, m.String())
	}
}
