package users_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sidecart.dev/users"
)

func TestNormaliseEmail(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"as it is", "ada@example.com", "ada@example.com"},
		{"white space around", " ada@example.com\n", "ada@example.com"},
		{"upper case", "Ada.LOVELACE@Example.COM", "ada.lovelace@example.com"},
		{"full-width letters", "ａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ", "ada@example.com"},
		{"ideographic full stop", "ada@example。com", "ada@example.com"},
		{"kelvin sign", "\u212Aai@example.com", "kai@example.com"},
		{"international domain", "ada@Bücher.example", "ada@xn--bcher-kva.example"},
		{"the same, decomposed", "ada@Bu\u0308cher.example", "ada@xn--bcher-kva.example"},
		{"the same, encoded", "ada@XN--BCHER-KVA.example", "ada@xn--bcher-kva.example"},
		{"sharp s stays itself", "ada@straße.example", "ada@xn--strae-oqa.example"},
		{"tag and dots stay", "a.d.a+shop@example.com", "a.d.a+shop@example.com"},
		{"longest local part", strings.Repeat("a", 64) + "@example.com", strings.Repeat("a", 64) + "@example.com"},
	} {
		got, err := users.NormaliseEmail(c.in)
		if err != nil || got != c.want {
			t.Errorf("%s: NormaliseEmail(%q) = %q, %v; want %q", c.name, c.in, got, err, c.want)
		}
	}
	for _, bad := range []string{
		"", "@", "ada", "ada@", "@example.com", "ada@localhost", "ada@example", "ada@127.0.0.1",
		"ada@[127.0.0.1]",
		"ada lovelace@example.com", "ada@exa mple.com", "ada@@example.com", ".ada@example.com",
		"ada.@example.com", "a..da@example.com",
		`"ada"@example.com`, "ädä@example.com", "аda@example.com", /* Cyrillic а */
		"ada\r\nBcc: eve@example.com", "ada@example.com\r\nx",
		"<ada@example.com>", "ada@example.com,eve@example.com", "ada@-example.com", "ada@example..com",
		"ada@exam_ple.com", "ada@example.com.",
		strings.Repeat("a", 65) + "@example.com", "ada@" + strings.Repeat("a", 64) + ".com",
		"ada@" + strings.Repeat("abcdefgh.", 28) + "com", "ada@example.123",
	} {
		if got, err := users.NormaliseEmail(bad); err == nil {
			t.Errorf("NormaliseEmail(%q) = %q; want it refused", bad, got)
		}
	}
}

// Whatever spelling of an address comes in, what is stored is one ASCII spelling that is left alone
// from then on.
func TestNormalisationIsIdempotentAndBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.OneOf(
			rapid.String(),
			rapid.StringMatching(`[A-Za-z0-9.+ﬁＡ-Ｚ]{1,20}@[A-Za-zäöüßÄＡ-Ｚ0-9-]{1,20}\.[a-zA-Z]{2,6}`),
		).Draw(t, "address")
		once, err := users.NormaliseEmail(in)
		if err != nil {
			return
		}
		twice, err := users.NormaliseEmail(once)
		if err != nil || twice != once {
			t.Fatalf("NormaliseEmail(%q) = %q, and of that %q, %v", in, once, twice, err)
		}
		if len(once) > 254 || strings.ToLower(once) != once || strings.ContainsFunc(once, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Fatalf("NormaliseEmail(%q) = %q, which is not lower-case printable ASCII of at most 254", in, once)
		}
		if upper, err := users.NormaliseEmail(strings.ToUpper(once)); err != nil || upper != once {
			t.Fatalf("%q in upper case is normalised to %q, %v", once, upper, err)
		}
	})
}
