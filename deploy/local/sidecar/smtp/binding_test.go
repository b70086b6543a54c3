package smtp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"
)

func TestConcurrentMailsReachTheirOwnRecipientsOnly(t *testing.T) {
	const mails = 64
	s := &server{}
	b := binding(t, s.listen(t, nil), nil)
	var work sync.WaitGroup
	for i := range mails {
		work.Go(func() {
			request := map[string]string{
				"emailTo": fmt.Sprintf("user%d@example.org", i), "subject": fmt.Sprintf("for user%d.", i), "messageId": fmt.Sprintf("ntf_%d", i),
			}
			if i%2 == 0 {
				request["emailCC"] = fmt.Sprintf("cc%d@example.org", i)
			}
			if i%3 == 0 {
				request["emailBCC"] = fmt.Sprintf("bcc%d@example.org", i)
			}
			if _, err := invoke(t.Context(), b, fmt.Sprintf("<p>body of user%d.</p>", i), request); err != nil {
				t.Errorf("mail %d: %v", i, err)
			}
		})
	}
	work.Wait()

	got := s.got()
	if len(got) != mails {
		t.Fatalf("the server got %d mails, want %d", len(got), mails)
	}
	seen := make(map[int]bool)
	for _, mail := range got {
		var i int
		if _, err := fmt.Sscanf(mail.to[0], "user%d@example.org", &i); err != nil || seen[i] {
			t.Fatalf("unexpected or repeated recipient %q", mail.to[0])
		}
		seen[i] = true
		want := []string{fmt.Sprintf("user%d@example.org", i)}
		if i%2 == 0 {
			want = append(want, fmt.Sprintf("cc%d@example.org", i))
		}
		if i%3 == 0 {
			want = append(want, fmt.Sprintf("bcc%d@example.org", i))
		}
		if !slices.Equal(mail.to, want) {
			t.Errorf("the mail of user%d went to %v, want %v", i, mail.to, want)
		}
		for _, part := range []string{"for user%d.", "body of user%d.", "<ntf_%d@sidecart.local>"} {
			if part = fmt.Sprintf(part, i); !strings.Contains(mail.source, part) {
				t.Errorf("the mail of user%d lacks %q:\n%s", i, part, mail.source)
			}
		}
		if strings.Contains(mail.source, "bcc") {
			t.Errorf("the mail of user%d shows its blind copy:\n%s", i, mail.source)
		}
	}
	if n := s.connected(); n > 4 {
		t.Errorf("%d connections were opened, want at most 4", n)
	}
}

func TestNothingOfARequestStaysForTheNext(t *testing.T) {
	s := &server{}
	b := binding(t, s.listen(t, nil), map[string]string{"emailTo": "default@example.org"})
	mustInvoke(t, b, "x", map[string]string{
		"emailTo": "ada@example.org", "emailCC": "cc@example.org", "emailBCC": "bcc@example.org", "subject": "First", "priority": "1", "emailFrom": "other@sidecart.local",
	})
	mustInvoke(t, b, "x", nil)
	mail := s.got()[1]
	if !slices.Equal(mail.to, []string{"default@example.org"}) || mail.from != "shop@sidecart.local" {
		t.Errorf("the second mail went from %s to %v, want the component's own", mail.from, mail.to)
	}
	for _, part := range []string{"Subject: Hello\r\n", "X-Priority: 3\r\n"} {
		if !strings.Contains(mail.source, part) {
			t.Errorf("the second mail lacks %q:\n%s", part, mail.source)
		}
	}
}

func TestAMailLeadsToTheTraceItWasSentIn(t *testing.T) {
	s := &server{}
	b := binding(t, s.listen(t, nil), map[string]string{"emailTo": "ada@example.org"})
	const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	mustInvoke(t, b, "x", map[string]string{"traceparent": traceparent})
	mustInvoke(t, b, "x", map[string]string{"traceparent": "00-x\r\nBcc: eve@example.org"})
	if got := s.got()[0].source; !strings.Contains(got, "\r\nTraceparent: "+traceparent+"\r\n") {
		t.Errorf("the mail does not name its trace:\n%s", got)
	}
	if got := strings.ToLower(s.got()[1].source); strings.Contains(got, "traceparent") || strings.Contains(got, "eve@") {
		t.Errorf("what is no traceparent stands in the mail:\n%s", got)
	}
}

func TestAnEmptyValueClearsTheComponentsDefault(t *testing.T) {
	s := &server{}
	b := binding(t, s.listen(t, nil), map[string]string{"emailTo": "default@example.org", "emailCC": "audit@example.org"})
	mustInvoke(t, b, "x", nil)
	mustInvoke(t, b, "x", map[string]string{"emailCC": ""})
	if got := s.got(); len(got[0].to) != 2 || !slices.Equal(got[1].to, []string{"default@example.org"}) {
		t.Errorf("recipients are %v and %v, want the default CC in the first mail only", got[0].to, got[1].to)
	}
	if _, err := invoke(t.Context(), b, "x", map[string]string{"emailTo": ""}); err == nil {
		t.Error("an empty emailTo was sent to someone")
	}
}

