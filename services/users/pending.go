package users

import (
	"time"

	"sidecart.dev/kit/event"
)

// Pending is an event that the account's document still holds, because not all who have a part in
// it have accepted it.
type Pending struct {
	Type        string    `json:"type"`
	Version     int64     `json:"version"`
	At          time.Time `json:"at"`
	TraceParent string    `json:"traceparent,omitempty"`
}

// ID returns the event's id.
func (p Pending) ID(userID string) string { return event.ID(userID, p.Version, p.Type) }

// timeFields names the field of each event's data that says when it happened.
var timeFields = map[string]string{
	EventRegistered:      "registered_at",
	EventDeleted:         "deleted_at",
	EventVerifyRequested: "requested_at",
	EventPhoneRequested:  "requested_at",
	EventResetRequested:  "requested_at",
	EventPasswordChanged: "changed_at",
}

// Event returns the event. It carries ids and times only: who needs an address or a link asks for
// it.
func (p Pending) Event(userID string) (event.Event, error) {
	e, err := event.New("users", p.Type, userID, p.Version, p.At, map[string]any{
		"user_id": userID, "version": p.Version, timeFields[p.Type]: p.At,
	})
	e.TraceParent = p.TraceParent
	return e, err
}

// listeners returns the services that have to accept an event before it is forgotten, whatever the
// bus loses. Who only likes to know is not among them.
func (p Pending) listeners() []string {
	if p.Type == EventDeleted {
		return []string{"notifications", "orders", "payments"} // all of whom erase something
	}
	return []string{"notifications"} // which tells the owner
}
