// Package id makes ids that are derived, and knows the form of all ids.
package id

import (
	"crypto/sha256"
	"encoding/base32"
	"regexp"
	"strings"
)

// Of returns an id that is the prefix and 26 characters of a digest. The same text always gives the
// same id, and the id does not tell the text.
func Of(prefix, text string) string {
	digest := sha256.Sum256([]byte(text))
	return prefix + strings.ToLower(base32.StdEncoding.EncodeToString(digest[:]))[:26]
}

var form = regexp.MustCompile(`^[0-9a-z-]{1,36}$`)

// Valid reports whether an id has the prefix, and after it what an id may have: a digest, random
// characters, or a UUID.
func Valid(prefix, id string) bool {
	rest, ok := strings.CutPrefix(id, prefix)
	return ok && form.MatchString(rest)
}
