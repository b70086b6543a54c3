package inbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/smtp"
	"net/url"
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
	"--outer\r\nContent-Type: text/csv\r\n" +
	"Content-Disposition: attachment; filename=\"items.csv\"\r\n\r\na,b\r\n--outer--\r\n"

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
