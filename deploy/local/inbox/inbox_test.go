package inbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/smtp"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sidecart.dev/local/inbox"
)

// start runs an inbox on free ports until the test ends.
func start(t *testing.T, config inbox.Config) *inbox.Server {
	t.Helper()
	config.HTTPAddr, config.SMTPAddr = "127.0.0.1:0", "127.0.0.1:0"
	server := inbox.New(config)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run returned %v, want nil after its context ended", err)
			}
		case <-time.After(time.Minute):
			t.Error("Run did not return within 10 s of its context's end")
		}
	})
	select {
	case <-server.Ready():
	case err := <-ended:
		t.Fatalf("Run ended early: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("not ready within 10 s")
	}
	return server
}

const multipart = "From: Sidecart <shop@sidecart.local>\r\n" +
	"To: \"Ada Lovelace\" <ada@example.org>\r\n" +
	"Cc: Charles <charles@example.org>\r\n" +
	"Reply-To: help@sidecart.local\r\n" +
	"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe:_order_placed?=\r\n" +
	"Message-ID: <ntf_1@sidecart.local>\r\n" +
	"Date: Fri, 02 Jan 2026 15:04:05 +0000\r\n" +
	"MIME-Version: 1.0\r\n" +
	"Content-Type: multipart/mixed; boundary=outer\r\n\r\n" +
	"--outer\r\nContent-Type: multipart/alternative; boundary=inner\r\n\r\n" +
	"--inner\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThank you, Ada.\r\n" +
	"--inner\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Thank you, <b>Ada</b>.</p>\r\n--inner--\r\n" +
	"--outer\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=\"items.csv\"\r\n\r\na,b\r\n--outer--\r\n"

func plain(to, subject, body string) string {
	return fmt.Sprintf("From: shop@sidecart.local\r\nTo: %s\r\nSubject: %s\r\n\r\n%s\r\n", to, subject, body)
}

func send(t *testing.T, s *inbox.Server, source string, to ...string) {
	t.Helper()
	if err := trySend(s, source, to...); err != nil {
		t.Fatalf("sending mail: %v", err)
	}
}

func trySend(s *inbox.Server, source string, to ...string) error {
	return smtp.SendMail(s.SMTPAddr(), nil, "shop@sidecart.local", to, []byte(source))
}

// call asks the HTTP server and decodes a JSON answer into out unless out is nil.
func call(t *testing.T, s *inbox.Server, method, path, body string, out any) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.HTTPAddr()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("%s %s: reading the answer: %v", method, path, err)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			t.Fatalf("%s %s answered %d %q: %v", method, path, answer.StatusCode, text, err)
		}
	}
	return answer.StatusCode, string(text)
}

type address struct{ Name, Address string }

type summary struct {
	ID, MessageID, Subject, Snippet string
	Read                            bool
	From                            address
	To, Cc, Bcc, ReplyTo            []address
	Created                         time.Time
	Size, Attachments               int
}

type list struct {
	Total         int       `json:"total"`
	Unread        int       `json:"unread"`
	MessagesCount int       `json:"messages_count"`
	Start         int       `json:"start"`
	Messages      []summary `json:"messages"`
}

func search(t *testing.T, s *inbox.Server, query string) list {
	t.Helper()
	var found list
	call(t, s, "GET", "/api/v1/search?query="+url.QueryEscape(query), "", &found)
	return found
}

