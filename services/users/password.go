package users

import (
	"context"
	_ "embed"
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Length limits of a password in characters, whatever their encoding.
const (
	minPassword = 10
	maxPassword = 128
)

// commonPasswords are the most used passwords that are long enough to be accepted otherwise.
//
//go:embed common_passwords.txt
var commonPasswords string

var common = func() map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(commonPasswords) {
		set[strings.TrimSpace(line)] = true
	}
	return set
}()

// NewPassword returns a password as it is hashed, or what is wrong with it. Length decides, not
// composition (NIST SP 800-63B); the most common passwords, a single repeated character, and the
// account's own address are refused.
func NewPassword(password, email string) (string, error) {
	n := utf8.RuneCountInString(password)
	if n < minPassword || n > maxPassword {
		return "", errors.New("must be 10 to 128 characters long")
	}
	lower := strings.ToLower(password)
	switch {
	case common[lower], strings.Count(lower, lower[:1]) == len(lower):
		return "", errors.New("is among the first that are tried; choose another")
	case email != "" && lower == email:
		return "", errors.New("must not be the e-mail address")
	}
	return normalisePassword(password), nil
}

// normalisePassword makes the same characters the same bytes, whatever keyboard or system they were
// typed on.
func normalisePassword(password string) string { return norm.NFC.String(password) }

// Hasher hashes passwords slowly. It is safe for concurrent use.
//
// Both methods wait for their turn, because each needs much memory and a whole core. They fail with
// an Unavailable fault if too many are waiting already, or when ctx ends.
type Hasher interface {
	// Hash returns a PHC string with its own salt and parameters.
	Hash(ctx context.Context, password string) (string, error)
	// Verify reports whether the password is the hashed one, and whether the hash was made with other
	// parameters than a new one would be. An empty hash costs the same work and is never the
	// password's: that is how an address nobody has registered takes as long as one somebody has.
	Verify(ctx context.Context, hash, password string) (ok, outdated bool, err error)
}
