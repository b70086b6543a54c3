package users

import (
	"context"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/fault"
)

// Known is what somebody shows beside a mailed verification link, to be known as who registered the
// address.
type Known struct {
	Session  *auth.Principal // of the account; nil if none is shown
	Password string          // of the account; if one is shown the session does not count
}

// VerifyEmail spends a mailed token. One that is unknown, spent or expired is an Unprocessable
// fault.
//
// The link alone proves who reads the address's mail, not that the same person has registered it.
// Without more it is taken, and ends what was set before: see [User.ProveAddress]. With a session
// or the password of the account everything stays. What is shown and does not fit is refused, and
// the token stays good: a session that has ended (Unauthenticated), one of another account
// (Forbidden), a wrong password (Unprocessable). Wrong passwords slow down further ones, as they do
// at the login; only who has the link can make them count here.
func (s *Service) VerifyEmail(ctx context.Context, token string, shown Known) error {
	id, secret, err := parseMailToken(token)
	if err != nil {
		return err
	}
	before, err := s.account(ctx, id)
	if err != nil {
		return hideAccount(err)
	}
	if !before.Holds(Verify, secret, s.now()) {
		return errTokenSpent()
	}
	known, err := s.registrant(ctx, before, shown)
	if err != nil {
		return err
	}
	tookBack := false
	u, err := s.change(ctx, id, func(u *User) (bool, error) {
		if !u.Holds(Verify, secret, s.now()) {
			return false, errTokenSpent()
		}
		if known && (u.PasswordHash != before.PasswordHash || u.Epoch != before.Epoch) {
			return false, errBusy() // what was shown may not be good any more
		}
		tookBack = u.ProveAddress(known, s.now())
		return true, nil
	})
	if err != nil {
		return hideAccount(err)
	}
	if tookBack {
		s.spread(ctx, u, "")
	}
	return nil
}

// registrant reports whether what is shown makes somebody known as who registered the account.
func (s *Service) registrant(ctx context.Context, u User, shown Known) (bool, error) {
	switch {
	case shown.Password != "":
		key := "verify/" + u.ID
		ok, err := s.checkPassword(ctx, key, u, shown.Password)
		if err == nil && !ok {
			err = wrongPassword("password", "The password is wrong.")
		}
		return ok, err
	case shown.Session == nil:
		return false, nil
	case shown.Session.UserID != u.ID:
		return false, fault.New(fault.Forbidden, "forbidden",
			"The link is of another account than the one that you are logged in to; "+
				"send that account's password.")
	}
	return true, s.Alive(ctx, *shown.Session)
}

// checkPassword judges a password of somebody who has shown otherwise that he may try: failures
// count under a key of that, which strangers cannot fill.
func (s *Service) checkPassword(ctx context.Context, key string, u User,
	password string,
) (bool, error) {
	if err := s.reserve(ctx, key); err != nil {
		return false, err
	}
	ok, _, err := s.Hasher.Verify(ctx, u.PasswordHash, normalisePassword(password))
	if ok || err != nil { // it was right, or was not judged
		s.forgive(ctx, key)
	}
	return ok, err
}
