package users

import (
	"context"
	"errors"

	"github.com/golang-jwt/jwt/v5"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/document"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// Grant is what a login or a refresh gives.
type Grant struct {
	AccessToken  string
	RefreshToken string
	DeviceToken  string // of a login only: see [User.NewDeviceToken]
}

// Login checks a password and begins a session.
//
// An unknown address and a wrong password are the same fault after the same work: the same store
// calls and one hash. Failures slow down further ones of the account, known or not, and of the
// client's address: a RateLimited fault. Whoever has logged in from the client's device or network
// before is not slowed down by guesses made elsewhere: see admit.
func (s *Service) Login(ctx context.Context, email, password string, client Client) (Grant, error) {
	normal, err := NormaliseEmail(email)
	if err != nil {
		return Grant{}, fault.InvalidField("email", err.Error())
	}
	key := EmailKey(normal)
	u, err := s.byEmail(ctx, key)
	if err != nil {
		return Grant{}, err
	}
	admitted, err := s.admit(ctx, key, u, client)
	if err != nil {
		return Grant{}, err
	}
	ok, outdated, err := s.judge(ctx, admitted, u, password)
	if err != nil {
		s.forgive(ctx, admitted.bucket) // it was not judged
		return Grant{}, err
	}
	if !ok {
		return Grant{}, s.wrong(ctx, admitted, client.Address)
	}
	s.forgive(ctx, admitted.bucket)
	if outdated {
		s.rehash(ctx, u, password)
	}
	if u, err = s.withDeviceKey(ctx, u); err != nil {
		return Grant{}, err
	}
	s.recognise(ctx, u, key, client.Address)
	return s.begin(ctx, u)
}

// nobody is looked up where there is no account, so that the store is asked as often.
const nobody = "usr_aaaaaaaaaaaaaaaaaaaaaaaaaa"

// byEmail returns the active account of an address, or an empty one that no password fits.
func (s *Service) byEmail(ctx context.Context, key string) (User, error) {
	claim, err := s.claims.Read(ctx, key)
	if err != nil {
		return User{}, err
	}
	id := claim.Doc.UserID
	if !claim.Exists {
		id = nobody
	}
	u, err := s.accounts.Get(ctx, id)
	if sidecar.IsMissing(err) || err == nil && (u.Status != Active || EmailKey(u.Email) != key) {
		return User{}, nil
	}
	return u, err
}

// rehash replaces a hash made with outdated parameters. It is an improvement only: its failure is
// no failure of the login.
func (s *Service) rehash(ctx context.Context, old User, password string) {
	hash, err := s.Hasher.Hash(ctx, normalisePassword(password))
	if err == nil {
		_, err = s.change(ctx, old.ID, func(u *User) (bool, error) {
			if u.PasswordHash != old.PasswordHash {
				return false, nil // changed meanwhile
			}
			u.PasswordHash = hash
			return true, nil
		})
	}
	if err != nil {
		s.Log.InfoContext(ctx, "password hash not upgraded", "user_id", old.ID, "error", err.Error())
	}
}

func (s *Service) begin(ctx context.Context, u User) (Grant, error) {
	token, session, err := startSession(u.ID, u.Epoch, s.Rand, s.now())
	if err != nil {
		return Grant{}, err
	}
	if err := s.sessions.Insert(ctx, token.ID, session); err != nil {
		return Grant{}, err
	}
	grant, err := s.grant(u, token)
	if err == nil {
		grant.DeviceToken, err = u.NewDeviceToken(s.Rand, s.now())
	}
	return grant, err
}

func (s *Service) grant(u User, token RefreshToken) (Grant, error) {
	jti, err := newID("", s.Rand)
	if err != nil {
		return Grant{}, err
	}
	now := s.now()
	access, err := s.Signer.Sign(auth.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: auth.Issuer, Audience: jwt.ClaimStrings{auth.Issuer}, Subject: u.ID, ID: jti,
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(AccessLife)),
		},
		Role: u.Role, SessionID: token.ID, Epoch: u.Epoch,
	})
	return Grant{AccessToken: access, RefreshToken: token.String()}, err
}

