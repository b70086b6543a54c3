package http

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"sidecart.dev/gateway"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/web"
)

type letterPage struct {
	Items       []json.RawMessage `json:"items"`
	NextCursor  *string           `json:"next_cursor"`
	Unavailable []string          `json:"unavailable"`
}

// listDeadLetters lists the dead letters of one service, or of one service after the other: the
// cursor of the whole list is "<service>.<that service's cursor>", so a page never costs more than
// a page. A service that does not answer is named and passed over.
func (s *Server) listDeadLetters(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if err := checkHeaders(r.Header, len(query.Encode())); err != nil {
		return err
	}
	services, cursor, err := letterServices(query)
	if err != nil {
		return err
	}
	page := letterPage{Items: []json.RawMessage{}, Unavailable: []string{}}
	for i, service := range services {
		part, err := s.letterPart(r, service, cursor, query.Get("limit"))
		cursor = ""
		if refused, ok := errors.AsType[*refusal](err); ok {
			return refused.fault
		}
		if err != nil {
			page.Unavailable = append(page.Unavailable, service)
			continue
		}
		page.Items = append(page.Items, part.Items...)
		switch {
		case part.NextCursor != nil:
			page.NextCursor = new(service + "." + *part.NextCursor)
		case len(part.Items) > 0 && i+1 < len(services):
			page.NextCursor = new(services[i+1] + ".")
		}
		if page.NextCursor != nil {
			break
		}
	}
	return web.WriteJSON(w, http.StatusOK, page)
}

// letterServices returns the services still to be listed and the cursor within the first.
func letterServices(query url.Values) ([]string, string, error) {
	services := gateway.Services
	if only := query.Get("service"); only != "" {
		if !slices.Contains(services, only) {
			return nil, "", fault.InvalidField("service",
				"must be one of "+strings.Join(services, ", "))
		}
		services = []string{only}
	}
	cursor := query.Get("cursor")
	if cursor == "" {
		return services, "", nil
	}
	service, rest, _ := strings.Cut(cursor, ".")
	at := slices.Index(services, service)
	if at < 0 {
		return nil, "", fault.New(fault.Invalid, "invalid_cursor",
			"The cursor is not one that this list gave; begin without a cursor.")
	}
	return services[at:], rest, nil
}

// refusal is a service's own 4xx: it says something about the request, not about the service.
type refusal struct{ fault *fault.Error }

// Error implements error.
func (r *refusal) Error() string { return r.fault.Error() }

func (s *Server) letterPart(r *http.Request, service, cursor, limit string) (letterPage, error) {
	query := url.Values{}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	if limit != "" {
		query.Set("limit", limit)
	}
	address := s.upstreams.base + gateway.DeadLetters + "?" + query.Encode()
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, address, nil)
	if err != nil {
		return letterPage{}, err
	}
	copyHeaders(req.Header, r.Header, requestHeaders)
	resp, err := s.upstreams.do(r.Context(), service, req)
	if err != nil {
		return letterPage{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusBadRequest {
		var p web.Problem
		if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
			return letterPage{}, err
		}
		f := &fault.Error{Kind: fault.Invalid, Code: p.Code, Message: p.Detail, Fields: p.Errors}
		return letterPage{}, &refusal{f}
	}
	if resp.StatusCode != http.StatusOK {
		return letterPage{}, errNoAnswer
	}
	var page letterPage
	return page, json.NewDecoder(resp.Body).Decode(&page)
}

// oneDeadLetter forwards to the service that the id names.
func (s *Server) oneDeadLetter(w http.ResponseWriter, r *http.Request) error {
	return s.upstreams.forward(mux.Vars(r)["service"], false)(w, r)
}