func TestRefusalsSayWhetherToTryAgain(t *testing.T) {
	refuse := func(code int) error {
		return &gosmtp.SMTPError{Code: code, EnhancedCode: gosmtp.EnhancedCode{code / 100, 1, 1}, Message: "no <ADA@example.org> here"}
	}
	for _, c := range []struct {
		name      string
		server    *server
		permanent bool
	}{
		{"5xx to the recipient", &server{onRcpt: func(string) error { return refuse(550) }}, true},
		{"4xx to the recipient", &server{onRcpt: func(string) error { return refuse(450) }}, false},
		{"5xx to the body", &server{onData: func(int) error { return refuse(554) }}, true},
		{"4xx to the body", &server{onData: func(int) error { return refuse(451) }}, false},
		{"530 asking for a login", &server{onRcpt: func(string) error { return refuse(530) }}, false},
	} {
		b := binding(t, c.server.listen(t, nil), nil)
		for range 2 { // the connection survives a refusal
			_, err := invoke(t.Context(), b, "x", map[string]string{"emailTo": "ada@example.org"})
			requireFailure(t, c.name, err, c.permanent)
			if err != nil && strings.Contains(strings.ToLower(err.Error()), "ada@") {
				t.Errorf("%s: the error shows the address: %v", c.name, err)
			}
		}
		if n := c.server.connected(); n != 1 {
			t.Errorf("%s: %d connections were opened, want 1", c.name, n)
		}
	}
}

func requireFailure(t *testing.T, name string, err error, permanent bool) {
	t.Helper()
	failure, ok := errors.AsType[*Error](err)
	want := map[bool]string{true: "permanent failure", false: "transient failure"}[permanent]
	if !ok || failure.Permanent != permanent || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: the error is %v, want a %s", name, err, want)
	}
}

func TestARefusedRecipientMeansNobodyGetsTheMail(t *testing.T) {
	s := &server{onRcpt: func(to string) error {
		if strings.HasPrefix(to, "bad") {
			return &gosmtp.SMTPError{Code: 550, EnhancedCode: gosmtp.EnhancedCode{5, 1, 1}, Message: "unknown"}
		}
		return nil
	}}
	b := binding(t, s.listen(t, nil), nil)
	if _, err := invoke(t.Context(), b, "x", map[string]string{"emailTo": "good@example.org;bad@example.org"}); err == nil {
		t.Error("sending succeeded, want a failure")
	}
	mustInvoke(t, b, "x", map[string]string{"emailTo": "next@example.org"})
	if got := s.got(); len(got) != 1 || !slices.Equal(got[0].to, []string{"next@example.org"}) {
		t.Errorf("the server got %+v, want the next mail only", got)
	}
}

func TestAHangingServerTimesOut(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, c) }() // never a word
		}
	}()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	to := map[string]string{"emailTo": "ada@example.org"}

	b := binding(t, port, map[string]string{"connectTimeout": "100ms"})
	_, err = invoke(t.Context(), b, "x", to)
	requireFailure(t, "silent server", err, false)

	b = binding(t, port, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = invoke(ctx, b, "x", to)
	requireFailure(t, "caller's deadline", err, false)
}

func TestAServerThatHangsWithinAMailTimesOutAndItsConnectionIsNotUsedAgain(t *testing.T) {
	release := make(chan struct{})
	s := &server{onData: func(sofar int) error {
		if sofar == 1 {
			<-release
		}
		return nil
	}}
	b := binding(t, s.listen(t, nil), nil)
	t.Cleanup(func() { close(release) })
	to := map[string]string{"emailTo": "ada@example.org"}
	mustInvoke(t, b, "x", to)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := invoke(ctx, b, "x", to)
	requireFailure(t, "server hanging after the body", err, false)
	if len(b.pool.idle) != 0 {
		t.Error("the hanging connection was kept for the next mail")
	}
}

func TestAStaleConnectionIsReplaced(t *testing.T) {
	s := &server{}
	b := binding(t, s.listen(t, nil), nil)
	to := map[string]string{"emailTo": "ada@example.org"}
	mustInvoke(t, b, "1", to)
	mustInvoke(t, b, "2", to)
	if n := s.connected(); n != 1 {
		t.Fatalf("two mails took %d connections, want 1", n)
	}
	s.hangUp()
	mustInvoke(t, b, "3", to)
	if n, got := s.connected(), len(s.got()); n != 2 || got != 3 {
		t.Errorf("%d connections carried %d mails, want 2 and 3", n, got)
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	s := &server{}
	b := binding(t, s.listen(t, nil), map[string]string{"idleTimeout": "1ms"})
	mustInvoke(t, b, "1", map[string]string{"emailTo": "ada@example.org"})
	deadline := time.Now().Add(10 * time.Second)
	for {
		b.pool.mu.Lock()
		idle := len(b.pool.idle)
		b.pool.mu.Unlock()
		if idle == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the connection is still open after 10 s")
		}
	}
}

func TestAClosedBindingSendsNothing(t *testing.T) {
	s := &server{}
	b := binding(t, s.listen(t, nil), nil)
	mustInvoke(t, b, "1", map[string]string{"emailTo": "ada@example.org"})
	_ = b.Close()
	_, err := invoke(t.Context(), b, "2", map[string]string{"emailTo": "ada@example.org"})
	requireFailure(t, "closed binding", err, false)
}
