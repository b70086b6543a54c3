package web

import (
	"net/http"
	"strconv"

	"sidecart.dev/kit/fault"
)

// The bounds of a page.
const (
	DefaultLimit = 20
	MaxLimit     = 100
)

// Limit returns the page size a request asks for with ?limit=, or the default.
func Limit(r *http.Request) (int, error) {
	value := r.URL.Query().Get("limit")
	if value == "" {
		return DefaultLimit, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > MaxLimit {
		return 0, fault.InvalidField("limit",
			"must be a whole number from 1 to "+strconv.Itoa(MaxLimit))
	}
	return n, nil
}

// WriteList answers with a page of a list; an empty next cursor says that there is no more.
func WriteList[T any](w http.ResponseWriter, items []T, next string) error {
	page := struct {
		Items []T     `json:"items"`
		Next  *string `json:"next_cursor"`
	}{Items: items}
	if items == nil {
		page.Items = []T{}
	}
	if next != "" {
		page.Next = &next
	}
	return WriteJSON(w, http.StatusOK, page)
}
