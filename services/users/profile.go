package users

import (
	"context"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/document"
	"sidecart.dev/kit/fault"
)

// Profile returns the account of a signed-in user.
func (s *Service) Profile(ctx context.Context, userID string) (User, error) {
	return s.account(ctx, userID)
}

// Expected says whether an account may be changed that stands as it is; nil allows it.
type Expected func(u User) error

func (e Expected) check(u *User) error {
	if e == nil {
		return nil
	}
	return e(*u)
}

// UpdateProfile changes a profile. A new phone number is sent a code.
func (s *Service) UpdateProfile(ctx context.Context, userID string, patch Patch,
	expected Expected,
) (User, error) {
	return s.change(ctx, userID, func(u *User) (bool, error) {
		if err := expected.check(u); err != nil {
			return false, err
		}
		before := u.Phone
		if !patch.Apply(u) {
			return false, nil
		}
		if u.Phone == before || !u.AskPhoneCode(s.now(), traceOf(ctx)) {
			u.changed(s.now())
		}
		return true, nil
	})
}

// Delete ends an account: nobody can log in or refresh any more, the address is free for a new
// account, and personal data is erased here as soon as notifications has accepted the event, and
// there when it was handled.
func (s *Service) Delete(ctx context.Context, userID string, expected Expected) error {
	u, err := s.change(ctx, userID, func(u *User) (bool, error) {
		if err := expected.check(u); err != nil {
			return false, err
		}
		u.Delete(s.now(), traceOf(ctx))
		return true, nil
	})
	if err != nil {
		return err
	}
	if err := s.release(ctx, EmailKey(u.Email), u.ID); err != nil {
		s.Log.InfoContext(ctx, "address not freed yet", "user_id", u.ID, "error",
			err.Error()) // the settler will
	}
	s.spread(ctx, u, "")
	return nil
}

// spread lets every service know that the account's sessions have ended, but for one that was
// carried over, if there is one. If that cannot be noted now the settler does, as long as the event
// of it is under way.
func (s *Service) spread(ctx context.Context, u User, carried string) {
	if err := s.sessionsEnded(ctx, u, carried); err != nil {
		s.Log.WarnContext(ctx, "end of sessions not noted yet", "user_id", u.ID, "error", err.Error())
	}
}

// ChangePassword sets a new password and ends every session but the one it is made from. Wrong
// current passwords slow down further attempts of the same session, as wrong logins do; what
// strangers guess at the login does not count here.
func (s *Service) ChangePassword(ctx context.Context, p auth.Principal, current,
	wanted string,
) error {
	u, err := s.account(ctx, p.UserID)
	if err != nil {
		return err
	}
	password, err := NewPassword(wanted, u.Email)
	if err != nil {
		return fault.InvalidField("new_password", err.Error())
	}
	key := "session/" + p.SessionID // which nobody else can fill
	ok, err := s.checkPassword(ctx, key, u, current)
	if err != nil {
		return err
	}
	if !ok {
		return wrongPassword("current_password", "The current password is wrong.")
	}
	hash, err := s.Hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	changed, err := s.change(ctx, p.UserID, func(now *User) (bool, error) {
		if now.PasswordHash != u.PasswordHash {
			return false, errBusy() // the password that was checked is not the password any more
		}
		now.SetPassword(hash, s.now(), traceOf(ctx))
		return true, nil
	})
	if err != nil {
		return err
	}
	carried, err := s.carryOver(ctx, p.SessionID, changed.Epoch)
	s.spread(ctx, changed, carried)
	return err
}

// carryOver lets a session live on in the epoch that was begun from it, and returns its id if it
// does. If that fails the session ends with the others.
func (s *Service) carryOver(ctx context.Context, sessionID string,
	epoch int64,
) (carried string, err error) {
	_, err = s.sessions.Change(ctx, sessionID, func(session Session, exists bool) (Session, error) {
		carried = ""
		if !exists || session.Epoch != epoch-1 {
			return session, document.ErrUnchanged // it has ended, or the account has gone on
		}
		carried = sessionID
		session.Epoch = epoch
		return session, nil
	})
	if err != nil {
		return "", err
	}
	return carried, nil
}

func wrongPassword(field, message string) error {
	return &fault.Error{
		Kind: fault.Unprocessable, Code: "unprocessable", Message: message,
		Fields: []fault.Field{{Field: field, Message: "is wrong"}},
	}
}
