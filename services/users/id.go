package users

import (
	"encoding/base32"
	"io"
	"strings"
)

var idEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// newID returns the prefix followed by 128 random bits in lower-case base32.
func newID(prefix string, random io.Reader) (string, error) {
	var raw [16]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", err
	}
	return prefix + strings.ToLower(idEncoding.EncodeToString(raw[:])), nil
}

// ValidID reports whether s has the form of an account's id.
func ValidID(s string) bool {
	id, ok := strings.CutPrefix(s, "usr_")
	return ok && validRandom(id)
}

// validRandom reports whether s is what newID appends to its prefix.
func validRandom(s string) bool {
	if len(s) != 26 {
		return false
	}
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}
