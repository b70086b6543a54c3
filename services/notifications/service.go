package notifications

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/tracing"
)

// Lists keeps the list of deliveries of each user. It is safe for concurrent use.
type Lists interface {
	// Append adds entries to a user's list and returns their positions. Those that it has added
	// lately stay where they are, and then listed is true: of several who add the same entries at
	// once, in whichever processes, one is told false.
	Append(ctx context.Context, userID string, entries []string) (
		positions []uint64, listed bool, err error)
	// Page returns up to limit entries below position before (0: from the newest), and the next
	// page's before (0: none).
	Page(ctx context.Context, userID string, before uint64, limit int) (
		entries []string, next uint64, err error)
}

// Contacts asks who a user is. It is safe for concurrent use.
type Contacts interface {
	// Contact returns the contact of a user as it was at that time or later, or a NotFound fault.
	Contact(ctx context.Context, userID string, asOf time.Time) (Contact, error)
	// Forget drops what is remembered of a user.
	Forget(userID string)
	// Token returns the mailed token for an event: the same one for the same event. A NotFound or
	// Unprocessable fault means that the user needs none any more.
	Token(ctx context.Context, userID string, kind TokenKind, eventID string) (MailToken, error)
}

// Rendered is a message ready to be sent.
type Rendered struct {
	Subject string // one line
	HTML    string // the mail
	Text    string // the mail's plain-text alternative
	SMS     string // the text message; empty if there is none
}

// Renderer makes messages of contents. It is safe for concurrent use.
type Renderer interface {
	// Render renders a template. An unknown locale falls back to its language, and then to the
	// default.
	Render(template string, c Content) (Rendered, error)
	// Subject renders its subject alone.
	Subject(template string, c Content) (string, error)
}

// Outgoing is a message on its way to a provider.
type Outgoing struct {
	ID string // the delivery's id: the same for every attempt
	To string
	Rendered
}

// Sender hands messages to the provider of one channel.
type Sender interface {
	// Send returns nil if the provider took the message. A transient fault is worth another
	// attempt; any other is not. The message of a fault is shown to the customer.
	Send(ctx context.Context, m Outgoing) error
}

// Service accepts events and sends messages about them. It is safe for concurrent use.
type Service struct {
	Deps
	cfg     Config
	records *aggregate.Aggregates[Record]
	flood   *flood
	known   *recent // accepted, by whichever process
	theirs  *recent // of these, what another process has accepted and is about to send
	queues  map[Channel]*queue
	turns   turns
	meters  *Metrics
	stopped chan struct{} // closed when Run has returned
}

// Letters are the dead letters of this service, which have the words of events that could not be
// handled.
type Letters interface {
	// Erase overwrites what people typed in the letters about these users. It may be repeated.
	Erase(ctx context.Context, userIDs ...string) error
}

// Deps is what a service needs. All are required.
type Deps struct {
	State    sidecar.State // keeps the records
	Journal  aggregate.Journal
	Lists    Lists
	Contacts Contacts
	Counters Counters
	Letters  Letters
	Renderer Renderer
	Senders  map[Channel]Sender
}

// RecordKind is the kind of the records, in the store and in the journal.
const RecordKind = "evt"

// New makes a service. Nothing is sent before [Service.Run].
func New(cfg Config, deps Deps) *Service {
	cfg = cfg.withDefaults()
	s := &Service{
		Deps: deps, cfg: cfg, flood: newFlood(cfg.Limits, deps.Counters, cfg.Now),
		known: newRecent(cfg.Remembered), theirs: newRecent(cfg.Remembered),
		queues: map[Channel]*queue{}, meters: cfg.Metrics, stopped: make(chan struct{}),
	}
	s.records = aggregate.New(aggregate.Config[Record]{
		Kind: RecordKind, State: deps.State, Journal: deps.Journal, Done: Record.Done,
	})
	s.records.DrivenBy(aggregate.Driver[Record]{Written: s.written, Drive: s.drive, Busy: s.busy})
	for c, sender := range deps.Senders {
		s.queues[c] = newQueue(c, sender, cfg)
	}
	s.meters.observe(s.queues)
	return s
}

