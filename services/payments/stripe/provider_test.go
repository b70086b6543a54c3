package stripe_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sidecart.dev/kit/money"
	"sidecart.dev/payments"
	"sidecart.dev/payments/stripe"
)

// stub is a Stripe-compatible API: it replays answers by Idempotency-Key and refuses a key with
// another body, as the real one does.
type stub struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[string]answer // by key
	bodies  map[string]string
	status  map[string]string // by intent
	refunds map[string][]map[string]any
	made    int
	drop    int      // answers to lose after the effect
	wrong   []string // what a well-behaved client would not have done
}

type answer struct {
	code int
	body any
}

func newStub(t *testing.T) (*stub, *stripe.Provider) {
	s := &stub{answers: map[string]answer{}, bodies: map[string]string{}, status: map[string]string{}, refunds: map[string][]map[string]any{}}
	s.Server = httptest.NewServer(http.StripPrefix("/v1.0/invoke/stripe/method", http.HandlerFunc(s.serve)))
	t.Cleanup(func() {
		s.Close()
		if len(s.wrong) > 0 {
			t.Errorf("the API was used wrongly: %v", s.wrong)
		}
	})
	return s, stripe.New(stripe.Config{BaseURL: s.URL + "/v1.0/invoke/stripe/method"})
}

func (s *stub) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := r.ParseForm(); err != nil {
		s.wrong = append(s.wrong, err.Error())
	}
	a := s.once(r)
	if s.drop > 0 {
		s.drop--
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.code)
	_ = json.NewEncoder(w).Encode(a.body)
}

// once carries a POST out once per key.
func (s *stub) once(r *http.Request) answer {
	if r.Method == http.MethodGet {
		return s.read(r)
	}
	key, body := r.Header.Get("Idempotency-Key"), r.URL.Path+"?"+r.PostForm.Encode()
	if key == "" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		s.wrong = append(s.wrong, "no key or no form: "+r.URL.Path)
	}
	if known, ok := s.answers[key]; ok {
		if s.bodies[key] != body {
			s.wrong = append(s.wrong, "the key "+key+" came with another request")
		}
		return known
	}
	a := s.carryOut(r)
	s.answers[key], s.bodies[key] = a, body
	return a
}

func (s *stub) carryOut(r *http.Request) answer {
	refuse := func(code int, fields map[string]any) answer { return answer{code, map[string]any{"error": fields}} }
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	switch {
	case r.URL.Path == "/v1/payment_intents":
		s.made++
		id := fmt.Sprint("pi_", r.PostForm.Get("metadata[payment_id]"))
		switch r.PostForm.Get("payment_method") {
		case "pm_poor":
			return refuse(402, map[string]any{"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds"})
		case "pm_none":
			return refuse(400, map[string]any{"type": "invalid_request_error", "code": "resource_missing", "param": "payment_method"})
		}
		s.status[id] = "requires_capture"
		return s.intent(id)
	case len(parts) == 3 && s.status[parts[1]] != "requires_capture":
		return refuse(400, map[string]any{"type": "invalid_request_error", "code": "payment_intent_unexpected_state"})
	case len(parts) == 3:
		s.status[parts[1]] = map[string]string{"capture": "succeeded", "cancel": "canceled"}[parts[2]]
		return s.intent(parts[1])
	case r.URL.Path == "/v1/refunds":
		id := r.PostForm.Get("payment_intent")
		if s.status[id] != "succeeded" {
			return refuse(400, map[string]any{"type": "invalid_request_error", "code": "charge_not_captured"})
		}
		made := map[string]any{"status": "succeeded", "metadata": map[string]string{"refund_id": r.PostForm.Get("metadata[refund_id]")}}
		s.refunds[id] = append(s.refunds[id], made)
		return answer{200, made}
	}
	return refuse(404, map[string]any{"type": "invalid_request_error"})
}

func (s *stub) read(r *http.Request) answer {
	switch {
	case r.URL.Path == "/v1/refunds":
		return answer{200, map[string]any{"data": s.refunds[r.URL.Query().Get("payment_intent")]}}
	case strings.HasSuffix(r.URL.Path, "/search"):
		id := "pi_" + strings.Trim(strings.TrimPrefix(r.URL.Query().Get("query"), "metadata['payment_id']:"), "'")
		data := []any{}
		if _, ok := s.status[id]; ok {
			data = append(data, s.intent(id).body)
		}
		return answer{200, map[string]any{"data": data}}
	}
	return s.intent(strings.TrimPrefix(r.URL.Path, "/v1/payment_intents/"))
}

