package notifications

import (
	"strings"
	"time"

	"sidecart.dev/kit/id"
)

// Channel is a way to reach a customer.
type Channel string

// The channels.
const (
	Email Channel = "email"
	SMS   Channel = "sms"
)

// Channels returns every channel.
func Channels() []Channel { return []Channel{Email, SMS} }

// Status is where a delivery stands. It goes from queued to one of the others, once.
type Status string

// The statuses.
const (
	Queued Status = "queued"
	Sent   Status = "sent" // the provider took it
	// Failed: the provider will never take it, or it came too late to be of use.
	Failed     Status = "failed"
	Suppressed Status = "suppressed" // it was not to be sent
)

// Delivery is one message to one recipient by one channel.
type Delivery struct {
	ID          string    `json:"id"`
	Channel     Channel   `json:"channel"`
	Status      Status    `json:"status"`
	Recipient   string    `json:"recipient,omitempty"` // address or number; erased with the user
	Subject     string    `json:"subject,omitempty"`   // erased with the user
	Reason      string    `json:"reason,omitempty"`    // why it failed, was suppressed or waits
	Seq         uint64    `json:"seq,omitempty"`       // position in the user's list; 0: not listed
	Attempts    int       `json:"attempts,omitempty"`
	LastAttempt time.Time `json:"last_attempt,omitzero"`
	NextAttempt time.Time `json:"next_attempt,omitzero"` // not before this
	SentAt      time.Time `json:"sent_at,omitzero"`
	// Claimed is until when the process that has claimed the delivery may be sending it.
	Claimed time.Time `json:"claimed,omitzero"`
}

// Content is what a message is rendered from. It is frozen when the event is accepted, so that
// every attempt sends the same.
type Content struct {
	Name      string    `json:"name,omitempty"`
	Locale    string    `json:"locale"`
	Facts     Facts     `json:"facts"`
	TokenKind TokenKind `json:"token_kind,omitempty"`
	Token     string    `json:"token,omitempty"`
	// Expires is the token's end. A message that comes later is of no use.
	Expires time.Time `json:"expires,omitzero"`
	// Last: what follows this mail within the hour is not sent, and the mail says so.
	Last bool `json:"last,omitempty"`
}

// Record is what is kept of one event: the deliveries it led to, which may be none that was sent.
// That it exists means that the event was accepted.
type Record struct {
	ID         string     `json:"id"`
	EventID    string     `json:"event_id"`
	EventType  string     `json:"event_type"`
	Kind       Kind       `json:"kind"`
	UserID     string     `json:"user_id"`
	OrderID    string     `json:"order_id,omitempty"`
	EventTime  time.Time  `json:"event_time,omitzero"` // records of earlier releases have none
	CreatedAt  time.Time  `json:"created_at"`
	Deliveries []Delivery `json:"deliveries"`
	// Content is dropped as soon as no delivery needs it: nothing that was mailed, a token least of
	// all, is kept.
	Content *Content  `json:"content,omitempty"`
	Erased  time.Time `json:"erased,omitzero"` // when what names the user was erased
	// Swept is when everything else of the user was erased for the last time, in the record of a
	// deletion.
	Swept time.Time `json:"swept,omitzero"`
}

// RecordID returns the id of the record of an event.
func RecordID(eventID string) string { return id.Of("", eventID) }

// DeliveryID returns the id of the delivery of an event by a channel.
func DeliveryID(eventID string, c Channel) string { return id.Of("ntf_", eventID+"|"+string(c)) }

// EntryID returns the id under which a delivery stands in its user's list.
func EntryID(recordID string, c Channel) string { return recordID + "/" + string(c) }

// ParseEntryID is the reverse of [EntryID].
func ParseEntryID(entry string) (recordID string, c Channel) {
	recordID, channel, _ := strings.Cut(entry, "/")
	return recordID, Channel(channel)
}

// Delivery returns the delivery by that channel, for the caller to change, or nil.
func (r *Record) Delivery(c Channel) *Delivery {
	for i := range r.Deliveries {
		if r.Deliveries[i].Channel == c {
			return &r.Deliveries[i]
		}
	}
	return nil
}

// Ended reports whether every delivery came to an end.
func (r *Record) Ended() bool {
	for i := range r.Deliveries {
		if r.Deliveries[i].Status == Queued {
			return false
		}
	}
	return true
}

// Done reports whether nothing is left to do: every delivery came to an end and, after a deletion,
// everything is erased.
func (r Record) Done() bool {
	m, _ := MessageOf(r.EventType)
	return r.Ended() && (!m.Erases || !r.Swept.IsZero())
}

// end brings a queued delivery to its end. The content goes with the last one.
func (r *Record) end(d *Delivery, s Status, reason string, now time.Time) {
	d.Status, d.Reason, d.Claimed, d.NextAttempt = s, reason, time.Time{}, time.Time{}
	if s == Sent {
		d.SentAt = now
	}
	if r.Ended() {
		r.Content = nil
	}
}

// Erase removes what names the user and keeps what is counted. A delivery that is still waiting is
// suppressed. It reports whether there was anything to do.
func (r *Record) Erase(now time.Time) bool {
	if !r.Erased.IsZero() {
		return false
	}
	for i := range r.Deliveries {
		d := &r.Deliveries[i]
		if d.Status == Queued {
			d.Status, d.Reason = Suppressed, ReasonDeleted
		}
		d.Recipient, d.Subject = "", ""
	}
	r.Content, r.Erased = nil, now
	return true
}

// Reasons a customer may read.
const (
	ReasonPreference  = "Switched off in the contact preferences."
	ReasonUnverified  = "The e-mail address is not verified."
	ReasonUnknownUser = "The account does not exist."
	ReasonNoPhone     = "The account has no phone number."
	ReasonUnconfirmed = "The phone number is not confirmed."
	ReasonBadAddress  = "The address cannot be used."
	ReasonFlood       = "Too many messages to this recipient in a short time."
	ReasonBudget      = "Too many SMS messages are being sent at present."
	ReasonDeleted     = "The account was deleted."
	ReasonStale       = "No longer needed."
	ReasonExpired     = "The link or code expired before the message could be delivered."
	ReasonGaveUp      = "The provider did not take the message for too long."
	ReasonRejected    = "The provider rejected the message."
	ReasonRetrying    = "The provider does not take messages at present; it will be tried again."
)
