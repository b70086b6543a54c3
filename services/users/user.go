// Package users is the domain of the users service: accounts, credentials and sessions, without any
// I/O of its own.
//
// [User] is the aggregate; everything that happens to an account is a method of it, and its
// undelivered events stand inside the same document, so one write moves both. [Service] has the use
// cases, and finishes what a crash interrupted.
package users

import (
	"time"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/event"
)

// Status says whether an account exists for its owner.
type Status string

// The statuses. A deleted account never comes back; its e-mail address may be registered anew.
const (
	Active  Status = "active"
	Deleted Status = "deleted"
)

// Event types on the topic users.
const (
	Topic                 = "users"
	EventRegistered       = "user.registered.v1"
	EventDeleted          = "user.deleted.v1"
	EventVerifyRequested  = "user.email_verification_requested.v1"
	EventPhoneRequested   = "user.phone_confirmation_requested.v1"
	EventResetRequested   = "user.password_reset_requested.v1"
	EventPasswordChanged  = "user.password_changed.v1"
	mailCooldown          = time.Minute // between two mails of one kind to one account
	maxTokensPerKind      = 3           // a mail that was sent twice has two links, and both work
	verifyTokenLife       = 24 * time.Hour
	resetTokenLife        = time.Hour
	currentDocumentFormat = 1
)

// Preferences say which kinds of message go to which channel.
type Preferences struct {
	Email Channel `json:"email"`
	SMS   Channel `json:"sms"`
}

// Channel says which kinds of message go to one channel.
type Channel struct {
	Orders   bool `json:"orders"`
	Payments bool `json:"payments"`
}

// DefaultPreferences are those of a new account: everything by e-mail, nothing by SMS.
func DefaultPreferences() Preferences {
	return Preferences{Email: Channel{Orders: true, Payments: true}}
}

// User is one account as it is stored. It is a value: use cases read it, change their copy by the
// methods below, and write it back under the revision they read. It is not safe for concurrent use.
type User struct {
	Format        int         `json:"format"`
	ID            string      `json:"id"`
	Version       int64       `json:"version"` // grows with every change its owner can see, and event
	Status        Status      `json:"status"`
	Role          auth.Role   `json:"role"`
	Email         string      `json:"email,omitempty"` // normalised; empty once erased
	EmailVerified bool        `json:"email_verified"`
	OwnerKnown    bool        `json:"owner_known,omitempty"` // its reader knew the password
	Name          string      `json:"name,omitempty"`
	Phone         string      `json:"phone,omitempty"`
	PhoneVerified bool        `json:"phone_verified,omitempty"`
	Locale        string      `json:"locale,omitempty"`
	Preferences   Preferences `json:"preferences"`
	PasswordHash  string      `json:"password_hash,omitempty"` // PHC string
	Epoch         int64       `json:"epoch"`                   // sessions of an earlier epoch are dead
	EpochAt       time.Time   `json:"epoch_at,omitzero"`       // when the epoch began
	EndsUntold    bool        `json:"ends_untold,omitempty"`   // services may not know that it began
	CreatedAt     time.Time   `json:"created_at"`
	UpdatedAt     time.Time   `json:"updated_at"`
	DeletedAt     time.Time   `json:"deleted_at,omitzero"`
	Tokens        []MailToken `json:"tokens,omitempty"`
	DeviceKey     []byte      `json:"device_key,omitempty"` // see [Client]
	Pending       []Pending   `json:"pending,omitempty"`    // events that are not accepted yet
	VerifyAskedAt time.Time   `json:"verify_asked_at,omitzero"`
	PhoneAskedAt  time.Time   `json:"phone_asked_at,omitzero"`
	ResetAskedAt  time.Time   `json:"reset_asked_at,omitzero"`
}

// newUser makes an account from checked input, with the event that tells of it.
func newUser(id string, role auth.Role, r Registration, passwordHash string, now time.Time,
	trace string,
) User {
	u := User{
		Format: currentDocumentFormat, ID: id, Status: Active, Role: role,
		Email: r.Email, Name: r.Name, Phone: r.Phone, Locale: r.Locale,
		Preferences: DefaultPreferences(), PasswordHash: passwordHash, Epoch: 1, CreatedAt: now,
		VerifyAskedAt: now,
	}
	u.happened(EventRegistered, now, trace)
	u.AskPhoneCode(now, trace)
	return u
}

// changed notes a change the owner can see.
func (u *User) changed(now time.Time) {
	u.Version++
	u.UpdatedAt = now
}

