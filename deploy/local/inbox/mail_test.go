package inbox_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sidecart.dev/local/inbox"
)

func TestMultipartMailIsReadBackWhole(t *testing.T) {
	s := start(t, inbox.Config{})
	send(t, s, multipart, "ada@example.org", "charles@example.org", "audit@example.org")

	var found list
	call(t, s, "GET", "/api/v1/messages", "", &found)
	if found.Total != 1 || found.Unread != 1 || found.MessagesCount != 1 || len(found.Messages) != 1 {
		t.Fatalf("list is %+v, want one unread message", found)
	}
	m := found.Messages[0]
	if m.Subject != "Grüße: order placed" || m.MessageID != "ntf_1@sidecart.local" ||
		m.Attachments != 1 || m.Snippet != "Thank you, Ada ." {
		t.Errorf("summary is %+v", m)
	}
	from, to := address{"Sidecart", "shop@sidecart.local"}, address{"Ada Lovelace", "ada@example.org"}
	if m.From != from || !slices.Equal(m.To, []address{to}) {
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
	if strings.TrimSpace(detail.Text) != "Thank you, Ada." ||
		strings.TrimSpace(detail.HTML) != "<p>Thank you, <b>Ada</b>.</p>" {
		t.Errorf("Text is %q and HTML %q", detail.Text, detail.HTML)
	}
	date := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	if detail.ReturnPath != "shop@sidecart.local" || !detail.Date.Equal(date) {
		t.Errorf("ReturnPath is %q and Date %v", detail.ReturnPath, detail.Date)
	}
	if len(detail.Attachments) != 1 || detail.Attachments[0].FileName != "items.csv" {
		t.Fatalf("attachments are %+v, want items.csv", detail.Attachments)
	}
	part := "/api/v1/message/" + m.ID + "/part/" + detail.Attachments[0].PartID
	if _, csv := call(t, s, "GET", part, "", nil); strings.TrimSpace(csv) != "a,b" {
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
	requireKeys(t, found, "total", "unread", "count", "messages_count", "messages_unread",
		"start", "tags", "messages")
	first := found["messages"].([]any)[0].(map[string]any)
	requireKeys(t, first, "ID", "MessageID", "Read", "From", "To", "Cc", "Bcc", "ReplyTo",
		"Subject", "Created", "Username", "Tags", "Size", "Attachments", "Snippet")
	for _, key := range []string{"To", "Cc", "Bcc", "ReplyTo", "Tags"} {
		if _, ok := first[key].([]any); !ok {
			t.Errorf("%s is %T, want an array even when empty", key, first[key])
		}
	}
	var detail map[string]any
	call(t, s, "GET", "/api/v1/message/latest", "", &detail)
	requireKeys(t, detail, "ID", "MessageID", "From", "To", "Cc", "Bcc", "ReplyTo",
		"ReturnPath", "Subject", "ListUnsubscribe", "Date", "Tags", "Username", "Text", "HTML",
		"Size", "Inline", "Attachments")
	var info map[string]any
	call(t, s, "GET", "/api/v1/info", "", &info)
	requireKeys(t, info, "Version", "LatestVersion", "Database", "DatabaseSize", "Messages",
		"Unread", "Tags", "RuntimeStats")
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
