// Package peers is what notifications asks other services, by way of its sidecar: who a user is.
package peers

import (
	"context"
	"net/http"
	"sync"
	"time"

	"sidecart.dev/kit/batch"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/notifications"
)

// Contacts asks the users service who a user is. It is safe for concurrent use.
//
// An answer is used for an event only if it is newer than the event: who changes a preference and
// then orders finds it obeyed. Older answers are used, for a while, when the users service does not
// answer.
type Contacts struct {
	caller  sidecar.Caller
	now     func() time.Time
	slack   time.Duration
	lookups *batch.Batcher[*lookup]

	mu    sync.Mutex
	cache map[string]cached
}

type cached struct {
	contact notifications.Contact
	asked   time.Time // when the question was sent: the answer is at least as new
}

var _ notifications.Contacts = (*Contacts)(nil)

const (
	maxContacts  = 10_000           // entries of the cache
	contactBatch = 100              // users asked for in one call
	contactLife  = 15 * time.Second // how long an answer is used while users can be asked
	contactStale = 10 * time.Minute // how long it is used while they cannot
)

// NewContacts makes Contacts. An answer that is older than the event by less than slack will do.
// Questions that come densely wait for each other, for window at most: see package batch. A nil now
// means time.Now.
func NewContacts(caller sidecar.Caller, slack, window time.Duration,
	now func() time.Time,
) *Contacts {
	if now == nil {
		now = time.Now
	}
	c := &Contacts{caller: caller, now: now, slack: slack, cache: map[string]cached{}}
	c.lookups = batch.New(window, contactBatch, c.lookUp, func(l *lookup) { close(l.done) })
	return c
}

// Contact implements [notifications.Contacts].
func (c *Contacts) Contact(ctx context.Context, userID string,
	asOf time.Time,
) (notifications.Contact, error) {
	known, ok := c.known(userID)
	if ok && known.asked.After(asOf.Add(-c.slack)) && c.now().Sub(known.asked) < contactLife {
		return known.contact, nil
	}
	contact, found, err := c.look(ctx, userID)
	switch {
	case err != nil && ok && fault.KindOf(err).Transient() && c.now().Sub(known.asked) < contactStale:
		return known.contact, nil
	case err != nil:
		return notifications.Contact{}, err
	case !found:
		return notifications.Contact{}, errNotThere
	}
	return contact, nil
}

// Forget implements [notifications.Contacts].
func (c *Contacts) Forget(userID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.cache, userID)
}

func (c *Contacts) known(userID string) (cached, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, ok := c.cache[userID]
	return entry, ok
}

// ask asks for several users in one call.
func (c *Contacts) ask(ctx context.Context,
	userIDs []string,
) (map[string]notifications.Contact, error) {
	asked := c.now()
	var answer struct {
		Contacts []notifications.Contact `json:"contacts"`
	}
	question := map[string]any{"user_ids": userIDs}
	err := c.caller.Call(ctx, "users", http.MethodPost, "/internal/contacts", question, &answer)
	if err != nil {
		return nil, notOurs(err)
	}
	found := make(map[string]notifications.Contact, len(answer.Contacts))
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, contact := range answer.Contacts {
		found[contact.UserID] = contact
		if len(c.cache) >= maxContacts {
			clear(c.cache) // it fills again with who is active
		}
		c.cache[contact.UserID] = cached{contact, asked}
	}
	for _, id := range userIDs {
		if _, ok := found[id]; !ok {
			delete(c.cache, id)
		}
	}
	return found, nil
}

// Token implements [notifications.Contacts].
func (c *Contacts) Token(ctx context.Context, userID string, kind notifications.TokenKind,
	eventID string,
) (token notifications.MailToken, err error) {
	question := map[string]any{"user_id": userID, "kind": kind, "event_id": eventID}
	err = c.caller.Call(ctx, "users", http.MethodPost, "/internal/mail-tokens", question, &token)
	return token, err
}

// notOurs makes any refusal of a bulk question transient: it says nothing about one user.
func notOurs(err error) error {
	if fault.KindOf(err).Transient() {
		return err
	}
	return fault.Wrap(err, fault.Unavailable, "unavailable",
		"The users service refuses to tell contacts.")
}

func timedOut(ctx context.Context) error {
	return fault.Wrap(ctx.Err(), fault.Timeout, "timeout", "There was no answer in time.")
}

var errNotThere = fault.New(fault.NotFound, "not_found", "There is no such user.")