// happened notes a change with an event. An undelivered event of the same type is replaced: whoever
// has not heard of two changes of a password is told once, and a later link makes an earlier one
// needless.
func (u *User) happened(eventType string, now time.Time, trace string) {
	u.changed(now)
	kept := u.Pending[:0:0]
	for _, p := range u.Pending {
		if p.Type != eventType {
			kept = append(kept, p)
		}
	}
	kept = append(kept, Pending{Type: eventType, Version: u.Version, At: now, TraceParent: trace})
	u.Pending = kept
}

// SetPassword replaces the password, ends every session and spends every reset link.
func (u *User) SetPassword(passwordHash string, now time.Time, trace string) {
	u.PasswordHash = passwordHash
	u.EndSessions(now)
	u.dropTokens(Reset)
	u.happened(EventPasswordChanged, now, trace)
}

// ProveAddress notes that a mailed link was used: whoever used it reads the mail of the address.
// Known says that the same person knows the account's password. As long as that was never so,
// whoever registered the address may have been somebody else, and every proof takes back what he
// has set: sessions, phone number and preferences. Otherwise he would go on reading the owner's
// messages. It reports whether it has taken them back.
func (u *User) ProveAddress(known bool, now time.Time) (tookBack bool) {
	tookBack = !known && !u.OwnerKnown
	if tookBack {
		u.takeBack(now)
	}
	u.EmailVerified = true
	u.OwnerKnown = u.OwnerKnown || known
	u.dropTokens(Verify)
	u.changed(now)
	return tookBack
}

// takeBack ends everything by which whoever registered the account could go on being part of it,
// but the password.
func (u *User) takeBack(now time.Time) {
	u.setPhone("")
	u.Preferences, u.DeviceKey = DefaultPreferences(), nil
	u.EndSessions(now)
}

// EndSessions makes every session of the account dead.
func (u *User) EndSessions(now time.Time) {
	u.Epoch++
	u.EpochAt, u.EndsUntold = now, true
}

// Done reports whether the account has no business left but its events.
func (u User) Done() bool { return !u.EndsUntold }

// Events returns the events that not all have accepted who have to.
func (u User) Events() ([]event.Event, error) {
	events := make([]event.Event, len(u.Pending))
	for i, p := range u.Pending {
		var err error
		if events[i], err = p.Event(u.ID); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// AskVerification wants a verification mail sent. It reports false if there is nothing to do: the
// address is verified, or a mail was asked for a moment ago.
func (u *User) AskVerification(now time.Time, trace string) bool {
	if u.EmailVerified || now.Sub(u.VerifyAskedAt) < mailCooldown {
		return false
	}
	u.VerifyAskedAt = now
	u.happened(EventVerifyRequested, now, trace)
	return true
}

// AskReset wants a reset mail sent. It reports false if one was asked for a moment ago.
func (u *User) AskReset(now time.Time, trace string) bool {
	if now.Sub(u.ResetAskedAt) < mailCooldown {
		return false
	}
	u.ResetAskedAt = now
	u.happened(EventResetRequested, now, trace)
	return true
}

// Delete ends the account. Credentials and sessions are gone at once; name, address and number stay
// until notifications has accepted the event, because the last message needs them (see
// [User.Accept]).
func (u *User) Delete(now time.Time, trace string) {
	u.Status, u.DeletedAt = Deleted, now
	u.PasswordHash, u.Tokens, u.Pending, u.DeviceKey = "", nil, nil, nil
	u.EndSessions(now)
	u.happened(EventDeleted, now, trace)
}

// Accept forgets the events that notifications has durably accepted, and erases a deleted account
// of which nothing is left to tell. It reports whether it changed anything.
func (u *User) Accept(accepted func(eventID string) bool) bool {
	kept := u.Pending[:0:0]
	for _, p := range u.Pending {
		if !accepted(p.ID(u.ID)) {
			kept = append(kept, p)
		}
	}
	changed := len(kept) != len(u.Pending)
	u.Pending = kept
	if u.Status == Deleted && len(kept) == 0 && u.Email != "" {
		u.erase()
		changed = true
	}
	return changed
}

// erase removes all personal data. What stays says only that there was an account, so that its id
// is never used again.
func (u *User) erase() {
	*u = User{
		Format: u.Format, ID: u.ID, Version: u.Version, Status: Deleted, Role: u.Role, Epoch: u.Epoch,
		CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt, DeletedAt: u.DeletedAt,
	}
}
