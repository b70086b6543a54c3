package users

import (
	"context"
	"errors"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/document"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// claimGrace is how old a claim without an account must be before another registration may take it
// over. It is longer than a registration's deadline, so normally nobody is at work on it any more;
// a fence makes sure.
const claimGrace = 15 * time.Second

// Register makes an account. Of any number of registrations of one address, at any number of
// replicas, one succeeds; the others get a Conflict fault with code email_taken. Other faults are
// of the input, or transient.
//
//	begin intent ─► insert claim email/<hash> ─► insert user/<id> ─► announce
//	                 decides who gets it          makes it true
//
// A crash between the two writes leaves a claim without an account. Whoever comes first, the
// settler or the next registration of the address, fences the missing account and then frees or
// takes over the claim.
func (s *Service) Register(ctx context.Context, draft Draft) (User, error) {
	r, err := draft.Check()
	if err != nil {
		return User{}, err
	}
	return s.register(ctx, r, auth.Customer)
}

func (s *Service) register(ctx context.Context, r Registration, role auth.Role) (User, error) {
	key := EmailKey(r.Email)
	free, err := s.awaitFree(ctx, key)
	if err != nil {
		return User{}, err
	}
	hash, err := s.Hasher.Hash(ctx, r.Password)
	if err != nil {
		return User{}, err
	}
	id, err := newID("usr_", s.Rand)
	if err != nil {
		return User{}, err
	}
	u := newUser(id, role, r, hash, s.now(), traceOf(ctx))
	if err := u.RenewDeviceKey(s.Rand); err != nil {
		return User{}, err
	}
	claim := func(ctx context.Context) error { return s.claim(ctx, free, id) }
	u, _, err = s.accounts.Create(ctx, id, func() (User, error) { return u, nil }, aggregate.Note(key),
		aggregate.Claiming(claim))
	if sidecar.IsExists(err) || sidecar.IsConflict(err) {
		return User{}, s.lost(ctx, key)
	}
	if err != nil {
		return User{}, err
	}
	return u, nil
}

// claim makes an address a user's, over the claim that was found to be free. Exists and conflict
// mean that another registration was faster: at the address, or by fencing this account because it
// took too long.
func (s *Service) claim(ctx context.Context, free document.Read[Claim], userID string) error {
	return s.claims.Write(ctx, free, Claim{UserID: userID, ClaimedAt: s.now()})
}

// lost says why a registration lost against another: because that one succeeded, or has yet to.
func (s *Service) lost(ctx context.Context, key string) error {
	if _, err := s.awaitFree(ctx, key); err != nil {
		return err
	}
	return errPending
}

// awaitFree is free, but waits a moment for a registration of the same address that is under way.
func (s *Service) awaitFree(ctx context.Context,
	key string,
) (read document.Read[Claim], err error) {
	for try := 0; ; try++ {
		read, err = s.free(ctx, key)
		if !errors.Is(err, errPending) || try == 20 {
			return read, err
		}
		select {
		case <-ctx.Done():
			return read, err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// free reads the claim of an address, and returns nil if it may be taken over or if there is none.
// An address that is somebody's is the fault email_taken; one that is just being registered is so
// when that succeeded.
func (s *Service) free(ctx context.Context, key string) (document.Read[Claim], error) {
	read, err := s.claims.Read(ctx, key)
	if err != nil || !read.Exists {
		return read, err
	}
	u, err := s.accounts.Get(ctx, read.Doc.UserID)
	switch {
	case err == nil && u.Status == Active:
		return read, errTaken()
	case err == nil:
		return read, nil // its account was deleted, and the crash came before the claim was
	case !sidecar.IsMissing(err):
		return read, err
	case s.now().Sub(read.Doc.ClaimedAt) < claimGrace:
		return read, errPending
	}
	u, exists, err := s.accounts.Fence(ctx, read.Doc.UserID)
	if err == nil && exists && u.Status == Active {
		err = errTaken()
	}
	return read, err
}

// release gives an address up, if it is that user's. It is idempotent.
func (s *Service) release(ctx context.Context, key, userID string) error {
	_, err := s.claims.Change(ctx, key, func(c Claim, exists bool) (Claim, error) {
		if !exists || c.UserID != userID {
			return c, document.ErrUnchanged
		}
		return c, document.ErrRemove
	})
	return err
}

func errTaken() error {
	return &fault.Error{
		Kind: fault.Conflict, Code: "email_taken", Message: "An account with this e-mail address exists.",
		Fields: []fault.Field{{Field: "email", Message: "is taken"}},
	}
}

// errPending says that somebody else's registration of the address is neither done nor given up.
var errPending = &fault.Error{
	Kind: fault.Unavailable, Code: "unavailable", RetryAfter: 2 * time.Second,
	Message: "This address is being registered at this moment; try again shortly.",
}
