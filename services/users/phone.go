package users

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/fault"
)

// A phone number is anybody's until its owner has typed a code that was sent to it: see
// [User.ConfirmPhone].
const (
	phoneCodeLife = 10 * time.Minute
	maxCodeTries  = 5 // wrong codes after which those that were sent are void
)

// setPhone replaces the number; an empty one removes it. A new number is not confirmed, and what
// was sent to another number does not confirm it.
func (u *User) setPhone(number string) {
	if number == u.Phone {
		return
	}
	u.Phone, u.PhoneVerified = number, false
	u.dropTokens(Phone)
}

// AskPhoneCode wants a code sent to the number. It reports false if there is nothing to do: there
// is no number, it is confirmed, or a code was asked for a moment ago.
func (u *User) AskPhoneCode(now time.Time, trace string) bool {
	if u.Phone == "" || u.PhoneVerified || now.Sub(u.PhoneAskedAt) < mailCooldown {
		return false
	}
	u.PhoneAskedAt = now
	u.happened(EventPhoneRequested, now, trace)
	return true
}

// ConfirmPhone judges a code: a right one confirms the number and spends every code. A wrong one
// counts against every code that was sent, and makes those void that have been guessed at often
// enough.
func (u *User) ConfirmPhone(code string, now time.Time) bool {
	if u.Holds(Phone, code, now) {
		u.dropTokens(Phone)
		u.PhoneVerified = true
		u.changed(now)
		return true
	}
	kept := u.Tokens[:0:0]
	for _, t := range u.Tokens {
		if t.Kind == Phone {
			t.Tries++
		}
		if t.Tries < maxCodeTries {
			kept = append(kept, t)
		}
	}
	u.Tokens = kept
	return false
}

// AskPhoneCode has a code sent to the account's number, unless the number is confirmed or a code
// was asked for a moment ago. Without a number it is an Unprocessable fault.
func (s *Service) AskPhoneCode(ctx context.Context, userID string) error {
	_, err := s.change(ctx, userID, func(u *User) (bool, error) {
		if u.Phone == "" {
			return false, errNoPhone()
		}
		return u.AskPhoneCode(s.now(), traceOf(ctx)), nil
	})
	return err
}

// ConfirmPhone confirms the account's number with the code that was sent to it; a confirmed number
// stays so whatever the code. A code that is wrong, spent or expired, and one for another number,
// is an Unprocessable fault. Attempts count before they are judged, at all replicas together, and
// slow down further ones of the account: RateLimited.
func (s *Service) ConfirmPhone(ctx context.Context, p auth.Principal, code string) error {
	key := "phone/" + p.UserID // which only sessions of the account can fill
	if err := s.reserve(ctx, key); err != nil {
		return err
	}
	right := false
	_, err := s.change(ctx, p.UserID, func(u *User) (bool, error) {
		switch {
		case u.Phone == "":
			return false, errNoPhone()
		case u.PhoneVerified:
			right = true
			return false, nil
		}
		right = u.ConfirmPhone(code, s.now())
		return true, nil
	})
	if err != nil {
		return err
	}
	if !right {
		return errWrongCode()
	}
	s.forgive(ctx, key)
	return nil
}

func errNoPhone() error {
	return &fault.Error{
		Kind: fault.Unprocessable, Code: "unprocessable", Message: "The account has no phone number.",
		Fields: []fault.Field{{Field: "phone", Message: "must be set first"}},
	}
}

func errWrongCode() error {
	return &fault.Error{
		Kind: fault.Unprocessable, Code: "unprocessable",
		Message: "The code is wrong, spent or expired; after a few wrong ones ask for a new code.",
		Fields:  []fault.Field{{Field: "code", Message: "is wrong, spent or expired"}},
	}
}

// newCode returns six random digits.
func newCode(random io.Reader) (string, error) {
	const codes = 1_000_000
	for {
		var raw [4]byte
		if _, err := io.ReadFull(random, raw[:]); err != nil {
			return "", err
		}
		// What is over the last whole million is drawn again, so that every code is as likely.
		if n := binary.BigEndian.Uint32(raw[:]); n < 4294*codes {
			return fmt.Sprintf("%06d", n%codes), nil
		}
	}
}
