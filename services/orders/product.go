package orders

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
	"sidecart.dev/kit/text"
)

// MaxProducts bounds the catalogue, which is one document in the store.
const MaxProducts = 1000

// Product is something the shop sells. Its fields are exported for JSON, so a Product may be
// anything; those of a catalogue have passed [Product.Validate].
type Product struct {
	ID          string      `json:"id"`
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Price       money.Money `json:"price"`
	Active      bool        `json:"active"` // whether it can be ordered
}

// Validate returns an Invalid fault that names every field that cannot be accepted.
func (p Product) Validate() error {
	var wrong fault.Fields
	if !productID.MatchString(p.ID) {
		wrong.Add("id", "must be 1 to 64 of a-z, 0-9, - and _, beginning with a letter or digit")
	}
	if err := text.Line(p.Name, 1, 100); err != nil {
		wrong.Add("name", err.Error())
	} else if strings.TrimSpace(p.Name) != p.Name {
		wrong.Add("name", "must not begin or end with a space")
	}
	if err := text.Lines(p.Description, 0, 2000); err != nil {
		wrong.Add("description", err.Error())
	}
	checkAmount(&wrong, "price", p.Price, maxPrice)
	return wrong.Err()
}

// maxPrice keeps every sum of an order far from overflow.
const maxPrice = 1_000_000_000_00

// Catalogue is the products, ordered by id. It is a value and never changes; With and Without
// return new ones.
type Catalogue struct {
	products []Product
}

//go:embed products.json
var defaultProducts []byte

// DefaultCatalogue returns the products the shop starts with unless told otherwise.
func DefaultCatalogue() Catalogue {
	c, err := ReadCatalogue(bytes.NewReader(defaultProducts))
	if err != nil {
		panic(err) // embedded, and tested
	}
	return c
}

// ReadCatalogue reads {"products":[…]} and checks every product. Unknown fields are errors: who
// writes one has made a typing mistake.
func ReadCatalogue(r io.Reader) (Catalogue, error) {
	var doc struct {
		Products []Product `json:"products"`
	}
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		return Catalogue{}, fmt.Errorf("products: %w", err)
	}
	return NewCatalogue(doc.Products)
}

// NewCatalogue makes a catalogue of valid products with different ids.
func NewCatalogue(products []Product) (Catalogue, error) {
	c := Catalogue{}
	for _, p := range products {
		if _, ok := c.Find(p.ID); ok {
			return Catalogue{}, fmt.Errorf("products: %q is there twice", p.ID)
		}
		var err error
		if c, _, err = c.With(p); err != nil {
			return Catalogue{}, fmt.Errorf("products: %q: %w", p.ID, describe(err))
		}
	}
	return c, nil
}

// RestoreCatalogue makes a catalogue of stored products. A product that was accepted once and would
// not be any more stays, but it is not on sale until an operator corrects it. refused says which
// products that are, and why.
func RestoreCatalogue(products []Product) (c Catalogue, refused []error) {
	for _, p := range products {
		if err := p.Validate(); err != nil && p.Active {
			p.Active = false
			refused = append(refused, fmt.Errorf("product %q is not on sale: %w", p.ID, describe(err)))
		}
		c, _ = c.put(p)
	}
	return c, refused
}

// describe adds the fields a fault names to its text, for an operator who reads a log.
func describe(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || len(f.Fields) == 0 {
		return err
	}
	return fmt.Errorf("%s %s", f.Fields[0].Field, f.Fields[0].Message)
}

// Len returns the number of products.
func (c Catalogue) Len() int { return len(c.products) }

// All returns the products, ordered by id. The caller owns the slice.
func (c Catalogue) All() []Product { return slices.Clone(c.products) }

// Find returns the product with that id, and whether there is one.
func (c Catalogue) Find(id string) (Product, bool) {
	if i, ok := c.index(id); ok {
		return c.products[i], true
	}
	return Product{}, false
}

func (c Catalogue) index(id string) (int, bool) {
	return slices.BinarySearchFunc(c.products, id, func(p Product, id string) int {
		return strings.Compare(p.ID, id)
	})
}

// Page returns up to limit active products with ids after the given one, and whether there are
// more.
func (c Catalogue) Page(after string, limit int) (page []Product, more bool) {
	for _, p := range c.products {
		if !p.Active || p.ID <= after {
			continue
		}
		if len(page) == limit {
			return page, true
		}
		page = append(page, p)
	}
	return page, false
}

// With returns the catalogue with the product added or replaced, and whether it is new.
func (c Catalogue) With(p Product) (next Catalogue, created bool, err error) {
	if err := p.Validate(); err != nil {
		return c, false, err
	}
	if _, exists := c.index(p.ID); !exists && len(c.products) >= MaxProducts {
		return c, false, fault.Newf(fault.Unprocessable, "unprocessable",
			"There are %d products already, which is the limit.", MaxProducts)
	}
	next, created = c.put(p)
	return next, created, nil
}

// put is With without its checks.
func (c Catalogue) put(p Product) (next Catalogue, created bool) {
	i, exists := c.index(p.ID)
	next.products = slices.Clone(c.products)
	if exists {
		next.products[i] = p
	} else {
		next.products = slices.Insert(next.products, i, p)
	}
	return next, !exists
}

// Without returns the catalogue without the product, and whether it was there.
func (c Catalogue) Without(id string) (next Catalogue, existed bool) {
	i, ok := c.index(id)
	if !ok {
		return c, false
	}
	return Catalogue{products: slices.Delete(slices.Clone(c.products), i, i+1)}, true
}

// Quote prices a valid request. It fails with an Unprocessable fault that names the field where a
// product is unknown, inactive or repeated, where there is a second currency, or where the total is
// above the limit of its currency. If the total is not the expected one it is a Conflict fault.
func (c Catalogue) Quote(r Request, limits Limits) (Quote, error) {
	q := Quote{items: make([]Item, 0, len(r.Items)), paymentMethod: r.PaymentMethod}
	var wrong fault.Fields
	seen := make(map[string]bool, len(r.Items))
	for i, item := range r.Items {
		p, ok := c.Find(item.ProductID)
		field := fmt.Sprintf("items[%d].product_id", i)
		switch {
		case seen[item.ProductID]:
			wrong.Add(field, "stands in the order twice; order it once with the sum of the quantities")
		case !ok || !p.Active:
			wrong.Add(field, "is not a product that can be ordered")
		case len(q.items) > 0 && p.Price.Currency != q.items[0].UnitPrice.Currency:
			wrong.Add(field, "has a price in another currency; order it separately")
		default:
			q.items = append(q.items, Item{
				ProductID: p.ID, Name: p.Name, Quantity: item.Quantity, UnitPrice: p.Price,
			})
		}
		seen[item.ProductID] = true
	}
	if len(wrong) > 0 {
		return Quote{}, unprocessable("The order cannot be placed like this.", wrong...)
	}
	limit := limits.Of(q.items[0].UnitPrice.Currency)
	total, err := sum(q.items)
	if err != nil || total.Amount > limit.Amount {
		return Quote{}, unprocessable("The order is too large.", fault.Field{
			Field: "items", Message: "must not cost more than " + limit.String() + " together",
		})
	}
	q.total = total
	return q, q.expect(r.ExpectedTotal)
}

func unprocessable(message string, fields ...fault.Field) error {
	return &fault.Error{
		Kind: fault.Unprocessable, Code: "unprocessable", Message: message, Fields: fields,
	}
}
