package orders

import (
	"context"

	"sidecart.dev/kit/fault"
)

// Products returns the catalogue, at most a few seconds old.
func (s *Service) Products(ctx context.Context) (Catalogue, error) {
	return s.deps.Products.Catalogue(ctx)
}

// Expected refuses, by its error, to change a product as it is now. exists is false if there is
// none. A nil Expected refuses nothing.
type Expected func(p Product, exists bool) error

func (e Expected) check(c Catalogue, id string) error {
	if e == nil {
		return nil
	}
	return e(c.Find(id))
}

// PutProduct creates or replaces a product, and reports whether it is new. Placed orders keep what
// they were placed with.
func (s *Service) PutProduct(
	ctx context.Context, p Product, expected Expected,
) (created bool, err error) {
	if !productID.MatchString(p.ID) {
		return false, noProduct()
	}
	err = s.deps.Products.Change(ctx, func(c Catalogue) (Catalogue, error) {
		if err := expected.check(c, p.ID); err != nil {
			return c, err
		}
		next, isNew, err := c.With(p)
		created = isNew
		return next, err
	})
	return created, err
}

// DeleteProduct removes a product, or fails with NotFound.
func (s *Service) DeleteProduct(ctx context.Context, id string, expected Expected) error {
	return s.deps.Products.Change(ctx, func(c Catalogue) (Catalogue, error) {
		if err := expected.check(c, id); err != nil {
			return c, err
		}
		next, existed := c.Without(id)
		if !existed {
			return c, noProduct()
		}
		return next, nil
	})
}

func noProduct() error {
	return fault.New(fault.NotFound, "not_found", "There is no such product.")
}
