package notifications

import (
	"cmp"
	"context"
	"errors"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
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
	r, created, err := s.create(ctx, m, e, facts)
	if err != nil {
		return err
	}
	if !created && !r.Done() {
		s.theirs.add(id)
	}
	s.known.add(id)
	return nil
}

// create writes the record of an event, or returns the one that is there. Where the first attempts
// can be made at once, and end soon, the record is written with their outcome, and not again.
//
// Then nothing but the journal has the event while the provider is asked. What keeps two processes
// from telling it is the list of the user: whoever adds the event to it sends. Whoever finds it
// there without a record leaves it, for a while, to a process that may be sending it.
func (s *Service) create(ctx context.Context, m Message, e event.Event,
	facts Facts,
) (r Record, created bool, err error) {
	if s.cfg.Prompt <= 0 || m.Provisional || m.Erases || !s.prompt() {
		return s.records.Create(ctx, RecordID(e.ID), func() (Record, error) {
			r, _, err := s.compose(ctx, m, e, facts)
			return r, err
		})
	}
	var firsts []*first
	defer func() {
		for _, f := range firsts {
			f.wrote(created, err)
		}
	}()
	r, created, err = s.records.Create(ctx, RecordID(e.ID), func() (Record, error) {
		// What a glance overlooks the list still has, unless it is old.
		read, err := s.records.Read(sidecar.Glance(ctx), RecordID(e.ID))
		if err != nil || read.Exists {
			return read.Doc, cmp.Or(err, aggregate.ErrUnchanged)
		}
		r, listed, err := s.compose(ctx, m, e, facts)
		switch {
		case err != nil:
		case listed:
			r.postpone(s.cfg.Now().Add(leave).UTC())
		default:
			firsts = s.atOnce(ctx, &r)
		}
		return r, err
	}, aggregate.Beforehand())
	if errors.Is(err, aggregate.ErrUnchanged) {
		err = nil
	}
	return r, created, err
}

// written is called with each record that was inserted.
func (s *Service) written(ctx context.Context, w aggregate.Written[Record]) {
	if w.Doc.Done() {
		w.Ticket.Finish()
	} else {
		w.Ticket.Wrote()
	}
	s.meters.accepted(w.Doc)
	for _, d := range w.Doc.Deliveries {
		if d.Attempts > 0 && d.Status != Queued {
			s.meters.ended(w.Doc, d)
		}
	}
	s.enqueue(ctx, w.Doc)
}

// compose decides who is told what, asks for what it takes, and lists it. listed reports that it
// was in the list already.
func (s *Service) compose(ctx context.Context, m Message, e event.Event,
	facts Facts,
) (r Record, listed bool, err error) {
	contact, err := s.contact(ctx, facts.UserID, e.Time)
	if err != nil {
		return Record{}, false, err
	}
	if m.Erases {
		s.Contacts.Forget(facts.UserID)
	}
	r = Record{
		ID: RecordID(e.ID), EventID: e.ID, EventType: e.Type, EventTime: e.Time, Kind: m.Kind,
		UserID: facts.UserID, OrderID: facts.OrderID, Deliveries: decide(m, e.ID, contact),
	}
	content := contentFor(m, facts, contact)
	if err := s.addToken(ctx, m, e.ID, &r, &content); err != nil {
		return Record{}, false, err
	}
	subject, err := s.Renderer.Subject(m.Template, content)
	if err != nil {
		return Record{}, false, err
	}
	for i := range r.Deliveries {
		d := &r.Deliveries[i]
		d.Subject = subject
		if d.Status != Queued {
			continue
		}
		v, err := s.flood.take(ctx, *d, m.Kind, facts.UserID, contact.EmailVerified)
		if err != nil {
			return Record{}, false, err
		}
		switch v {
		case withinLimit:
		case lastWithinLimit:
			content.Last = content.Last || d.Channel == Email
		case refusedByLimit:
			*d = d.suppressed(ReasonFlood)
		case overBudget:
			*d = d.suppressed(ReasonBudget)
			s.flood.budgetUsedUp(ctx)
			s.meters.overBudget()
		}
	}
	if !r.Ended() {
		r.Content = &content
	}
	if listed, err = s.list(ctx, &r); err != nil {
		return Record{}, false, err
	}
	r.CreatedAt = s.cfg.Now().UTC()
	return r, listed, nil
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
func (s *Service) addToken(ctx context.Context, m Message, eventID string, r *Record,
	c *Content,
) error {
	if m.Token == NoToken || r.Ended() {
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

// list appends the deliveries to the user's list, and reports whether they were there. A user who
// does not exist has none.
func (s *Service) list(ctx context.Context, r *Record) (listed bool, err error) {
	if r.Deliveries[0].Reason == ReasonUnknownUser {
		return false, nil
	}
	entries := make([]string, len(r.Deliveries))
	for i := range r.Deliveries {
		entries[i] = EntryID(r.ID, r.Deliveries[i].Channel)
	}
	positions, listed, err := s.Lists.Append(ctx, r.UserID, entries)
	if err != nil {
		return false, err
	}
	for i := range positions {
		r.Deliveries[i].Seq = positions[i]
	}
	return listed, nil
}
