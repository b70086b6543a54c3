package bindings_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/kit/tracing"
	"sidecart.dev/notifications"
	"sidecart.dev/notifications/bindings"
)

func message(to string) notifications.Outgoing {
	return notifications.Outgoing{ID: "ntf_1", To: to, Rendered: notifications.Rendered{
		Subject: "Your receipt", HTML: "<p>hi</p>", Text: "hi", SMS: `She said "hi"`,
	}}
}

func TestAMailNeverLeavesARecipientToTheBindingsMemory(t *testing.T) {
	b := &sidecartest.Binding{}
	s := bindings.NewEmailSender(b, "email")
	if err := s.Send(t.Context(), message("ada@example.org")); err != nil {
		t.Fatal(err)
	}
	call := b.Calls()[0]
	for key, want := range map[string]string{"emailTo": "ada@example.org", "emailCC": "", "emailBCC": "", "subject": "Your receipt", "messageId": "ntf_1", "text": "hi"} {
		if got, ok := call.Metadata[key]; !ok || got != want {
			t.Errorf("%s is %q (set: %v), want %q", key, got, ok, want)
		}
	}
	if string(call.Data) != "<p>hi</p>" || call.Operation != "create" || call.Name != "email" {
		t.Errorf("the call is %+v", call)
	}
}

func TestAMailNamesTheTraceThatItIsSentIn(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for html, want := range map[string]string{
		"<html><head><title>Hi</title>": `<html><head><meta name="traceparent" content="` + parent + `"><title>Hi</title>`,
		"<p>no head</p>":                "<p>no head</p>",
	} {
		b := &sidecartest.Binding{}
		m := message("ada@example.org")
		m.HTML = html
		ctx := tracing.Continue(t.Context(), parent)
		if err := bindings.NewEmailSender(b, "email").Send(ctx, m); err != nil {
			t.Fatal(err)
		}
		if got := string(b.Calls()[0].Data); got != want {
			t.Errorf("the mail is %s, want %s", got, want)
		}
	}
}

func TestWhatCouldReachAnotherRecipientIsNotSent(t *testing.T) {
	for _, to := range []string{
		"", "ada", "a@b;eve@example.org", "a@b.org,eve@example.org", "a@b.org\r\nBcc: eve@example.org",
		"a@b.org\n",
		"Eve <eve@example.org>", `"a;b"@example.org`, " a@b.org", "a@b.org\x00",
	} {
		b := &sidecartest.Binding{}
		err := bindings.NewEmailSender(b, "email").Send(t.Context(), message(to))
		if fault.KindOf(err) != fault.Unprocessable || len(b.Calls()) != 0 {
			t.Errorf("to %q: %v, %d calls; want a permanent refusal without a call", to, err, len(b.Calls()))
		}
	}
	b := &sidecartest.Binding{}
	m := message("ada@example.org")
	m.Subject = "\r\n "
	if err := bindings.NewEmailSender(b, "email").Send(t.Context(), m); err == nil || len(b.Calls()) != 0 {
		t.Errorf("an empty subject, which the binding would fill from the last mail: %v", err)
	}
	m.Subject = "Hi\r\nBcc: eve@example.org"
	if err := bindings.NewEmailSender(b, "email").Send(t.Context(), m); err != nil || b.Calls()[0].Metadata["subject"] != "Hi Bcc: eve@example.org" {
		t.Errorf("a subject with line breaks: %v, %v", err, b.Calls())
	}
}

func TestProvidersAnswersAreToldApart(t *testing.T) {
	gomail := "error invoking output binding email: error from smtp binding, sending email failed: "
	for text, permanent := range map[string]bool{
		gomail + "gomail: could not send email 1: 550 5.1.1 no such user":                       true,
		gomail + "gomail: could not send email 1: 554 5.7.1 refused":                            true,
		gomail + `gomail: could not send email 1: gomail: invalid address "x": mail: missing @`: true,
		gomail + "gomail: could not send email 1: 451 4.3.0 later":                              false,
		gomail + "gomail: could not send email 1: 421 closing 550":                              false,
		gomail + "gomail: could not send email 1: 530 5.7.0 authentication required":            false,
		gomail + "gomail: could not send email 1: EOF":                                          false,
		gomail + "535 5.7.8 bad credentials":                                                    false,
		gomail + "dial tcp 127.0.0.1:1025: connect: connection refused":                         false,
		"smtp binding: permanent failure sending to the recipient: 550 no such user":            true,
		"smtp binding: transient failure connecting: refused":                                   false,
	} {
		err := bindings.NewEmailSender(failing(text), "email").Send(t.Context(), message("ada@example.org"))
		if fault.KindOf(err).Transient() == permanent {
			t.Errorf("%s: %v, want permanent: %v", text, fault.KindOf(err), permanent)
		}
	}
	for text, permanent := range map[string]bool{
		"received status code 422": true, "received status code 400": true,
		"received status code 500": false, "received status code 429": false,
		"received status code 401": false, "error from Twilio (400): 400 Bad Request": true,
		"error from Twilio (503): 503 Unavailable": false,
		"dial tcp: connection refused":             false,
	} {
		err := bindings.NewSMSSender(failing(text), "sms", bindings.HTTPGateway, "Shop").Send(t.Context(), message("+49151"))
		if fault.KindOf(err).Transient() == permanent {
			t.Errorf("%s: %v, want permanent: %v", text, fault.KindOf(err), permanent)
		}
	}
}

func failing(text string) *sidecartest.Binding {
	return &sidecartest.Binding{Before: func(context.Context, sidecartest.Invocation) error {
		return fault.Wrap(fmt.Errorf("rpc error: %w", errors.New(text)), fault.Unavailable, "unavailable", "The binding failed.")
	}}
}

func TestEachSMSProviderIsCalledItsWay(t *testing.T) {
	b := &sidecartest.Binding{}
	if err := bindings.NewSMSSender(b, "sms", bindings.HTTPGateway, "Shop").Send(t.Context(), message("+4915112345678")); err != nil {
		t.Fatal(err)
	}
	if err := bindings.NewSMSSender(b, "sms", bindings.Twilio, "Shop").Send(t.Context(), message("+4915112345678")); err != nil {
		t.Fatal(err)
	}
	var body map[string]string
	if err := json.Unmarshal(b.Calls()[0].Data, &body); err != nil {
		t.Fatal(err)
	}
	if body["to"] != "+4915112345678" || body["from"] != "Shop" || body["message"] != `She said "hi"` || body["reference"] != "ntf_1" {
		t.Errorf("the HTTP gateway gets %v", body)
	}
	if c := b.Calls()[1]; string(c.Data) != `She said "hi"` || c.Metadata["toNumber"] != "+4915112345678" || c.Operation != "create" {
		t.Errorf("Twilio's component gets %+v", c)
	}
}
