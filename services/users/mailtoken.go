package users

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"io"
	"strings"
	"time"

	"sidecart.dev/kit/fault"
)

// TokenKind says what a mailed token is good for.
type TokenKind string

// The kinds.
const (
	Verify TokenKind = "verify" // prove that the address is the owner's; 24 h
	Reset  TokenKind = "reset"  // set a new password without the old one; 1 h
	Phone  TokenKind = "phone"  // prove whose the number is: six digits; 10 min
)

// Life returns how long a token of the kind works, or zero for an unknown kind.
func (k TokenKind) Life() time.Duration {
	switch k {
	case Verify:
		return verifyTokenLife
	case Reset:
		return resetTokenLife
	case Phone:
		return phoneCodeLife
	}
	return 0
}

// MailToken is a mailed single-use token as the account remembers it. It stands inside the
// account's document, so that spending it and what it was spent for are one write.
type MailToken struct {
	Kind    TokenKind `json:"kind"`
	Hash    string    `json:"hash"` // of the secret, which only the mail has
	Expires time.Time `json:"expires"`
	Tries   int       `json:"tries,omitempty"` // wrong codes shown since, of a code
}

// secret makes a secret of the kind.
func (k TokenKind) secret(random io.Reader) (string, error) {
	if k == Phone {
		return newCode(random)
	}
	return newSecret(random)
}

// tokenHash is what is stored of a secret. A code is bound to the account and to the number that it
// is sent to. It is short, so whoever reads the store can try all of them; by then he has the
// number as well, and ten minutes.
func (u *User) tokenHash(kind TokenKind, secret string) string {
	if kind == Phone {
		return hashSecret(u.ID + " " + u.Phone + " " + secret)
	}
	return hashSecret(secret)
}

// Mint makes a token and remembers its hash. Some earlier tokens of the kind stay good; the oldest
// are dropped.
func (u *User) Mint(kind TokenKind, random io.Reader, now time.Time) (string, time.Time, error) {
	secret, err := kind.secret(random)
	if err != nil {
		return "", time.Time{}, err
	}
	var same, kept []MailToken
	for _, t := range u.Tokens {
		switch {
		case !now.Before(t.Expires):
		case t.Kind == kind:
			same = append(same, t)
		default:
			kept = append(kept, t)
		}
	}
	if over := len(same) - (maxTokensPerKind - 1); over > 0 {
		same = same[over:]
	}
	expires := now.Add(kind.Life())
	u.Tokens = append(append(kept, same...), MailToken{
		Kind: kind, Hash: u.tokenHash(kind, secret),
		Expires: expires,
	})
	if kind == Phone {
		return secret, expires, nil // the account is that of the session in which it is typed
	}
	return strings.TrimPrefix(u.ID, "usr_") + "." + secret, expires, nil
}

// parseMailToken splits a token into the account it is for and its secret.
func parseMailToken(token string) (userID, secret string, err error) {
	id, secret, ok := strings.Cut(token, ".")
	if !ok || !ValidID("usr_"+id) || secret == "" {
		return "", "", errTokenSpent()
	}
	return "usr_" + id, secret, nil
}

// Holds reports whether the secret is that of an unspent, unexpired token of the kind.
func (u *User) Holds(kind TokenKind, secret string, now time.Time) bool {
	hash := []byte(u.tokenHash(kind, secret))
	found := false
	for _, t := range u.Tokens {
		if t.Kind == kind && now.Before(t.Expires) &&
			subtle.ConstantTimeCompare([]byte(t.Hash), hash) == 1 {
			found = true
		}
	}
	return found
}

func (u *User) dropTokens(kind TokenKind) {
	kept := u.Tokens[:0:0]
	for _, t := range u.Tokens {
		if t.Kind != kind {
			kept = append(kept, t)
		}
	}
	u.Tokens = kept
}

func errTokenSpent() error {
	return &fault.Error{
		Kind: fault.Unprocessable, Code: "unprocessable",
		Message: "The token is unknown, spent or expired; ask for a new mail.",
		Fields:  []fault.Field{{Field: "token", Message: "is unknown, spent or expired"}},
	}
}

// newSecret returns 256 random bits in URL-safe characters.
func newSecret(random io.Reader) (string, error) {
	var raw [32]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(raw[:]), nil
}

// hashSecret is a plain hash: the input is random and long, so there is nothing to slow a guesser
// down for.
func hashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
