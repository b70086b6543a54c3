package users

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// maxEmail is the longest address SMTP can carry, in octets (RFC 5321, erratum 1690); maxLocal that
// of the part before the @.
const (
	maxEmail = 254
	maxLocal = 64
)

// domains maps and checks domain names as a look-up does (UTS #46): lower case, one spelling for
// each name, in the ASCII form that goes on the wire.
var domains = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true),
	idna.ValidateLabels(true), idna.VerifyDNSLength(true), idna.Transitional(false))

// NormaliseEmail returns the one spelling under which an address is stored, compared and written
// to. It is idempotent.
//
// White space around it goes; compatibility forms (full-width letters, ligatures) become what they
// look like (NFKC); the domain becomes its ASCII form in lower case (IDNA 2008). The local part is
// lower-cased as well: SMTP allows it to be case-sensitive, but no provider of note makes use of
// that, and two accounts that differ in case alone would be a trap for their owners. Dots and +tags
// stay: they mean different mailboxes to some providers. Non-ASCII local parts are refused, because
// the mail servers this may have to send through need not take them.
func NormaliseEmail(address string) (string, error) {
	s := strings.TrimSpace(norm.NFKC.String(address))
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at == len(s)-1 {
		return "", errors.New("must be an e-mail address such as ada@example.com")
	}
	local := strings.ToLower(s[:at])
	if err := checkLocal(local); err != nil {
		return "", err
	}
	domain, err := domains.ToASCII(s[at+1:])
	if err != nil || !qualified(domain) {
		return "", errors.New("must end in a domain name such as example.com")
	}
	if len(local)+1+len(domain) > maxEmail {
		return "", errors.New("must be at most 254 characters long")
	}
	return local + "@" + domain, nil
}

// checkLocal accepts a dot-string (RFC 5321), not a quoted one.
func checkLocal(local string) error {
	if len(local) > maxLocal {
		return errors.New("must have at most 64 characters before the @")
	}
	for _, atom := range strings.Split(local, ".") {
		if atom == "" {
			return errors.New("must not begin or end with a dot before the @, or have two in a row")
		}
		for i := range len(atom) {
			if c := atom[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') &&
				!strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", rune(c)) {
				return errors.New("must have only ASCII letters, digits and !#$%&'*+-/=?^_`{|}~. before the @")
			}
		}
	}
	return nil
}

// qualified reports whether a domain has at least two labels and is no IP address.
func qualified(domain string) bool {
	dot := strings.LastIndexByte(domain, '.')
	if dot < 1 || dot == len(domain)-1 {
		return false
	}
	return strings.Trim(domain[dot+1:], "0123456789") != ""
}

// EmailKey returns the name under which a normalised address is claimed: its SHA-256 in hex, so
// that no store key and no journal entry shows an address.
func EmailKey(normalised string) string {
	sum := sha256.Sum256([]byte(normalised))
	return hex.EncodeToString(sum[:])
}
