package mailbox

import (
	"net/mail"
	"sync/atomic"
	"time"
)

// Message is one caught mail or SMS: exactly one of mail and sms is set.
type Message struct {
	ID      string
	Created time.Time
	read    atomic.Bool
	search  string // lower-case text that plain words are looked for in
	mail    *Mail
	Raw     []byte // the mail's source
	sms     *SMS
}

// size estimates the memory that the message holds.
func (m *Message) size() int64 { return int64(len(m.Raw)+len(m.search)) + 1024 }

// Mail is a mail without its body, in Mailpit's field names.
type Mail struct {
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

// MailDetail is a mail with its body, in Mailpit's field names.
type MailDetail struct {
	ID              string
	MessageID       string
	From            *mail.Address
	To              []*mail.Address
	Cc              []*mail.Address
	Bcc             []*mail.Address
	ReplyTo         []*mail.Address
	ReturnPath      string
	Subject         string
	ListUnsubscribe Unsubscribe
	Date            time.Time
	Tags            []string
	Username        string
	Text            string
	HTML            string
	Size            int
	Inline          []Attachment
	Attachments     []Attachment
}

// Unsubscribe is the List-Unsubscribe of a mail.
type Unsubscribe struct {
	Header     string
	Links      []string
	Errors     string
	HeaderPost string
}

// Attachment describes a part of a mail; Size is in bytes.
type Attachment struct {
	PartID      string
	FileName    string
	ContentType string
	ContentID   string
	Size        int
}

// Envelope is what the SMTP dialogue said about a mail.
type Envelope struct {
	From, Helo, Remote, Username string
	To                           []string
}
