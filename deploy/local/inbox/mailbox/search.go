package mailbox

import (
	"net/mail"
	"strings"
	"time"
	"unicode"

	"github.com/jhillyerd/enmime/v2"
)

// Query compiles a search in Mailpit's language to a filter that all terms must
// accept. A term is a word or a "quoted phrase", found anywhere in the message,
// or one of
//
//	to: from: cc: bcc: reply-to: addressed: subject: message-id:
//	is:read is:unread has:attachment before:2026-01-31 after:2026-01-31
//
// A term after - or ! must not match. Case does not matter. SMS messages know
// to:, from:, is: and plain words.
func Query(text string) func(*Message) bool {
	var terms []func(*Message) bool
	for _, word := range splitQuery(text) {
		word, negated := negation(strings.ToLower(word))
		if word == "" {
			continue
		}
		match := term(word)
		terms = append(terms, func(m *Message) bool { return match(m) != negated })
	}
	return func(m *Message) bool {
		for _, match := range terms {
			if !match(m) {
				return false
			}
		}
		return true
	}
}

// splitQuery cuts at spaces outside quotes, and removes the quotes.
func splitQuery(text string) []string {
	quoted := false
	words := strings.FieldsFunc(text, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && unicode.IsSpace(r)
	})
	for i, word := range words {
		words[i] = strings.TrimSpace(strings.ReplaceAll(word, `"`, ""))
	}
	return words
}

func negation(word string) (string, bool) {
	if len(word) > 1 && (word[0] == '-' || word[0] == '!') {
		return word[1:], true
	}
	return word, false
}

// term returns the filter of one lower-case term.
func term(word string) func(*Message) bool {
	switch word {
	case "is:read":
		return func(m *Message) bool { return m.read.Load() }
	case "is:unread":
		return func(m *Message) bool { return !m.read.Load() }
	case "has:attachment", "has:attachments":
		return func(m *Message) bool { return IsMail(m) && m.mail.Attachments > 0 }
	}
	name, value, ok := strings.Cut(word, ":")
	value = strings.TrimSpace(value)
	if ok && value != "" {
		switch name {
		case "to", "from", "cc", "bcc", "reply-to", "addressed", "subject", "message-id", "tag":
			return func(m *Message) bool { return strings.Contains(field(m, name), value) }
		case "before", "after":
			if match, ok := dateTerm(name, value); ok {
				return match
			}
		}
	}
	return func(m *Message) bool { return strings.Contains(m.search, word) }
}

// field is the lower-case text of one field of a message.
func field(m *Message, name string) string {
	if IsSMS(m) {
		switch name {
		case "to":
			return m.sms.To
		case "from":
			return strings.ToLower(m.sms.From)
		case "addressed":
			return m.sms.To + " " + strings.ToLower(m.sms.From)
		}
		return ""
	}
	s := m.mail
	switch name {
	case "to":
		return addressText(s.To)
	case "from":
		return addressText([]*mail.Address{s.From})
	case "cc":
		return addressText(s.Cc)
	case "bcc":
		return addressText(s.Bcc)
	case "reply-to":
		return addressText(s.ReplyTo)
	case "addressed":
		return addressText([]*mail.Address{s.From}, s.To, s.Cc, s.Bcc, s.ReplyTo)
	case "subject":
		return strings.ToLower(s.Subject)
	case "message-id":
		return strings.ToLower(s.MessageID)
	}
	return "" // tags are not kept
}

func dateTerm(name, value string) (func(*Message) bool, bool) {
	for _, layout := range []string{
		time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04", time.DateOnly,
	} {
		at, err := time.ParseInLocation(layout, strings.ToUpper(value), time.Local)
		if err != nil {
			continue
		}
		if name == "before" {
			return func(m *Message) bool { return !m.Created.After(at) }, true
		}
		return func(m *Message) bool { return !m.Created.Before(at) }, true
	}
	return nil, false
}

func addressText(lists ...[]*mail.Address) string {
	var b strings.Builder
	for _, list := range lists {
		for _, address := range list {
			b.WriteString(address.Name)
			b.WriteString(" ")
			b.WriteString(address.Address)
			b.WriteString("\n")
		}
	}
	return strings.ToLower(b.String())
}

func mailSearchText(s *Mail, parsed *enmime.Envelope) string {
	people := addressText([]*mail.Address{s.From}, s.To, s.Cc, s.Bcc, s.ReplyTo)
	words := []string{people, s.Subject, parsed.Text}
	if parsed.HTML != "" {
		words = append(words, s.Snippet, invisible.ReplaceAllString(parsed.HTML, " "))
	}
	for _, part := range parsed.Attachments {
		words = append(words, part.FileName)
	}
	return strings.ToLower(strings.Join(strings.Fields(strings.Join(words, "\n")), " "))
}
