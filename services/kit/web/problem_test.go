package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/web"
)

func TestAProblemCarriesWhatItsCodePromises(t *testing.T) {
	answer := httptest.NewRecorder()
	web.WriteError(answer, httptest.NewRequest(http.MethodPost, "/orders", nil), &fault.Error{
		Kind: fault.Conflict, Code: "total_changed", Message: "It is dearer.",
		Extensions: map[string]any{"quote": map[string]int{"amount": 1}, "status": 200},
	})
	var got map[string]any
	if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got["quote"] == nil || got["code"] != "total_changed" || got["detail"] != "It is dearer." {
		t.Errorf("%v: want the extension and the members of every problem", got)
	}
	if got["status"] != 409.0 {
		t.Errorf("status %v: an extension has replaced a member of the problem", got["status"])
	}
}

func TestAnExtensionThatCannotBeWrittenCostsNothingElse(t *testing.T) {
	answer := httptest.NewRecorder()
	web.WriteError(answer, httptest.NewRequest(http.MethodPost, "/", nil), &fault.Error{
		Kind: fault.Conflict, Code: "conflict", Extensions: map[string]any{"bad": make(chan int)},
	})
	var got web.Problem
	if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil || got.Code != "conflict" || answer.Code != http.StatusConflict {
		t.Errorf("%d %s (%v): want the problem without the extension", answer.Code, answer.Body, err)
	}
}
