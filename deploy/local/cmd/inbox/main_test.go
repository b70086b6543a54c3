package main

import (
	"context"
	"net/http"
	"net/smtp"
	"strings"
	"testing"
	"time"

	"sidecart.dev/local/inbox"
)

// start runs the command's inbox in an environment until the test ends.
func start(t *testing.T, env map[string]string) *inbox.Server {
	t.Helper()
	server := inbox.New(config(func(name string) string { return env[name] }))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the inbox ended with %v", err)
		}
	})
	select {
	case <-server.Ready():
	case err := <-ended:
		ended <- nil
		t.Fatalf("the inbox does not start: %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("the inbox is not ready")
	}
	return server
}

// TestTheInboxAnswersToTheNamesItIsGivenAndNoOther, as a Service of a cluster has one.
func TestTheInboxAnswersToTheNamesItIsGivenAndNoOther(t *testing.T) {
	server := start(t, map[string]string{
		"INBOX_HTTP_ADDR": "0.0.0.0:0", "INBOX_SMTP_ADDR": "0.0.0.0:0", "INBOX_ALLOWED_HOSTS": "inbox, Inbox.sidecart.svc ,",
	})
	_, port, _ := strings.Cut(strings.TrimPrefix(server.HTTPAddr(), "[::]"), ":")
	for host, want := range map[string]int{
		"inbox": 200, "inbox:8025": 200, "inbox.sidecart.svc:8025": 200, "localhost": 200, "10.0.0.7:8025": 200,
		"evil.example": 421, "inbox.evil.example": 421, "sidecart.svc": 421,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:"+port+"/livez", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("asked for %q it answers %d, want %d", host, resp.StatusCode, want)
		}
	}
}

// TestTheInboxTakesMailWhereItIsTold to listen.
func TestTheInboxTakesMailWhereItIsTold(t *testing.T) {
	server := start(t, map[string]string{"INBOX_HTTP_ADDR": "127.0.0.1:0", "INBOX_SMTP_ADDR": "127.0.0.1:0"})
	if err := smtp.SendMail(server.SMTPAddr(), nil, "shop@example.org", []string{"ada@example.org"}, []byte("Subject: hello\r\n\r\nhello\r\n")); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + server.HTTPAddr() + "/api/v1/message/latest")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("the mail that was sent is answered with %d", resp.StatusCode)
	}
}

// TestTheInboxListensOnLoopbackUnlessTold otherwise.
func TestTheInboxListensOnLoopbackUnlessTold(t *testing.T) {
	c := config(func(string) string { return "" })
	if c.HTTPAddr != "" || c.SMTPAddr != "" || len(c.AllowedHosts) != 0 {
		t.Errorf("an empty environment gives %+v, want the defaults of package inbox", c)
	}
}
