package notifications

import (
	"context"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/text"
)

// Accept takes responsibility for telling the customer what the event says. When it returns nil the
// deliveries are recorded and will be made, whatever dies. It is idempotent; a transient fault asks
// for the event to be delivered again.
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
	r, created, err := s.records.Create(ctx, id, func() (Record, error) { return s.compose(ctx, m, e, facts) })
	if err != nil {
		return err
	}
	if !created && !r.Done() {
		s.theirs.add(id)
	}
	s.known.add(id)
	return nil
}

// written is called with each record that was inserted.
func (s *Service) written(ctx context.Context, w aggregate.Written[Record]) {
	w.Ticket.Wrote()
	s.meters.accepted(w.Doc)
	s.handOver(ctx, w.Doc)
}

// compose decides who is told what, asks for what it takes, and lists it.
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
		v, err := s.flood.take(ctx, *d, m.Kind, facts.UserID, contact.EmailVerified)
		if err != nil {
			return Record{}, err
		}
		switch v {
		case withinLimit:
		case lastWithinLimit:
			content.Last = content.Last || d.Channel == Email
		case refusedByLimit:
			*d = d.suppressed(ReasonFlood)
		}
	}
	if !r.Settled() {
		r.Content = &content
	}
	if err := s.list(ctx, &r); err != nil {
		return Record{}, err
	}
	r.CreatedAt = s.cfg.Now().UTC()
	return r, nil
}

// contentFor is what a message says. To an address that nobody has verified it says nothing that
// somebody typed: whoever registered the address may be a stranger to its owner, and would have us
// carry his words there. To a verified one a name is written if it is one, since names older than
// the rule for them may still be links, and a reason if no mail program would make a link of it.
func contentFor(m Message, facts Facts, contact *Contact) Content {
	if contact == nil {
		return Content{Facts: facts}
	}
	c := Content{Facts: facts, Locale: contact.Locale}
	if contact.EmailVerified {
		c.Name = typed(contact.Name, maxName)
	}
	if m.Typed {
		c.Facts.Reason = ""
		if contact.EmailVerified {
			c.Facts.Reason = typed(facts.Reason, maxReason)
		}
	}
	return c
}

// maxName and maxReason bound what is typed in a mail, in characters.
const maxName, maxReason = 100, 1000

// typed returns what somebody typed as a mail may carry it, or nothing: words that are too long,
// that hide or reorder what stands around them, or that a mail program would make a link of, are
// left out.
func typed(s string, max int) string {
	s = OneLine(s)
	if text.Line(s, 1, max) != nil || text.HasLink(s) {
		return ""
	}
	return s
}

// addToken fetches the mailed token, if the message carries one. If the user needs none any more,
// nothing is sent.
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
