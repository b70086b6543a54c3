package smtp

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// message is a mail ready to be sent.
type message struct {
	id         string // without angle brackets
	from       string
	recipients []string // each once: To, Cc and Bcc
	source     []byte   // RFC 5322, lines ended by CRLF
}

// traceparent is the W3C's. What is none is left out: it is the sidecar's to pass on, and no reason
// not to send a mail.
var traceparent = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// compose checks a request and writes its mail. Its errors are permanent.
func compose(r request, data []byte, now time.Time) (*message, error) {
	from, err := parseAddress("emailFrom", r.from)
	if err != nil {
		return nil, err
	}
	var lists [3][]*mail.Address
	for i, field := range []struct{ name, value string }{
		{"emailTo", r.to}, {"emailCC", r.cc}, {"emailBCC", r.bcc},
	} {
		if lists[i], err = parseAddresses(field.name, field.value); err != nil {
			return nil, err
		}
	}
	if len(lists[0]) == 0 {
		return nil, invalid("emailTo names no recipient")
	}
	if r.subject == "" {
		return nil, invalid("subject is empty")
	}
	if hasControl(r.subject) {
		return nil, invalid("subject contains a control character")
	}
	priority, err := parsePriority(r.priority)
	if err != nil {
		return nil, err
	}
	id, err := messageID(r.messageID, from)
	if err != nil {
		return nil, err
	}

	var b bytes.Buffer
	header := func(name, value string) { writeHeader(&b, name, value) }
	header("From", from.String())
	header("To", join(lists[0]))
	if len(lists[1]) > 0 {
		header("Cc", join(lists[1]))
	}
	header("Subject", encodeText(r.subject))
	header("Date", now.Format(time.RFC1123Z))
	header("Message-ID", "<"+id+">")
	header("X-Priority", fmt.Sprint(priority))
	if traceparent.MatchString(r.traceparent) {
		header("Traceparent", r.traceparent)
	}
	header("MIME-Version", "1.0")
	if err := writeBody(&b, r, body(data), id); err != nil {
		return nil, err
	}
	return &message{id: id, from: from.Address, recipients: envelope(lists[:]), source: b.Bytes()}, nil
}

// body undoes the JSON that a request over HTTP wraps a string in; over gRPC
// the data is the body itself.
func body(data []byte) string {
	var text string
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte{'"'}) && json.Unmarshal(data, &text) == nil {
		return text
	}
	return string(data)
}

func writeBody(b *bytes.Buffer, r request, body, id string) error {
	contentType := "text/html"
	if r.contentType != "" {
		parsed, _, err := mime.ParseMediaType(r.contentType)
		if err != nil || parsed != "text/html" && parsed != "text/plain" {
			return invalid("contentType must be text/html or text/plain")
		}
		contentType = parsed
	}
	switch {
	case r.text == "":
		return writePart(b, contentType, body)
	case contentType == "text/plain":
		return invalid("text is the alternative of an HTML body and needs contentType text/html")
	}
	// "=_" cannot occur in quoted-printable text, so neither can the boundary.
	sum := sha256.Sum256([]byte(id))
	boundary := "=_" + hex.EncodeToString(sum[:12])
	writeHeader(b, "Content-Type", `multipart/alternative; boundary="`+boundary+`"`)
	b.WriteString("\r\n")
	for _, part := range []struct{ contentType, body string }{
		{"text/plain", r.text}, {"text/html", body},
	} {
		fmt.Fprintf(b, "--%s\r\n", boundary)
		if err := writePart(b, part.contentType, part.body); err != nil {
			return err
		}
		b.WriteString("\r\n")
	}
	fmt.Fprintf(b, "--%s--\r\n", boundary)
	return nil
}

