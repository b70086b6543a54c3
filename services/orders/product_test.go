package orders

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
)

func product(id string, price int64, currency string, active bool) Product {
	return Product{ID: id, Name: strings.ToUpper(id), Price: money.New(price, currency), Active: active}
}

func catalogue(t testing.TB, products ...Product) Catalogue {
	t.Helper()
	c, err := NewCatalogue(products)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheDefaultProductsCanBeOrdered(t *testing.T) {
	c := DefaultCatalogue()
	if c.Len() < 10 {
		t.Errorf("%d default products, want a dozen", c.Len())
	}
	for _, p := range c.All() {
		if !p.Active || p.Price.Currency != "EUR" || p.Description == "" {
			t.Errorf("%s: active %v, price %s, description %q; want active, in EUR and described", p.ID, p.Active, p.Price, p.Description)
		}
	}
}

func TestACatalogueIsOrderedAndNeverChanges(t *testing.T) {
	before := catalogue(t, product("b", 1, "EUR", true), product("a", 1, "EUR", true))
	after, created, err := before.With(product("aa", 1, "EUR", true))
	if err != nil || !created {
		t.Fatalf("adding a product: created %v, %v", created, err)
	}
	after, created, err = after.With(product("b", 2, "EUR", false))
	if err != nil || created {
		t.Fatalf("replacing a product: created %v, %v", created, err)
	}
	after, existed := after.Without("a")
	if !existed {
		t.Fatal("a was not there")
	}
	if got := ids(before.All()); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("the first catalogue is now %v", got)
	}
	if got := ids(after.All()); !slices.Equal(got, []string{"aa", "b"}) {
		t.Errorf("the last catalogue is %v, want aa and b", got)
	}
	if p, _ := before.Find("b"); p.Price.Amount != 1 {
		t.Errorf("the price of b in the first catalogue is now %s", p.Price)
	}
}

func ids(products []Product) []string {
	var out []string
	for _, p := range products {
		out = append(out, p.ID)
	}
	return out
}

func TestACatalogueIsBounded(t *testing.T) {
	products := make([]Product, MaxProducts)
	for i := range products {
		products[i] = product(fmt.Sprintf("p%04d", i), 1, "EUR", true)
	}
	c := catalogue(t, products...)
	if _, _, err := c.With(product("one-more", 1, "EUR", true)); !fault.Is(err, fault.Unprocessable) {
		t.Errorf("one product too many: %v, want Unprocessable", err)
	}
	if _, _, err := c.With(product("p0000", 2, "EUR", true)); err != nil {
		t.Errorf("replacing one of a full catalogue: %v", err)
	}
}

func TestPagesOfProductsAreTheActiveOnes(t *testing.T) {
	c := catalogue(t, product("a", 1, "EUR", true), product("b", 1, "EUR", false), product("c", 1, "EUR", true), product("d", 1, "EUR", true))
	page, more := c.Page("", 2)
	if got := ids(page); !slices.Equal(got, []string{"a", "c"}) || !more {
		t.Errorf("first page %v, more %v; want a and c, and more", got, more)
	}
	page, more = c.Page("c", 2)
	if got := ids(page); !slices.Equal(got, []string{"d"}) || more {
		t.Errorf("second page %v, more %v; want d and no more", got, more)
	}
}

func TestProductFilesAreCheckedAsAWhole(t *testing.T) {
	for name, file := range map[string]string{
		"unknown field":   `{"products":[{"id":"a","name":"A","prize":1}]}`,
		"no price":        `{"products":[{"id":"a","name":"A","description":"","active":true}]}`,
		"same id twice":   `{"products":[{"id":"a","name":"A","price":{"amount":1,"currency":"EUR"}},{"id":"a","name":"A","price":{"amount":1,"currency":"EUR"}}]}`,
		"malformed id":    `{"products":[{"id":"A b","name":"A","price":{"amount":1,"currency":"EUR"}}]}`,
		"no currency":     `{"products":[{"id":"a","name":"A","price":{"amount":1,"currency":"euro"}}]}`,
		"name with space": `{"products":[{"id":"a","name":" A","price":{"amount":1,"currency":"EUR"}}]}`,
		"not JSON":        `products: []`,
	} {
		if _, err := ReadCatalogue(strings.NewReader(file)); err == nil {
			t.Errorf("%s: the file was accepted", name)
		}
	}
}

