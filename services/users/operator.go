package users

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/fault"
)

// EnsureOperator makes the first operator's account, or gives an account of that address its role
// and password. The secret store has the last word: a password changed by other means is set back
// at the next start. It is idempotent, and any number of replicas may do it at the same time.
func (s *Service) EnsureOperator(ctx context.Context, email, password string) error {
	ctx, span := otel.Tracer("sidecart.dev/users").Start(ctx, "ensure operator")
	defer span.End()
	r, err := Draft{Email: email, Password: password, Name: "Operator"}.Check()
	if err != nil {
		return errors.New("secrets operator-email and operator-password: " + fieldsOf(err))
	}
	u, err := s.byEmail(ctx, EmailKey(r.Email))
	if err != nil {
		return err
	}
	if u.ID == "" {
		_, err := s.register(ctx, r, auth.Operator)
		if fault.CodeOf(err) != "email_taken" {
			return err
		}
		if u, err = s.byEmail(ctx, EmailKey(r.Email)); err != nil {
			return err
		}
	}
	same, outdated, err := s.Hasher.Verify(ctx, u.PasswordHash, r.Password)
	if err != nil || same && !outdated && u.Role == auth.Operator {
		return err
	}
	hash, err := s.Hasher.Hash(ctx, r.Password)
	if err != nil {
		return err
	}
	changed, err := s.change(ctx, u.ID, func(u *User) (bool, error) {
		switch {
		case u.Role != auth.Operator:
			u.takeBack(s.now()) // somebody else may have registered the address first
		case !same:
			u.EndSessions(s.now())
		}
		u.Role, u.PasswordHash = auth.Operator, hash
		u.changed(s.now())
		return true, nil
	})
	if err == nil {
		s.spread(ctx, changed, "")
	}
	return err
}

// fieldsOf says what is wrong without repeating any value.
func fieldsOf(err error) string {
	text := err.Error()
	if f, ok := errors.AsType[*fault.Error](err); ok {
		text = ""
		for _, field := range f.Fields {
			text += field.Field + " " + field.Message + "; "
		}
	}
	return text
}
