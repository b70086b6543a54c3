package notifications

import (
	"net/mail"
	"regexp"
	"strings"
	"time"
)

// Preference says which kinds of message a customer wants by one channel.
type Preference struct {
	Orders   bool `json:"orders"`
	Payments bool `json:"payments"`
}

// Preferences says which kinds of message a customer wants by which channel.
type Preferences struct {
	Email Preference `json:"email"`
	SMS   Preference `json:"sms"`
}

// Contact is how a customer can be reached, as the users service tells.
type Contact struct {
	UserID        string      `json:"user_id"`
	Email         string      `json:"email"`
	EmailVerified bool        `json:"email_verified"`
	Phone         string      `json:"phone,omitempty"`
	PhoneVerified bool        `json:"phone_verified"`
	Name          string      `json:"name"`
	Locale        string      `json:"locale"`
	Preferences   Preferences `json:"preferences"`
	Status        string      `json:"status"` // "deleted" while an account's last messages are sent
}

const deleted = "deleted"

// wants reports whether the preferences allow the kind by the channel.
func (p Preferences) wants(c Channel, k Kind) bool {
	pref := p.Email
	if c == SMS {
		pref = p.SMS
	}
	switch k {
	case Orders:
		return pref.Orders
	case Payments:
		return pref.Payments
	case Security:
		return c == Email // always, and by e-mail alone
	}
	return false
}

// decide returns the deliveries of a message to a contact, nil meaning an unknown user. Every
// message but a code has an e-mail delivery, so that the customer can see why it did not come; it
// has an SMS delivery if SMS is wanted.
func decide(m Message, eventID string, contact *Contact) []Delivery {
	if m.Code {
		return []Delivery{decideCode(eventID, contact)}
	}
	email := newDelivery(eventID, Email)
	if contact == nil {
		return []Delivery{email.suppressed(ReasonUnknownUser)}
	}
	if contact.Status == deleted && !m.Erases {
		return []Delivery{email.suppressed(ReasonDeleted)}
	}
	email.Recipient = contact.Email
	switch {
	case !contact.Preferences.wants(Email, m.Kind):
		email = email.suppressed(ReasonPreference)
	case !contact.EmailVerified && !m.Unverified:
		email = email.suppressed(ReasonUnverified)
	case !ValidEmail(contact.Email):
		email.Status, email.Reason = Failed, ReasonBadAddress
	}
	if !contact.Preferences.wants(SMS, m.Kind) {
		return []Delivery{email}
	}
	sms := newDelivery(eventID, SMS)
	sms.Recipient = contact.Phone
	switch {
	case contact.Phone == "":
		sms = sms.suppressed(ReasonNoPhone)
	case !contact.PhoneVerified:
		sms = sms.suppressed(ReasonUnconfirmed)
	case !phone.MatchString(contact.Phone):
		sms.Status, sms.Reason = Failed, ReasonBadAddress
	}
	return []Delivery{email, sms}
}

// decideCode returns the delivery of a code. Its recipient is the number that the code comes with:
// what a contact says may be another number already, whose owner must not be told the code.
func decideCode(eventID string, contact *Contact) Delivery {
	sms := newDelivery(eventID, SMS)
	switch {
	case contact == nil:
		return sms.suppressed(ReasonUnknownUser)
	case contact.Status == deleted:
		return sms.suppressed(ReasonDeleted)
	}
	return sms
}

func newDelivery(eventID string, c Channel) Delivery {
	return Delivery{ID: DeliveryID(eventID, c), Channel: c, Status: Queued}
}

func (d Delivery) suppressed(reason string) Delivery {
	d.Status, d.Reason = Suppressed, reason
	return d
}

var phone = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// ValidEmail reports whether s is exactly one bare address that is safe in a header. The SMTP
// binding splits recipients at ';', so an address with one would go to two.
func ValidEmail(s string) bool {
	if len(s) > 254 || strings.ContainsAny(s, ";,\r\n\"<> \t") || strings.ContainsFunc(s, isControl) {
		return false
	}
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && a.Name == ""
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// OneLine returns s without control characters and line breaks, fit for a header. It changes
// nothing else.
func OneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return isControl(r) || r == '\u0085' || r == '\u2028' || r == '\u2029'
	}), " ")
}

// MailToken is a secret that proves to the users service that its bearer reads the user's mail, or
// a number's messages.
type MailToken struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires_at"`
	// Phone is the number that a code is for, and to which alone it may be sent.
	Phone string `json:"phone"`
}
