package users

import (
	"context"
	"errors"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// claimGrace is how old a claim without an account must be before another registration may take it over. It is longer
// than a registration's deadline, so normally nobody is at work on it any more; a fence makes sure.
const claimGrace = 15 * time.Second

// Register makes an account. Of any number of registrations of one address, at any number of replicas, one succeeds;
// the others get a Conflict fault with code email_taken. Other faults are of the input, or transient.
//
//	begin intent ─► insert claim email/<hash> ─► insert user/<id> ─► announce
//	                 decides who gets it          makes it true
//
// A crash between the two writes leaves a claim without an account. Whoever comes first, the settler or the next
// registration of the address, fences the missing account and then frees or takes over the claim.
func (s *Service) Register(ctx context.Context, draft Draft) (User, error) {
	r, err := draft.Check()
	if err != nil {
		return User{}, err
	}
	return s.register(ctx, r, auth.Customer)
}

func (s *Service) register(ctx context.Context, r Registration, role auth.Role) (User, error) {
	key := EmailKey(r.Email)
	held, err := s.awaitFree(ctx, key)
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
	u := NewUser(id, role, r, hash, s.now(), traceOf(ctx))
	if err := u.RenewDeviceKey(s.Rand); err != nil {
		return User{}, err
	}
	claim := func(ctx context.Context) error { return s.claim(ctx, key, held, id) }
	u, _, err = s.accounts.Create(ctx, id, func() (User, error) { return u, nil }, aggregate.Note(key), aggregate.Claiming(claim))
	if sidecar.IsExists(err) || sidecar.IsConflict(err) {
		return User{}, s.lost(ctx, key)
	}
	if err != nil {
		return User{}, err
	}
	return u, nil
}

// claim makes an address a user's. Exists and conflict mean that another registration was faster: at the address, or
// by fencing this account because it took too long.
func (s *Service) claim(ctx context.Context, key, held, userID string) error {
	c := Claim{UserID: userID, ClaimedAt: s.now()}
	if held == "" {
		return s.Claims.Insert(ctx, key, c, 0)
	}
	return s.Claims.Update(ctx, key, c, held, 0)
}

// lost says why a registration lost against another: because that one succeeded, or has yet to.
func (s *Service) lost(ctx context.Context, key string) error {
	if _, err := s.awaitFree(ctx, key); err != nil {
		return err
	}
	return errPending
}

// awaitFree is free, but waits a moment for a registration of the same address that is under way.
func (s *Service) awaitFree(ctx context.Context, key string) (rev string, err error) {
	for try := 0; ; try++ {
		rev, err = s.free(ctx, key)
		if !errors.Is(err, errPending) || try == 20 {
			return rev, err
		}
		select {
		case <-ctx.Done():
			return "", err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// free returns the revision of a claim that may be taken over, or "" if there is none.
// An address that is somebody's is the fault email_taken; one that is just being registered is so when that succeeded.
func (s *Service) free(ctx context.Context, key string) (rev string, err error) {
	c, rev, err := s.Claims.Get(ctx, key)
	if sidecar.IsMissing(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	u, err := s.accounts.Get(ctx, c.UserID)
	switch {
	case err == nil && u.Status == Active:
		return "", errTaken()
	case err == nil:
		return rev, nil // its account was deleted, and the crash came before the claim was
	case !sidecar.IsMissing(err):
		return "", err
	case s.now().Sub(c.ClaimedAt) < claimGrace:
		return "", errPending
	}
	u, exists, err := s.accounts.Fence(ctx, c.UserID)
	switch {
	case err != nil:
		return "", err
	case exists && u.Status == Active:
		return "", errTaken()
	}
	return rev, nil
}

// release gives an address up, if it is that user's. It is idempotent.
func (s *Service) release(ctx context.Context, key, userID string) error {
	for range attempts {
		c, rev, err := s.Claims.Get(ctx, key)
		if sidecar.IsMissing(err) || err == nil && c.UserID != userID {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.Claims.Delete(ctx, key, rev); !sidecar.IsConflict(err) {
			return err
		}
	}
	return errBusy()
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
