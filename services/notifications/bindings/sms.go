package bindings

import (
	"context"
	"encoding/json"
	"regexp"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/notifications"
)

// SMSFormat is how an SMS binding wants to be called.
type SMSFormat string

// The formats.
const (
	// HTTPGateway is bindings.http: the operation posts {"to","from","message","reference"} to the
	// component's URL.
	HTTPGateway SMSFormat = "http"
	// Twilio is bindings.twilio.sms: the number in the metadata, the text as data. The component
	// must not have a toNumber of its own, which would win over the request's.
	Twilio SMSFormat = "twilio"
)

// SMSSender sends SMS messages through a binding. It is safe for concurrent use.
type SMSSender struct {
	binding sidecar.Binding
	name    string
	format  SMSFormat
	from    string
}

var _ notifications.Sender = (*SMSSender)(nil)

// NewSMSSender makes a sender on the named binding component. From is the sender an HTTP gateway
// shall show.
func NewSMSSender(binding sidecar.Binding, name string, format SMSFormat, from string) *SMSSender {
	return &SMSSender{binding: binding, name: name, format: format, from: from}
}

// Send implements [notifications.Sender].
func (s *SMSSender) Send(ctx context.Context, m notifications.Outgoing) error {
	text := m.SMS
	if text == "" {
		return fault.New(fault.Internal, "internal", "An SMS message without a text is not sent.")
	}
	data, metadata := []byte(text), map[string]string{"toNumber": m.To}
	if s.format == HTTPGateway {
		body, err := json.Marshal(map[string]string{
			"to": m.To, "from": s.from, "message": text, "reference": m.ID,
		})
		if err != nil {
			return err
		}
		data, metadata = body, map[string]string{
			"Content-Type": "application/json", "Idempotency-Key": m.ID,
		}
	}
	_, err := s.binding.Invoke(ctx, s.name, "create", data, metadata)
	return smsFault(err)
}

// rejectedForGood finds the statuses that speak of this message. Others of the 400s speak of the
// account (401, 402, 403, 404), of time (408, 425) or of rate (429), and pass.
var rejectedForGood = regexp.MustCompile(
	`(?:received status code |error from Twilio \()(?:400|410|413|422)\b`)

func smsFault(err error) error {
	return sendingFault(err, err != nil && rejectedForGood.MatchString(err.Error()))
}

// sendingFault is what a sender returns of the error of its binding: one that was for good speaks
// of this message, every other passes.
func sendingFault(err error, forGood bool) error {
	switch {
	case err == nil:
		return nil
	case forGood:
		return fault.Wrap(err, fault.Unprocessable, "rejected", notifications.ReasonRejected)
	}
	return fault.Wrap(err, fault.Unavailable, "unavailable", notifications.ReasonRetrying)
}
