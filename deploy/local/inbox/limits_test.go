package inbox_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/smtp"
	"strings"
	"sync"
	"testing"
	"time"

	"sidecart.dev/local/inbox"
)

func TestOldestMessagesGoFirst(t *testing.T) {
	s := start(t, inbox.Config{MaxMessages: 3})
	for i := range 5 {
		send(t, s, plain("ada@example.org", fmt.Sprint("n", i), "Hi"), "ada@example.org")
	}
	var found list
	call(t, s, "GET", "/api/v1/messages", "", &found)
	if found.Total != 3 || found.Messages[0].Subject != "n4" || found.Messages[2].Subject != "n2" {
		t.Errorf("list is %+v, want n4, n3, n2", found)
	}
}

func TestTotalSizeIsBounded(t *testing.T) {
	s := start(t, inbox.Config{MaxBytes: 50_000})
	for i := range 4 {
		send(t, s, plain("ada@example.org", fmt.Sprint("n", i), strings.Repeat("lorem ipsum\r\n", 1000)), "ada@example.org")
	}
	var found list
	call(t, s, "GET", "/api/v1/messages", "", &found)
	if found.Total != 1 || found.Messages[0].Subject != "n3" {
		t.Errorf("list is %+v, want only the newest", found)
	}
}

func TestTooLargeMessagesAreRefused(t *testing.T) {
	s := start(t, inbox.Config{MaxMessageBytes: 2000})
	large := strings.Repeat("lorem ipsum\r\n", 1000)
	err := trySend(s, plain("ada@example.org", "Hi", large), "ada@example.org")
	if err == nil || !strings.HasPrefix(err.Error(), "552") {
		t.Errorf("a large mail returned %v, want 552", err)
	}
	sms := `{"to":"+49","message":"` + strings.Repeat("x", 5000) + `"}`
	if status, _ := call(t, s, "POST", "/sms", sms, nil); status != http.StatusBadRequest {
		t.Errorf("a large SMS answers %d, want 400", status)
	}
}

func TestForeignHostsAndOriginsAreRefused(t *testing.T) {
	s := start(t, inbox.Config{AllowedHosts: []string{"inbox"}})
	get := func(host string) int {
		request, _ := http.NewRequestWithContext(t.Context(), "GET", "http://"+s.HTTPAddr()+"/api/v1/messages", nil)
		request.Host = host
		return status(t, request)
	}
	for host, want := range map[string]int{
		"localhost:8025": 200, "127.0.0.1": 200, "[::1]:8025": 200, "inbox:8025": 200, "": 200,
		"evil.example": 421, "localhost.evil.example:8025": 421,
	} {
		if got := get(host); got != want {
			t.Errorf("host %q answers %d, want %d", host, got, want)
		}
	}
	request, _ := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.HTTPAddr()+"/sms",
		strings.NewReader(`{"to":"1","message":"x"}`))
	request.Header.Set("Origin", "https://evil.example")
	if got := status(t, request); got != http.StatusForbidden {
		t.Errorf("a foreign origin's POST answers %d, want 403", got)
	}
}