func writePart(b *bytes.Buffer, contentType, body string) error {
	writeHeader(b, "Content-Type", contentType+"; charset=utf-8")
	writeHeader(b, "Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(b)
	if _, err := w.Write([]byte(body)); err != nil {
		return fmt.Errorf("smtp binding: encoding the body: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("smtp binding: encoding the body: %w", err)
	}
	return nil
}

// writeHeader folds at spaces so that lines stay within 78 characters where
// their words allow it (RFC 5322 §2.2.3).
func writeHeader(b *bytes.Buffer, name, value string) {
	b.WriteString(name + ":")
	length := len(name) + 1
	for i, word := range strings.Split(value, " ") {
		if length+1+len(word) > 78 && i > 0 {
			b.WriteString("\r\n")
			length = 0
		}
		b.WriteString(" " + word)
		length += 1 + len(word)
	}
	b.WriteString("\r\n")
}

// encodeText writes text as a header value: as it is when it is plain ASCII that
// folding keeps intact and within the line limit, else as encoded words (RFC 2047).
func encodeText(text string) string {
	plain := !strings.Contains(text, "=?") && strings.Join(strings.Fields(text), " ") == text
	for word := range strings.SplitSeq(text, " ") {
		plain = plain && len(word) <= 70
	}
	if plain && strings.IndexFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) < 0 {
		return text
	}
	var words []string
	var chunk []byte
	flush := func() {
		words = append(words, "=?utf-8?B?"+base64.StdEncoding.EncodeToString(chunk)+"?=")
		chunk = chunk[:0]
	}
	for _, r := range text {
		if len(chunk)+utf8.RuneLen(r) > 45 { // 72 characters encoded; at most 75 are allowed
			flush()
		}
		chunk = utf8.AppendRune(chunk, r)
	}
	flush()
	return strings.Join(words, " ")
}

const separator = ";"

func parseAddresses(name, list string) ([]*mail.Address, error) {
	var parsed []*mail.Address
	for value := range strings.SplitSeq(list, separator) {
		if strings.Trim(value, " ") == "" {
			continue
		}
		address, err := parseAddress(name, value)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, address)
	}
	return parsed, nil
}

// maxAddress keeps a header line within 998 characters whatever it contains.
const maxAddress = 500

// parseAddress accepts a@b and Name <a@b>. The error does not repeat the value.
func parseAddress(name, value string) (*mail.Address, error) {
	if hasControl(value) {
		return nil, invalid("%s contains a control character", name)
	}
	address, err := mail.ParseAddress(value)
	if err != nil || len(value) > maxAddress {
		return nil, invalid("%s is not a mail address", name)
	}
	if hasControl(address.Name) || hasControl(address.Address) {
		return nil, invalid("%s contains a control character", name)
	}
	bare := mail.Address{Address: address.Address}
	foreign := func(r rune) bool { return r > unicode.MaxASCII }
	if bare.String() != "<"+address.Address+">" || strings.ContainsFunc(address.Address, foreign) {
		return nil, invalid("%s has an address that needs quoting or is not ASCII", name)
	}
	return address, nil
}

// hasControl finds what could end a header line.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
	})
}

func join(addresses []*mail.Address) string {
	texts := make([]string, len(addresses))
	for i, address := range addresses {
		texts[i] = address.String()
	}
	return strings.Join(texts, ", ")
}

// envelope lists the addresses once each.
func envelope(lists [][]*mail.Address) []string {
	var recipients []string
	seen := make(map[string]bool)
	for _, list := range lists {
		for _, address := range list {
			if !seen[address.Address] {
				seen[address.Address] = true
				recipients = append(recipients, address.Address)
			}
		}
	}
	return recipients
}

// idSyntax is dot-atom-text, with an optional domain (RFC 5322 §3.6.4).
var idSyntax = regexp.MustCompile("^" + atom + "([.]" + atom + ")*" +
	"(@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)?$")

const atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"

const maxID = 250

// messageID makes the id of a key: the key itself, or its hash where an id may
// not have such characters, completed by the sender's domain unless it has one.
// Without a key the id is random.
func messageID(key string, from *mail.Address) (string, error) {
	if hasControl(key) {
		return "", invalid("messageId contains a control character")
	}
	if key == "" {
		key = rand.Text()
	}
	key = strings.TrimSuffix(strings.TrimPrefix(key, "<"), ">")
	if len(key) > maxID || !idSyntax.MatchString(key) {
		sum := sha256.Sum256([]byte(key))
		key = hex.EncodeToString(sum[:16])
	}
	if strings.Contains(key, "@") {
		return key, nil
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	return key + "@" + domain, nil
}
