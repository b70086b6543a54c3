package http_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/aggregate/aggregatetest"
	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/list"
	"sidecart.dev/kit/service/servicetest"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/notifications"
	api "sidecart.dev/notifications/http"
	"sidecart.dev/notifications/store"
)

const ada, eve = "usr_ada", "usr_eve"

type fixture struct {
	t       *testing.T
	router  *mux.Router
	sidecar *servicetest.Sidecar // signs the tokens
	state   *sidecartest.State
	lists   store.Lists
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	sidecar := servicetest.NewSidecar(t)
	f := &fixture{
		t: t, router: mux.NewRouter(), sidecar: sidecar, state: sidecar.State,
		lists: store.NewLists(sidecar.State),
	}
	api.Routes(sidecar.Access(t, "notifications", f.router), func(
		ctx context.Context, userID, cursor string, limit int,
	) ([]notifications.Delivered, string, error) {
		return f.lists.Delivered(ctx, f.records, userID, cursor, limit)
	})
	return f
}

func (f *fixture) user(id string) string {
	f.t.Helper()
	return f.sidecar.AsUser(f.t, id, auth.Customer)
}

func (f *fixture) get(path, authorization string, out any) int {
	f.t.Helper()
	r := httptest.NewRequestWithContext(f.t.Context(), http.MethodGet, path, nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	f.router.ServeHTTP(w, r)
	if out != nil && w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
			f.t.Fatalf("%s: %v", w.Body, err)
		}
	}
	return w.Code
}

func (f *fixture) records(ctx context.Context, ids []string) (map[string]notifications.Record, error) {
	none := aggregatetest.NewJournal().Of(&sidecartest.Process{})
	return aggregate.New(aggregate.Config[notifications.Record]{
		Kind: notifications.RecordKind, State: f.state, Journal: none, Done: notifications.Record.Done,
	}).GetAll(ctx, ids)
}

// add stores the record of an event with both deliveries, and a duplicate in the list that is to be
// passed over.
func (f *fixture) add(userID string, n int) {
	f.t.Helper()
	id := fmt.Sprintf("evt%d", n)
	entries := []string{notifications.EntryID(id, notifications.Email), notifications.EntryID(id, notifications.SMS)}
	if _, err := list.New(list.Config{State: f.state}).AppendAll(f.t.Context(), "notifications-of/"+userID, entries); err != nil {
		f.t.Fatal(err)
	}
	seqs, err := list.New(list.Config{State: f.state}).AppendAll(f.t.Context(), "notifications-of/"+userID, entries)
	if err != nil {
		f.t.Fatal(err)
	}
	r := notifications.Record{
		ID: id, EventID: id, EventType: "order.delayed.v1", Kind: notifications.Orders, UserID: userID,
		OrderID: "ord_1", CreatedAt: time.Now().UTC(),
		Deliveries: []notifications.Delivery{
			{ID: "ntf_e" + id, Channel: notifications.Email, Status: notifications.Sent, Subject: "Order received", Seq: seqs[0], SentAt: time.Now().UTC(), Recipient: "secret@example.org"},
			{ID: "ntf_s" + id, Channel: notifications.SMS, Status: notifications.Suppressed, Reason: notifications.ReasonNoPhone, Subject: "Order received", Seq: seqs[1]},
		},
	}
	raw, err := json.Marshal(r)
	if err == nil {
		err = f.state.Insert(f.t.Context(), "evt/"+id, raw)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

type page struct {
	Items []struct {
		ID, Kind, Channel, Status, Subject, Reason string
		EventType                                  string     `json:"event_type"`
		OrderID                                    string     `json:"order_id"`
		SentAt                                     *time.Time `json:"sent_at"`
	}
	NextCursor *string `json:"next_cursor"`
}

func TestCustomersReadTheirOwnMessagesNewestFirst(t *testing.T) {
	f := newFixture(t)
	for n := range 5 {
		f.add(ada, n)
	}
	f.add(eve, 9)
	var ids []string
	path := "/api/v1/notifications?limit=3"
	for path != "" {
		var p page
		if status := f.get(path, f.user(ada), &p); status != http.StatusOK {
			t.Fatalf("%s: %d", path, status)
		}
		if len(p.Items) > 3 {
			t.Errorf("%d items on a page of 3", len(p.Items))
		}
		for _, i := range p.Items {
			ids = append(ids, i.ID)
		}
		path = ""
		if p.NextCursor != nil {
			path = "/api/v1/notifications?limit=3&cursor=" + *p.NextCursor
		}
	}
	want := "ntf_sevt4 ntf_eevt4 ntf_sevt3 ntf_eevt3 ntf_sevt2 ntf_eevt2 ntf_sevt1 ntf_eevt1 ntf_sevt0 ntf_eevt0"
	if got := strings.Join(ids, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var p page
	f.get("/api/v1/notifications", f.user(eve), &p)
	if len(p.Items) != 2 || p.Items[1].Status != "sent" || p.Items[1].SentAt == nil || p.Items[0].Reason == "" || p.Items[0].SentAt != nil || p.Items[0].OrderID != "ord_1" {
		t.Errorf("eve sees %+v", p.Items)
	}
	var raw json.RawMessage
	f.get("/api/v1/notifications", f.user("usr_new"), &raw)
	if string(raw) != `{"items":[],"next_cursor":null}` {
		t.Errorf("a new customer sees %s", raw)
	}
	f.get("/api/v1/notifications", f.user(ada), &raw)
	if strings.Contains(string(raw), "secret@") {
		t.Error("the list shows addresses")
	}
}

func TestBadQuestionsAreRefused(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		query, who string
		status     int
	}{
		{"", "", 401},
		{"", f.sidecar.AsService(t, "orders", "notifications"), 401},
		{"?limit=0", f.user(ada), 400},
		{"?limit=101", f.user(ada), 400},
		{"?limit=x", f.user(ada), 400},
		{"?cursor=x", f.user(ada), 400},
	} {
		if got := f.get("/api/v1/notifications"+c.query, c.who, nil); got != c.status {
			t.Errorf("%q: %d, want %d", c.query, got, c.status)
		}
	}
}
