package http_test

import (
	"strings"
	"testing"

	"sidecart.dev/contracts/validate"
	"sidecart.dev/orders"
)

func TestOperatorsEditProducts(t *testing.T) {
	s := open(t)
	const path, product = "/api/v1/admin/products/grinder", `{"name":"Grinder","description":"","price":{"amount":100,"currency":"EUR"},"active":true}`
	s.want("a customer", s.do(ada, "PUT", path, product), 403, "forbidden")
	created := s.do(operator, "PUT", path, product)
	s.want("creating", created, 201, "")
	if created.header.Get("Location") != "/api/v1/products/grinder" {
		t.Errorf("Location %q", created.header.Get("Location"))
	}
	s.want("withdrawing", s.do(operator, "PUT", path, strings.Replace(product, "true", "false", 1)), 200, "")
	read := s.do("", "GET", "/api/v1/products/grinder", "")
	s.want("reading one that is not on sale", read, 200, "")
	if read.body["active"] != false || !strings.Contains(read.header.Get("Cache-Control"), "public") {
		t.Errorf("%v, Cache-Control %q", read.body, read.header.Get("Cache-Control"))
	}
	s.want("reading again", s.do("", "GET", "/api/v1/products/grinder", "", "If-None-Match", read.header.Get("ETag")), 304, "")
	s.want("half a product", s.do(operator, "PUT", path, `{"name":"Grinder"}`, validate.ExpectInvalid, "true"), 400, "invalid_request")
	s.want("a free product", s.do(operator, "PUT", path, strings.Replace(product, "100", "0", 1), validate.ExpectInvalid, "true"), 400, "invalid_request")
	s.want("a name that runs backwards", s.do(operator, "PUT", path, strings.Replace(product, "Grinder", `\u202eabc`, 1)), 400, "invalid_request")
	s.want("deleting", s.do(operator, "DELETE", path, ""), 204, "")
	s.want("deleting again", s.do(operator, "DELETE", path, ""), 404, "not_found")

	seen := map[string]bool{}
	for cursor := ""; ; {
		page := s.do("", "GET", "/api/v1/products?limit=5"+cursor, "")
		s.want("a page of products", page, 200, "")
		for _, item := range page.body["items"].([]any) {
			seen[item.(map[string]any)["id"].(string)] = true
		}
		next, more := page.body["next_cursor"].(string)
		if !more {
			break
		}
		cursor = "&cursor=" + next
	}
	if len(seen) != orders.DefaultCatalogue().Len() {
		t.Errorf("%d products over all pages, want %d", len(seen), orders.DefaultCatalogue().Len())
	}
	s.want("a bad cursor", s.do("", "GET", "/api/v1/products?cursor=%20", ""), 400, "invalid_cursor")
}
