package mailbox

import (
	"crypto/rand"
	"strings"
	"time"
)

// SMS is a caught SMS, as GET /api/v1/sms shows it.
type SMS struct {
	ID        string
	From      string
	To        string
	Body      string
	Reference string
	Read      bool
	Created   time.Time
}

// NewSMS makes a message of a received SMS.
func NewSMS(from, to, body, reference string, now time.Time) *Message {
	m := &Message{ID: rand.Text(), Created: now.UTC().Truncate(time.Millisecond)}
	m.sms = &SMS{ID: m.ID, From: from, To: to, Body: body, Reference: reference, Created: m.Created}
	m.search = strings.ToLower(strings.Join([]string{from, to, body, reference}, " "))
	return m
}

// IsSMS accepts SMS messages.
func IsSMS(m *Message) bool { return m.sms != nil }

// SMS returns the SMS message as it stands now; the message must be one.
func (m *Message) SMS() SMS {
	view := *m.sms
	view.Read = m.read.Load()
	return view
}

// SentTo accepts the SMS messages to a number, by its digits; without any, every SMS message.
func SentTo(number string) func(*Message) bool {
	to := digits(number)
	return func(m *Message) bool { return IsSMS(m) && (to == "" || digits(m.sms.To) == to) }
}

// digits is a phone number as it is compared.
func digits(number string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, number)
}
