package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"sidecart.dev/kit/money"
)

// format is how a language writes amounts and dates: format.json of its folder.
//
// Patterns have words in braces: {number} with {symbol} or {code} for amounts; {day}, {month} (a
// name), {year} and {date}, {time}, {zone} for dates.
type format struct {
	Decimal  string            `json:"decimal"`
	Group    string            `json:"group"`
	Symbol   string            `json:"symbol"`  // pattern of amounts in a currency that has a symbol
	Code     string            `json:"code"`    // pattern of others
	Symbols  map[string]string `json:"symbols"` // by ISO 4217 code
	Date     string            `json:"date"`
	DateTime string            `json:"date_time"`
	Months   []string          `json:"months"`

	zone *time.Location
}

func readFormat(files fs.FS, tag string, zone *time.Location) (format, error) {
	f := format{zone: zone}
	raw, err := fs.ReadFile(files, tag+"/format.json")
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return f, fmt.Errorf("format.json: %w", err)
	}
	required := []string{f.Decimal, f.Symbol, f.Code, f.Date, f.DateTime}
	if len(f.Months) != 12 || slices.Contains(required, "") {
		return f, errors.New("format.json: " +
			"decimal, symbol, code, date, date_time and 12 months are required")
	}
	return f, nil
}

// amount writes an amount; no amount is nothing.
func (f *format) amount(m money.Money) string {
	if m == (money.Money{}) {
		return ""
	}
	pattern, name := f.Code, m.Currency
	if symbol, ok := f.Symbols[m.Currency]; ok {
		pattern, name = f.Symbol, symbol
	}
	sign, digits := "", strconv.FormatInt(m.Amount, 10)
	if m.Amount < 0 {
		sign, digits = "-", digits[1:]
	}
	number := f.number(digits, money.Exponent(m.Currency))
	return sign + fill(pattern, "{number}", number, "{symbol}", name, "{code}", name)
}

// number writes digits with that many decimals.
func (f *format) number(digits string, decimals int) string {
	for len(digits) <= decimals {
		digits = "0" + digits
	}
	whole, part := digits[:len(digits)-decimals], digits[len(digits)-decimals:]
	var out strings.Builder
	for i, d := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			out.WriteString(f.Group)
		}
		out.WriteRune(d)
	}
	if decimals > 0 {
		out.WriteString(f.Decimal + part)
	}
	return out.String()
}

func (f *format) date(t time.Time) string {
	t = t.In(f.zone)
	return fill(f.Date, "{day}", strconv.Itoa(t.Day()), "{month}", f.Months[t.Month()-1],
		"{year}", strconv.Itoa(t.Year()))
}

func (f *format) dateTime(t time.Time) string {
	local := t.In(f.zone)
	return fill(f.DateTime, "{date}", f.date(t), "{time}", local.Format("15:04"),
		"{zone}", local.Format("MST"))
}

// fill puts values in the place of the words of a pattern. Patterns are short, so that looking for
// one word after the other costs less than a strings.Replacer.
func fill(pattern string, wordsAndValues ...string) string {
	for i := 0; i < len(wordsAndValues); i += 2 {
		pattern = strings.ReplaceAll(pattern, wordsAndValues[i], wordsAndValues[i+1])
	}
	return pattern
}
