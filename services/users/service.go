package users

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/background"
	"sidecart.dev/kit/document"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// Prefixes of the keys of what is stored beside the accounts.
const (
	ClaimPrefix = "email"
	EndedPrefix = "ended"
)

// Claim says whose a (normalised) e-mail address is. Inserting it is what decides between two
// registrations.
type Claim struct {
	UserID    string    `json:"user_id"`
	ClaimedAt time.Time `json:"claimed_at"`
}

// Peers are the services that do their part when an account changes.
type Peers interface {
	// Accepted returns those of the events that the service has durably accepted, so that they need
	// not be published again for its sake. It may be asked about any number; what was answered counts
	// also if there is an error, which is transient.
	Accepted(ctx context.Context, service string, eventIDs []string) (map[string]bool, error)
}

// Signer signs access tokens.
type Signer interface {
	Sign(claims auth.Claims) (string, error)
}

// Config is what a [Service] works with. Everything but Closing, Now, Rand and Log is
// required.
type Config struct {
	State   sidecar.State     // where everything is kept
	Bus     sidecar.Publisher // of what happens to accounts
	Journal aggregate.Journal // remembers accounts with unfinished business
	Peers   Peers
	Hasher  Hasher
	Signer  Signer
	// Closing is closed when the process is about to end: whoever waits for an ending is answered
	// then. Nil never is.
	Closing <-chan struct{}

	Now  func() time.Time // nil means time.Now
	Rand io.Reader        // nil means crypto/rand
	Log  *slog.Logger     // nil means slog.Default
}

// Service has the use cases of accounts and sessions. It is safe for concurrent use, by any number
// of replicas on one store.
type Service struct {
	Config
	accounts *aggregate.Aggregates[User]
	claims   *document.Documents[Claim]        // by [EmailKey]
	sessions *document.Documents[Session]      // by session id
	attempts *document.Documents[Attempts]     // by what is slowed down: "account/…"
	networks *document.Documents[KnownNetwork] // by [User.network]
	endings  *document.Documents[Ended]        // one: see [Ended]

	watch *watch            // of the endings
	async *background.Group // what goes on after an answer
	// noting is held while an ending is noted, so that the replica's own endings do not conflict.
	noting chan struct{}
}

// maxAsync bounds what goes on after answers at one time; what is over is left to the journal.
const maxAsync = 64

// asyncTimeout bounds it; it is shorter than the journal's grace.
const asyncTimeout = 10 * time.Second

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
	s := &Service{
		Config:   cfg,
		claims:   document.New[Claim](cfg.State, ClaimPrefix),
		sessions: document.New[Session](cfg.State, "session", document.Expiring(RefreshLife)),
		attempts: document.New[Attempts](cfg.State, "attempts", document.Expiring(attemptsLife)),
		networks: document.New[KnownNetwork](cfg.State, "network", document.Expiring(networkLife)),
		endings:  document.New[Ended](cfg.State, EndedPrefix),
		async:    background.NewGroup(maxAsync), noting: make(chan struct{}, 1),
	}
	s.watch = &watch{read: s.readEnded, closed: cfg.Closing, turn: make(chan struct{}, 1)}
	s.accounts = aggregate.New(aggregate.Config[User]{
		Kind: AccountKind, State: cfg.State, Journal: cfg.Journal, Bus: cfg.Bus, Topic: Topic,
		Done: User.Done, Events: User.Events, Logger: cfg.Log,
	})
	s.accounts.DrivenBy(aggregate.Driver[User]{
		Drive: s.drive, Absent: s.absent, Accepted: s.accepted,
		Told: s.told,
	})
	return s
}

// Drain returns when what is under way in the background is done, or ctx ends.
func (s *Service) Drain(ctx context.Context) {
	s.async.Drain(ctx)
	s.accounts.Drain(ctx) // of what that work has changed, too
}

func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// after does work that the answer does not wait for. The journal has the intent, so nothing is lost
// if the work is skipped because too much is under way, if it panics, or if the process dies.
func (s *Service) after(ctx context.Context, work func(ctx context.Context)) bool {
	return s.async.Go(ctx, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, asyncTimeout)
		defer cancel()
		work(ctx)
	})
}

// account reads an account that its owner still has. For any other the fault is the one of a dead
// session: an access token may outlive its account by minutes.
func (s *Service) account(ctx context.Context, id string) (User, error) {
	u, err := s.accounts.Get(ctx, id)
	if sidecar.IsMissing(err) || err == nil && u.Status != Active {
		return User{}, errSession()
	}
	return u, err
}

// change changes an account that its owner still has; change returns false to leave it as it is,
// and may be called several times. When it has returned nil, the account is changed and its new
// events are on their way.
func (s *Service) change(ctx context.Context, id string,
	change func(*User) (bool, error),
) (User, error) {
	u, err := s.accounts.Change(ctx, id, func(u User) (User, error) {
		if u.Status != Active {
			return u, errSession()
		}
		changed, err := change(&u)
		if err == nil && !changed {
			err = aggregate.ErrUnchanged
		}
		return u, err
	})
	if sidecar.IsMissing(err) {
		err = errSession()
	}
	return u, err
}

func errBusy() error {
	return fault.New(fault.Conflict, "conflict",
		"This account is being changed by somebody else; try again.")
}

// traceOf returns the traceparent of the context, which an event keeps however late it is
// published.
func traceOf(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(ctx, carrier)
	return carrier["traceparent"]
}
