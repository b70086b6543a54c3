package text

import (
	"net/netip"
	"regexp"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
	"golang.org/x/text/unicode/norm"
)

// HasLink reports whether a mail program or a phone could make a link of part of the text: an
// address with a scheme, a mail address, the name of a host under a top-level domain that exists,
// or an IP address; also if it is disguised by full-width characters, other writings of the dot, or
// invisible characters.
func HasLink(s string) bool {
	plain := strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune("。｡．․", r):
			return '.'
		case hidden(r) && r != '\n' && r != '\t' && r != '\r':
			return -1
		}
		return r
	}, norm.NFKC.String(s))
	plain = strings.ToLower(plain)
	if scheme.MatchString(plain) {
		return true
	}
	for _, candidate := range host.FindAllString(plain, -1) {
		if isHost(candidate) {
			return true
		}
	}
	return false
}

var (
	scheme = regexp.MustCompile(`://|\bwww\.|\b(https?|ftps?|mailto|tel|sms|javascript|data):\S`)
	host   = regexp.MustCompile(`[\p{L}\p{N}\p{M}_-]+(\.[\p{L}\p{N}\p{M}_-]+)+`)
)

// isHost reports whether a name with dots is an IP address or ends in a top-level domain of the
// public list.
func isHost(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	tld := name[strings.LastIndexByte(name, '.')+1:]
	ascii, err := idna.ToASCII(tld)
	if err != nil {
		return false
	}
	suffix, icann := publicsuffix.PublicSuffix("a." + ascii)
	return icann && suffix == ascii
}
