package users

import (
	"context"
	"strings"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/journal"
)

// AskVerification has the verification mail sent again, unless the address is verified or one was
// asked for a moment ago.
func (s *Service) AskVerification(ctx context.Context, userID string) error {
	_, err := s.change(ctx, userID, func(u *User) (bool, error) {
		return u.AskVerification(s.now(), traceOf(ctx)), nil
	})
	return err
}

// AskReset wants a reset mail sent to an address, if somebody has it. What is done before it
// returns is one entry in the journal, the same for every address; the rest is done afterwards, so
// neither answer nor time tells who has an account.
func (s *Service) AskReset(ctx context.Context, email string) error {
	normal, err := NormaliseEmail(email)
	if err != nil {
		return fault.InvalidField("email", err.Error())
	}
	nonce, err := newID("", s.Rand)
	if err != nil {
		return err
	}
	id := EmailKey(normal) + resetNonce + nonce
	t, err := s.Journal.Begin(ctx, journal.KindID(ResetKind, id))
	if err != nil {
		return err
	}
	started := s.after(ctx, func(ctx context.Context) {
		defer t.Wrote()
		if err := s.reset(ctx, id); err != nil {
			s.Log.WarnContext(ctx, "password reset not begun yet", "error", err.Error())
		}
	})
	if !started {
		t.Wrote()
	}
	return nil
}

// reset carries out what a journalled reset asks for. What it writes is journalled under the user's
// own id, so when it returns nil the reset's entry is finished. Twice is harmless, as long as the
// cool-down lasts.
func (s *Service) reset(ctx context.Context, id string) error {
	key, _, _ := strings.Cut(id, resetNonce)
	u, err := s.byEmail(ctx, key)
	if err != nil || u.ID == "" {
		return err
	}
	_, err = s.change(ctx, u.ID, func(u *User) (bool, error) {
		return u.AskReset(s.now(), traceOf(ctx)), nil
	})
	if fault.Is(err, fault.Unauthenticated) {
		return nil // deleted meanwhile
	}
	return err
}

// ConfirmReset sets a new password with a mailed token and ends every session. A token that is
// unknown, spent or expired is an Unprocessable fault.
func (s *Service) ConfirmReset(ctx context.Context, token, wanted string) error {
	id, secret, err := parseMailToken(token)
	if err != nil {
		return err
	}
	u, err := s.account(ctx, id)
	if err != nil {
		return hideAccount(err)
	}
	if !u.Holds(Reset, secret, s.now()) {
		return errTokenSpent()
	}
	password, err := NewPassword(wanted, u.Email)
	if err != nil {
		return fault.InvalidField("new_password", err.Error())
	}
	hash, err := s.Hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	changed, err := s.change(ctx, id, func(u *User) (bool, error) {
		if !u.Holds(Reset, secret, s.now()) {
			return false, errTokenSpent()
		}
		u.ProveAddress(false, s.now())
		u.SetPassword(hash, s.now(), traceOf(ctx))
		u.OwnerKnown = true // the password is of whoever reads the address's mail
		// Devices are as good as strangers' to whoever lost the password.
		return true, u.RenewDeviceKey(s.Rand)
	})
	if err != nil {
		return hideAccount(err)
	}
	s.forgive(ctx, accountBucket(EmailKey(u.Email)))
	s.spread(ctx, changed, "")
	return nil
}

// hideAccount turns the fault of a token whose account is gone into that of any other bad token.
func hideAccount(err error) error {
	if fault.Is(err, fault.Unauthenticated) {
		return errTokenSpent()
	}
	return err
}

// Minted is a token to be sent now.
type Minted struct {
	Token   string
	Expires time.Time
	Phone   string // of a code: the number it is for, and to which alone it may be sent
}

// MintToken makes a token to be sent now. There is none to be had, a NotFound fault, for an account
// that is gone, and for an address or a number that is verified or not there.
func (s *Service) MintToken(ctx context.Context, userID string,
	kind TokenKind,
) (m Minted, err error) {
	_, err = s.change(ctx, userID, func(u *User) (bool, error) {
		if kind == Verify && u.EmailVerified || kind == Phone && (u.PhoneVerified || u.Phone == "") {
			return false, errNoToken()
		}
		m = Minted{}
		if kind == Phone {
			m.Phone = u.Phone
		}
		var err error
		m.Token, m.Expires, err = u.Mint(kind, s.Rand, s.now())
		return err == nil, err
	})
	if fault.Is(err, fault.Unauthenticated) {
		err = errNoToken()
	}
	return m, err
}

func errNoToken() error {
	return fault.New(fault.NotFound, "not_found", "There is nothing to send a token for.")
}

// Contacts returns those of the accounts of which personal data is still held. Absent ones were
// erased or never existed.
func (s *Service) Contacts(ctx context.Context, ids []string) ([]User, error) {
	wanted := make([]string, 0, len(ids))
	for _, id := range ids {
		if ValidID(id) {
			wanted = append(wanted, id)
		}
	}
	found, err := s.accounts.GetAll(ctx, wanted)
	if err != nil {
		return nil, err
	}
	contacts := make([]User, 0, len(found))
	for _, id := range wanted {
		if u, ok := found[id]; ok && u.Email != "" {
			contacts = append(contacts, u)
			delete(found, id)
		}
	}
	return contacts, nil
}