func TestAQuoteHasTheServersPrices(t *testing.T) {
	c := catalogue(t, product("a", 250, "EUR", true), product("b", 100, "EUR", true))
	q, err := c.Quote(Request{Items: []RequestItem{{"b", 3}, {"a", 2}}, PaymentMethod: "tok_visa"}, Limits{Any: 100})
	if err != nil {
		t.Fatal(err)
	}
	if want := money.New(800, "EUR"); q.Total() != want {
		t.Errorf("total %s, want %s", q.Total(), want)
	}
	if q.items[0] != (Item{ProductID: "b", Name: "B", Quantity: 3, UnitPrice: money.New(100, "EUR")}) {
		t.Errorf("first item %+v", q.items[0])
	}
}

func TestAQuoteNamesTheFieldThatIsWrong(t *testing.T) {
	c := catalogue(t, product("a", 250, "EUR", true), product("old", 1, "EUR", false), product("usd", 1, "USD", true))
	for name, test := range map[string]struct {
		items []RequestItem
		field string
	}{
		"unknown":        {[]RequestItem{{"a", 1}, {"ghost", 1}}, "items[1].product_id"},
		"inactive":       {[]RequestItem{{"old", 1}}, "items[0].product_id"},
		"twice":          {[]RequestItem{{"a", 1}, {"a", 2}}, "items[1].product_id"},
		"other currency": {[]RequestItem{{"a", 1}, {"usd", 1}}, "items[1].product_id"},
		"too expensive":  {[]RequestItem{{"a", 5}}, "items"},
	} {
		_, err := c.Quote(Request{Items: test.items, PaymentMethod: "tok_visa"}, Limits{Any: 12})
		checkField(t, name, err, fault.Unprocessable, test.field)
	}
	if _, err := c.Quote(Request{Items: []RequestItem{{"a", 4}}}, Limits{Any: 10}); err != nil {
		t.Errorf("a total at the limit: %v", err)
	}
}

func TestARequestNamesTheFieldThatIsWrong(t *testing.T) {
	good := func() Request {
		return Request{Items: []RequestItem{{"a", 1}}, PaymentMethod: "tok_visa"}
	}
	if err := good().Validate(); err != nil {
		t.Fatalf("a good request: %v", err)
	}
	for field, spoil := range map[string]func(*Request){
		"items":               func(r *Request) { r.Items = nil },
		"items[0].product_id": func(r *Request) { r.Items[0].ProductID = "../x" },
		"items[0].quantity":   func(r *Request) { r.Items[0].Quantity = 0 },
		"items[1].quantity":   func(r *Request) { r.Items = append(r.Items, RequestItem{"b", 100}) },
		"payment_method":      func(r *Request) { r.PaymentMethod = "4111111111111111" },
	} {
		r := good()
		spoil(&r)
		checkField(t, field, r.Validate(), fault.Invalid, field)
	}
	r := good()
	r.Items = make([]RequestItem, 51)
	checkField(t, "51 items", r.Validate(), fault.Invalid, "items")
	r = good()
	r.PaymentMethod = "tok_" + strings.Repeat("x", 125)
	checkField(t, "long token", r.Validate(), fault.Invalid, "payment_method")
}

func TestTheTextOfAProductHidesAndReordersNothing(t *testing.T) {
	good := product("a", 1, "EUR", true)
	for _, bad := range []string{"x\u202ey", "x\x00y", "x\u200by", "x\u2028y", "x\x1by", "bad\xff"} {
		p := good
		p.Name = bad
		checkField(t, fmt.Sprintf("name %+q", bad), p.Validate(), fault.Invalid, "name")
		p = good
		p.Description = bad
		checkField(t, fmt.Sprintf("description %+q", bad), p.Validate(), fault.Invalid, "description")
	}
	for _, name := range []string{"", " a", "a ", "a\nb"} {
		p := good
		p.Name = name
		checkField(t, fmt.Sprintf("name %q", name), p.Validate(), fault.Invalid, "name")
	}
	good.Description = "First line.\nSecond line."
	if err := good.Validate(); err != nil {
		t.Errorf("a description of two lines: %v", err)
	}
}

