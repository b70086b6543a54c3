package harness

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// NewProduct puts a product of that price on sale until the test ends. It sorts behind all others,
// so that nobody who takes the first product gets it.
func (w *World) NewProduct(
	t testing.TB, operator *Customer, price Money, change ...func(map[string]any),
) Product {
	t.Helper()
	id, name := "zz-"+uuid.NewString(), "Test product "+price.Currency
	product := Product{ID: id, Name: name, Price: price}
	form := map[string]any{"name": product.Name, "description": "", "price": price, "active": true}
	for _, f := range change {
		f(form)
	}
	path := "/api/v1/admin/products/" + product.ID
	operator.Must(t, http.StatusCreated, http.MethodPut, path, form, &product)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_, err := w.API.Do(ctx, http.MethodDelete, path, nil, Token(operator.AccessToken))
		require.NoError(t, err)
	})
	return product
}

// SetPrice gives a product another price.
func (w *World) SetPrice(t testing.TB, operator *Customer, product Product, price Money) {
	t.Helper()
	form := map[string]any{"name": product.Name, "description": "", "price": price, "active": true}
	operator.Must(t, http.StatusOK, http.MethodPut, "/api/v1/admin/products/"+product.ID, form, nil)
}

// Product reads a product.
func (c *Customer) Product(t testing.TB, id string) Product {
	t.Helper()
	var product Product
	c.Must(t, http.StatusOK, http.MethodGet, "/api/v1/products/"+id, nil, &product)
	return product
}
