package mailbox

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"html"
	"net/mail"
	"regexp"
	"strings"
	"time"

	"github.com/jhillyerd/enmime/v2"
)

// NewMail makes a message of received data. A mail that cannot be parsed is
// kept too: its source is what the developer needs to see.
func NewMail(env Envelope, data []byte, now time.Time) *Message {
	m := &Message{ID: rand.Text(), Created: now.UTC().Truncate(time.Millisecond)}
	parsed := parse(data)
	summary := &Mail{
		ID:          m.ID,
		MessageID:   strings.Trim(parsed.GetHeader("Message-ID"), "<> "),
		From:        sender(parsed),
		To:          addresses(parsed, "To"),
		Cc:          addresses(parsed, "Cc"),
		Bcc:         addresses(parsed, "Bcc"),
		ReplyTo:     addresses(parsed, "Reply-To"),
		Subject:     parsed.GetHeader("Subject"),
		Created:     m.Created,
		Username:    env.Username,
		Tags:        []string{},
		Attachments: len(parsed.Attachments),
		Snippet:     snippet(parsed),
	}
	hidden := unnamedRecipients(env.To, summary)
	for _, address := range hidden {
		summary.Bcc = append(summary.Bcc, &mail.Address{Address: address})
	}
	if summary.MessageID == "" {
		summary.MessageID = m.ID + "@inbox.sidecart.local"
	}
	m.Raw = append(traceHeaders(env, m, summary.MessageID, parsed, hidden), data...)
	summary.Size = len(m.Raw)
	m.mail = summary
	m.search = mailSearchText(summary, parsed)
	return m
}

// traceHeaders are the fields that the receiving server puts above a mail.
func traceHeaders(
	env Envelope, m *Message, messageID string, parsed *enmime.Envelope, hidden []string,
) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Return-Path: <%s>\r\n", env.From)
	const received = "Received: from %s (%s)\r\n\tby inbox.sidecart.local with SMTP id %s;\r\n\t%s\r\n"
	fmt.Fprintf(&b, received,
		env.Helo, env.Remote, m.ID, m.Created.Format(time.RFC1123Z))
	if parsed.GetHeader("Message-ID") == "" {
		fmt.Fprintf(&b, "Message-ID: <%s>\r\n", messageID)
	}
	if len(hidden) > 0 {
		fmt.Fprintf(&b, "Bcc: <%s>\r\n", strings.Join(hidden, ">,\r\n <"))
	}
	parent := namedTrace.FindStringSubmatch(parsed.HTML)
	if parent != nil && parsed.GetHeader("Traceparent") == "" {
		fmt.Fprintf(&b, "Traceparent: %s\r\n", parent[1])
	}
	return b.Bytes()
}

// namedTrace is how a page names the trace (W3C Trace Context) that it was made in. A mail that has
// no header for it, as not everything that sends mail can set headers, may do the same.
var namedTrace = regexp.MustCompile(
	`<meta name="traceparent" content="(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})">`)

// IsMail accepts mails.
func IsMail(m *Message) bool { return m.mail != nil }

// Mail returns the mail as it stands now, without its body; the message must be one.
func (m *Message) Mail() Mail {
	view := *m.mail
	view.Read = m.read.Load()
	return view
}

// Detail parses the mail again: bodies are not worth keeping in memory twice.
func (m *Message) Detail() MailDetail {
	parsed := parse(m.Raw)
	date, err := parsed.Date()
	if err != nil {
		date = m.Created
	}
	s := m.mail
	return MailDetail{
		ID: m.ID, MessageID: s.MessageID,
		From: s.From, To: s.To, Cc: s.Cc, Bcc: s.Bcc, ReplyTo: s.ReplyTo,
		ReturnPath: strings.Trim(parsed.GetHeader("Return-Path"), "<>"),
		Subject:    s.Subject, Date: date, Tags: s.Tags, Username: s.Username,
		Text: parsed.Text, HTML: parsed.HTML, Size: len(m.Raw),
		Inline:          append(describe(parsed.Inlines), describe(parsed.OtherParts)...),
		Attachments:     describe(parsed.Attachments),
		ListUnsubscribe: unsubscribe(parsed),
	}
}

// Part returns the attachment or inline part of that number.
func (m *Message) Part(id string) (*enmime.Part, bool) {
	parsed := parse(m.Raw)
	for _, parts := range [][]*enmime.Part{parsed.Attachments, parsed.Inlines, parsed.OtherParts} {
		for _, part := range parts {
			if part.PartID == id {
				return part, true
			}
		}
	}
	return nil, false
}

// parse reads a mail; what cannot be parsed is all text.
func parse(data []byte) *enmime.Envelope {
	parser := enmime.NewParser(enmime.DisableCharacterDetection(true))
	parsed, err := parser.ReadEnvelope(bytes.NewReader(data))
	if err != nil {
		return &enmime.Envelope{Root: enmime.NewPart("text/plain"), Text: string(data)}
	}
	return parsed
}

func sender(parsed *enmime.Envelope) *mail.Address {
	if from := addresses(parsed, "From"); len(from) > 0 {
		return from[0]
	}
	return &mail.Address{Name: parsed.GetHeader("From")}
}

func addresses(parsed *enmime.Envelope, header string) []*mail.Address {
	list, err := parsed.AddressList(header)
	if err != nil || list == nil {
		return []*mail.Address{}
	}
	return list
}

// unnamedRecipients are those of the SMTP dialogue that no header names.
func unnamedRecipients(recipients []string, s *Mail) []string {
	named := make(map[string]bool)
	for _, list := range [][]*mail.Address{s.To, s.Cc, s.Bcc} {
		for _, address := range list {
			named[strings.ToLower(address.Address)] = true
		}
	}
	var hidden []string
	for _, recipient := range recipients {
		if key := strings.ToLower(recipient); !named[key] {
			named[key] = true
			hidden = append(hidden, recipient)
		}
	}
	return hidden
}

var (
	invisible = regexp.MustCompile(`(?is)<(style|script|head|title)\b.*?` +
		`</(style|script|head|title)>|<!--.*?-->|<[^>]*>`)
	links = regexp.MustCompile(`<([^<>\s]+)>`)
)

// snippet is the beginning of what a reader sees.
func snippet(parsed *enmime.Envelope) string {
	const limit = 200
	text := parsed.Text
	if parsed.HTML != "" {
		text = html.UnescapeString(invisible.ReplaceAllString(parsed.HTML, " "))
	}
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) <= limit {
		return string(runes)
	}
	return string(runes[:limit]) + "..."
}

func describe(parts []*enmime.Part) []Attachment {
	list := []Attachment{}
	for _, part := range parts {
		if part.FileName == "" && part.ContentID == "" {
			continue
		}
		name := part.FileName
		if name == "" {
			name = part.ContentID
		}
		list = append(list, Attachment{
			part.PartID, name, part.ContentType, part.ContentID, len(part.Content),
		})
	}
	return list
}

func unsubscribe(parsed *enmime.Envelope) Unsubscribe {
	u := Unsubscribe{
		Header:     parsed.GetHeader("List-Unsubscribe"),
		Links:      []string{},
		HeaderPost: parsed.GetHeader("List-Unsubscribe-Post"),
	}
	for _, found := range links.FindAllStringSubmatch(u.Header, -1) {
		u.Links = append(u.Links, found[1])
	}
	return u
}