func TestAnOrderCostsWhatWasExpectedOrIsRefusedWithWhatItWouldCost(t *testing.T) {
	c := catalogue(t, product("a", 250, "EUR", true))
	request := func(total *money.Money) Request {
		return Request{Items: []RequestItem{{"a", 2}}, PaymentMethod: "tok_visa", ExpectedTotal: total}
	}
	of := func(m money.Money) *money.Money { return &m }
	for _, expected := range []*money.Money{nil, of(money.New(500, "EUR"))} {
		if _, err := c.Quote(request(expected), Limits{Any: 100}); err != nil {
			t.Errorf("expecting %v: %v", expected, err)
		}
	}
	for _, expected := range []money.Money{money.New(499, "EUR"), money.New(501, "EUR"), money.New(500, "USD")} {
		_, err := c.Quote(request(&expected), Limits{Any: 100})
		f, ok := errors.AsType[*fault.Error](err)
		if !ok || f.Kind != fault.Conflict || f.Code != "total_changed" || f.Extensions["quote"] == nil {
			t.Errorf("expecting %s: %+v, want a Conflict fault of code total_changed with a quote", expected, err)
		}
	}
	for field, expected := range map[string]money.Money{
		"expected_total.amount": money.New(0, "EUR"), "expected_total.currency": money.New(1, "euro"),
	} {
		checkField(t, field, request(&expected).Validate(), fault.Invalid, field)
	}
	plain, expecting := request(nil), request(of(money.New(500, "EUR")))
	if plain.Fingerprint() == expecting.Fingerprint() {
		t.Error("two different bodies have the same fingerprint")
	}
	if got := plain.Fingerprint(); got != "5b02f3b52dd6cc385bbfa402bec76206" {
		t.Errorf("the fingerprint of a request as it always was is %s: stored orders have another", got)
	}
}

func TestEachCurrencyHasALimitOfItsOwnInWholeUnits(t *testing.T) {
	l := Limits{Any: 10_000, ByCurrency: map[string]int64{"HUF": 4_000_000}}
	for currency, want := range map[string]int64{"EUR": 10_000_00, "HUF": 4_000_000_00, "JPY": 10_000, "BHD": 10_000_000} {
		if got := l.Of(currency); got != money.New(want, currency) {
			t.Errorf("limit %s, want %d minor units of %s", got, want, currency)
		}
	}
	if err := DefaultLimits().Validate(); err != nil {
		t.Error(err)
	}
	for name, bad := range map[string]Limits{
		"none": {}, "nothing": {Any: 1, ByCurrency: map[string]int64{"EUR": 0}}, "no currency": {Any: 1, ByCurrency: map[string]int64{"euro": 1}},
		"beyond overflow": {Any: maxUnits + 1},
	} {
		if bad.Validate() == nil {
			t.Errorf("%s: the limits were accepted", name)
		}
	}
	c := catalogue(t, product("dinar", 9_999_000, "BHD", true), product("yen", 10_001, "JPY", true))
	if _, err := c.Quote(Request{Items: []RequestItem{{"dinar", 1}}}, l); err != nil {
		t.Errorf("9,999 dinars of 10,000: %v", err)
	}
	_, err := c.Quote(Request{Items: []RequestItem{{"yen", 1}}}, l)
	checkField(t, "one yen too much", err, fault.Unprocessable, "items")
}

func checkField(t *testing.T, name string, err error, kind fault.Kind, field string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != kind || len(f.Fields) != 1 || f.Fields[0].Field != field {
		t.Errorf("%s: got %+v, want a fault of kind %s that names %s", name, err, kind, field)
	}
}

func TestAnIDIsMadeOfCustomerAndKey(t *testing.T) {
	id := IDFor("usr_1", "k")
	if !ValidID(id) || len(id) != 30 || id != IDFor("usr_1", "k") {
		t.Errorf("id %q: want 30 characters, valid, and the same each time", id)
	}
	if id == IDFor("usr_2", "k") || id == IDFor("usr_1", "K") {
		t.Error("another customer or key must give another id")
	}
}

func TestKeysAreVisibleASCII(t *testing.T) {
	for key, ok := range map[string]bool{
		"": false, "a": true, "a b": false, "ü": false, "a\n": false,
		strings.Repeat("x", 128): true, strings.Repeat("x", 129): false,
	} {
		if err := ValidateKey(key); (err == nil) != ok || err != nil && fault.CodeOf(err) != "idempotency_key_required" {
			t.Errorf("key %q: %v, want accepted: %v", key, err, ok)
		}
	}
}