// Accepted returns those of the events that are accepted: what they have to tell is recorded, and
// whatever dies now, it will be told. Events nobody is told about are accepted as they are.
func (s *Service) Accepted(ctx context.Context, eventIDs []string) ([]string, error) {
	accepted, asked := make([]string, 0, len(eventIDs)), map[string]string{}
	for _, id := range eventIDs {
		if !s.tells(id) || s.known.has(RecordID(id)) {
			accepted = append(accepted, id)
			continue
		}
		asked[RecordID(id)] = id
	}
	keys := make([]string, 0, len(asked))
	for key := range asked {
		keys = append(keys, key)
	}
	found, err := s.records.GetAll(ctx, keys)
	if err != nil {
		return nil, err
	}
	for key := range found {
		s.known.add(key)
		accepted = append(accepted, asked[key])
	}
	return accepted, nil
}

// Records returns those of the records that exist, by id.
func (s *Service) Records(ctx context.Context, ids []string) (map[string]Record, error) {
	return s.records.GetAll(ctx, ids)
}

// tells reports whether anybody is told about the event of that id, which ends in its type.
func (s *Service) tells(eventID string) bool {
	eventType := eventID[strings.LastIndexByte(eventID, ':')+1:]
	if eventType == eventID {
		return true // not an id of ours: look it up
	}
	_, ok := MessageOf(eventType)
	return ok
}

// enqueue puts the deliveries of a record just written that wait to be sent into their queues.
func (s *Service) enqueue(ctx context.Context, r Record) {
	now := s.cfg.Now()
	for i := range r.Deliveries {
		d := &r.Deliveries[i]
		switch {
		case d.Status != Queued:
		case now.Before(d.NextAttempt):
			time.AfterFunc(d.NextAttempt.Sub(now), func() { s.records.Poke(r.ID) })
		default:
			s.queue(d.Channel).push(job{
				id: r.ID, record: &r, mine: true, since: now,
				about: r.OrderID, traceparent: tracing.TraceParent(ctx),
			})
		}
	}
}

// queue returns the queue of a channel; a record may name one that this process does not serve.
func (s *Service) queue(c Channel) *queue { return s.queues[c] }

// Run sends what is in the queues until ctx ends, and then finishes what is being sent, within the
// grace of the configuration. It is called once.
func (s *Service) Run(ctx context.Context) error {
	defer close(s.stopped)
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(s.cfg.StopGrace, cancel) })
	defer stop()
	var workers sync.WaitGroup
	for _, q := range s.queues {
		senders := s.cfg.Concurrency[q.channel]
		unrecorded := make(chan struct{}, senders+s.cfg.Recording)
		for range senders {
			workers.Go(func() { s.send(ctx, work, q, unrecorded) })
		}
	}
	workers.Wait()
	return nil
}

// Drain waits until Run has returned, so that the journal is not handed over before, or ctx ends.
func (s *Service) Drain(ctx context.Context) {
	select {
	case <-s.stopped:
	case <-ctx.Done():
	}
}

// send delivers one message of the queue after the other until ctx ends, and returns when the last
// is recorded, or work has ended.
func (s *Service) send(ctx, work context.Context, q *queue, unrecorded chan struct{}) {
	var recording sync.WaitGroup
	defer recording.Wait()
	for {
		select {
		case unrecorded <- struct{}{}:
		case <-ctx.Done():
			return
		}
		j, ok := q.next(ctx)
		if !ok {
			return
		}
		recording.Add(1)
		s.deliver(work, q, j, func() {
			<-unrecorded
			recording.Done()
		})
	}
}

// contact returns nil for a user who does not exist.
func (s *Service) contact(ctx context.Context, userID string, asOf time.Time) (*Contact, error) {
	c, err := s.Contacts.Contact(ctx, userID, asOf)
	if fault.Is(err, fault.NotFound) {
		return nil, nil //nolint:nilnil // no such user is an answer
	}
	if err != nil {
		return nil, err
	}
	return &c, nil
}

func (s *Service) warn(ctx context.Context, message string, id string, err error) {
	slog.WarnContext(ctx, message, "record", id, "code", fault.CodeOf(err), "error", err.Error())
}
