package http_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestOtherServicesLookOrdersUp(t *testing.T) {
	s := open(t)
	placed := s.place(ada, "1", oneMoka)
	const path = "/internal/orders/lookup"
	ask := fmt.Sprintf(`{"order_ids":[%q,"ord_none","../x"]}`, placed.body["id"])
	request := func(as string) (int, string) {
		req, _ := http.NewRequestWithContext(t.Context(), "POST", s.url+path, strings.NewReader(ask))
		s.sidecar.SignInService(t, req, as, "orders")
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req) // the path is in no public contract
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		raw, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(raw)
	}
	if status, _ := request("gateway"); status != 403 {
		t.Errorf("the gateway asks: %d, want 403", status)
	}
	status, body := request("payments")
	if status != 200 || strings.Count(body, `"order_id"`) != 1 || !strings.Contains(body, `"status":"pending"`) {
		t.Errorf("payments asks: %d %s, want the one order that exists", status, body)
	}
}
