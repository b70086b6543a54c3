package users_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"sidecart.dev/kit/fault"
	"sidecart.dev/users"
)

func TestNewPassword(t *testing.T) {
	for _, good := range []string{
		"correct horse battery", "ten chars!", strings.Repeat("ä", 5) + "bcdef", strings.Repeat("ab", 64),
		"пароль-пароль", "🐎🔋📎🐎🔋📎🐎🔋📎!",
	} {
		if _, err := users.NewPassword(good, "ada@example.com"); err != nil {
			t.Errorf("NewPassword(%q): %v; want it accepted", good, err)
		}
	}
	for _, bad := range []string{
		"", "short", "nine char", strings.Repeat("ab", 65), "password123", "PassWord123", "qwertyuiop",
		"1234567890", "aaaaaaaaaaaa",
		"ada@example.com", "ADA@example.com", "ääääääää",
	} {
		if _, err := users.NewPassword(bad, "ada@example.com"); err == nil {
			t.Errorf("NewPassword(%q): accepted; want it refused", bad)
		}
	}
	composed, _ := users.NewPassword("Schlüsselbund", "")
	decomposed, _ := users.NewPassword("Schlu\u0308sselbund", "")
	if composed != decomposed {
		t.Error("the same password typed on two systems is two passwords")
	}
}

func TestANameCarriesNoLinkAndNothingHidden(t *testing.T) {
	for _, name := range []string{
		"visit www.evil", "ｅｖｉｌ．ｃｏｍ", "ev\u200bil.com", "Ada\u200bLovelace", "Ada\u202eecalevoL",
		"me@evil.com", "Ada\u00ad", "\u3164",
	} {
		if got, err := users.NormaliseName(name); err == nil {
			t.Errorf("%+q was accepted as %+q", name, got)
		}
	}
}

func TestNormaliseName(t *testing.T) {
	for in, want := range map[string]string{
		"Ada Lovelace": "Ada Lovelace", "  Ada ": "Ada", "Jo\u0308rg": "Jörg", "李": "李",
		"O'Neil-Smith, Jr.": "O'Neil-Smith, Jr.",
	} {
		if got, err := users.NormaliseName(in); err != nil || got != want {
			t.Errorf("NormaliseName(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, bad := range []string{
		"", "   ", strings.Repeat("a", 101), "Ada\nBcc: eve@example.com", "a\x00b", "Ada\u202Eecalevol",
		"see http://example.com", "a\u2028b",
	} {
		if got, err := users.NormaliseName(bad); err == nil {
			t.Errorf("NormaliseName(%q) = %q; want it refused", bad, got)
		}
	}
}

func TestCheckPhone(t *testing.T) {
	for phone, good := range map[string]bool{
		"+4915112345678": true, "+1234567": true, "+123456789012345": true,
		"+123456": false, "+1234567890123456": false, "004915112345678": false, "+0123456789": false,
		"+49 151 12345": false, "": false, "+491511234567x": false,
	} {
		if _, err := users.CheckPhone(phone); (err == nil) != good {
			t.Errorf("CheckPhone(%q): %v; want accepted: %v", phone, err, good)
		}
	}
}

func TestARegistrationNamesEveryWrongField(t *testing.T) {
	phone, locale := "123", "fr"
	_, err := users.Draft{Email: "x", Password: "y", Name: "", Phone: &phone, Locale: &locale}.Check()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != fault.Invalid {
		t.Fatalf("got %v, want an Invalid fault", err)
	}
	var names []string
	for _, field := range f.Fields {
		names = append(names, field.Field)
	}
	if want := []string{"email", "name", "password", "phone", "locale"}; !slices.Equal(names, want) {
		t.Errorf("wrong fields %v, want %v", names, want)
	}
}