func (s *stub) intent(id string) answer {
	return answer{200, map[string]any{"id": id, "status": s.status[id]}}
}

func charge(method string) payments.Charge {
	return payments.Charge{Key: "pay_1", OrderID: "ord_1", Amount: money.New(2598, "EUR"), Method: method, CreatedAt: time.Now()}
}

func expect(t *testing.T, what string, got payments.Result, err error, want payments.ChargeState) {
	t.Helper()
	if err != nil || got.State != want {
		t.Fatalf("%s: %+v, %v; want %s", what, got, err, want)
	}
}

func TestAChargeIsCapturedOnceHoweverOftenTheAnswerIsLost(t *testing.T) {
	s, p := newStub(t)
	for range 3 {
		s.drop = 1
		if r, err := p.Authorize(t.Context(), charge("pm_card")); err == nil {
			t.Fatalf("the answer was lost, but Authorize says %+v", r)
		}
	}
	r, err := p.Authorize(t.Context(), charge("pm_card"))
	expect(t, "authorize", r, err, payments.ChargeAuthorized)
	s.drop = 2 // of the look at the intent and of the capture
	for err = fmt.Errorf("not yet"); err != nil; {
		r, err = p.Capture(t.Context(), charge("pm_card"))
	}
	expect(t, "capture", r, err, payments.ChargeCaptured)
	r, err = p.Void(t.Context(), charge("pm_card"))
	expect(t, "void after the capture", r, err, payments.ChargeCaptured)
	if s.made != 1 {
		t.Fatalf("%d payment intents, want 1", s.made)
	}
}

func TestAVoidStopsACaptureThatIsStillOnItsWay(t *testing.T) {
	_, p := newStub(t)
	r, err := p.Void(t.Context(), charge("pm_card"))
	expect(t, "void", r, err, payments.ChargeVoided)
	late := charge("pm_card")
	r, err = p.Authorize(t.Context(), late) // replayed by the API as it was answered first
	expect(t, "authorize", r, err, payments.ChargeAuthorized)
	late.ChargeID = r.ChargeID
	r, err = p.Capture(t.Context(), late)
	expect(t, "capture", r, err, payments.ChargeVoided)
}

func TestRefusalsAreDeclines(t *testing.T) {
	for method, code := range map[string]string{"pm_poor": "insufficient_funds", "pm_none": "invalid_payment_method"} {
		_, p := newStub(t)
		r, err := p.Authorize(t.Context(), charge(method))
		expect(t, method, r, err, payments.ChargeDeclined)
		if r.DeclineCode != code || r.DeclineReason == "" {
			t.Errorf("%s: %+v, want code %s", method, r, code)
		}
	}
}

func TestARefundIsMadeOnceEvenAfterItsKeyIsForgotten(t *testing.T) {
	s, p := newStub(t)
	r, err := p.Capture(t.Context(), charge("pm_card"))
	expect(t, "capture", r, err, payments.ChargeCaptured)
	order := payments.RefundOrder{Key: "rfd_1", ChargeKey: "pay_1", ChargeID: r.ChargeID, Amount: money.New(500, "EUR"), CreatedAt: time.Now()}
	s.drop = 1
	if ok, err := p.Refund(t.Context(), order); err == nil {
		t.Fatalf("the answer was lost, but Refund says %v", ok)
	}
	clear(s.answers) // a day later
	order.CreatedAt = time.Now().Add(-25 * time.Hour)
	old := charge("pm_card")
	old.CreatedAt = order.CreatedAt
	if ok, err := p.Refund(t.Context(), order); err != nil || !ok || len(s.refunds[r.ChargeID]) != 1 {
		t.Fatalf("refund: %v, %v, made %d times; want once", ok, err, len(s.refunds[r.ChargeID]))
	}
	r, err = p.Capture(t.Context(), old)
	expect(t, "capture a day later", r, err, payments.ChargeCaptured)
	if s.made != 1 {
		t.Fatalf("%d payment intents, want 1", s.made)
	}
}

func TestARefundOfNothingIsRefused(t *testing.T) {
	_, p := newStub(t)
	ok, err := p.Refund(t.Context(), payments.RefundOrder{Key: "rfd_1", ChargeID: "pi_none", Amount: money.New(1, "EUR"), CreatedAt: time.Now()})
	if ok || err != nil {
		t.Fatalf("refund: %v, %v; want a refusal", ok, err)
	}
}
