package http

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
	"sidecart.dev/kit/web"
	"sidecart.dev/orders"
)

// productsCache lets anyone keep products for a moment; the prices of an order are the server's in
// any case.
const productsCache = "public, max-age=5"

func (a *api) listProducts(w http.ResponseWriter, r *http.Request) error {
	limit, err := web.Limit(r)
	if err != nil {
		return err
	}
	after, err := decodeCursor(r.URL.Query().Get("cursor"))
	if err != nil {
		return err
	}
	catalogue, err := a.service.Products(r.Context())
	if err != nil {
		return err
	}
	page, more := catalogue.Page(after, limit)
	next := ""
	if more {
		next = encodeCursor(page[len(page)-1].ID)
	}
	w.Header().Set("Cache-Control", productsCache)
	if web.NotModified(w, r, web.ContentTag(page)) {
		return nil
	}
	return web.WriteList(w, page, next)
}

func (a *api) getProduct(w http.ResponseWriter, r *http.Request) error {
	catalogue, err := a.service.Products(r.Context())
	if err != nil {
		return err
	}
	product, ok := catalogue.Find(mux.Vars(r)["product_id"])
	if !ok {
		return fault.New(fault.NotFound, "not_found", "There is no such product.")
	}
	w.Header().Set("Cache-Control", productsCache)
	if web.NotModified(w, r, web.ContentTag(product)) {
		return nil
	}
	return web.WriteJSON(w, http.StatusOK, product)
}

func (a *api) putProduct(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Name        *string      `json:"name"`
		Description *string      `json:"description"`
		Price       *money.Money `json:"price"`
		Active      *bool        `json:"active"`
	}
	if err := web.Decode(r, &req); err != nil {
		return err
	}
	var missing fault.Fields
	for _, f := range []struct {
		name   string
		absent bool
	}{
		{"name", req.Name == nil},
		{"description", req.Description == nil},
		{"price", req.Price == nil},
		{"active", req.Active == nil},
	} {
		if f.absent {
			missing.Add(f.name, "is required")
		}
	}
	if err := missing.Err(); err != nil {
		return err
	}
	product := orders.Product{
		ID: mux.Vars(r)["product_id"], Name: *req.Name, Description: *req.Description,
		Price: *req.Price, Active: *req.Active,
	}
	created, err := a.service.PutProduct(r.Context(), product, expected(r))
	if err != nil {
		return err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
		w.Header().Set("Location", "/api/v1/products/"+product.ID)
	}
	w.Header().Set("ETag", web.ContentTag(product))
	return web.WriteJSON(w, status, product)
}

// expected checks the request's preconditions against the product as it is.
func expected(r *http.Request) orders.Expected {
	allowed := web.Precondition(r)
	return func(p orders.Product, exists bool) error {
		if !exists {
			return allowed("")
		}
		return allowed(web.ContentTag(p))
	}
}

func (a *api) deleteProduct(w http.ResponseWriter, r *http.Request) error {
	id := mux.Vars(r)["product_id"]
	if err := a.service.DeleteProduct(r.Context(), id, expected(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

const cursorPrefix = "p:"

// encodeCursor makes the cursor of the page that begins after a product.
func encodeCursor(after string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(cursorPrefix + after))
}

func decodeCursor(cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	after, ok := strings.CutPrefix(string(raw), cursorPrefix)
	if err != nil || !ok {
		return "", &fault.Error{
			Kind: fault.Invalid, Code: "invalid_cursor",
			Message: "Use next_cursor of the page before, unchanged.",
			Fields:  []fault.Field{{Field: "cursor", Message: "is not a cursor of this list"}},
		}
	}
	return after, nil
}
