package users

import (
	"context"
	"errors"
	"strings"
	"time"

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
	t, err := s.Journal.Begin(ctx, registrationID(id, key))
	if err != nil {
		return User{}, err
	}
	err = s.claimAndInsert(ctx, key, held, u)
	switch {
	case err == nil:
		s.announce(ctx, t, u)
		return u, nil
	case sidecar.IsExists(err), sidecar.IsConflict(err):
		t.Wrote()
		return User{}, s.lost(ctx, key)
	default:
		t.Release()
		return User{}, err
	}
}

// claimAndInsert makes the two writes. Exists and conflict mean that another registration was faster: at the claim,
// or by fencing the account because this one took too long.
func (s *Service) claimAndInsert(ctx context.Context, key, held string, u User) error {
	c := Claim{UserID: u.ID, ClaimedAt: s.now()}
	var err error
	if held == "" {
		err = s.Claims.Insert(ctx, key, c, 0)
	} else {
		err = s.Claims.Update(ctx, key, c, held, 0)
	}
	if err != nil {
		return err
	}
	return s.Users.Insert(ctx, u.ID, u, 0)
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
	u, _, err := s.Users.Get(ctx, c.UserID)
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
	u, exists, err := s.Users.Fence(ctx, c.UserID)
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

// A journalled id is a user's, or names what is still to be done before it is known whether there is a user.
const (
	registrationMark = "+" // <user id>+<email key>
	resetMark        = "?" // ?<email key>+<nonce>
)

func registrationID(userID, emailKey string) string { return userID + registrationMark + emailKey }

// parseID splits a journalled id of an account; emailKey is empty unless it is a registration's.
func parseID(id string) (userID, emailKey string) {
	userID, emailKey, _ = strings.Cut(id, registrationMark)
	return userID, emailKey
}
