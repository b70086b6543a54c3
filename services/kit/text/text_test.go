package text_test

import (
	"strings"
	"testing"
	"unicode"

	"sidecart.dev/kit/text"
)

func TestALineIsWhatAReaderSees(t *testing.T) {
	for s, ok := range map[string]bool{
		"Espresso beans, 250 g": true, "Crème brûlée": true, "李小龙": true, "עברית": true,
		"O’Brien-Smith": true,
		"می\u200cخواهم": true, "👩\u200d🚀 in space": true, "क्\u200dष": true, "1,299.00 Ft": true,
		"non\u00a0breaking": true,
		"":                  false, " ": false, "\u00a0": false, "\u3164": false, "\u200b": false,
		"a\x00b": false, "a\tb": false, "a\nb": false, "a\rb": false, "a\x7fb": false, "a\u0085b": false,
		"a\u2028b": false, "a\u2029b": false, "bad\xff": false, "a\ufffdb": false,
		"abc\u202egpj.exe": false, "a\u2066b\u2069": false, "a\u200eb": false, "a\u061cb": false,
		"pay\u200bpal": false, "pay\u200dpal": false, "pay\u200cpal": false, "\u200dک": false,
		"ک\u200c":          false,
		"soft\u00adhyphen": false, "word\u2060joiner": false, "\ufeffbom": false,
		"tag\U000e0041": false, "private\ue000": false,
		"\u034f": false, "hangul\u115ffiller": false, "non\ufffecharacter": false,
		strings.Repeat("ü", 30): true, strings.Repeat("ü", 31): false,
	} {
		if err := text.Line(s, 1, 30); (err == nil) != ok {
			t.Errorf("%+q: %v, want accepted: %v", s, err, ok)
		}
	}
}

func TestLinesMayBreak(t *testing.T) {
	for s, ok := range map[string]bool{
		"": true, "one\n\ttwo": true, "one\r\ntwo": false, "one\x1b[31mtwo": false,
		"one\u202etwo": false, "12345678901": false,
	} {
		if err := text.Lines(s, 0, 10); (err == nil) != ok {
			t.Errorf("%+q: %v, want accepted: %v", s, err, ok)
		}
	}
}

func TestNoControlOrDirectionCharacterPasses(t *testing.T) {
	for _, table := range []*unicode.RangeTable{
		unicode.Cc, unicode.Bidi_Control, unicode.Zl, unicode.Zp, unicode.Co,
	} {
		for _, r := range table.R16 {
			for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
				if text.Line("a"+string(c)+"b", 1, 30) == nil {
					t.Errorf("U+%04X was accepted", c)
				}
			}
		}
	}
}

func TestTheMessageNamesTheCharacterAndItsPlace(t *testing.T) {
	err := text.Line("ü\u202e", 1, 30)
	if err == nil || !strings.Contains(err.Error(), "U+202E (character 2)") {
		t.Errorf("%v, want U+202E at character 2", err)
	}
}

func TestWhatCouldBecomeALinkIsFound(t *testing.T) {
	for s, want := range map[string]bool{
		"Ada Lovelace": false, "Dr.Müller": false, "J. R. R. Tolkien": false, "St.John": false,
		"Ph.D.": false, "end of line.Nothing": false, "end of line.Next": true,
		"3.5 kg": false, "1.299,00": false, "ordered twice": false, "see: below": false, "Ltd.": false,
		"https://evil.example": true, "HTTPS://EVIL": true, "www.evil": true,
		"go to evil.com now": true, "evil.com/x?y": true,
		"ｅｖｉｌ．ｃｏｍ": true, "evil。com": true, "evil․com": true, "ev\u200bil.c\u200bom": true,
		"ｗｗｗ．x": true, "t.me/x": true,
		"пример.рф": true, "bücher.de": true, "me@evil.com": true, "10.0.0.1": true, "mailto:me": true,
		"tel:+123": true, "EVIL.COM": true,
	} {
		if got := text.HasLink(s); got != want {
			t.Errorf("%+q: link %v, want %v", s, got, want)
		}
	}
}
