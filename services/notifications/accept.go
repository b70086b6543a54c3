package notifications

import (
	"context"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/text"
)

// Accept takes responsibility for telling the customer what the event says. When it returns nil the deliveries are
// recorded and will be made, whatever dies. It is idempotent; a transient fault asks for the event to be delivered again.
func (s *Service) Accept(ctx context.Context, e event.Event) error {
	m, ok := MessageOf(e.Type)
	if !ok {
		return nil
	}
	facts, err := FactsOf(m, e)
	if err != nil {
		return err
	}
	id := RecordID(e.ID)
	if s.known.has(id) {
		return nil
	}
	before, found, err := s.Store.Load(ctx, id)
	if err != nil {
		return err
	}
	if found && before.Exists {
		s.known.add(id)
		return nil
	}
	record, err := s.compose(ctx, m, e, facts)
	if err != nil {
		return err
	}
	if err := s.insert(ctx, record, before.ETag, m.Erases || !record.Settled()); err != nil {
		return err
	}
	s.known.add(id)
	return nil
}

// compose decides who is told what, and asks for what it takes.
func (s *Service) compose(ctx context.Context, m Message, e event.Event, facts Facts) (Record, error) {
	contact, err := s.contact(ctx, facts.UserID, e.Time)
	if err != nil {
		return Record{}, err
	}
	if m.Erases {
		s.Contacts.Forget(facts.UserID)
	}
	r := Record{
		ID: RecordID(e.ID), EventID: e.ID, EventType: e.Type, Kind: m.Kind,
		UserID: facts.UserID, OrderID: facts.OrderID, Deliveries: decide(m, e.ID, contact),
	}
	content := contentFor(m, facts, contact)
	if err := s.addToken(ctx, m, e.ID, &r, &content); err != nil {
		return Record{}, err
	}
	subject, err := s.Renderer.Subject(m.Template, content)
	if err != nil {
		return Record{}, err
	}
	for i := range r.Deliveries {
		d := &r.Deliveries[i]
		d.Subject = subject
		if d.Status != Queued {
			continue
		}
		allowed, err := s.flood.take(ctx, *d, m.Kind, facts.UserID, contact.EmailVerified)
		if err != nil {
			return Record{}, err
		}
		if !allowed {
			*d = d.suppressed(ReasonFlood)
		}
	}
	if !r.Settled() {
		r.Content = &content
	}
	return r, nil
}

// contentFor is what a message says. To an address that nobody has verified it says nothing that somebody typed: whoever
// registered the address may be a stranger to its owner, and would have us carry his words there. To a verified one a name
// is written if it is one, since names older than the rule for them may still be links, and a reason if no mail program
// would make a link of it.
func contentFor(m Message, facts Facts, contact *Contact) Content {
	if contact == nil {
		return Content{Facts: facts}
	}
	c := Content{Facts: facts, Locale: contact.Locale}
	if contact.EmailVerified {
		if name := OneLine(contact.Name); text.Line(name, 1, maxName) == nil && !text.HasLink(name) {
			c.Name = name
		}
	}
	if m.Typed && (!contact.EmailVerified || text.HasLink(facts.Reason)) {
		c.Facts.Reason = ""
	}
	return c
}

// maxName bounds a name in a mail, in characters.
const maxName = 100

// addToken fetches the mailed token, if the message carries one. If the user needs none any more, nothing is sent.
func (s *Service) addToken(ctx context.Context, m Message, eventID string, r *Record, c *Content) error {
	if m.Token == NoToken || r.Settled() {
		return nil
	}
	token, err := s.Contacts.Token(ctx, r.UserID, m.Token, eventID)
	switch {
	case err == nil:
		c.TokenKind, c.Token, c.Expires = m.Token, token.Token, token.Expires
		if m.Code {
			r.addressCode(token.Phone)
		}
		return nil
	case fault.KindOf(err).Transient():
		return err
	}
	for i := range r.Deliveries {
		if r.Deliveries[i].Status == Queued {
			r.Deliveries[i] = r.Deliveries[i].suppressed(ReasonStale)
		}
	}
	return nil
}

// addressCode sends a code to the number that it is for.
func (r *Record) addressCode(number string) {
	d := &r.Deliveries[0]
	d.Recipient = number
	if !phone.MatchString(number) {
		d.Recipient, d.Status, d.Reason = "", Failed, ReasonBadAddress
	}
}

// insert lists and writes the record. If work remains after that, it is journalled first. An etag is that of a
// tombstone, to be replaced.
func (s *Service) insert(ctx context.Context, r Record, etag string, work bool) error {
	ticket := Ticket(noTicket{})
	if work {
		var err error
		if ticket, err = s.Journal.Begin(ctx, r.ID); err != nil {
			return err
		}
	}
	defer ticket.Release()
	if err := s.list(ctx, &r); err != nil {
		return err
	}
	r.CreatedAt = s.cfg.Now().UTC()
	err := s.write(ctx, r, etag)
	switch {
	case err == nil:
		ticket.Wrote()
		s.meters.accepted(r)
		s.handOver(r)
		return nil
	case sidecar.IsExists(err):
		ticket.Wrote()
		return s.acceptedElsewhere(ctx, r.ID)
	}
	return err
}

// acceptedElsewhere returns nil if it is a record that stands where one was to be inserted. A tombstone accepts nothing: an earlier attempt
// at this event was fenced off meanwhile, and the event must come again to be written over it.
func (s *Service) acceptedElsewhere(ctx context.Context, id string) error {
	stored, found, err := s.Store.Load(ctx, id)
	if err != nil || found && stored.Exists {
		return err
	}
	return fault.New(fault.Unavailable, "unavailable", "The event was fenced off while it was being accepted; it must be delivered again.")
}

// noTicket is held for a record that leaves nothing to do.
type noTicket struct{}

func (noTicket) Release() {}
func (noTicket) Wrote()   {}
func (noTicket) Finish()  {}

func (s *Service) write(ctx context.Context, r Record, etag string) error {
	if etag == "" {
		return s.Store.Insert(ctx, r)
	}
	err := s.Store.Update(ctx, r, etag)
	if sidecar.IsConflict(err) {
		return fault.Wrap(err, fault.Unavailable, "unavailable", "The record changed meanwhile.")
	}
	return err
}

// list appends the deliveries to the user's list. A user who does not exist has none.
func (s *Service) list(ctx context.Context, r *Record) error {
	if r.Deliveries[0].Reason == ReasonUnknownUser {
		return nil
	}
	entries := make([]string, len(r.Deliveries))
	for i := range r.Deliveries {
		entries[i] = EntryID(r.ID, r.Deliveries[i].Channel)
	}
	positions, err := s.Lists.Append(ctx, r.UserID, entries)
	if err != nil {
		return err
	}
	for i := range positions {
		r.Deliveries[i].Seq = positions[i]
	}
	return nil
}