// Refresh exchanges a refresh token for a new pair. A token is exchanged once. Shown again within
// seconds, by a second tab or because an answer was lost, the one that was exchanged last gives the
// same refresh token again. Any other that was good once, and that one shown later, ends its whole
// session and is an Unauthenticated fault.
func (s *Service) Refresh(ctx context.Context, shown string) (Grant, error) {
	token, err := parseRefreshToken(shown)
	if err != nil {
		return Grant{}, err
	}
	var good RefreshToken
	var u User
	_, err = s.sessions.Change(ctx, token.ID, func(session Session, exists bool) (
		_ Session, err error,
	) {
		good, u, session, err = s.exchange(ctx, token, session, exists)
		return session, err
	})
	switch {
	case errors.Is(err, errRevoke):
		return Grant{}, s.revoked(s.end(ctx, token.ID))
	case err != nil && fault.KindOf(err).Transient() && good != (RefreshToken{}):
		good, err = s.exchanged(ctx, token, err)
	}
	if err != nil {
		return Grant{}, err
	}
	return s.grant(u, good)
}

// errRevoke says that a session is to end.
var errRevoke = errors.New("the session is to be revoked")

// exchange returns the token that a token is exchanged for, or was a moment ago, and the session as
// it then is.
func (s *Service) exchange(ctx context.Context, t RefreshToken, session Session,
	exists bool,
) (good RefreshToken, u User, _ Session, err error) {
	use, good := session.Judge(t, s.now())
	switch {
	case !exists, use == Foreign:
		return RefreshToken{}, u, session, errSession()
	case use == Spent:
		s.Log.WarnContext(ctx, "spent refresh token shown; session revoked", "user_id", session.UserID,
			"session_id", t.ID)
		return RefreshToken{}, u, session, errRevoke
	}
	u, err = s.account(ctx, session.UserID)
	if fault.Is(err, fault.Unauthenticated) || err == nil && u.Epoch != session.Epoch {
		err = errRevoke
	}
	switch {
	case err != nil:
		return RefreshToken{}, u, session, err
	case use == Repeated:
		return good, u, session, document.ErrUnchanged
	}
	good, session, err = session.Rotate(t, s.Rand, s.now())
	return good, u, session, err
}

// exchanged looks whether a token was exchanged although the write was not answered, and returns
// the token that is good then, or else the error. Without asking, the client would come back with a
// token that may be spent by then, and lose the session.
func (s *Service) exchanged(ctx context.Context, token RefreshToken,
	unanswered error,
) (RefreshToken, error) {
	read, err := s.sessions.Read(ctx, token.ID)
	if err != nil {
		return RefreshToken{}, unanswered
	}
	use, good := read.Doc.Judge(token, s.now())
	if use != Repeated {
		return RefreshToken{}, unanswered
	}
	return good, nil
}

// revoked is the answer of a session that was ended just now.
func (s *Service) revoked(err error) error {
	if err != nil {
		return err
	}
	return errSession()
}

// end deletes a session, after noting for every service that it ends. It is idempotent.
func (s *Service) end(ctx context.Context, id string) error {
	if err := s.sessionEnded(ctx, id); err != nil {
		return err
	}
	return s.sessions.Remove(ctx, id)
}

// Alive returns nil if the session of an access token goes on. One that was ended in any way, or
// whose account has ended, is an Unauthenticated fault, although the token itself has not expired
// yet.
func (s *Service) Alive(ctx context.Context, p auth.Principal) error {
	session, err := s.sessions.Read(ctx, p.SessionID)
	if err != nil {
		return err
	}
	if !session.Exists {
		return errSession()
	}
	u, err := s.account(ctx, p.UserID)
	if err != nil {
		return err
	}
	if session.Doc.UserID != u.ID || session.Doc.Epoch != u.Epoch {
		return errSession()
	}
	return nil
}

// Logout ends one session, or all of a user's, which only a session that goes on may do. Whoever
// ends all trusts none of the devices any more: they are strangers to the account until they are
// used to log in again. This service takes no more changes by their access tokens; elsewhere these
// go on until they expire, within [AccessLife].
func (s *Service) Logout(ctx context.Context, p auth.Principal, all bool) error {
	if !all {
		return s.end(ctx, p.SessionID)
	}
	if err := s.Alive(ctx, p); err != nil {
		return err
	}
	u, err := s.change(ctx, p.UserID, func(u *User) (bool, error) {
		u.EndSessions(s.now())
		return true, u.RenewDeviceKey(s.Rand)
	})
	if err != nil {
		return err
	}
	return s.sessionsEnded(ctx, u, "")
}
