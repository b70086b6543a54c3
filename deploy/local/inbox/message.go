package inbox

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"html"
	"net/mail"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jhillyerd/enmime/v2"
)

// message is one caught mail or SMS: exactly one of mail and sms is set.
type message struct {
	id      string
	created time.Time
	read    atomic.Bool
	search  string // lower-case text that plain words are looked for in
	mail    *mailSummary
	raw     []byte // the mail's source
	sms     *smsMessage
}

// size estimates the memory that the message holds.
func (m *message) size() int64 { return int64(len(m.raw)+len(m.search)) + 1024 }

// mailSummary is a mail without its body, in Mailpit's field names.
type mailSummary struct {
	ID          string
	MessageID   string
	Read        bool
	From        *mail.Address
	To          []*mail.Address
	Cc          []*mail.Address
	Bcc         []*mail.Address
	ReplyTo     []*mail.Address
	Subject     string
	Created     time.Time
	Username    string
	Tags        []string
	Size        int
	Attachments int
	Snippet     string
}

// mailDetail is a mail with its body, in Mailpit's field names.
type mailDetail struct {
	ID              string
	MessageID       string
	From            *mail.Address
	To              []*mail.Address
	Cc              []*mail.Address
	Bcc             []*mail.Address
	ReplyTo         []*mail.Address
	ReturnPath      string
	Subject         string
	ListUnsubscribe listUnsubscribe
	Date            time.Time
	Tags            []string
	Username        string
	Text            string
	HTML            string
	Size            int
	Inline          []attachment
	Attachments     []attachment
}

type listUnsubscribe struct {
	Header     string
	Links      []string
	Errors     string
	HeaderPost string
}

// attachment describes a part of a mail; Size is in bytes.
type attachment struct {
	PartID      string
	FileName    string
	ContentType string
	ContentID   string
	Size        int
}

// envelope is what the SMTP dialogue said about a mail.
type envelope struct {
	from, helo, remote, username string
	to                           []string
}

// newMail makes a message of received data. A mail that cannot be parsed is
// kept too: its source is what the developer needs to see.
func newMail(env envelope, data []byte, now time.Time) *message {
	m := &message{id: rand.Text(), created: now.UTC().Truncate(time.Millisecond)}
	parsed, err := parse(data)
	if err != nil {
		parsed = &enmime.Envelope{Root: enmime.NewPart("text/plain"), Text: string(data)}
	}
	summary := &mailSummary{
		ID:          m.id,
		MessageID:   strings.Trim(parsed.GetHeader("Message-ID"), "<> "),
		From:        sender(parsed),
		To:          addresses(parsed, "To"),
		Cc:          addresses(parsed, "Cc"),
		Bcc:         addresses(parsed, "Bcc"),
		ReplyTo:     addresses(parsed, "Reply-To"),
		Subject:     parsed.GetHeader("Subject"),
		Created:     m.created,
		Username:    env.username,
		Tags:        []string{},
		Attachments: len(parsed.Attachments),
		Snippet:     snippet(parsed),
	}
	hidden := unnamedRecipients(env.to, summary)
	for _, address := range hidden {
		summary.Bcc = append(summary.Bcc, &mail.Address{Address: address})
	}
	if summary.MessageID == "" {
		summary.MessageID = m.id + "@inbox.sidecart.local"
	}
	m.raw = append(traceHeaders(env, m, summary.MessageID, parsed, hidden), data...)
	summary.Size = len(m.raw)
	m.mail = summary
	m.search = mailSearchText(summary, parsed)
	return m
}

// traceHeaders are the fields that the receiving server puts above a mail.
func traceHeaders(env envelope, m *message, messageID string, parsed *enmime.Envelope, hidden []string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Return-Path: <%s>\r\n", env.from)
	fmt.Fprintf(&b, "Received: from %s (%s)\r\n\tby inbox.sidecart.local with SMTP id %s;\r\n\t%s\r\n",
		env.helo, env.remote, m.id, m.created.Format(time.RFC1123Z))
	if parsed.GetHeader("Message-ID") == "" {
		fmt.Fprintf(&b, "Message-ID: <%s>\r\n", messageID)
	}
	if len(hidden) > 0 {
		fmt.Fprintf(&b, "Bcc: <%s>\r\n", strings.Join(hidden, ">,\r\n <"))
	}
	if parent := namedTrace.FindStringSubmatch(parsed.HTML); parent != nil && parsed.GetHeader("Traceparent") == "" {
		fmt.Fprintf(&b, "Traceparent: %s\r\n", parent[1])
	}
	return b.Bytes()
}

// namedTrace is how a page names the trace (W3C Trace Context) that it was made in. A mail that has
// no header for it, as not everything that sends mail can set headers, may do the same.
var namedTrace = regexp.MustCompile(`<meta name="traceparent" content="(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})">`)

// detail parses the mail again: bodies are not worth keeping in memory twice.
func (m *message) detail() mailDetail {
	parsed, err := parse(m.raw)
	if err != nil {
		parsed = &enmime.Envelope{Root: enmime.NewPart("text/plain"), Text: string(m.raw)}
	}
	date, err := parsed.Date()
	if err != nil {
		date = m.created
	}
	s := m.mail
	d := mailDetail{
		ID: m.id, MessageID: s.MessageID, From: s.From, To: s.To, Cc: s.Cc, Bcc: s.Bcc, ReplyTo: s.ReplyTo,
		ReturnPath: strings.Trim(parsed.GetHeader("Return-Path"), "<>"),
		Subject:    s.Subject, Date: date, Tags: s.Tags, Username: s.Username,
		Text: parsed.Text, HTML: parsed.HTML, Size: len(m.raw),
		Inline:          append(describe(parsed.Inlines), describe(parsed.OtherParts)...),
		Attachments:     describe(parsed.Attachments),
		ListUnsubscribe: unsubscribe(parsed),
	}
	return d
}

// part returns the attachment or inline part of that number.
func (m *message) part(id string) (*enmime.Part, bool) {
	parsed, err := parse(m.raw)
	if err != nil {
		return nil, false
	}
	for _, parts := range [][]*enmime.Part{parsed.Attachments, parsed.Inlines, parsed.OtherParts} {
		for _, part := range parts {
			if part.PartID == id {
				return part, true
			}
		}
	}
	return nil, false
}

func parse(data []byte) (*enmime.Envelope, error) {
	return enmime.NewParser(enmime.DisableCharacterDetection(true)).ReadEnvelope(bytes.NewReader(data))
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
func unnamedRecipients(recipients []string, s *mailSummary) []string {
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
	invisible = regexp.MustCompile(`(?is)<(style|script|head|title)\b.*?</(style|script|head|title)>|<!--.*?-->|<[^>]*>`)
	links     = regexp.MustCompile(`<([^<>\s]+)>`)
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

func describe(parts []*enmime.Part) []attachment {
	list := []attachment{}
	for _, part := range parts {
		if part.FileName == "" && part.ContentID == "" {
			continue
		}
		name := part.FileName
		if name == "" {
			name = part.ContentID
		}
		list = append(list, attachment{part.PartID, name, part.ContentType, part.ContentID, len(part.Content)})
	}
	return list
}

func unsubscribe(parsed *enmime.Envelope) listUnsubscribe {
	u := listUnsubscribe{
		Header:     parsed.GetHeader("List-Unsubscribe"),
		Links:      []string{},
		HeaderPost: parsed.GetHeader("List-Unsubscribe-Post"),
	}
	for _, found := range links.FindAllStringSubmatch(u.Header, -1) {
		u.Links = append(u.Links, found[1])
	}
	return u
}
