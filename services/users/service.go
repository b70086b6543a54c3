package users

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// Docs are the documents of one type in the service's store. Implementations are safe for concurrent use.
//
// They promise what [sidecar.State] promises and no more: errors are CodeMissing, CodeExists, CodeConflict, or
// transient faults after which a write may or may not have happened. A ttl of zero means no expiry.
type Docs[T any] interface {
	// Get reads a document and the revision it stands at.
	Get(ctx context.Context, key string) (doc T, rev string, err error)
	// GetAll reads several; absent ones are absent from the answer.
	GetAll(ctx context.Context, keys []string) (map[string]T, error)
	Insert(ctx context.Context, key string, doc T, ttl time.Duration) error
	Update(ctx context.Context, key string, doc T, rev string, ttl time.Duration) error
	Delete(ctx context.Context, key, rev string) error
	// Fence makes every write impossible that was prepared before: see journal.Fence. ok is false if there is no document,
	// and then there never will be one under this key, for a day.
	Fence(ctx context.Context, key string) (doc T, ok bool, err error)
}

// Claim says whose a (normalised) e-mail address is. Inserting it is what decides between two registrations.
type Claim struct {
	UserID    string    `json:"user_id"`
	ClaimedAt time.Time `json:"claimed_at"`
}

// Announcer publishes events of the topic users.
type Announcer interface {
	Announce(ctx context.Context, e event.Event) error
}

// Peers are the services that do their part when an account changes.
type Peers interface {
	// Accepted returns those of the events that the service has durably accepted, so that they need not be published
	// again for its sake. It may be asked about any number; what was answered counts also if there is an error, which is
	// transient.
	Accepted(ctx context.Context, service string, eventIDs []string) (map[string]bool, error)
}

// Signer signs access tokens.
type Signer interface {
	Sign(claims auth.Claims) (string, error)
}

// Config is what a [Service] works with. Everything but Now, Rand and Log is required.
type Config struct {
	Users    Docs[User]     // by id
	Claims   Docs[Claim]    // by EmailKey
	Sessions Docs[Session]  // by session id
	Attempts Docs[Attempts] // by "account/…", "address/…", "network/…", "device/…" or "session/…"
	Networks Docs[KnownNetwork]
	Endings  Docs[Ended] // one document: see [Ended]

	Journal   aggregate.Journal // remembers accounts with unfinished business
	Announcer Announcer
	Peers     Peers
	Hasher    Hasher
	Signer    Signer

	Now  func() time.Time // nil means time.Now
	Rand io.Reader        // nil means crypto/rand
	Log  *slog.Logger     // nil means slog.Default
}

// Service has the use cases of accounts and sessions. It is safe for concurrent use, by any number of replicas on one store.
type Service struct {
	Config
	async sync.WaitGroup
	slots chan struct{} // bounds the work that goes on after an answer
	// noting is held while an ending is noted, so that the replica's own endings do not conflict.
	noting chan struct{}
}

// maxAsync bounds the announcements under way at one time; what is over is left to the journal.
const maxAsync = 64

// asyncTimeout bounds one announcement; it is shorter than the journal's grace.
const asyncTimeout = 10 * time.Second

// attempts bounds how often a use case tries again when somebody else changed the same document.
const attempts = 8

// NewService makes a service.
func NewService(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Service{Config: cfg, slots: make(chan struct{}, maxAsync), noting: make(chan struct{}, 1)}
}

// Wait returns when the announcements under way are done.
func (s *Service) Wait() { s.async.Wait() }

// Drain is Wait for no longer than ctx lasts.
func (s *Service) Drain(ctx context.Context) {
	idle := make(chan struct{})
	go func() {
		s.async.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// after does work that the answer does not wait for. The journal has the intent, so nothing is lost if the work is
// skipped because too much is under way, or if the process dies.
func (s *Service) after(ctx context.Context, work func(ctx context.Context)) bool {
	select {
	case s.slots <- struct{}{}:
	default:
		return false
	}
	s.async.Add(1)
	go func() {
		defer s.async.Done()
		defer func() { <-s.slots }()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), asyncTimeout)
		defer cancel()
		// What a panic leaves undone is the settler's, as after any other end of the work.
		_ = fault.Guard(ctx, func() error { work(ctx); return nil })
	}()
	return true
}

// announce publishes an account's undelivered events, then leaves the account to the settler.
func (s *Service) announce(ctx context.Context, t aggregate.Ticket, u User) {
	started := s.after(ctx, func(ctx context.Context) {
		defer t.Wrote()
		if err := s.publish(ctx, u); err != nil {
			s.Log.WarnContext(ctx, "event not published yet", "user_id", u.ID, "error", err.Error())
		}
	})
	if !started {
		t.Wrote()
	}
}

func (s *Service) publish(ctx context.Context, u User) error {
	var errs []error
	for _, p := range u.Pending {
		e, err := p.Event(u.ID)
		if err == nil {
			err = s.Announcer.Announce(ctx, e)
		}
		errs = append(errs, err)
	}
	return firstOf(errs)
}

// account reads an account that its owner still has. For any other the fault is the one of a dead session: an
// access token may outlive its account by minutes.
func (s *Service) account(ctx context.Context, id string) (User, string, error) {
	u, rev, err := s.Users.Get(ctx, id)
	if sidecar.IsMissing(err) || err == nil && u.Status != Active {
		return User{}, "", errSession()
	}
	return u, rev, err
}

// change applies a change that has no event, as often as it takes; change returns false to leave the account as it is.
func (s *Service) change(ctx context.Context, id string, change func(*User) (bool, error)) (User, error) {
	for range attempts {
		u, rev, err := s.account(ctx, id)
		if err != nil {
			return User{}, err
		}
		if ok, err := change(&u); err != nil || !ok {
			return u, err
		}
		if err := s.Users.Update(ctx, id, u, rev, 0); !sidecar.IsConflict(err) {
			return u, err
		}
	}
	return User{}, errBusy()
}

// changeTelling is change for changes that have an event: the intent is in the journal before the write, and what is
// written was read before the intent. The caller announces, or releases the ticket, which is nil if nothing was changed.
func (s *Service) changeTelling(ctx context.Context, id string, change func(*User) (bool, error)) (User, aggregate.Ticket, error) {
	for range attempts {
		u, rev, err := s.account(ctx, id)
		if err != nil {
			return User{}, nil, err
		}
		if ok, err := change(&u); err != nil || !ok {
			return u, nil, err
		}
		t, err := s.Journal.Begin(ctx, id)
		if err != nil {
			return User{}, nil, err
		}
		err = s.Users.Update(ctx, id, u, rev, 0)
		switch {
		case err == nil:
			return u, t, nil
		case sidecar.IsConflict(err):
			t.Wrote()
		default:
			t.Release()
			return User{}, nil, err
		}
	}
	return User{}, nil, errBusy()
}

// tell is changeTelling followed by the announcement.
func (s *Service) tell(ctx context.Context, id string, change func(*User) (bool, error)) (User, error) {
	u, t, err := s.changeTelling(ctx, id, change)
	if t != nil {
		s.announce(ctx, t, u)
	}
	return u, err
}

func errBusy() error {
	return fault.New(fault.Conflict, "conflict", "This account is being changed by somebody else; try again.")
}

// traceOf returns the traceparent of the context, which an event keeps however late it is published.
func traceOf(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(ctx, carrier)
	return carrier["traceparent"]
}
