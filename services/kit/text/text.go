// Package text has the one rule for text that people type and others read: names, reasons,
// descriptions. Such text ends up on pages, in mails and in logs beside text of ours, so it must
// not be able to hide, to reorder what stands around it or to pass for nothing.
package text

import (
	"errors"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Line checks one line of text: min to max characters, each of which a reader can see, apart from
// spaces. The error says what to change, in words that complete "The name …".
//
// Refused are control characters and line breaks, characters that change the direction of text,
// invisible ones (a soft hyphen, a zero-width space), those without a meaning of their own (private
// use) and what is not UTF-8. A joiner is accepted between two letters or signs of scripts that
// need it, as in Persian words and in emoji. Text that has to have characters must have a visible
// one.
func Line(s string, min, max int) error { return check(s, min, max, "") }

// Lines is [Line] for text of several lines: it may also have line feeds and tabs.
func Lines(s string, min, max int) error { return check(s, min, max, "\n\t") }

func check(s string, min, max int, also string) error {
	if !utf8.ValidString(s) {
		return errors.New("must be UTF-8")
	}
	runes := []rune(s)
	switch n := len(runes); {
	case n < min || n > max:
		return outOfRange(min, max)
	case min > 0 && !slices.ContainsFunc(runes, visible):
		return errors.New("must have a visible character")
	}
	for i, r := range runes {
		switch {
		case slices.Contains([]rune(also), r), joins(runes, i):
		case hidden(r):
			return fmt.Errorf("must not contain the control or invisible character U+%04X (character %d)",
				r, i+1)
		}
	}
	return nil
}

func outOfRange(min, max int) error {
	if min == 0 {
		return fmt.Errorf("must have at most %d characters", max)
	}
	return fmt.Errorf("must have %d to %d characters", min, max)
}

// visible reports whether a reader sees the character by itself.
func visible(r rune) bool {
	return unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) && !hidden(r)
}

// hidden reports characters that a reader does not see, cannot know, or sees only by what they do
// to others.
func hidden(r rune) bool {
	switch {
	case r == utf8.RuneError:
		return true
	case unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return false // visible, though counted among the format characters
	case unicode.In(r, unicode.C, unicode.Zl, unicode.Zp, unicode.Bidi_Control,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point):
		return true
	}
	return !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r)
}

const (
	nonJoiner = '\u200c'
	joiner    = '\u200d'
)

// firstJoining is the first character that a joiner may stand beside: below it are scripts that
// never join.
const firstJoining = 0x0590

// joins reports whether a joiner stands where it has a use.
func joins(runes []rune, i int) bool {
	if runes[i] != joiner && runes[i] != nonJoiner || i == 0 || i == len(runes)-1 {
		return false
	}
	able := func(r rune) bool { return r >= firstJoining && !hidden(r) && !unicode.IsSpace(r) }
	return able(runes[i-1]) && able(runes[i+1])
}
