package notifications

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// Stored is a record as it was read.
type Stored struct {
	Record Record
	ETag   string
	// Exists is false for a tombstone, which stands where a record was prevented; it may be replaced by Update.
	Exists bool
}

// Store keeps records. It is safe for concurrent use; its errors are those of [sidecar.State].
type Store interface {
	// Load reads a record or a tombstone; ok = false if there is neither.
	Load(ctx context.Context, id string) (s Stored, ok bool, err error)
	// LoadAll reads several; what is absent is absent from the answer.
	LoadAll(ctx context.Context, ids []string) (map[string]Stored, error)
	// Insert writes a record that must be absent.
	Insert(ctx context.Context, r Record) error
	// Update replaces what was read with that ETag.
	Update(ctx context.Context, r Record, etag string) error
	// Fence makes writes impossible that were prepared before, and reports whether there is a record.
	Fence(ctx context.Context, id string) (exists bool, err error)
}

// Lists keeps the list of deliveries of each user. It is safe for concurrent use.
type Lists interface {
	// Append adds entries to a user's list and returns their positions.
	Append(ctx context.Context, userID string, entries []string) ([]uint64, error)
	// Page returns up to limit entries below position before (0: from the newest), and the next page's before (0: none).
	Page(ctx context.Context, userID string, before uint64, limit int) (entries []string, next uint64, err error)
}

// Contacts asks who a user is. It is safe for concurrent use.
type Contacts interface {
	// Contact returns the contact of a user as it was at that time or later, or a NotFound fault.
	Contact(ctx context.Context, userID string, asOf time.Time) (Contact, error)
	// Forget drops what is remembered of a user.
	Forget(userID string)
	// Token returns the mailed token for an event: the same one for the same event. A NotFound or Unprocessable fault
	// means that the user needs none any more.
	Token(ctx context.Context, userID string, kind TokenKind, eventID string) (MailToken, error)
}

// Journal remembers the records with deliveries under way; see package journal.
type Journal interface {
	Begin(ctx context.Context, id string) (Ticket, error)
	Finish(asOf time.Time, ids ...string)
	Poke(ids ...string)
}

// Ticket is a hold on a begun id; see [journal.Ticket].
type Ticket interface {
	Release()
	Wrote()
	Finish()
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
	// Render renders a template. An unknown locale falls back to its language, and then to the default.
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
	// Send returns nil if the provider took the message. A transient fault is worth another attempt; any other is not.
	// The message of a fault is shown to the customer.
	Send(ctx context.Context, m Outgoing) error
}

// Service accepts events and sends messages about them. It is safe for concurrent use.
type Service struct {
	Deps
	cfg    Config
	flood  *flood
	known  *recent
	lanes  map[Channel]*lane
	turns  turns
	meters *Metrics
}

// Letters are the dead letters of this service, which have the words of events that could not be handled.
type Letters interface {
	// Erase overwrites what people typed in the letters about these users. It may be repeated.
	Erase(ctx context.Context, userIDs ...string) error
}

// Deps is what a service needs. All are required.
type Deps struct {
	Store    Store
	Lists    Lists
	Contacts Contacts
	Counters Counters
	Letters  Letters
	Journal  Journal
	Renderer Renderer
	Senders  map[Channel]Sender
}

// New makes a service. Nothing is sent before [Service.Run].
func New(cfg Config, deps Deps) *Service {
	cfg = cfg.withDefaults()
	s := &Service{
		Deps: deps, cfg: cfg, flood: newFlood(cfg.Limits, deps.Counters, cfg.Now), known: newRecent(cfg.Remembered),
		lanes: map[Channel]*lane{}, meters: cfg.Metrics,
	}
	for c, sender := range deps.Senders {
		s.lanes[c] = newLane(c, sender, cfg)
	}
	s.meters.observe(s.lanes)
	return s
}

// Accepted returns those of the events that are accepted: what they have to tell is recorded, and whatever dies now,
// it will be told. Events nobody is told about are accepted as they are.
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
	found, err := s.Store.LoadAll(ctx, keys)
	if err != nil {
		return nil, err
	}
	for key, stored := range found {
		if stored.Exists {
			s.known.add(key)
			accepted = append(accepted, asked[key])
		}
	}
	return accepted, nil
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

// handOver puts the queued deliveries of a record just written into their lanes.
func (s *Service) handOver(r Record) {
	for i := range r.Deliveries {
		if d := &r.Deliveries[i]; d.Status == Queued {
			s.lane(d.Channel).push(job{id: r.ID, record: &r, since: s.cfg.Now()})
		}
	}
}

// lane returns the lane of a channel; a record may name one that this process does not serve.
func (s *Service) lane(c Channel) *lane { return s.lanes[c] }

// Run sends what is handed over until ctx ends, and then finishes what is being sent, within the grace of the configuration.
func (s *Service) Run(ctx context.Context) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(s.cfg.StopGrace, cancel) })
	defer stop()
	var workers sync.WaitGroup
	for _, l := range s.lanes {
		senders := s.cfg.Concurrency[l.channel]
		unrecorded := make(chan struct{}, senders+s.cfg.Recording)
		for range senders {
			workers.Go(func() { s.send(ctx, work, l, unrecorded) })
		}
	}
	workers.Wait()
	return nil
}

// send delivers one message of the lane after the other until ctx ends, and returns when the last is recorded, or work has ended.
func (s *Service) send(ctx, work context.Context, l *lane, unrecorded chan struct{}) {
	var recording sync.WaitGroup
	defer recording.Wait()
	for {
		select {
		case unrecorded <- struct{}{}:
		case <-ctx.Done():
			return
		}
		j, ok := l.next(ctx)
		if !ok {
			return
		}
		recording.Add(1)
		s.deliver(work, l, j, func() {
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

func isConflict(err error) bool { return sidecar.IsConflict(err) || sidecar.IsExists(err) }

func (s *Service) warn(ctx context.Context, message string, id string, err error) {
	slog.WarnContext(ctx, message, "record", id, "code", fault.CodeOf(err), "error", err.Error())
}
