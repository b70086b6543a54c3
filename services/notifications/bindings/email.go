// Package bindings hands messages to the providers behind the output bindings of the sidecar.
package bindings

import (
	"context"
	"regexp"
	"strings"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/tracing"
	"sidecart.dev/notifications"
)

// EmailSender sends e-mail through an SMTP binding.
//
// The official bindings.smtp merges the metadata of a request into its own settings, and there they
// stay: an empty field is filled from the previous mail, and mails sent at the same time mix. What
// makes it safe is that every call sets a recipient and a subject that are not empty, that nobody
// ever sets a CC or BCC (an empty one does not clear an earlier one), that an address is exactly
// one address, and that one call is under way at a time: concurrency above 1 needs the corrected
// binding of deploy/local/sidecar. A recipient is bounded to one call even when a call is given up:
// the binding has composed the mail before it talks to the server.
//
// One fault of the official binding cannot be helped from here: a server that takes a connection
// and drops it at the greeting makes it reconnect without end, past our time limit, and deliver
// when the server is back; the mail then comes twice.
type EmailSender struct {
	binding sidecar.Binding
	name    string
}

var _ notifications.Sender = (*EmailSender)(nil)

// NewEmailSender makes a sender on the named binding component.
func NewEmailSender(binding sidecar.Binding, name string) *EmailSender {
	return &EmailSender{binding: binding, name: name}
}

// Send implements [notifications.Sender].
func (s *EmailSender) Send(ctx context.Context, m notifications.Outgoing) error {
	subject := notifications.OneLine(m.Subject)
	if !notifications.ValidEmail(m.To) {
		return fault.New(fault.Unprocessable, "bad_address", notifications.ReasonBadAddress)
	}
	if strings.TrimSpace(subject) == "" || m.HTML == "" {
		return fault.New(fault.Internal, "internal", "A mail without a subject or a body is not sent.")
	}
	_, err := s.binding.Invoke(ctx, s.name, "create", []byte(traced(ctx, m.HTML)), map[string]string{
		"emailTo":  m.To,
		"emailCC":  "",
		"emailBCC": "",
		"subject":  subject,
		// The official binding ignores these.
		"messageId": m.ID,
		"text":      m.Text,
	})
	return emailFault(err)
}

// traced names in a mail the trace that it is sent in, as pages name theirs to a browser: in a meta
// element called traceparent. The official binding sets no headers. A document without the plain
// tag <head>, which a template of one's own may be, stays as it is.
func traced(ctx context.Context, html string) string {
	parent := tracing.TraceParent(ctx)
	if parent == "" {
		return html
	}
	const head = "<head>"
	return strings.Replace(html, head, head+`<meta name="traceparent" content="`+parent+`">`, 1)
}

var (
	// The corrected binding says so.
	permanentFailure = regexp.MustCompile(`smtp binding: permanent failure`)
	// The official binding only quotes the server, or the parser of addresses. A refused login
	// (530, 534, 535, 538) is no fault of the recipient's, and an operator will mend it; the same
	// goes for a server that refuses to talk (554, 521 while dialling).
	refusedForGood = regexp.MustCompile(
		`gomail: could not send email \d+: (?:5\d\d\b|gomail: invalid address)`)
	refusedLogin = regexp.MustCompile(`could not send email \d+: 53[0458]\b`)
)

func emailFault(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	refused := refusedForGood.MatchString(text) && !refusedLogin.MatchString(text)
	return sendingFault(err, refused || permanentFailure.MatchString(text))
}
