package users

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"io"
	"strings"
	"time"

	"sidecart.dev/kit/fault"
)

// Lives of what a login gives.
const (
	AccessLife  = 5 * time.Minute
	RefreshLife = 30 * 24 * time.Hour // of a refresh token that is not used

	// refreshGrace is how long a refresh token that was exchanged may be shown again: by a client
	// that did not get the answer, or by a second tab that has a copy. It is given what the first
	// exchange gave. It holds for the last exchange only. Access tokens live for minutes, so no
	// honest client makes two within seconds, and a token before the last is a copy in any case.
	refreshGrace = 5 * time.Second
)

// Session is a family of refresh tokens: the one a login gave and those it was exchanged for, of
// which only the last is good.
//
// A refresh token is "rt_<family>.<secret>". The secret has two halves: one that stays the same for
// the whole family and one that changes with every exchange. Only hashes are stored. A token whose
// first half is right and whose second is not was good once: it is spent, and showing it means that
// somebody has a copy. One whose first half is wrong was never ours, and knowing a family's name is
// not enough to end it.
//
// The token after a token is made of it and of the session's seed, so that showing a token twice
// within [refreshGrace] gives the same token twice, at any replica and without a second write. The
// seed is of no use to whoever reads the store: it makes tokens of tokens, and of these the store
// has none.
type Session struct {
	UserID    string    `json:"user_id"`
	Epoch     int64     `json:"epoch"`  // of the user when the session began
	Family    string    `json:"family"` // hash of the constant half
	Current   string    `json:"current"`
	Previous  string    `json:"previous,omitempty"` // hash of the changing half before
	Seed      []byte    `json:"seed,omitempty"`     // 32 random bytes
	CreatedAt time.Time `json:"created_at"`
	RotatedAt time.Time `json:"rotated_at"`
	Rotations int       `json:"rotations"`
}

// RefreshToken is a refresh token in its parts.
type RefreshToken struct {
	ID    string // the session
	fixed [16]byte
	once  [16]byte
}

// startSession begins a session of a user.
func startSession(userID string, epoch int64, random io.Reader, now time.Time) (
	RefreshToken, Session, error,
) {
	id, err := newID("", random)
	if err != nil {
		return RefreshToken{}, Session{}, err
	}
	token := RefreshToken{ID: id}
	if _, err := io.ReadFull(random, token.fixed[:]); err != nil {
		return RefreshToken{}, Session{}, err
	}
	if _, err := io.ReadFull(random, token.once[:]); err != nil {
		return RefreshToken{}, Session{}, err
	}
	return token, Session{
		UserID: userID, Epoch: epoch, Family: token.hash(token.fixed), Current: token.hash(token.once),
		CreatedAt: now, RotatedAt: now,
	}, nil
}

// parseRefreshToken reads a token as a client shows it; anything else is an Unauthenticated fault.
func parseRefreshToken(s string) (RefreshToken, error) {
	rest, ok := strings.CutPrefix(s, "rt_")
	id, secret, cut := strings.Cut(rest, ".")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	if !ok || !cut || err != nil || len(raw) != 32 || !validRandom(id) {
		return RefreshToken{}, errSession()
	}
	return RefreshToken{ID: id, fixed: [16]byte(raw[:16]), once: [16]byte(raw[16:])}, nil
}

// String returns the token as a client gets it. It is a credential: it goes into an answer and
// nowhere else.
func (t RefreshToken) String() string {
	return "rt_" + t.ID + "." + base64.RawURLEncoding.EncodeToString(append(t.fixed[:], t.once[:]...))
}

// hash binds a half to its session, so that a stored hash is of no use elsewhere.
func (t RefreshToken) hash(half [16]byte) string {
	sum := sha256.Sum256(append([]byte(t.ID+"."), half[:]...))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Use is what showing a token to its session amounts to.
type Use int

// The uses.
const (
	Foreign  Use = iota // never a token of this session
	Spent               // was good once: somebody has a copy
	Repeated            // was exchanged a moment ago
	Good
)

// Judge says what a token is to the session now, and returns the token that is good, which it knows
// only of a token that is good itself or repeated.
func (s Session) Judge(t RefreshToken, now time.Time) (use Use, good RefreshToken) {
	next := s.next(t)
	switch {
	case !same(s.Family, t.hash(t.fixed)):
		return Foreign, RefreshToken{}
	case same(s.Current, t.hash(t.once)):
		return Good, t
	case same(s.Previous, t.hash(t.once)) && same(s.Current, next.hash(next.once)) &&
		now.Sub(s.RotatedAt) < refreshGrace:
		return Repeated, next
	default:
		return Spent, RefreshToken{}
	}
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// next returns the token that a token was or will be exchanged for.
func (s Session) next(t RefreshToken) RefreshToken {
	mac := hmac.New(sha256.New, s.Seed)
	mac.Write([]byte(t.ID + "."))
	mac.Write(t.once[:])
	next := t
	next.once = [16]byte(mac.Sum(nil)[:16])
	return next
}

// Rotate exchanges a good token for the next one.
func (s Session) Rotate(t RefreshToken, random io.Reader, now time.Time) (
	RefreshToken, Session, error,
) {
	if len(s.Seed) == 0 { // of a new session, or one that is older than seeds
		s.Seed = make([]byte, 32)
		if _, err := io.ReadFull(random, s.Seed); err != nil {
			return RefreshToken{}, Session{}, err
		}
	}
	next := s.next(t)
	s.Previous, s.Current, s.RotatedAt = s.Current, next.hash(next.once), now
	s.Rotations++
	return next, s, nil
}

func errSession() error {
	return fault.New(fault.Unauthenticated, "unauthenticated", "The session has ended; log in again.")
}