func TestMultipartMailIsReadBackWhole(t *testing.T) {
	s := start(t, inbox.Config{})
	send(t, s, multipart, "ada@example.org", "charles@example.org", "audit@example.org")

	var found list
	call(t, s, "GET", "/api/v1/messages", "", &found)
	if found.Total != 1 || found.Unread != 1 || found.MessagesCount != 1 || len(found.Messages) != 1 {
		t.Fatalf("list is %+v, want one unread message", found)
	}
	m := found.Messages[0]
	if m.Subject != "Grüße: order placed" || m.MessageID != "ntf_1@sidecart.local" || m.Attachments != 1 || m.Snippet != "Thank you, Ada ." {
		t.Errorf("summary is %+v", m)
	}
	if m.From != (address{"Sidecart", "shop@sidecart.local"}) || len(m.To) != 1 || m.To[0] != (address{"Ada Lovelace", "ada@example.org"}) {
		t.Errorf("From is %v and To %v", m.From, m.To)
	}
	if len(m.Bcc) != 1 || m.Bcc[0].Address != "audit@example.org" {
		t.Errorf("Bcc is %v, want the recipient that no header names", m.Bcc)
	}

	var detail struct {
		summary
		HTML, Text, ReturnPath string
		Date                   time.Time
		Attachments            []struct {
			PartID, FileName, ContentType string
			Size                          int
		}
	}
	call(t, s, "GET", "/api/v1/message/"+m.ID, "", &detail)
	if strings.TrimSpace(detail.Text) != "Thank you, Ada." || strings.TrimSpace(detail.HTML) != "<p>Thank you, <b>Ada</b>.</p>" {
		t.Errorf("Text is %q and HTML %q", detail.Text, detail.HTML)
	}
	if detail.ReturnPath != "shop@sidecart.local" || !detail.Date.Equal(time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)) {
		t.Errorf("ReturnPath is %q and Date %v", detail.ReturnPath, detail.Date)
	}
	if len(detail.Attachments) != 1 || detail.Attachments[0].FileName != "items.csv" {
		t.Fatalf("attachments are %+v, want items.csv", detail.Attachments)
	}
	if _, csv := call(t, s, "GET", "/api/v1/message/"+m.ID+"/part/"+detail.Attachments[0].PartID, "", nil); strings.TrimSpace(csv) != "a,b" {
		t.Errorf("the attachment is %q, want a,b", csv)
	}

	var headers map[string][]string
	call(t, s, "GET", "/api/v1/message/latest/headers", "", &headers)
	if got := headers["Message-Id"]; len(got) != 1 || got[0] != "<ntf_1@sidecart.local>" {
		t.Errorf("Message-Id header is %q", got)
	}
	if _, raw := call(t, s, "GET", "/api/v1/message/"+m.ID+"/raw", "", nil); !strings.HasSuffix(raw, multipart) {
		t.Errorf("raw does not end with what was sent:\n%s", raw)
	}
	if got := search(t, s, "is:read"); got.MessagesCount != 1 {
		t.Errorf("%d messages are read after reading it, want 1", got.MessagesCount)
	}
}

// TestAMailsTraceStandsInItsHeader holds for both ways of naming it: a header, and an element of
// the page, where whoever sent the mail could not set headers.
func TestAMailsTraceStandsInItsHeader(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	const other = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b8-01"
	page := func(content string) string {
		return "\r\n<html><head><meta name=\"traceparent\" content=\"" + content + "\"></head><p>Hi</p></html>\r\n"
	}
	const html = "From: shop@sidecart.local\r\nTo: ada@example.org\r\nSubject: Hi\r\nContent-Type: text/html\r\n"
	for source, want := range map[string][]string{
		html + page(parent): {parent},
		html + "Traceparent: " + other + "\r\n" + page(parent): {other},
		html + page("00-nonsense"):                             nil,
		plain("ada@example.org", "Hi", page(parent)):           nil,
	} {
		s := start(t, inbox.Config{})
		send(t, s, source, "ada@example.org")
		var headers map[string][]string
		call(t, s, "GET", "/api/v1/message/latest/headers", "", &headers)
		if got := headers["Traceparent"]; !slices.Equal(got, want) {
			t.Errorf("the mail's traces are %q, want %q; it was\n%s", got, want, source)
		}
	}
}

// TestAnswersHaveMailpitsShape holds the keys and types that a Mailpit client decodes.
func TestAnswersHaveMailpitsShape(t *testing.T) {
	s := start(t, inbox.Config{})
	send(t, s, plain("ada@example.org", "Hello", "Hi"), "ada@example.org")
	var found map[string]any
	call(t, s, "GET", "/api/v1/messages", "", &found)
	requireKeys(t, found, "total", "unread", "count", "messages_count", "messages_unread", "start", "tags", "messages")
	first := found["messages"].([]any)[0].(map[string]any)
	requireKeys(t, first, "ID", "MessageID", "Read", "From", "To", "Cc", "Bcc", "ReplyTo", "Subject", "Created", "Username", "Tags", "Size", "Attachments", "Snippet")
	for _, key := range []string{"To", "Cc", "Bcc", "ReplyTo", "Tags"} {
		if _, ok := first[key].([]any); !ok {
			t.Errorf("%s is %T, want an array even when empty", key, first[key])
		}
	}
	var detail map[string]any
	call(t, s, "GET", "/api/v1/message/latest", "", &detail)
	requireKeys(t, detail, "ID", "MessageID", "From", "To", "Cc", "Bcc", "ReplyTo", "ReturnPath", "Subject", "ListUnsubscribe", "Date", "Tags", "Username", "Text", "HTML", "Size", "Inline", "Attachments")
	var info map[string]any
	call(t, s, "GET", "/api/v1/info", "", &info)
	requireKeys(t, info, "Version", "LatestVersion", "Database", "DatabaseSize", "Messages", "Unread", "Tags", "RuntimeStats")
	for _, path := range []string{"/livez", "/readyz"} {
		if status, _ := call(t, s, "GET", path, "", nil); status != http.StatusOK {
			t.Errorf("%s answers %d, want 200", path, status)
		}
	}
	if status, _ := call(t, s, "GET", "/api/v1/message/unknown", "", nil); status != http.StatusNotFound {
		t.Errorf("an unknown id answers %d, want 404", status)
	}
	if status, _ := call(t, s, "GET", "/api/v1/search?query=", "", nil); status != http.StatusBadRequest {
		t.Errorf("an empty search answers %d, want 400", status)
	}
}

