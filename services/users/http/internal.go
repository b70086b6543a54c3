package http

import (
	"net/http"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/web"
	"sidecart.dev/users"
)

// maxContacts bounds one question for contact details.
const maxContacts = 200

// contactJSON is what notifications needs to reach somebody.
type contactJSON struct {
	UserID        string            `json:"user_id"`
	Email         string            `json:"email"`
	EmailVerified bool              `json:"email_verified"`
	Phone         string            `json:"phone,omitempty"`
	PhoneVerified bool              `json:"phone_verified"`
	Name          string            `json:"name"`
	Locale        string            `json:"locale"`
	Preferences   users.Preferences `json:"preferences"`
	Status        users.Status      `json:"status"`
}

// contacts answers the details of those accounts that still have any. A deleted account has until
// notifications has accepted its last event.
func (a *api) contacts(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		UserIDs []string `json:"user_ids"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	if len(in.UserIDs) > maxContacts {
		return fault.InvalidField("user_ids", "must be at most 200 items")
	}
	found, err := a.service.Contacts(r.Context(), in.UserIDs)
	if err != nil {
		return err
	}
	out := struct {
		Contacts []contactJSON `json:"contacts"`
	}{make([]contactJSON, 0, len(found))}
	for _, u := range found {
		out.Contacts = append(out.Contacts, contactJSON{
			UserID: u.ID, Email: u.Email, EmailVerified: u.EmailVerified,
			Phone: u.Phone, PhoneVerified: u.PhoneVerified, Name: u.Name,
			Locale: u.Locale, Preferences: u.Preferences, Status: u.Status,
		})
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// ended answers what has ended within the life of an access token, once that is something else than
// the caller knows. Any service may ask: these are ids that give access to nothing.
func (a *api) ended(w http.ResponseWriter, r *http.Request) error {
	set, err := a.service.Ended(r.Context(), r.URL.Query().Get("known"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, set)
}

// mintToken answers a fresh token for a message that is about to be sent. Tokens travel in this
// answer and in the message only. The answer for a code names the number that it is for: the
// account may have another one a moment later.
func (a *api) mintToken(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		UserID  string          `json:"user_id"`
		Kind    users.TokenKind `json:"kind"`
		EventID string          `json:"event_id"` // of the event that the mail is about
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	if !users.ValidID(in.UserID) {
		return fault.New(fault.NotFound, "not_found", "There is no such account.")
	}
	if in.Kind.Life() == 0 {
		return fault.InvalidField("kind", "must be verify, reset or phone")
	}
	m, err := a.service.MintToken(r.Context(), in.UserID, in.Kind)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expires_at"`
		Phone     string    `json:"phone,omitempty"`
	}{m.Token, m.Expires, m.Phone})
}