func status(t *testing.T, request *http.Request) int {
	t.Helper()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

func TestPageIsServedAndHearsOfNewMail(t *testing.T) {
	s := start(t, inbox.Config{})
	for path, part := range map[string]string{
		"/": "<!doctype html>", "/style.css": "color-scheme", "/app.js": "EventSource",
	} {
		if code, text := call(t, s, "GET", path, "", nil); code != 200 || !strings.Contains(text, part) {
			t.Errorf("%s answers %d without %q", path, code, part)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, _ := http.NewRequestWithContext(ctx, "GET", "http://"+s.HTTPAddr()+"/api/inbox/events", nil)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Scan() // the stream is open, so the next change is announced on it
	send(t, s, multipart, "ada@example.org")
	for lines.Scan() && lines.Text() != "event: change" {
	}
	if lines.Text() != "event: change" {
		t.Fatalf("no change was announced: %v", lines.Err())
	}
	var all struct {
		Items []struct{ Kind string } `json:"items"`
	}
	call(t, s, "GET", "/api/inbox?query=espresso", "", &all)
	if len(all.Items) != 0 {
		t.Errorf("a search for an absent word finds %d", len(all.Items))
	}
	call(t, s, "GET", "/api/inbox", "", &all)
	if len(all.Items) != 1 || all.Items[0].Kind != "mail" {
		t.Errorf("items are %+v, want one mail", all.Items)
	}
	var one struct{ Kind string }
	call(t, s, "GET", "/api/inbox/messages/latest", "", &one)
	if one.Kind != "mail" {
		t.Errorf("the newest message is of kind %q, want mail", one.Kind)
	}
}

func TestMailIsShownInASandbox(t *testing.T) {
	s := start(t, inbox.Config{})
	send(t, s, multipart, "ada@example.org")
	answer, err := http.Get("http://" + s.HTTPAddr() + "/view/latest.html")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	policy := answer.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "sandbox") || !strings.Contains(policy, "default-src 'none'") ||
		strings.Contains(policy, "allow-scripts") {
		t.Errorf("the policy is %q, want a sandbox without scripts", policy)
	}
	code, text := call(t, s, "GET", "/view/latest.txt", "", nil)
	if code != 200 || strings.TrimSpace(text) != "Thank you, Ada." {
		t.Errorf("the text is %d %q", code, text)
	}
}

// TestConcurrentUseLosesNothing sends through many connections while others
// read, search and delete.
func TestConcurrentUseLosesNothing(t *testing.T) {
	const senders, each = 16, 25
	s := start(t, inbox.Config{})
	var work sync.WaitGroup
	for n := range senders {
		work.Go(func() {
			to := fmt.Sprintf("user%02d@example.org", n)
			if err := sendMany(s, to, each); err != nil {
				t.Errorf("sending: %v", err)
			}
		})
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					disturb(t, s)
				}
			}
		})
	}
	work.Wait()
	close(stop)
	readers.Wait()
	for n := range senders {
		query := fmt.Sprintf("to:user%02d@example.org", n)
		if got := search(t, s, query).MessagesCount; got != each {
			t.Errorf("%s finds %d, want %d", query, got, each)
		}
	}
}

// disturb adds and deletes SMS messages and searches.
func disturb(t *testing.T, s *inbox.Server) {
	for _, step := range []struct{ method, path, body string }{
		{"POST", "/sms", `{"to":"+49","message":"hi"}`},
		{"GET", "/api/v1/search?query=to:user01", ""},
		{"GET", "/api/inbox?query=hi", ""},
		{"DELETE", "/api/v1/sms", ""},
	} {
		url := "http://" + s.HTTPAddr() + step.path
		request, _ := http.NewRequestWithContext(
			t.Context(), step.method, url, strings.NewReader(step.body))
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Errorf("%s %s: %v", step.method, step.path, err)
			return
		}
		answer.Body.Close()
	}
}

func sendMany(s *inbox.Server, to string, count int) error {
	client, err := smtp.Dial(s.SMTPAddr())
	if err != nil {
		return err
	}
	defer client.Close()
	for i := range count {
		if err := client.Mail("shop@sidecart.local"); err != nil {
			return err
		}
		if err := client.Rcpt(to); err != nil {
			return err
		}
		w, err := client.Data()
		if err != nil {
			return err
		}
		if _, err := fmt.Fprint(w, plain(to, fmt.Sprint("n", i), "Hi")); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	return client.Quit()
}

// BenchmarkReceive measures mails received over eight connections.
func BenchmarkReceive(b *testing.B) {
	server := inbox.New(inbox.Config{HTTPAddr: "127.0.0.1:0", SMTPAddr: "127.0.0.1:0"})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	<-server.Ready()
	b.ResetTimer()
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			if err := sendMany(server, "ada@example.org", b.N/8+1); err != nil {
				b.Error(err)
			}
		})
	}
	work.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
	cancel()
	<-ended
}