func requireKeys(t *testing.T, object map[string]any, keys ...string) {
	t.Helper()
	object = maps.Clone(object)
	for _, key := range keys {
		if _, ok := object[key]; !ok {
			t.Errorf("the key %q is missing from %v", key, object)
		}
		delete(object, key)
	}
	for key := range object {
		t.Errorf("the key %q is not one of Mailpit's", key)
	}
}

func TestSearchUnderstandsMailpitsTerms(t *testing.T) {
	s := start(t, inbox.Config{})
	send(t, s, plain("Ada <ada@example.org>", "Order placed", "Your espresso machine"), "ada@example.org")
	send(t, s, plain("bob@example.org", "Payment failed", "placed with care"), "bob@example.org")
	send(t, s, multipart, "ada@example.org", "charles@example.org")
	for query, want := range map[string]int{
		"to:ada@example.org":                        2,
		`to:"ada@example.org"`:                      2,
		"TO:ADA@example.org":                        2,
		"from:shop@sidecart.local":                  3,
		`subject:"order placed"`:                    2,
		`to:ada@example.org subject:"Order placed"`: 2,
		`"espresso machine"`:                        1,
		"espresso":                                  1,
		"machine espresso":                          1,
		"placed":                                    3,
		"placed -subject:payment":                   2,
		"!placed":                                   0,
		"cc:charles":                                1,
		"message-id:ntf_1@sidecart.local":           1,
		"has:attachment":                            1,
		"is:unread to:bob":                          1,
		"after:2020-01-01":                          3,
		"before:2020-01-01":                         0,
		"nothing-like-it":                           0,
	} {
		if got := search(t, s, query); got.MessagesCount != want || len(got.Messages) != want || got.Total != 3 {
			t.Errorf("search %q finds %d (%d listed) of %d, want %d of 3", query, got.MessagesCount, len(got.Messages), got.Total, want)
		}
	}
}

func TestListsAreNewestFirstAndPaged(t *testing.T) {
	s := start(t, inbox.Config{})
	for i := range 5 {
		send(t, s, plain("ada@example.org", fmt.Sprint("n", i), "Hi"), "ada@example.org")
	}
	var found list
	call(t, s, "GET", "/api/v1/messages?start=1&limit=2", "", &found)
	if len(found.Messages) != 2 || found.Messages[0].Subject != "n3" || found.Messages[1].Subject != "n2" || found.MessagesCount != 5 || found.Start != 1 {
		t.Errorf("page is %+v, want n3 and n2 of 5", found)
	}
}

func TestDeleteRemovesTheNamedMessagesOrAll(t *testing.T) {
	s := start(t, inbox.Config{})
	for _, subject := range []string{"one", "two", "three"} {
		send(t, s, plain("ada@example.org", subject, "Hi"), "ada@example.org")
	}
	body, _ := json.Marshal(map[string]any{"IDs": []string{search(t, s, "subject:two").Messages[0].ID}})
	if status, text := call(t, s, "DELETE", "/api/v1/messages", string(body), nil); status != 200 || text != "ok" {
		t.Fatalf("deleting one answers %d %q", status, text)
	}
	var found list
	call(t, s, "GET", "/api/v1/messages", "", &found)
	if found.Total != 2 || search(t, s, "subject:two").MessagesCount != 0 {
		t.Errorf("%d messages are left, want one and three", found.Total)
	}
	call(t, s, "DELETE", "/api/v1/messages", "", nil)
	call(t, s, "GET", "/api/v1/messages", "", &found)
	if found.Total != 0 {
		t.Errorf("%d messages are left after deleting all", found.Total)
	}
}

func TestAnyCredentialsAreAccepted(t *testing.T) {
	s := start(t, inbox.Config{})
	auth := smtp.PlainAuth("", "whoever", "whatever", "127.0.0.1")
	err := smtp.SendMail(s.SMTPAddr(), auth, "a@example.org", []string{"b@example.org"}, []byte(plain("b@example.org", "Hi", "Hi")))
	if err != nil {
		t.Fatalf("AUTH PLAIN: %v", err)
	}
	connection, err := net.Dial("tcp", s.SMTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(connection, "EHLO test\r\nAUTH LOGIN\r\nd2hv\r\nd2hhdA==\r\nQUIT\r\n")
	var dialogue bytes.Buffer
	_, _ = io.Copy(&dialogue, connection)
	if !strings.Contains(dialogue.String(), "\r\n235 ") {
		t.Errorf("AUTH LOGIN was not accepted:\n%s", dialogue.String())
	}
}
