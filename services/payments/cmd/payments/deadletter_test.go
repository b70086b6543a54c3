package main

import (
	"net/http"
	"testing"
	"time"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/event"
)

func TestAPoisonousOrderIsADeadLetterThatOperatorsReplayAndDiscard(t *testing.T) {
	s := start(t)
	e, err := event.New("orders", "order.placed.v1", "ord_1", 1, time.Now(), map[string]any{"order_id": "ord_1", "user_id": "usr_ada"})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/events/orders", "/dead-letters"} { // dropped, and so handed to the dead-letter topic
		if resp := s.do(http.DefaultClient, http.MethodPost, path, "", e, nil); resp.StatusCode != http.StatusOK {
			t.Fatalf("%s answers %d, want 200", path, resp.StatusCode)
		}
	}
	type letter struct {
		ID, Topic, Reason string
		EventID           string `json:"event_id"`
		Attempts          int
	}
	const letters = "/api/v1/admin/dead-letters"
	operator := s.token("usr_op", auth.Operator)
	var page struct{ Items []letter }
	s.do(http.DefaultClient, http.MethodGet, letters, operator, nil, &page)
	if len(page.Items) != 1 || page.Items[0].EventID != e.ID || page.Items[0].Topic != "orders" || page.Items[0].Attempts != 1 {
		t.Fatalf("the letters are %+v, want one of %s", page.Items, e.ID)
	}
	path := letters + "/" + page.Items[0].ID
	if resp := s.do(s.checked, http.MethodPost, path+"/replay", operator, nil, nil); resp.StatusCode != http.StatusAccepted {
		t.Errorf("replay: %d, want 202", resp.StatusCode)
	}
	var again letter
	if s.do(s.checked, http.MethodGet, path, operator, nil, &again); again.Attempts != 2 || again.Reason == "" {
		t.Errorf("after a replay that failed: %+v, want two attempts", again)
	}
	if resp := s.do(s.checked, http.MethodDelete, path, operator, nil, nil); resp.StatusCode != http.StatusNoContent {
		t.Errorf("discard: %d, want 204", resp.StatusCode)
	}
	if resp := s.do(s.checked, http.MethodGet, path, operator, nil, nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("after it was discarded: %d, want 404", resp.StatusCode)
	}
}
